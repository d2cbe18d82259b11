#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# suite: timeout=900
"""What make install leaves is enough for somebody else's program, found by
pkg-config and by CMake; the README's example is such a program."""

import os
import re
import select
import shlex
import subprocess
import sys
import unittest

sys.path[:0] = ["tests", "tests/e2e"]
import harness  # noqa: E402
import own_make  # noqa: E402
import tap  # noqa: E402

HERE = os.environ["TMPDIR"]
TREE = HERE + "/tree"
BUILT = os.environ.get("O", "build")
STRICT = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]

CMAKE = """cmake_minimum_required(VERSION 3.13)
project(user C)
find_package(kinformer 0.1 REQUIRED)
add_executable(user "{source}")
target_link_libraries(user PRIVATE kinformer::kinformer)
"""


def sh(*command, **more):
    return subprocess.run(command, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **more)


def pkg_config(*words):
    env = dict(os.environ, PKG_CONFIG_PATH=TREE + "/lib/pkgconfig")
    run = sh("pkg-config", *words, "kinformer", env=env)
    return shlex.split(run.stdout)


def build(source, out, *more):
    return sh("cc", *STRICT, *more, *pkg_config("--cflags"), source,
              *pkg_config("--libs"), "-o", out)


def build_by_cmake(source, name):
    folder = f"{HERE}/{name}"
    os.makedirs(folder, exist_ok=True)
    with open(folder + "/CMakeLists.txt", "w", encoding="utf-8") as f:
        f.write(CMAKE.format(source=os.path.abspath(source)))
    run = sh("cmake", "-S", folder, "-B", folder + "/b",
             f"-DCMAKE_PREFIX_PATH={TREE}")
    if run.returncode == 0:
        run = sh("cmake", "--build", folder + "/b")
    return run, folder + "/b/user"


def readme_example():
    with open("README.md", encoding="utf-8") as f:
        found = re.search(r"```c\n(.*?)```", f.read(), re.DOTALL)
    path = HERE + "/example.c"
    with open(path, "w", encoding="utf-8") as f:
        f.write(found.group(1))
    return path


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        run = own_make.make("O=" + BUILT, "install", "PREFIX=" + TREE)
        if run.returncode:
            raise RuntimeError(run.stdout)

    def built(self, run):
        self.assertEqual(0, run.returncode, run.stdout)

    def test_the_tree_is_whole(self):
        for path in ("bin/kinformer", "include/kinformer/kinformer.h",
                     "include/kinformer/kinf_config.h", "lib/libkinformer.a",
                     "lib/pkgconfig/kinformer.pc",
                     "share/man/man1/kinformer.1",
                     "lib/cmake/kinformer/kinformer-config.cmake"):
            with self.subTest(path):
                self.assertTrue(os.path.exists(f"{TREE}/{path}"))

    def test_the_program_is_static_and_runs(self):
        run = sh(TREE + "/bin/kinformer", "--help")
        self.assertEqual(0, run.returncode, run.stdout)
        head = sh("readelf", "-l", TREE + "/bin/kinformer").stdout
        self.assertNotIn("INTERP", head)

    def test_destdir_goes_before_prefix(self):
        self.built(own_make.make("O=" + BUILT, "install",
                                 f"DESTDIR={HERE}/dest", "PREFIX=/opt/k"))
        with open(HERE + "/dest/opt/k/lib/pkgconfig/kinformer.pc",
                  encoding="utf-8") as f:
            self.assertIn("prefix=/opt/k\n", f.read())

    def test_a_program_builds_by_pkg_config_and_runs(self):
        self.built(build("tests/house/installed.c", HERE + "/a"))
        run = sh(HERE + "/a")
        self.assertEqual((0, "add a\nadd b\n"), (run.returncode, run.stdout))

    def test_a_program_builds_by_cmake_and_runs(self):
        run, program = build_by_cmake("tests/house/installed.c", "cmake")
        self.built(run)
        run = sh(program)
        self.assertEqual((0, "add a\nadd b\n"), (run.returncode, run.stdout))

    def shows(self, program):
        """Runs the README's example against a server of two ConfigMaps."""
        with harness.Server() as server:
            server.items = [harness.configmap("one", 5),
                            harness.configmap("two", 6)]
            screen, end = os.openpty()  # a terminal, so that lines come
            run = subprocess.Popen(
                [program, "127.0.0.1", str(server.port),
                 server.folder + "/ca.crt"], stdout=end, stderr=end,
                stdin=subprocess.DEVNULL, env={"TOKEN": harness.TOKEN})
            os.close(end)
            seen = b""
            try:
                while seen.count(b"\n") < 2:
                    ready, _, _ = select.select([screen], [], [], 20)
                    self.assertTrue(ready, f"after {seen} it is silent")
                    seen += os.read(screen, 4096)
            finally:
                run.kill()
                run.wait()
                os.close(screen)
            self.assertEqual(["one", "two"], seen.decode().split())
            self.assertEqual("Bearer " + harness.TOKEN,
                             server.requests[0].headers["authorization"])

    def test_readme_example_builds_by_pkg_config_and_runs(self):
        self.built(build(readme_example(), HERE + "/example"))
        self.shows(HERE + "/example")

    def test_readme_example_builds_by_cmake_and_runs(self):
        run, program = build_by_cmake(readme_example(), "example-cmake")
        self.built(run)
        self.shows(program)

    def test_cmake_refuses_another_version(self):
        folder = HERE + "/version"
        os.makedirs(folder, exist_ok=True)
        with open(folder + "/CMakeLists.txt", "w", encoding="utf-8") as f:
            f.write("cmake_minimum_required(VERSION 3.13)\nproject(u NONE)\n"
                    "find_package(kinformer 9.0 REQUIRED)\n")
        run = sh("cmake", "-S", folder, "-B", folder + "/b",
                 f"-DCMAKE_PREFIX_PATH={TREE}")
        self.assertNotEqual(0, run.returncode)
        self.assertIn("kinformer", run.stdout)

    def test_other_sizes_do_not_link(self):
        """A program that was told other sizes than the library has."""
        with open(TREE + "/include/kinformer/kinf_config.h",
                  encoding="utf-8") as f:
            text = f.read()
        other = HERE + "/other"
        os.makedirs(other, exist_ok=True)
        with open(other + "/kinf_config.h", "w", encoding="utf-8") as f:
            f.write(re.sub(r"(#define CONFIG_KINF_INDEX_BITS) 32", r"\1 16",
                           text))
        headers = TREE + "/include/kinformer"
        for name in os.listdir(headers):
            if name != "kinf_config.h":
                os.symlink(f"{headers}/{name}", f"{other}/{name}")
        run = build("tests/house/installed.c", HERE + "/b", "-I" + other)
        self.assertNotEqual(0, run.returncode)
        self.assertIn("kinf_abi_16", run.stdout)


if __name__ == "__main__":
    tap.main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Core builds without this Makefile: by one line, by CMake, and its files for
Zephyr and ESP-IDF say what those SDKs' tools would read."""

import glob
import os
import sys
import unittest

sys.path.insert(0, "tests")
import kconfiglib  # noqa: E402
import tap  # noqa: E402
import yaml  # noqa: E402
from own_make import sh  # noqa: E402

HERE = os.environ["TMPDIR"]
JSMN, MBEDTLS, LWIP = (
    os.path.abspath(os.environ.get(name.upper() + "_DIR", "build/src/" + name))
    for name in ("jsmn", "mbedtls", "lwip"))
ROOT = os.getcwd()
CORE = sorted(glob.glob("core/*.c") + glob.glob("core/*/*.c"))
HOOK = ("#include <stdlib.h>\n#include <kinformer.h>\n"
        "void kinf_assert_failed(unsigned file, unsigned line)\n"
        "{\n    (void)file;\n    (void)line;\n    abort();\n}\n")


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def cmake(name, text, *options):
    """Configures and builds a project of this text; the run that counts."""
    folder = f"{HERE}/{name}"
    write(folder + "/CMakeLists.txt", text)
    run = sh("cmake", "-S", folder, "-B", folder + "/b", *options)
    if run.returncode == 0:
        run = sh("cmake", "--build", folder + "/b", "-j2")
    return run, folder + "/b/"


class Builds(unittest.TestCase):
    def works(self, program):
        run = sh(program)
        self.assertEqual((0, "add a\nadd b\n"), (run.returncode, run.stdout))

    def test_a_plain_list_of_files_will_do(self):
        hook = write(HERE + "/hook.c", HOOK)
        run = sh("cc", "-Icore/include", "-Icore", "-I" + JSMN, *CORE, hook,
                 "tests/house/installed.c", "-o", HERE + "/plain")
        self.assertEqual(0, run.returncode, run.stdout)
        self.works(HERE + "/plain")

    def test_cmake_takes_core_as_a_folder(self):
        hook = write(HERE + "/hook.c", HOOK)
        config = write(HERE + "/sizes.h", "#define CONFIG_KINF_OBJECTS 5\n")
        run, out = cmake(
            "folder", "cmake_minimum_required(VERSION 3.13)\nproject(u C)\n"
            f"add_subdirectory({ROOT}/core core)\n"
            f"add_executable(user {ROOT}/tests/house/installed.c {hook})\n"
            "target_link_libraries(user PRIVATE kinformer::core)\n",
            f"-DKINFORMER_JSMN_DIR={JSMN}", f"-DKINFORMER_CONFIG={config}")
        self.assertEqual(0, run.returncode, run.stdout)
        self.works(out + "user")

    def test_cmake_fetches_core_and_the_ports_of_a_host(self):
        """A program over verified TLS, from a tree that CMake fetched."""
        user = write(HERE + "/https.c", """
#include <https/kinf_https.h>
#include <stdio.h>
static struct kinf_https https;
int main(void)
{
    static const struct kinf_https_config config = {
        .host = "127.0.0.1", .port = 1, .ca_file = "/nowhere", .token = "t" };
    puts(kinf_strerror(kinf_https_init(&https, &config)));
    return 0;
}
""")
        run, out = cmake(
            "fetched", "cmake_minimum_required(VERSION 3.18)\nproject(u C)\n"
            "include(FetchContent)\nFetchContent_Declare(kinformer "
            f"SOURCE_DIR {ROOT} SOURCE_SUBDIR port)\n"
            "FetchContent_MakeAvailable(kinformer)\n"
            f"add_executable(user {user})\n"
            "target_link_libraries(user PRIVATE kinformer::https)\n",
            f"-DKINFORMER_JSMN_DIR={JSMN}",
            f"-DKINFORMER_MBEDTLS_DIR={MBEDTLS}",
            "-DCMAKE_C_FLAGS=-DCONFIG_KINF_INDEX_BITS=32")
        self.assertEqual(0, run.returncode, run.stdout)
        run = sh(out + "user")
        self.assertEqual((0, "the credentials cannot be used\n"),
                         (run.returncode, run.stdout))
        self.assertIn("__wrap_mbedtls_rsa_parse_pubkey",
                      sh("nm", out + "user").stdout)

    def test_cmake_builds_the_ports_of_a_firmware(self):
        """lwIP in a thread of FreeRTOS, whose kernel is the tests' stand-in."""
        arch = LWIP + "/contrib/ports/freertos"
        user = write(HERE + "/firmware.c", HOOK + """
#include <freertos/kinf_freertos.h>
#include <lwip/kinf_lwip.h>
#include <stdio.h>
void kinf_freertos_entropy(void *out, size_t size)
{
    (void)out;
    (void)size;
}
int main(void)
{
    static struct kinf_lwip_tcp tcp;
    struct kinf_transport_status status = { .wants = 0 };
    kinf_lwip_platform(&kinf_freertos_platform);
    kinf_lwip_tcp_init(&tcp);
    kinf_lwip_tcp_ops.status(&tcp, &status);
    printf("%d %d\\n", (int)status.phase, kinf_lwip_thread_ops.open != NULL);
    return 0;
}
""")
        config = write(HERE + "/thread.h",
                       "#define CONFIG_KINF_LWIP_THREAD 1\n")
        run, out = cmake(
            "firmware", "cmake_minimum_required(VERSION 3.13)\nproject(u C)\n"
            f"add_subdirectory({ROOT}/port port)\n"
            f"add_executable(user {user} {arch}/sys_arch.c "
            f"{ROOT}/tests/freertos/standin.c)\n"
            "target_compile_definitions(user PRIVATE _GNU_SOURCE)\n"
            "find_package(Threads)\ntarget_link_libraries(user PRIVATE "
            "kinformer::lwip kinformer::freertos Threads::Threads)\n",
            f"-DKINFORMER_JSMN_DIR={JSMN}", f"-DKINFORMER_LWIP_DIR={LWIP}",
            f"-DKINFORMER_LWIP_ARCH={arch}/include",
            f"-DKINFORMER_FREERTOS_INCLUDE={ROOT}/tests/freertos/kernel",
            f"-DKINFORMER_CONFIG={config}",
            "-DCMAKE_C_FLAGS=-DLWIP_NO_UNISTD_H=0")
        self.assertEqual(0, run.returncode, run.stdout)
        run = sh(out + "user")
        self.assertEqual((0, "0 1\n"), (run.returncode, run.stdout))

    def recorded(self, name, folder, stubs):
        """Includes an SDK's CMakeLists.txt with stand-ins for its commands;
        what those were given."""
        record = f"{HERE}/{name}.txt"
        run, _ = cmake(
            name, "cmake_minimum_required(VERSION 3.13)\n"
            "project(u NONE)\nset(CONFIG_KINFORMER y)\n"
            + "".join(f"function({s})\n    string(JOIN \" \" a ${{ARGV}})\n"
                      f"    file(APPEND {record} \"{s} ${{a}}\\n\")\n"
                      "endfunction()\n" for s in stubs)
            + f"include({ROOT}/{folder}/CMakeLists.txt)\n",
            f"-DKINFORMER_JSMN_DIR={JSMN}", "-DKINFORMER_PORTS=mbedtls;lwip")
        self.assertEqual(0, run.returncode, run.stdout)
        with open(record, encoding="utf-8") as f:
            return f.read()

    def says_all_of_core(self, text):
        for path in CORE:
            self.assertIn("/" + path, text)
        self.assertIn("/core/include", text)
        self.assertIn("/mbedtls/tls.c", text)
        self.assertIn("/lwip/tcp.c", text)
        self.assertIn("CONFIG_KINF_ASSERT=0", text)

    def test_zephyr_files_parse(self):
        with open("port/zephyr/zephyr/module.yml", encoding="utf-8") as f:
            module = yaml.safe_load(f)
        self.assertEqual("kinformer", module["name"])
        keys = module["build"]
        self.assertTrue(os.path.exists(
            f"port/zephyr/{keys['cmake']}/CMakeLists.txt"))
        self.same_symbols("port/zephyr/" + keys["kconfig"])
        self.says_all_of_core(self.recorded(
            "zephyr", "port/zephyr",
            ["zephyr_library_named", "zephyr_library_sources",
             "zephyr_include_directories",
             "zephyr_library_include_directories",
             "zephyr_compile_definitions"]))

    def test_esp_idf_files_parse(self):
        self.same_symbols("port/esp-idf/Kconfig")
        self.says_all_of_core(self.recorded(
            "idf", "port/esp-idf",
            ["idf_component_register", "target_compile_definitions"]))

    def same_symbols(self, path):
        names = [{s.name for s in kconfiglib.Kconfig(p).unique_defined_syms}
                 for p in ("Kconfig", path)]
        self.assertEqual(names[0], names[1])


if __name__ == "__main__":
    tap.main()

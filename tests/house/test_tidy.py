#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# suite: timeout=2400
"""clang-tidy finds no bug in core, port and boards/linux (see .clang-tidy)."""

import concurrent.futures
import glob
import os
import subprocess
import sys
import unittest

sys.path.insert(0, "tests")
import tap  # noqa: E402

SRC = {name: os.environ.get(name.upper() + "_DIR", "build/src/" + name)
       for name in ("jsmn", "mbedtls", "libyaml", "lwip")}
FLAGS = ["-std=c11", "-Icore/include", "-Icore", "-Iport", "-Iport/posix",
         "-Iport/mbedtls", "-Iboards/linux", "-Itests/freertos/kernel",
         "-D_GNU_SOURCE",
         "-DCONFIG_KINF_INDEX_BITS=32",
         '-DMBEDTLS_CONFIG_FILE="config_gateway.h"',
         "-isystem", SRC["jsmn"], "-isystem", SRC["mbedtls"] + "/include",
         "-isystem", SRC["libyaml"] + "/include",
         "-DLWIP_NO_UNISTD_H=0", "-Iport/lwip", "-isystem",
         SRC["lwip"] + "/src/include",
         *(f"-DCONFIG_KINF_LWIP_{by}=1" for by in ("DNS", "DHCP", "SNTP"))]


def tidy(path):
    """Returns what it found, or nothing."""
    run = subprocess.run(["clang-tidy", "--quiet", path, "--", *FLAGS],
                         text=True, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT)
    return path, "" if run.returncode == 0 else run.stdout


class Tidy(unittest.TestCase):
    def test_no_finding(self):
        files = (glob.glob("core/**/*.c", recursive=True)
                 + glob.glob("port/posix/*.c") + glob.glob("port/mbedtls/*.c")
                 + glob.glob("port/freertos/*.c") + glob.glob("port/lwip/*.c")
                 + glob.glob("port/https/*.c") + glob.glob("boards/linux/*.c"))
        self.assertGreater(len(files), 10)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for path, found in pool.map(tidy, sorted(files)):
                with self.subTest(path):
                    self.assertEqual("", found)

    def test_a_bug_would_be_found(self):
        """The check above is not blind: a null pointer is told."""
        path = os.path.join(os.environ["TMPDIR"], "bug.c")
        with open(path, "w", encoding="utf-8") as f:
            f.write("int f(int a)\n{\n    int *p = 0;\n"
                    "    return a ? *p : 0;\n}\n")
        run = subprocess.run(
            ["clang-tidy", "--quiet", "--config-file=.clang-tidy", path,
             "--", "-std=c11"], text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        self.assertNotEqual(0, run.returncode)
        self.assertIn("NullDereference", run.stdout)


if __name__ == "__main__":
    tap.main()

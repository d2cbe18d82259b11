#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Sizes that are impossible by their declaration do not compile, in C and C++,
by gcc and clang; what stops at run time is in tests/unit/test_misuse.c."""

import os
import subprocess
import sys
import unittest

sys.path.insert(0, "tests")
import tap  # noqa: E402

HERE = os.environ["TMPDIR"]
COMPILERS = (["gcc", "-std=c11", "-Wpedantic"],
             ["clang", "-std=c11", "-Wpedantic"],
             ["g++", "-x", "c++"], ["clang++", "-x", "c++"])
GOOD = "8, 8192, 4, 1, 4, 0, 0"


def compiles(compiler, text, *flags):
    path = HERE + "/snippet.c"
    with open(path, "w", encoding="utf-8") as f:
        f.write("#include <kinformer.h>\n" + text)
    run = subprocess.run(
        [*compiler, "-Wall", "-Wextra", "-Werror", "-Icore/include",
         *flags, "-c", path, "-o", HERE + "/snippet.o"],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return run.returncode == 0, run.stdout


def memory(sizes):
    return ("extern char memory[];\n"
            f"char memory[KINF_INFORMER_BYTES({sizes})];\n")


class Misuse(unittest.TestCase):
    def check(self, works, text, *flags):
        for compiler in COMPILERS:
            done, said = compiles(compiler, text, *flags)
            self.assertEqual(works, done, f"{compiler}: {text}{said}")

    def test_sizes_that_can_work_compile(self):
        for sizes in (GOOD, "1, 1056, 1, 0, 0, 0, 0",
                      "1, 1056, 1, 32, 1, 32, 65534",
                      "65000, 1056, 500, 1, 30, 0, 0"):
            self.check(True, memory(sizes))
        self.check(True, "extern char memory[];\n"
                   "char memory[KINF_INFORMER_BYTES_DEFAULT];\n")

    def test_sizes_that_cannot_work_do_not_compile(self):
        for what, sizes in (
                ("no object", "0, 8192, 4, 1, 4, 0, 0"),
                ("an arena for one", "8, 1000, 4, 1, 4, 0, 0"),
                ("no FIFO", "8, 8192, 0, 1, 4, 0, 0"),
                ("handlers without a ring", "8, 8192, 4, 1, 0, 0, 0"),
                ("33 handlers", "8, 8192, 4, 33, 4, 0, 0"),
                ("33 latest ones", "8, 8192, 4, 1, 4, 33, 0"),
                ("more than indexes count", "65535, 8192, 4, 1, 4, 0, 0"),
                ("as many postings", "8, 8192, 4, 1, 4, 0, 65535")):
            with self.subTest(what):
                self.check(False, memory(sizes))

    def test_a_configuration_that_cannot_work_does_not_compile(self):
        text = ("extern char memory[];\n"
                "char memory[KINF_INFORMER_BYTES_DEFAULT];\n")
        for flag in ("OBJECTS=0", "FIFO=0", "RING=0", "ARENA_BYTES=900",
                     "INDEX_BITS=24"):
            with self.subTest(flag):
                self.check(False, text, "-DCONFIG_KINF_" + flag)

    def test_with_wide_indexes_more_is_possible(self):
        self.check(True, memory("100000, 8192, 4, 1, 4, 0, 70000"),
                   "-DCONFIG_KINF_INDEX_BITS=32")

    def test_the_parts_of_the_header_are_not_included_alone(self):
        for part in ("kinf_internal.h", "kinf_wire.h", "kinf_workqueue.h"):
            path = HERE + "/alone.c"
            with open(path, "w", encoding="utf-8") as f:
                f.write(f"#include <{part}>\n")
            run = subprocess.run(
                ["gcc", "-std=c11", "-Icore/include", "-c", path, "-o",
                 HERE + "/alone.o"], text=True, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT)
            self.assertNotEqual(0, run.returncode, part)
            self.assertIn("include kinformer.h", run.stdout)


if __name__ == "__main__":
    tap.main()

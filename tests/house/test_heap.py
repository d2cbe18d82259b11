#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Nobody calls the heap: not core, not the ports, not the gateway program, nor
the third parties linked to it. Name resolution aside, in which the C library
has its own, and the words of an assertion that failed."""

import glob
import os
import subprocess
import sys
import unittest

sys.path.insert(0, "tests")
import tap  # noqa: E402

BUILT = os.environ.get("O", "build")
HEAP = {"malloc", "calloc", "realloc", "reallocarray", "free", "aligned_alloc",
        "posix_memalign", "memalign", "valloc", "brk", "sbrk", "strdup",
        "strndup", "__strdup"}
# Functions of the C library that take from the heap, or may.
TAKERS = {"asprintf", "vasprintf", "getline", "getdelim", "open_memstream",
          "fopen", "fdopen", "freopen", "fclose", "popen", "opendir",
          "fdopendir", "closedir", "scandir", "glob", "realpath", "qsort",
          "setlocale", "getaddrinfo", "freeaddrinfo", "gethostbyname",
          "getpwuid", "getpwnam", "pthread_create", "tzset", "localtime",
          "localtime_r", "mktime", "strftime", "syslog", "printf", "fprintf",
          "vfprintf", "dprintf", "puts", "fputs", "fwrite", "setvbuf",
          "setenv", "putenv", "dlopen", "tmpfile", "regcomp", "hcreate",
          "tsearch"}
MAY = {
    "port/posix/lookup": {"getaddrinfo", "freeaddrinfo", "pthread_create"},
    "port/posix/assert": {"fprintf"},
}


def calls(path):
    """Undefined symbols of an object."""
    text = subprocess.run(["nm", "--undefined-only", path], check=True,
                          text=True, stdout=subprocess.PIPE).stdout
    return {line.split()[-1] for line in text.splitlines() if line.strip()}


def objects(flavour, part):
    """Of sources that are still there."""
    for path in sorted(glob.glob(f"{BUILT}/{flavour}/obj/{part}/**/*.o",
                                 recursive=True)):
        source = path.removeprefix(f"{BUILT}/{flavour}/obj/")[:-2]
        if part in ("mbedtls", "libyaml") or os.path.exists(source + ".c"):
            yield source, path


class Heap(unittest.TestCase):
    def check(self, flavour, part, names=HEAP | TAKERS):
        seen = 0
        for source, path in objects(flavour, part):
            seen += 1
            with self.subTest(source):
                found = calls(path) & names
                self.assertEqual(set(), found - MAY.get(source, set()))
        self.assertGreater(seen, 2, "nothing was built")

    def test_core_calls_no_heap(self):
        self.check("host", "core")

    def test_ports_call_no_heap(self):
        self.check("host", "port")

    def test_the_program_calls_no_heap(self):
        for part in ("core", "port", "boards"):
            self.check("gateway", part)

    def test_third_parties_call_no_heap(self):
        """Theirs may call stdio in what is not linked."""
        for part in ("mbedtls", "libyaml"):
            self.check("gateway", part, HEAP)

    def test_what_may_be_called_is_called(self):
        """An exception that nobody needs any more is to go."""
        for source, names in MAY.items():
            path = f"{BUILT}/gateway/obj/{source}.o"
            self.assertEqual(names, calls(path) & names, source)


if __name__ == "__main__":
    tap.main()

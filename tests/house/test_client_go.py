#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""tests/client-go.md names tests that there are, and counts its rows."""

import glob
import re
import sys
import unittest

sys.path.insert(0, "tests")
import tap  # noqa: E402

PAGE = "tests/client-go.md"
ROW = re.compile(r"^\| ([^|]+) \| (held|n/a) \| (.+) \|$", re.MULTILINE)
NAMED = re.compile(r"\b(test_\w+): (test_\w+)")


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def tests_of(suite):
    """The tests of tests/*/SUITE.c or .py that are run."""
    found = set()
    for path in glob.glob(f"tests/*/{suite}.c"):
        found |= set(re.findall(r"cmocka_unit_test\w*\(\s*(test_\w+)",
                                read(path)))
    for path in glob.glob(f"tests/*/{suite}.py"):
        found |= set(re.findall(r"def (test_\w+)\(self", read(path)))
    return found


class ClientGo(unittest.TestCase):
    def setUp(self):
        self.rows = ROW.findall(read(PAGE))

    def test_every_test_that_is_named_exists(self):
        named = {pair for row in self.rows for pair in NAMED.findall(row[2])}
        self.assertGreater(len(named), 50)
        for suite, name in sorted(named):
            with self.subTest(f"{suite}: {name}"):
                self.assertIn(name, tests_of(suite))

    def test_what_is_held_names_a_test(self):
        for name, kind, text in self.rows:
            if kind == "held":
                with self.subTest(name):
                    self.assertTrue(NAMED.search(text))

    def test_the_rows_are_as_many_as_it_says(self):
        kinds = [kind for _, kind, _ in self.rows]
        held, other = kinds.count("held"), kinds.count("n/a")
        said = re.sub(r"\s+", " ", read(PAGE))
        self.assertIn(f"Of {held + other} rows {held} are held, {other} do "
                      "not apply, 0 are missing", said)


if __name__ == "__main__":
    tap.main()

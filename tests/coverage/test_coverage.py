#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# suite: timeout=900
"""What of core the tests reach; `make coverage` prints all of it."""

import contextlib
import io
import os
import sys
import unittest

sys.path[:0] = ["tests", "tests/coverage"]
import coverage  # noqa: E402
import tap  # noqa: E402

BUILT = os.environ.get("O", "build")
SEEDS = 30
FAULTS = {}


def setUpModule():
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        FAULTS.update(coverage.everything(SEEDS, BUILT))
    for line in shown.getvalue().splitlines():
        print("# " + line)


class Coverage(unittest.TestCase):
    def check(self, kind):
        self.assertFalse(FAULTS[kind], "\n" + "\n\n".join(FAULTS[kind]))

    def test_every_line_of_core_is_reached(self):
        self.check("every_line_of_core_is_reached")

    def test_enough_branches_are_reached(self):
        self.check("enough_branches_are_reached")

    def test_few_lines_are_marked_unreachable(self):
        self.check("few_lines_are_marked_unreachable")

    def test_no_line_marked_unreachable_is_reached(self):
        self.check("no_line_marked_unreachable_is_reached")

    def test_each_branch_not_reached_has_its_reason(self):
        self.check("each_branch_not_reached_has_its_reason")

    def test_each_reason_is_for_a_branch_not_reached(self):
        self.check("each_reason_is_for_a_branch_not_reached")


class Sources(unittest.TestCase):
    """The accounts are made of what stands in the sources."""

    def source(self, text):
        path = os.path.join(os.environ["TMPDIR"], "x.c")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return coverage.Source(path)

    def test_a_mark_covers_its_case(self):
        source = self.source("#define KINF_FILE 1\nswitch (x) {\ncase A:\n"
                             "    break;\ndefault:\n"
                             "    KINF_UNREACHABLE(\"x\");\n"
                             "    return 1;\n}\nreturn 2;\n")
        self.assertEqual({5, 6, 7}, source.marked)
        self.assertEqual({6}, source.calls)
        self.assertEqual({1}, source.aside)

    def test_a_condition_is_named_by_its_text(self):
        source = self.source("if (a &&\n        b == c)\n    x();\n")
        self.assertEqual("a && b == c", source.text((1, 5), (2, 15)))

    def test_each_core_file_has_unit_tests_of_its_name(self):
        """Those that are tables, or tested under another name, aside."""
        elsewhere = {"kinds": "test_typed.c", "store_check": "test_store.c",
                     "informer": "test_shared_informer.c"}
        for path in sorted(coverage.glob.glob("core/*.c")
                           + coverage.glob.glob("core/*/*.c")):
            stem = os.path.basename(path).removesuffix(".c")
            name = elsewhere.get(stem, f"test_{stem}.c")
            with self.subTest(path):
                self.assertTrue(os.path.exists("tests/unit/" + name), name)


if __name__ == "__main__":
    tap.main()

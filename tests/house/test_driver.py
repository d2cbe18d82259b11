#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The driver of the tests counts right, above all what went wrong."""

import os
import subprocess
import sys
import unittest

sys.path.insert(0, "tests")
import tap  # noqa: E402

HERE = os.environ["TMPDIR"]


def drive(text, name="suite.sh"):
    """Runs one suite of this text; its last line and the exit code."""
    path = os.path.join(HERE, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    run = subprocess.run(
        [sys.executable, "tests/run.py", "--only-given", "--logs",
         os.path.join(HERE, "logs"), path], text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT)
    return run.stdout.splitlines()[-1], run.returncode


class Driver(unittest.TestCase):
    def test_counts(self):
        cases = [
            ("all well", "echo ok 1 - a; echo ok 2 - b; echo 1..2",
             "2 passed, 0 failed", 0),
            ("one fails", "echo ok 1 - a; echo not ok 2 - b",
             "1 passed, 1 failed", 1),
            ("skips are told", "echo ok 1 - a; echo 'ok 2 - b # SKIP no'",
             "1 passed, 0 failed, 1 skipped", 0),
            ("says nothing", "true", "0 passed, 1 failed", 1),
            ("says nothing of tests", "echo all is well",
             "0 passed, 1 failed", 1),
            ("dies after its tests", "echo ok 1 - a; kill -9 $$",
             "1 passed, 1 failed", 1),
            ("ends badly", "echo ok 1 - a; exit 3", "1 passed, 1 failed", 1),
            ("stops half way", "echo 1..3; echo ok 1 - a",
             "1 passed, 1 failed", 1),
            ("stays too long",
             "# suite: timeout=0.3\necho ok 1 - a; sleep 60",
             "1 passed, 1 failed", 1),
        ]
        for name, text, last, code in cases:
            with self.subTest(name):
                self.assertEqual((last, code), drive(text + "\n"))

    def test_a_suite_that_is_not_there_has_failed(self):
        run = subprocess.run(
            [sys.executable, "tests/run.py", "--only-given", "--logs",
             os.path.join(HERE, "logs"), "nowhere/test_x"], text=True,
            stdout=subprocess.PIPE)
        self.assertEqual(("0 passed, 1 failed", 1),
                         (run.stdout.splitlines()[-1], run.returncode))

    def test_what_a_suite_started_goes_with_it(self):
        mark = os.path.join(HERE, "child")
        drive(f"sleep 300 & echo $! >{mark}\necho ok 1 - a\n")
        with open(mark, encoding="utf-8") as f:
            child = int(f.read())
        state = "gone"
        if os.path.exists(f"/proc/{child}/stat"):
            with open(f"/proc/{child}/stat", encoding="utf-8") as f:
                state = f.read().rsplit(")", 1)[1].split()[0]
        self.assertIn(state, ("gone", "Z"))

    def test_python_suites_are_tap(self):
        last, code = drive(
            "import sys, unittest\nsys.path.insert(0, 'tests')\nimport tap\n"
            "class T(unittest.TestCase):\n"
            "    def test_a(self):\n        pass\n"
            "    def test_b(self):\n        self.assertEqual(1, 2)\n"
            "    @unittest.skip('why')\n"
            "    def test_c(self):\n        pass\n"
            "tap.main()\n", "suite.py")
        self.assertEqual(("1 passed, 1 failed, 1 skipped", 1), (last, code))


if __name__ == "__main__":
    tap.main()

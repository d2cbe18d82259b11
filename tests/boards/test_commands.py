#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# suite: alone timeout=300
"""What a user types for a board: make BOARD=x run, which ends with the
firmware's exit code, and make BOARD=x debug."""

import re
import subprocess
import sys
import unittest

sys.path.insert(0, "tests")
import own_make  # noqa: E402
import tap  # noqa: E402

BOARDS = ("lm3s6965evb", "mps2-an386")


def make(*words):
    """In the outer run's output folder, in which all of it is built."""
    return own_make.make(*words, stdin=subprocess.DEVNULL)


class Commands(unittest.TestCase):
    def test_run(self):
        """Each kind of change is printed; it ends by itself after so many."""
        for name in BOARDS:
            with self.subTest(board=name):
                run = make("BOARD=" + name, "run", "CHANGES=5")
                self.assertEqual(0, run.returncode, run.stdout)
                for kind in ("ADDED", "MODIFIED", "DELETED"):
                    self.assertRegex(run.stdout, rf"(?m)^{kind} +board/")
                self.assertRegex(run.stdout.splitlines()[-1],
                                 r"^5 changes seen, stack \d+ of \d+")

    def test_run_with_an_rsa_server(self):
        run = make("BOARD=" + BOARDS[0], "run", "CHANGES=2", "KEY=rsa")
        self.assertEqual(0, run.returncode, run.stdout)

    def test_debug(self):
        """gdb stops in main, with the firmware's symbols, and goes on."""
        run = make("BOARD=" + BOARDS[0], "debug",
                   "GDB_MORE=-batch -ex 'break main' -ex continue "
                   "-ex 'info symbol main' -ex 'print sizeof(informer)'")
        self.assertEqual(0, run.returncode, run.stdout)
        self.assertIn("Breakpoint 1, main", run.stdout)
        self.assertTrue(re.search(r"\$1 = \d{4}", run.stdout), run.stdout)


if __name__ == "__main__":
    tap.main()

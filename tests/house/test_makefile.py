#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What make clean leaves."""

import os
import sys
import unittest

sys.path.insert(0, "tests")
import tap  # noqa: E402
from own_make import make  # noqa: E402

OUT = os.environ["TMPDIR"] + "/out"


class Clean(unittest.TestCase):
    def test_sources_and_test_servers_stay_and_nothing_else(self):
        for name in ("src", "apiserver-1", "apiserver-tools", "linux", "test"):
            os.makedirs(f"{OUT}/{name}")
        run = make("O=" + OUT, "clean")
        self.assertEqual(0, run.returncode, run.stdout)
        self.assertEqual(["apiserver-1", "apiserver-tools", "src"],
                         sorted(os.listdir(OUT)))


if __name__ == "__main__":
    tap.main()

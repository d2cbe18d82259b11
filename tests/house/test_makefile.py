#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What make clean leaves."""

import os
import subprocess
import sys
import unittest

sys.path.insert(0, "tests")
import tap  # noqa: E402

OUT = os.environ["TMPDIR"] + "/out"


def make(*words):
    env = {k: v for k, v in os.environ.items()
           if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "BOARD", "O")}
    run = subprocess.run(["make", f"O={OUT}", *words], env=env, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return run.returncode, run.stdout


class Makefile(unittest.TestCase):
    def test_clean_keeps_sources_and_test_servers_alone(self):
        for name in ("src", "apiserver-1", "apiserver-tools", "linux", "test"):
            os.makedirs(f"{OUT}/{name}")
        code, said = make("clean")
        self.assertEqual(0, code, said)
        self.assertEqual(["apiserver-1", "apiserver-tools", "src"],
                         sorted(os.listdir(OUT)))


if __name__ == "__main__":
    tap.main()

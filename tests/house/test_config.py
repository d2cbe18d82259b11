#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""make defconfig and what follows from it: a size that was changed reaches the
compiler, and only then is anything built again."""

import json
import os
import re
import sys
import unittest

sys.path.insert(0, "tests")
import tap  # noqa: E402
from own_make import make  # noqa: E402

HERE = os.environ["TMPDIR"]


def ring():
    with open(HERE + "/report/ram.json", encoding="utf-8") as f:
        return json.load(f)["pools"]["rings"]["count"]


class Config(unittest.TestCase):
    def works(self, *words):
        run = make("O=" + HERE, *words)
        self.assertEqual(0, run.returncode, run.stdout)
        return run.stdout

    def test_a_changed_size_reaches_the_compiler(self):
        self.works("ram_report")  # no .config: the board's defconfig
        self.assertFalse(os.path.exists(HERE + "/linux/.config"))
        before = ring()

        self.works("defconfig")
        self.works("ram_report")
        self.assertEqual(before, ring())

        with open(HERE + "/linux/.config", encoding="utf-8") as f:
            text = f.read()
        with open(HERE + "/linux/.config", "w", encoding="utf-8") as f:
            f.write(re.sub(r"(CONFIG_KINF_RING)=\d+", r"\1=77", text))
        self.assertIn("ram_pools.o", self.works("ram_report"))
        self.assertEqual(77, ring())
        self.assertNotIn("ram_pools.o", self.works("ram_report"))

    def test_a_board_that_is_not_there_is_refused(self):
        run = make("O=" + HERE, "BOARD=nowhere", "defconfig")
        self.assertNotEqual(0, run.returncode)
        self.assertRegex(run.stdout, "no board 'nowhere'.* linux .*riscv-virt")


if __name__ == "__main__":
    tap.main()

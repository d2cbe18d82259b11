#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What core costs stays within what was promised."""

import json
import os
import sys
import unittest

sys.path.insert(0, "tests")
import tap  # noqa: E402

REPORTS = os.environ.get("O", "build") + "/report/"


def report(name):
    with open(REPORTS + name, encoding="utf-8") as f:
        return json.load(f)


CORE_TEXT_MAX = 16384 # what was promised
CORE_ALL_TEXT_MAX = 21504 # with every feature


class Size(unittest.TestCase):
    def test_core_text_is_under_16_kb(self):
        core = report("size.json")["core"]
        self.assertLess(core["text"], CORE_TEXT_MAX)
        self.assertGreater(core["text"], 4096) # something was measured
        self.assertGreater(core["text_assert"], core["text"])
        everything = report("size.json")["core_all"]
        self.assertLess(everything["text"], CORE_ALL_TEXT_MAX)
        self.assertGreater(everything["text"], core["text"])

    def test_core_has_no_data_and_no_bss(self):
        for name in ("core", "core_all"):
            core = report("size.json")[name]
            self.assertEqual((0, 0), (core["data"], core["bss"]))

    def test_ram_report_gives_each_pool_a_reason(self):
        ram = report("ram.json")
        for name, row in ram["pools"].items():
            with self.subTest(name):
                self.assertTrue(row["reason"])
                self.assertEqual(row["bytes"], row["count"] * row["unit"])
        self.assertEqual(ram["total"], ram["informer_memory"] + ram["structs"])


if __name__ == "__main__":
    tap.main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Kconfig and the headers tell the same defaults, and each help is a help."""

import glob
import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, "tests")
import kconfiglib  # noqa: E402
import tap  # noqa: E402

HEADERS = ["core/include/kinf_config.h"] + sorted(glob.glob("port/*/*.h"))
DEFAULT = re.compile(
    r"^#ifndef (CONFIG_KINF_\w+)\n(?:#if.*\n)?#define \1 (\S+)", re.MULTILINE)


def load(config=None):
    os.environ["KCONFIG_WARN_UNDEF_ASSIGN"] = "y"
    kconf = kconfiglib.Kconfig("Kconfig", warn_to_stderr=False)
    if config:
        kconf.load_config(config)
    return kconf


def symbols(kconf):
    """Name to value, as C sees it: bools are 0 and 1."""
    out = {}
    for sym in kconf.unique_defined_syms:
        if sym.name == "KINFORMER":
            continue
        value = sym.str_value
        if sym.type == kconfiglib.BOOL:
            value = "1" if value == "y" else "0"
        out["CONFIG_" + sym.name] = value
    return out


def header_defaults():
    out = {}
    for path in HEADERS:
        with open(path, encoding="utf-8") as f:
            out.update(DEFAULT.findall(f.read()))
    return out


def from_header(text):
    return dict(re.findall(r"^#define (CONFIG_KINF_\w+) (\S+)$", text,
                           re.MULTILINE))


class Kconfig(unittest.TestCase):
    def test_kconfig_reads_without_a_warning(self):
        self.assertEqual([], load().warnings)

    def test_headers_hold_the_same_defaults(self):
        self.maxDiff = None
        self.assertEqual(symbols(load()), header_defaults())

    def test_every_number_has_a_range_and_a_help_that_helps(self):
        for sym in load().unique_defined_syms:
            node = sym.nodes[0]
            if sym.name == "KINFORMER":
                continue
            with self.subTest(sym.name):
                self.assertTrue(node.prompt, "no prompt")
                self.assertTrue(node.help, "no help")
                self.assertIn("RAM", node.help, "no word on what it costs")
                # What happens at the limit is the last paragraph's matter.
                self.assertGreater(len(node.help.split()), 12)
                if sym.type == kconfiglib.INT:
                    self.assertTrue(sym.ranges, "no range")

    def test_every_defconfig_is_taken_as_it_stands(self):
        for path in sorted(glob.glob("boards/*/defconfig")):
            with self.subTest(path):
                self.assertEqual([], load(path).warnings)

    def test_a_defconfig_needs_no_kconfig_tool(self):
        """The header awk makes of a defconfig, with the defaults of
        kinf_config.h, equals what Kconfig makes of it."""
        for path in sorted(glob.glob("boards/*/defconfig")):
            with self.subTest(path):
                text = subprocess.run(
                    ["awk", "-f", "boards/config.awk", path], check=True,
                    text=True, stdout=subprocess.PIPE).stdout
                merged = header_defaults()
                merged.update(from_header(text))
                wanted = symbols(load(path))
                self.assertEqual(wanted, {n: merged[n] for n in wanted})

    def test_a_switch_that_is_off_stays_off(self):
        text = subprocess.run(
            ["awk", "-f", "boards/config.awk"], check=True, text=True,
            input="CONFIG_KINF_RING=3\n# CONFIG_KINF_ASSERT is not set\n",
            stdout=subprocess.PIPE).stdout
        self.assertEqual({"CONFIG_KINF_RING": "3", "CONFIG_KINF_ASSERT": "0"},
                         from_header(text))


if __name__ == "__main__":
    tap.main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a reader meets in every file: licence, head, width, words."""

import re
import subprocess
import sys
import unittest

sys.path.insert(0, "tests")
import tap  # noqa: E402

SPDX = "SPDX-License-Identifier: Apache-2.0"
CODE = (".c", ".h", ".py", ".sh", ".mk", ".go", ".awk", ".ld", ".cmake")
NAMES = ("Makefile", "Kconfig", "CMakeLists.txt")
# Put together here, so that this file does not hold what it looks for.
WORDS = [
    (r"/(?:" + "|".join(("work", "farm", "root")) + r")/", "a machine's path"),
    (r"\b(?:" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"))
     + r")\b", "left for later: name a condition or an issue"),
    (r"(?:deb\.debian|proxy\.golang|pypi|registry\.npmjs|crates)\."
     + r"(?:org|io)", "a registry's host"),
]


def tracked():
    """Without git (an unpacked archive) there is nothing to look at."""
    out = subprocess.run(["git", "ls-files", "-z"], check=True, text=True,
                         stdout=subprocess.PIPE).stdout
    return [p for p in out.split("\0") if p]


def read(path):
    try:
        with open(path, encoding="utf-8") as f:
            return f.read()
    except (UnicodeDecodeError, FileNotFoundError):
        return ""


class Text(unittest.TestCase):
    def code(self):
        for path in tracked():
            name = path.rsplit("/", 1)[-1]
            if name.endswith(CODE) or name in NAMES:
                yield path, read(path)

    def test_every_source_names_its_licence_at_its_head(self):
        seen = 0
        for path, text in self.code():
            seen += 1
            with self.subTest(path):
                self.assertIn(SPDX, "\n".join(text.splitlines()[:3]))
        self.assertGreater(seen, 20)

    def test_every_c_file_says_what_it_is(self):
        for path, text in self.code():
            if path.endswith((".c", ".h")):
                name = path.rsplit("/", 1)[-1]
                head = " ".join(text.splitlines()[1:5])
                with self.subTest(path):
                    self.assertRegex(head, re.escape(name) + r"\b.* - ")

    def test_eighty_columns(self):
        for path, text in self.code():
            if not path.endswith((".c", ".h", ".py", ".sh")):
                continue
            for number, line in enumerate(text.splitlines(), 1):
                with self.subTest(f"{path}:{number}"):
                    self.assertLessEqual(len(line.expandtabs(8)), 80)

    def test_no_word_that_does_not_belong_here(self):
        for path in tracked():
            text = read(path)
            for pattern, why in WORDS:
                found = re.search(pattern, text)
                with self.subTest(path):
                    self.assertIsNone(found, why)

    def test_no_third_party_source_and_nothing_built(self):
        for path in tracked():
            with self.subTest(path):
                self.assertNotRegex(path, r"\.(o|a|elf|bin|so|d|ci)$")
                self.assertNotRegex(path, r"(^|/)(jsmn|ssl|tcp|yaml)\.h$")


if __name__ == "__main__":
    tap.main()

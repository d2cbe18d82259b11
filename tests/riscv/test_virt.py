#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# suite: alone timeout=300
"""boards/riscv-virt in QEMU against a real API server: another processor, with
the same firmware as the Cortex-M boards."""

import os
import re
import subprocess
import sys
import tempfile
import threading
import unittest

for folder in ("tests", "tests/apiserver", "boards/common"):
    sys.path.insert(0, folder)
import apiserver  # noqa: E402
import run as board_run  # noqa: E402
import tap  # noqa: E402

BUILT = os.environ.get("O", "build") + "/riscv-virt/"
FIRMWARE = BUILT + "firmware.elf"
SPACE = "virt"


class Virt(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = apiserver.Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def setUp(self):
        self.lines, self.changed = [], threading.Condition()

    def begin(self, more=(), **page):
        with open(self.server.file("ca.der"), "rb") as f:
            content = board_run.page(self.server.port,
                                     self.server.read("token-admin"), f.read(),
                                     space=SPACE, **page)
        self.image = tempfile.NamedTemporaryFile(suffix=".elf")
        self.addCleanup(self.image.close)
        system, objcopy = board_run.PROCESSORS["riscv"]
        board_run.flash(FIRMWARE, content, self.image.name, objcopy)
        self.board = subprocess.Popen(
            board_run.qemu("virt", "virtio", self.image.name,
                           more, system=system),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)
        self.addCleanup(self.board.wait)
        self.addCleanup(self.board.kill)
        self.addCleanup(self.board.stdin.close)
        self.addCleanup(self.board.stdout.close)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.board.stdout:
            with self.changed:
                self.lines.append(line.decode("utf-8", "replace").rstrip())
                self.changed.notify_all()

    def wait(self, pattern):
        def found():
            return any(re.search(pattern, line) for line in self.lines)
        with self.changed:
            self.assertTrue(self.changed.wait_for(found, 60),
                            f"no {pattern} in {self.lines[-8:]}")

    def end(self):
        self.board.stdin.write(b"q")
        self.board.stdin.flush()
        self.assertEqual(0, self.board.wait(30))
        self.wait("changes seen")
        print("# " + self.lines[-1])
        used, size = map(int, re.search(r"stack (\d+) of (\d+)",
                                        self.lines[-1]).groups())
        self.assertLess(used, size)

    def kload(self, verb, *words):
        self.server.kload(verb, "-n", SPACE, *words)

    def test_a_watch_over_verified_tls(self):
        self.kload("fill", "--count", "3", "--bytes", "600")
        self.begin()
        self.wait("^in sync")
        self.kload("patch", "cm-00001", "a=1")
        self.wait("^MODIFIED .*/cm-00001")
        self.kload("put", "new", "b=2")
        self.wait("^ADDED .*/new")
        self.kload("delete", "new")
        self.wait("^DELETED .*/new")
        self.end()

    def test_a_clock_that_was_set_back_is_not_believed(self):
        """Its certificate is good, and the board's clock stands before its own
        build: nothing is sent."""
        self.begin(("-rtc", "base=2020-01-01T00:00:00"))
        self.wait("^error .*before the build")
        self.assertNotIn("in sync", self.lines)
        self.end()

    def test_a_wrong_name_is_refused(self):
        self.begin(name="elsewhere.example")
        self.wait("^error .*name")
        self.assertNotIn("in sync", self.lines)
        self.end()


class Stack(unittest.TestCase):
    def test_an_overflow_faults(self):
        run = subprocess.run(
            board_run.qemu("virt", "virtio", BUILT + "overflow.elf",
                           system=board_run.RISCV),
            stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
            check=False)
        self.assertEqual((3, b"fault\n"), (run.returncode, run.stdout))


if __name__ == "__main__":
    tap.main()

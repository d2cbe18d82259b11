# SPDX-License-Identifier: Apache-2.0
"""scenario.py - what every scenario of the boards needs: both of them in QEMU,
and a real API server behind a relay that can cut the line.

Each board that is started ends on request; then its stack's paint is unbroken,
no pool was ever above its size, all that was lent is given back, and no
kinf_poll was longer than what was promised.

A suite that is run whole leaves the longest kinf_poll of each scenario in the
boards' reports, and the longest of all as longest_poll; see measure.py.
BOARDS=x runs it on that board alone."""

import subprocess
import sys
import tempfile
import unittest

for folder in ("tests", "tests/apiserver", "tests/boards", "boards"):
    sys.path.insert(0, folder)
import apiserver  # noqa: E402
import board  # noqa: E402
import measure  # noqa: E402
from board import BOARDS  # noqa: E402

shown = {} # (board, key of the server): scenario: its longest kinf_poll


def keep_longest():
    """For tearDownModule."""
    if len(sys.argv) == 1:
        for facts in BOARDS:
            measure.write_shown(facts, {key: of for (name, key), of
                                        in shown.items()
                                        if name == facts["name"]})


def other_authority():
    """Another trust anchor, DER."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=other",
             "-keyout", folder + "/key", "-outform", "DER", "-out",
             folder + "/der"], check=True, capture_output=True)
        with open(folder + "/der", "rb") as f:
            return f.read()


class OnBoards(unittest.TestCase):
    """What every scenario needs: both boards at once, one server."""

    key = "ecdsa"
    longest_poll = board.LONGEST_POLL
    servers = {}

    @classmethod
    def setUpClass(cls):
        if cls.key not in cls.servers:
            cls.servers[cls.key] = apiserver.Server("--key", cls.key)
            unittest.addModuleCleanup(cls.servers[cls.key].close)
        cls.server = cls.servers[cls.key]

    def setUp(self):
        self.boards = []
        for facts in BOARDS:
            self.server.kload("namespace", "create", facts["name"])
        self.addCleanup(self.clean)

    def clean(self):
        for one in self.boards:
            one.close()
        for facts in BOARDS:
            self.server.kload("namespace", "delete", facts["name"])

    def start(self, synced=True, anchor=None, **more):
        for facts in BOARDS:
            self.boards.append(self.board(facts, anchor, **more))
        if synced:
            for one in self.boards:
                one.wait("^in sync")

    def board(self, facts, anchor=None, **more):
        with open(self.server.file("ca.der"), "rb") as f:
            anchor = anchor or f.read()
        return board.Board(facts, self.server.port, anchor,
                           self.server.read("token-admin"), **more)

    def end(self, starved=()):
        """Ends the boards and looks at their memory."""
        for one in self.boards:
            with self.subTest(board=one.facts["name"]):
                longest = one.end_well(self, starved, self.longest_poll)
                shown.setdefault((one.facts["name"], self.key), {})[
                    self.id().split(".")[-1]] = longest

    def fill(self, count, size=1100):
        for facts in BOARDS:
            self.server.kload("fill", "-n", facts["name"], "--count",
                              str(count), "--bytes", str(size))

    def kload(self, one, word, *more):
        return self.server.kload(word, "-n", one.space, *more)

    def change(self, name="cm-00000", **values):
        """Patches an object; every board tells it."""
        marks = [one.mark() for one in self.boards]
        for one in self.boards:
            self.kload(one, "patch", name,
                       *(f"{k}={v}" for k, v in values.items()))
        for one, mark in zip(self.boards, marks):
            one.wait(f"^MODIFIED  {one.space}/{name} ", mark)

    def calls_are(self, expected, one, mark):
        self.assertEqual(expected, sorted(one.told(mark)))

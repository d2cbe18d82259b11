#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# suite: alone timeout=600
"""make test-long: what takes real minutes. The node with the board's own
deadlines, on a silent watch."""

import sys
import unittest

for folder in ("tests", "tests/apiserver", "tests/boards"):
    sys.path.insert(0, folder)
import apiserver  # noqa: E402
import board  # noqa: E402
import tap  # noqa: E402

SILENT = 150 # seconds: the first bookmark comes after 60


class Silent(unittest.TestCase):
    def test_bookmarks_keep_a_silent_watch(self):
        """Two bookmarks at least, no reconnect, no call, no pool grown."""
        with apiserver.Server() as server:
            with open(server.file("ca.der"), "rb") as f:
                anchor = f.read()
            boards = []
            for facts in board.BOARDS:
                server.kload("fill", "-n", facts["name"], "--count", "3",
                             "--bytes", "1000")
                boards.append(board.Board(
                    facts, server.port, anchor, server.read("token-admin"),
                    elf="{}/node.elf"))
                self.addCleanup(boards[-1].close)
            for one in boards:
                one.wait("^in sync")
            before = [one.account() for one in boards]
            marks = [one.mark() for one in boards]
            board.pause(SILENT)
            for one, was, mark in zip(boards, before, marks):
                self.assertEqual([], one.told(mark))
                now = one.account()
                self.assertGreaterEqual(now.counts["bookmarks"], 2)
                self.assertLessEqual(now.peak("stack"),
                                     was.peak("stack") + board.INTERRUPT)
                del was.pools["stack"], now.pools["stack"]
                self.assertEqual(was.pools, now.pools)
                self.assertEqual(1, len(one.relay.said))
                server.kload("patch", "-n", one.space, "cm-00000", "a=1")
                one.wait("^MODIFIED", mark)
                one.end()


if __name__ == "__main__":
    tap.main()

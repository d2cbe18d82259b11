#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# suite: alone timeout=600
"""Both boards in QEMU against a real API server: what an informer shows, and a
line that is cut. See scenario.py."""

import os
import re
import sys

for folder in ("tests", "tests/apiserver", "tests/boards", "boards"):
    sys.path.insert(0, folder)
import board  # noqa: E402
import scenario  # noqa: E402
import tap  # noqa: E402
from board import APPLICATION_DATA, BOARDS, CERTIFICATE  # noqa: E402
from scenario import OnBoards  # noqa: E402

RECONNECTS = int(os.environ.get("RECONNECTS", "1000"))


class Watching(OnBoards):
    def test_list_and_watch(self):
        """16 ConfigMaps of 512 data bytes, none cut; then each kind of
        change."""
        for facts in BOARDS:
            for i in range(16):
                self.server.kload("put", "-n", facts["name"], f"cm-{i:05}",
                                  "text=" + "x" * 508)
        self.start()
        for one in self.boards:
            self.calls_are([("ADDED", f"cm-{i:05}") for i in range(16)], one,
                           0)
            mark = one.mark()
            self.kload(one, "delete", "cm-00015")
            one.wait("^DELETED .*/cm-00015", mark)
            self.kload(one, "put", "extra", "a=" + "x" * 512)
            one.wait("^ADDED .*/extra", mark)
            self.kload(one, "patch", "extra", "a=2")
            one.wait("^MODIFIED .*/extra", mark)
            self.kload(one, "patch", "cm-00002", "b=3")
            one.wait("^MODIFIED .*/cm-00002", mark)
            self.kload(one, "delete", "extra")
            one.wait("^DELETED .*/extra", mark)
            self.assertEqual(
                [("DELETED", "cm-00015"), ("ADDED", "extra"),
                 ("MODIFIED", "extra"), ("MODIFIED", "cm-00002"),
                 ("DELETED", "extra")], one.told(mark))
        self.end()

    def test_the_tutorial_s_firmware(self):
        """firmware.elf, as a user builds it: 16 objects of 1 KB on the small
        board."""
        self.fill(15, size=1000)
        self.start(elf="{}/firmware.elf", exact=False)
        self.change(a=1)
        for one in self.boards:
            mark = one.mark()
            self.kload(one, "put", "extra", "a=" + "x" * 512)
            one.wait("^ADDED .*/extra", mark)
            one.ask("q")
            self.assertEqual(0, one.process.wait(20))
            one.reader.join(5)
            self.assertNotIn("TRUNCATED", "\n".join(one.lines))
            for used, size in re.findall(r" (\d+) of (\d+)", one.lines[-1]):
                self.assertLess(int(used), int(size), one.lines[-1])

    def test_a_cut_connection_is_resumed_by_ticket(self):
        self.fill(3)
        self.start()
        self.change(before="cut") # a list may be older than what fill did
        for one in self.boards:
            first = one.relay.said[0][1]
            self.assertIn(CERTIFICATE, first.messages)
            mark = one.mark()
            one.relay.cut()
            self.kload(one, "patch", "cm-00001", "while=cut")
            one.wait("^MODIFIED .*/cm-00001", mark)
            again = one.relay.said[-1]
            self.assertGreater(len(one.relay.said), 1, one.lines)
            self.assertNotIn(CERTIFICATE, again[1].messages)
            self.assertIn(APPLICATION_DATA, again[0].records)
            self.assertEqual([("MODIFIED", "cm-00001")], one.told(mark))
        self.end()

    def test_a_thousand_reconnects_by_ticket(self):
        """And every pool is as it was, to the byte; so is the peak of TLS, and
        the stack's is but for an interrupt at a deeper place."""
        self.fill(3)
        self.start()
        for one in self.boards:
            one.relay.cuts = 5
            one.relay.cut()
        for one in self.boards:
            board.until(lambda one=one: one.relay.cuts == 0, 60)
        self.change(after="five")
        before = [self.settled(one) for one in self.boards]
        for one in self.boards:
            one.relay.cuts = RECONNECTS
            one.relay.cut()
        for one in self.boards:
            board.until(lambda one=one: one.relay.cuts == 0, 300)
        for one, was in zip(self.boards, before):
            now = self.settled(one)
            self.assertEqual(was.used(), now.used())
            self.assertEqual(was.peak("tls"), now.peak("tls"))
            self.assertLessEqual(now.peak("stack"),
                                 was.peak("stack") + board.INTERRUPT)
            self.assertGreater(len(one.relay.said), RECONNECTS)
            for _, server in one.relay.said[1:]:
                self.assertNotIn(CERTIFICATE, server.messages)
        self.change(after="thousand")
        for one in self.boards:
            self.assertEqual([("MODIFIED", "cm-00000")] * 2, one.told()[3:])
        self.end()

    def settled(self, one):
        """Its account once a watch is open, what was sent is acknowledged, and
        no connection of before is left, not even one that only waits."""
        def look():
            told = one.account()
            used = told.used()
            return told if told.counts["closing"] == 0 and \
                used["lwip-TCP_PCB"] == 1 and used["lwip-TCP_SEG"] == 0 \
                else None
        return board.until(look)

    def test_a_server_that_stops_for_a_while(self):
        self.fill(2)
        self.start()
        self.server.command("pause")
        board.pause(2)
        self.server.command("resume")
        self.change(after="pause")
        self.end()

    def test_what_was_missed_is_listed_anew(self):
        """Cut, changed, compacted, restarted: 410, a list, and no call for
        what is as it was."""
        self.fill(4)
        self.start()
        marks = [one.mark() for one in self.boards]
        before = [one.account().counts["relists"] for one in self.boards]
        for one in self.boards:
            one.relay.open = False
            one.relay.cut()
            self.kload(one, "patch", "cm-00001", "while=away")
            self.kload(one, "delete", "cm-00002")
            self.kload(one, "put", "late", "a=1")
        self.server.command("compact")
        self.server.command("restart")
        for one in self.boards:
            one.relay.open = True
        for one, mark in zip(self.boards, marks):
            with self.subTest(board=one.facts["name"]):
                for line in ("^MODIFIED .*/cm-00001", "^DELETED .*/cm-00002",
                             "^ADDED .*/late"):
                    one.wait(line, mark)
                self.calls_are([("ADDED", "late"), ("DELETED", "cm-00002"),
                                ("MODIFIED", "cm-00001")], one, mark)
        for one, relists in zip(self.boards, before):
            self.assertEqual(relists + 1, one.account().counts["relists"])
        self.change(after="list")
        self.end()

    def test_the_clock_wraps(self):
        """4 s after the start the milliseconds pass 2^32."""
        self.fill(2)
        self.start(asked={"clock_ms": 2**32 - 4000})
        self.change(before="wrap")
        board.pause(5)
        self.change(after="wrap")
        for one in self.boards:
            one.relay.cut()
        self.change(after="cut")
        board.pause(8) # at least one watch begins and ends
        self.change(at="end")
        for one in self.boards:
            self.calls_are([("ADDED", "cm-00000"), ("ADDED", "cm-00001")] +
                           [("MODIFIED", "cm-00000")] * 4, one, 0)
        self.end()

    def test_a_token_that_changes(self):
        """401 until the board has the new one."""
        self.fill(1)
        was = self.server.read("token-admin")
        self.start(asked={"token": "a-new-one"})
        marks = [one.mark() for one in self.boards]
        self.server.command("token admin a-new-one")
        self.server.command("restart")
        for one, mark in zip(self.boards, marks):
            one.wait("^error 34 ", mark)
            one.ask("t")
        self.change(after="renewal")
        self.server.command("token admin " + was)
        self.server.command("restart")
        self.end()

    def test_two_informers_by_turns_on_one_connection(self):
        others = {facts["name"]: facts["name"] + "-2" for facts in BOARDS}
        for name in others.values():
            self.server.kload("namespace", "create", name)
            self.addCleanup(self.server.kload, "namespace", "delete", name)
            self.server.kload("put", "-n", name, "first", "a=1")
        self.fill(2, size=400)
        for facts in BOARDS:
            self.boards.append(self.board(facts, asked={
                "mode": 1, "second": others[facts["name"]]}))
        for one in self.boards:
            other = others[one.space]
            one.wait("^in sync")
            mark = one.mark()
            self.kload(one, "patch", "cm-00001", "a=2")
            self.server.kload("patch", "-n", other, "first", "a=2")
            one.wait(f"^MODIFIED  {one.space}/cm-00001", mark)
            one.wait(f"^MODIFIED  {other}/first", mark)
            self.assertEqual([("MODIFIED", "cm-00001")], one.told(mark))
            self.assertEqual([("MODIFIED", "first")], one.told(mark, other))
            self.assertEqual(1, len(one.relay.said))
        self.end()


class Link(OnBoards):
    def test_cut_for_seconds(self):
        """The connection lives on."""
        self.fill(1)
        self.start()
        for one in self.boards:
            one.link(False)
        marks = [one.mark() for one in self.boards]
        for one in self.boards:
            self.kload(one, "patch", "cm-00000", "while=cut")
        board.pause(2)
        for one in self.boards:
            one.link(True)
        for one, mark in zip(self.boards, marks):
            one.wait("^MODIFIED .*/cm-00000", mark)
            self.assertEqual([("MODIFIED", "cm-00000")], one.told(mark))
        self.end()

    def test_cut_for_longer_than_the_deadline(self):
        """Found by our own deadline, and healed when the cable is in."""
        self.fill(1)
        self.start()
        marks = [one.mark() for one in self.boards]
        for one in self.boards:
            one.link(False)
        for one in self.boards:
            self.kload(one, "patch", "cm-00000", "while=cut")
        for one, mark in zip(self.boards, marks):
            one.wait("^error 12 ", mark) # no progress within the deadline
            one.link(True)
        for one, mark in zip(self.boards, marks):
            one.wait("^MODIFIED .*/cm-00000", mark)
            self.assertGreater(len(one.relay.said), 1)
            self.assertEqual([("MODIFIED", "cm-00000")], one.told(mark))
        self.end()


tearDownModule = scenario.keep_longest


if __name__ == "__main__":
    tap.main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# suite: alone timeout=600
"""Both boards in QEMU against a real API server: what is too large, too much,
or used up, and memory that cannot do. See scenario.py."""

import sys
import unittest

for folder in ("tests", "tests/apiserver", "tests/boards", "boards"):
    sys.path.insert(0, folder)
import board  # noqa: E402
import scenario  # noqa: E402
import tap  # noqa: E402
from board import BOARDS  # noqa: E402
from scenario import OnBoards, other_authority  # noqa: E402


class Limits(OnBoards):
    def test_an_object_too_large(self):
        self.fill(2)
        self.start()
        for one in self.boards:
            mark = one.mark()
            self.kload(one, "put", "big",
                       "k=" + "x" * (one.facts["object_bytes"] + 100))
            one.wait("^TRUNCATED .*/big", mark)
            self.kload(one, "patch", "big", "k=small")
            one.wait("^MODIFIED .*/big", mark)
            self.assertEqual([("TRUNCATED", "big"), ("MODIFIED", "big")],
                             one.told(mark))
        self.change(after="big")
        self.end()

    def test_a_list_of_16_kb_records(self):
        """A server that has sent 128 KB goes over to full records."""
        for facts in BOARDS:
            for name in ("a", "b", "c"):
                self.server.kload("put", "-n", facts["name"], "big-" + name,
                                  "k=" + name * 100000)
        self.fill(6, size=900)
        self.start()
        for one in self.boards:
            self.calls_are([("ADDED", f"cm-{i:05}") for i in range(6)] +
                           [("TRUNCATED", "big-" + n) for n in "abc"], one, 0)
            self.assertGreaterEqual(max(one.relay.said[0][1].sizes), 16384)
        self.change(after="list")
        self.end()

    def test_a_cache_that_is_full_and_emptied(self):
        """One object too many is told as such; it comes in when another one
        goes, by a list of its own."""
        self.start()
        for one in self.boards:
            mark, objects = one.mark(), one.facts["objects"]
            names = {f"full-{i:05}" for i in range(objects + 1)}
            self.kload(one, "fill", "--count", str(objects + 1), "--bytes",
                       "600", "--prefix", "full")
            one.wait("^error .*no place", mark)
            board.until(lambda: len(self.kept(one, mark)) == objects)
            gone = min(self.kept(one, mark))
            self.kload(one, "delete", gone)
            board.until(lambda: self.kept(one, mark) == names - {gone})
            self.kload(one, "delete", *sorted(names - {gone}))
            board.until(lambda: not self.kept(one, mark))
            self.kload(one, "put", "again", "a=1")
            one.wait("^ADDED .*/again", mark)
        self.end()

    def test_an_arena_that_is_full_and_emptied(self):
        """More bytes than it holds: the rest is known by its name, and comes
        whole when others go."""
        self.start()
        for one in self.boards:
            size = one.facts["object_bytes"] - 400
            arena = one.account().pools["0-arena"][2]
            count = arena // size + 2
            self.assertLessEqual(count, one.facts["objects"])
            mark = one.mark()
            for i in range(count):
                self.kload(one, "put", f"full-{i:02}", "a=" + "x" * size)
            board.until(lambda: len(one.told(mark)) == count)
            whole = [n for kind, n in one.told(mark) if kind == "ADDED"]
            cut = [n for kind, n in one.told(mark) if kind == "TRUNCATED"]
            self.assertEqual(count, len(whole) + len(cut))
            self.assertGreater(len(cut), 0)
            mark = one.mark()
            self.kload(one, "delete", *whole)
            board.until(lambda: {n for kind, n in one.told(mark)
                                 if kind == "MODIFIED"} == set(cut))
            self.assertEqual({("DELETED", n) for n in whole} |
                             {("MODIFIED", n) for n in cut},
                             set(one.told(mark)))
        self.end()

    def kept(self, one, mark):
        """Names that handlers were told of since mark and that still are."""
        names = set()
        for kind, name in one.told(mark):
            (names.discard if kind == "DELETED" else names.add)(name)
        return names

    def test_a_tls_arena_that_is_exhausted(self):
        """Told as such, not as "not trusted"; healed when there is room."""
        self.fill(1)
        self.start()
        marks = [one.mark() for one in self.boards]
        for one in self.boards:
            one.ask("h")
            one.account() # obeyed
            one.relay.cut()
        for one, mark in zip(self.boards, marks):
            one.wait("^error 19 .*TLS arena", mark)
            self.assertFalse([line for line in one.since(mark)
                              if line.startswith("error 14 ")])
            one.ask("r")
        self.change(after="famine")
        self.end(starved=("tls",))

    def test_a_pbuf_pool_that_is_exhausted(self):
        """Frames stay in the network chip; the connection lives."""
        self.fill(1)
        self.start()
        for one in self.boards:
            one.ask("p")
            used, _, size = one.account().pools["lwip-PBUF_POOL"]
            self.assertEqual(size, used)
        marks = [one.mark() for one in self.boards]
        for one in self.boards:
            self.kload(one, "patch", "cm-00000", "while=full")
        board.pause(1)
        for one, mark in zip(self.boards, marks):
            self.assertEqual([], one.told(mark))
            one.ask("r")
        for one, mark in zip(self.boards, marks):
            one.wait("^MODIFIED .*/cm-00000", mark)
            self.assertEqual(1, len(one.relay.said))
        self.end()

    def test_a_fifo_that_is_full(self):
        """A handler that says "not now": nothing is read, nothing is lost,
        every change comes in its order."""
        self.fill(1)
        self.start()
        marks = []
        for one in self.boards:
            one.ask("n")
            one.account()
            marks.append(one.mark())
        for i in range(12):
            for one in self.boards:
                self.kload(one, "put", f"new-{i:02}", "a=1")
        for one, mark in zip(self.boards, marks):
            board.until(lambda one=one: self.is_full(one))
            self.assertEqual([], one.told(mark))
            one.ask("r")
        for one, mark in zip(self.boards, marks):
            one.wait("^ADDED .*/new-11", mark)
            self.assertEqual([("ADDED", f"new-{i:02}") for i in range(12)],
                             one.told(mark))
        self.end()

    def test_a_latest_handler_that_is_stuck(self):
        """All others go on; when it can, it gets the newest state of each."""
        self.fill(1)
        self.start(asked={"mode": 2})
        for one in self.boards:
            one.wait("^LATEST .*/cm-00000")
            one.ask("l")
            one.account()
            mark = one.mark()
            for i in range(8):
                self.kload(one, "put" if i == 0 else "patch", "new", f"a={i}")
            board.until(lambda: len([1 for kind, _ in one.told(mark)
                                     if kind != "LATEST"]) == 8)
            self.assertNotIn(("LATEST", "new"), one.told(mark))
            newest = one.since(mark)[-1].split()[-1]
            one.ask("r")
            self.assertEqual(newest, one.wait("^LATEST .*/new",
                                              mark).split()[-1])
            self.assertEqual(1, one.told(mark).count(("LATEST", "new")))
        self.change(after="release")
        self.end()

    def is_full(self, one):
        pools = one.account().pools
        return all(pools[name][0] == pools[name][2]
                   for name in ("0-fifo", "0-ring"))


class Start(unittest.TestCase):
    def test_a_tls_arena_that_is_too_small(self):
        """Told with the number that would do."""
        for facts in BOARDS:
            with self.subTest(board=facts["name"]):
                with self.started(facts, 20000) as one:
                    line = one.wait("^the TLS arena needs ")
                    self.assertEqual(1, one.process.wait(20))
                least = int(line.split()[4])
                self.assertGreater(least, 20000)
                with self.started(facts, least - 8) as one:
                    one.wait("^the TLS arena needs ")
                with self.started(facts, least) as one:
                    one.wait("^TLS arena ")

    def started(self, facts, arena_bytes):
        return board.Board(facts, 1, other_authority(), "",
                           asked={"arena_bytes": arena_bytes})


class Stack(unittest.TestCase):
    def test_an_overflow_faults(self):
        """It leaves RAM at the bottom, which is forbidden: nothing is eaten,
        and the board says what it was."""
        for facts in BOARDS:
            with self.subTest(board=facts["name"]), \
                    board.Board(facts, 1, other_authority(), "") as one:
                one.ask("o")
                self.assertEqual(3, one.process.wait(20))
                one.reader.join(5)
                self.assertEqual("stack overflow", one.lines[-1])


tearDownModule = scenario.keep_longest


if __name__ == "__main__":
    tap.main()

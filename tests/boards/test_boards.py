#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# suite: alone timeout=900
"""Both boards in QEMU against a real API server, through a relay that can cut
the line. Each board that is started ends on request; then its stack's paint is
unbroken, no pool was ever above its size, all that was lent is given back, and
no kinf_poll was longer than what was promised.

Run whole, it leaves the longest kinf_poll of each scenario in the boards'
reports, and the longest of all as longest_poll; see measure.py. BOARDS=x runs
it on that board alone."""

import os
import re
import subprocess
import sys
import tempfile
import unittest

for folder in ("tests", "tests/apiserver", "tests/boards", "boards"):
    sys.path.insert(0, folder)
import apiserver  # noqa: E402
import board  # noqa: E402
import measure  # noqa: E402
import tap  # noqa: E402
from board import APPLICATION_DATA, BOARDS, CERTIFICATE  # noqa: E402

RECONNECTS = int(os.environ.get("RECONNECTS", "1000"))
NO_CLOCK = 18 # kinf_err's number
BEFORE = 1700000000 # a time before any image of ours was built
shown = {} # (board, key of the server): scenario: its longest kinf_poll


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
        for one in self.boards:
            first = one.relay.said[0][1]
            self.assertIn(CERTIFICATE, first.messages)
            mark = one.mark()
            one.relay.cut()
            self.kload(one, "patch", "cm-00001", "while=cut")
            one.wait("^MODIFIED .*/cm-00001", mark)
            again = one.relay.said[-1]
            self.assertGreater(len(one.relay.said), 1)
            self.assertNotIn(CERTIFICATE, again[1].messages)
            self.assertIn(APPLICATION_DATA, again[0].records)
            self.assertEqual([("MODIFIED", "cm-00001")], one.told(mark))
        self.end()

    def test_a_thousand_reconnects_by_ticket(self):
        """And every pool is as it was, to the byte."""
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
            for name in ("stack", "tls"):
                self.assertEqual(was.pools[name], now.pools[name])
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


class Refusing(OnBoards):
    """No request leaves the board when the server is not who it should be."""

    def test_not_yet_valid(self):
        self.server.command("cert notyet")
        self.server.command("restart now")
        try:
            self.start(synced=False)
            self.refuses("not valid yet")
            self.end()
        finally:
            self.server.command("cert good")
            self.server.command("restart now")

    def test_times_that_are_none(self):
        """Unknown, and one before the image was built: dates cannot be checked
        and nothing is sent, not even the first message of TLS."""
        for wall_s in (board.WALL_UNKNOWN, BEFORE):
            self.start(synced=False, asked={"wall_s": wall_s})
            for one in self.boards:
                one.wait(f"^error {NO_CLOCK} ")
                for said, _ in one.relay.said:
                    self.assertEqual([], said.records)
            self.end()
            for one in self.boards:
                one.close()
            self.boards.clear()

    def test_an_authority_that_changes(self):
        """The server has a certificate of a new authority: refused, until the
        board is given that authority. Nothing of the old one is used again, and
        no handler is called for what did not change."""
        self.fill(2)
        old = self.server_s_files()
        self.server.command("newca")
        new = self.server_s_files()
        self.put_back(old)
        self.start(asked={"ca": new["ca.der"]})
        marks = [one.mark() for one in self.boards]
        before = [len(one.relay.said) for one in self.boards]
        self.put_back(new)
        self.refuses("trust", before)
        for one, mark in zip(self.boards, marks):
            one.ask("a")
            one.wait("^trusted", mark)
        self.change(after="renewal")
        for one, mark in zip(self.boards, marks):
            self.assertEqual([("MODIFIED", "cm-00000")], one.told(mark))
            before = len(one.relay.said)
            one.ask("a") # the same once more, while all is well
            board.until(lambda one=one, n=before: len(one.relay.said) > n)
            board.until(lambda one=one: CERTIFICATE in
                        one.relay.said[-1][1].messages)
        self.change(after="reload")
        self.end()

    def server_s_files(self):
        """Authority and certificate as they are, and what clients know."""
        files = {}
        for name in ("pki/ca.crt", "pki/ca.key", "pki/server.crt",
                     "pki/server.key", "ca.crt", "ca.der", "kubeconfig"):
            with open(self.server.file(name), "rb") as f:
                files[name] = f.read()
        return files

    def put_back(self, files):
        self.server.command("stop now")
        for name, content in files.items():
            with open(self.server.file(name), "wb") as f:
                f.write(content)
        self.server.command("start")

    def refuses(self, pattern, connections=None):
        for number, one in enumerate(self.boards):
            connection = connections[number] if connections else 0
            with self.subTest(board=one.facts["name"]):
                print("# " + one.wait("^error .*(" + pattern + ")"))
                self.assertGreater(len(one.relay.said), connection)
                for said, _ in one.relay.said[connection:]:
                    self.assertNotIn(APPLICATION_DATA, said.records)

    def test_wrong_name(self):
        self.start(synced=False, name="elsewhere.example")
        self.refuses("name")
        self.end()

    def test_wrong_authority(self):
        self.start(synced=False, anchor=other_authority())
        self.refuses("trust")
        self.end()

    def test_a_certificate_that_changes(self):
        """Good, expired, good again: the ticket of before is worth nothing,
        an expired one is refused, a new one is taken."""
        self.fill(1)
        self.start()
        self.server.command("cert expired")
        before = [len(one.relay.said) for one in self.boards]
        self.server.command("restart now")
        for one in self.boards:
            print("# " + one.wait("^error .*expired"))
        self.server.command("cert good")
        self.server.command("restart now")
        self.change(after="renewal")
        for one, connection in zip(self.boards, before):
            # The first one since that a request went over began anew.
            used = [server for said, server in one.relay.said[connection:]
                    if APPLICATION_DATA in said.records]
            self.assertIn(CERTIFICATE, used[0].messages)
        self.end()


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


class Rsa(OnBoards):
    """Its key exchange is the step that nobody can cut."""

    key = "rsa"
    longest_poll = 22000000

    def test_an_rsa_server(self):
        self.fill(3)
        self.start()
        self.change(a=1)
        for one in self.boards:
            one.relay.cut()
        self.change(after="cut")
        for one in self.boards:
            self.assertNotIn(CERTIFICATE, one.relay.said[-1][1].messages)
        self.end()


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


def tearDownModule(): # pylint: disable=invalid-name
    if len(sys.argv) == 1:
        for facts in BOARDS:
            measure.write_shown(facts, {key: of for (name, key), of
                                        in shown.items()
                                        if name == facts["name"]})


if __name__ == "__main__":
    tap.main()

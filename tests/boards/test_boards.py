#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# suite: alone timeout=600
"""Both boards in QEMU against a real API server, through a relay that can cut
the line. Every board that is started ends on request, with its stack's paint
unbroken and its TLS arena not full."""

import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

for folder in ("tests", "tests/apiserver", "boards/cortex-m"):
    sys.path.insert(0, folder)
import apiserver  # noqa: E402
import run as board_run  # noqa: E402
import tap  # noqa: E402

OUT = os.environ.get("O", "build")
SMALL = {"name": "lm3s6965evb", "nic": "stellaris", "objects": 16,
         "object_bytes": 2048}
LARGE = {"name": "mps2-an386", "nic": "lan9118", "objects": 64,
         "object_bytes": 4096}
SECONDS = 40.0
CERTIFICATE, APPLICATION_DATA, HANDSHAKE = 11, 23, 22


class Tap:
    """What one side said of a TLS 1.2 connection, as far as it is in clear."""

    def __init__(self):
        self.data = b""
        self.records, self.messages = [], []

    def feed(self, data):
        self.data += data
        while len(self.data) >= 5:
            size = int.from_bytes(self.data[3:5], "big")
            if len(self.data) < 5 + size:
                return
            kind, body = self.data[0], self.data[5:5 + size]
            self.data = self.data[5 + size:]
            clear = 20 not in self.records # change_cipher_spec
            self.records.append(kind)
            while kind == HANDSHAKE and clear and len(body) >= 4:
                self.messages.append(body[0])
                body = body[4 + int.from_bytes(body[1:4], "big"):]


class Relay:
    """Connections to a port, passed on; they can be cut and refused."""

    def __init__(self, port):
        self.target, self.open, self.live = port, True, []
        self.said = [] # (by the board, by the server) of each connection
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                one, _ = self.listener.accept()
            except OSError:
                return
            try:
                if not self.open:
                    raise OSError
                two = socket.create_connection(("127.0.0.1", self.target), 5)
            except OSError:
                one.close()
                continue
            taps = (Tap(), Tap())
            self.said.append(taps)
            self.live += [one, two]
            for source, sink, tapped in ((one, two, taps[0]),
                                         (two, one, taps[1])):
                source.settimeout(None)
                threading.Thread(target=self._pass, daemon=True,
                                 args=(source, sink, tapped)).start()

    @staticmethod
    def _pass(source, sink, tapped):
        try:
            while data := source.recv(65536):
                tapped.feed(data)
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        for end in self.live:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.live = []

    def close(self):
        self.listener.close()
        self.cut()


class Board:
    """A board that runs, and what it has said."""

    def __init__(self, facts, server, anchor=None, **page):
        self.facts, self.lines = facts, []
        self.space = page.setdefault("space", facts["name"])
        self.relay = Relay(server.port)
        with open(anchor or server.file("ca.der"), "rb") as f:
            content = board_run.page(self.relay.port,
                                     server.read("token-admin"), f.read(),
                                     **page)
        self.image = tempfile.NamedTemporaryFile(suffix=".elf")
        board_run.flash(f"{OUT}/{facts['name']}/firmware.elf", content,
                        self.image.name)
        self.process = subprocess.Popen(
            board_run.qemu(facts["name"], facts["nic"], self.image.name),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.decode("utf-8", "replace").rstrip())

    def mark(self):
        return len(self.lines)

    def since(self, mark):
        return self.lines[mark:]

    def wait(self, pattern, mark=0, seconds=SECONDS):
        """The first line since mark that the pattern is found in."""
        def look():
            for line in self.lines[mark:]:
                if re.search(pattern, line):
                    return line
            if self.process.poll() is not None:
                raise apiserver.Failed(f"ended before {pattern}: "
                                       f"{self.lines[-5:]}")
            return None
        try:
            return apiserver.wait_for(look, seconds)
        except apiserver.Failed as error:
            raise apiserver.Failed(f"{self.facts['name']}: no {pattern} in "
                                   f"{self.lines[-8:]}") from error

    def ended(self):
        """Asks it to end. Its own account, after the exit code is checked."""
        self.process.stdin.write(b"q")
        self.process.stdin.flush()
        code = self.process.wait(15)
        self.reader.join(5)
        if code != 0:
            raise apiserver.Failed(f"exit code {code}: {self.lines[-5:]}")
        return [int(n) for n in re.findall(
            r"stack (\d+) of (\d+), TLS arena (\d+) of (\d+)",
            self.lines[-1])[0]]

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.relay.close()
        self.image.close()


class OnBoards(unittest.TestCase):
    """What every scenario needs: both boards at once, one server."""

    @classmethod
    def setUpClass(cls):
        cls.server = apiserver.Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def setUp(self):
        self.boards = []
        for facts in (SMALL, LARGE):
            self.server.kload("namespace", "create", facts["name"])
        self.addCleanup(self.clean)

    def clean(self):
        for board in self.boards:
            board.close()
        for facts in (SMALL, LARGE):
            self.server.kload("namespace", "delete", facts["name"])

    def start(self, synced=True, **page):
        for facts in (SMALL, LARGE):
            self.boards.append(Board(facts, self.server, **page))
        if synced:
            for board in self.boards:
                board.wait("^in sync")

    def end(self):
        """Ends the boards and looks at their memory."""
        for board in self.boards:
            with self.subTest(board=board.facts["name"]):
                stack, reserve, arena, size = board.ended()
                self.assertLess(stack, reserve)
                self.assertLess(arena, size)
                print(f"# {board.facts['name']}: stack {stack}, "
                      f"TLS arena {arena}")

    def fill(self, count, size=1100):
        for facts in (SMALL, LARGE):
            self.server.kload("fill", "-n", facts["name"], "--count",
                              str(count), "--bytes", str(size))

    def kload(self, board, word, *more):
        return self.server.kload(word, "-n", board.space, *more)

    def change(self, name="cm-00000", **values):
        """Patches an object; every board tells it."""
        marks = [board.mark() for board in self.boards]
        for board in self.boards:
            self.kload(board, "patch", name,
                       *(f"{k}={v}" for k, v in values.items()))
        for board, mark in zip(self.boards, marks):
            board.wait(f"^MODIFIED  {board.space}/{name} ", mark)

    def told(self, board, mark=0):
        """Kind and name of each call of a handler since mark."""
        return re.findall(rf"^([A-Z]+) +{board.space}/(\S+)",
                          "\n".join(board.since(mark)), re.MULTILINE)


class Watching(OnBoards):
    def test_list_and_watch(self):
        """As many objects of 1 KB as the small board is to hold, none cut."""
        self.fill(SMALL["objects"] - 1, size=1000)
        self.start()
        for board in self.boards:
            self.assertEqual([("ADDED", f"cm-{i:05}")
                              for i in range(SMALL["objects"] - 1)],
                             sorted(self.told(board)))
            mark = board.mark()
            self.kload(board, "put", "extra", "a=" + "x" * 512)
            board.wait("^ADDED .*/extra", mark)
            self.kload(board, "patch", "extra", "a=2")
            board.wait("^MODIFIED .*/extra", mark)
            self.kload(board, "patch", "cm-00002", "b=3")
            board.wait("^MODIFIED .*/cm-00002", mark)
            self.kload(board, "delete", "extra")
            board.wait("^DELETED .*/extra", mark)
            self.assertEqual(
                [("ADDED", "extra"), ("MODIFIED", "extra"),
                 ("MODIFIED", "cm-00002"), ("DELETED", "extra")],
                self.told(board, mark))
        self.end()

    def test_a_cut_connection_is_resumed_by_ticket(self):
        self.fill(3)
        self.start()
        for board in self.boards:
            first = board.relay.said[0][1]
            self.assertIn(CERTIFICATE, first.messages)
            mark = board.mark()
            board.relay.cut()
            self.kload(board, "patch", "cm-00001", "while=cut")
            board.wait("^MODIFIED .*/cm-00001", mark)
            again = board.relay.said[-1]
            self.assertGreater(len(board.relay.said), 1)
            self.assertNotIn(CERTIFICATE, again[1].messages)
            self.assertIn(APPLICATION_DATA, again[0].records)
            self.assertEqual([("MODIFIED", "cm-00001")],
                             self.told(board, mark))
        self.end()

    def test_a_server_that_stops_for_a_while(self):
        self.fill(2)
        self.start()
        self.server.command("pause")
        time.sleep(2)
        self.server.command("resume")
        self.change(after="pause")
        for board in self.boards:
            self.assertEqual(1, len(board.relay.said))
        self.end()

    def test_what_was_missed_is_listed_anew(self):
        """Cut, changed, compacted, restarted: 410, a list, and no call for
        what is as it was."""
        self.fill(4)
        self.start()
        marks = [board.mark() for board in self.boards]
        for board in self.boards:
            board.relay.open = False
            board.relay.cut()
            self.kload(board, "patch", "cm-00001", "while=away")
            self.kload(board, "delete", "cm-00002")
            self.kload(board, "put", "late", "a=1")
        self.server.command("compact")
        self.server.command("restart")
        for board in self.boards:
            board.relay.open = True
        for board, mark in zip(self.boards, marks):
            with self.subTest(board=board.facts["name"]):
                for line in ("^MODIFIED .*/cm-00001", "^DELETED .*/cm-00002",
                             "^ADDED .*/late"):
                    board.wait(line, mark)
                self.assertEqual(
                    [("ADDED", "late"), ("DELETED", "cm-00002"),
                     ("MODIFIED", "cm-00001")],
                    sorted(self.told(board, mark)))
        self.change(after="list")
        self.end()


class Refusing(OnBoards):
    """No request leaves the board when the server is not who it should be."""

    def refuses(self, pattern):
        for board in self.boards:
            with self.subTest(board=board.facts["name"]):
                print("# " + board.wait("^error"))
                board.wait("^error .*(" + pattern + ")")
                self.assertNotIn("in sync", board.lines)
                self.assertGreater(len(board.relay.said), 0)
                for said, _ in board.relay.said:
                    self.assertNotIn(APPLICATION_DATA, said.records)

    def test_wrong_name(self):
        self.start(synced=False, name="elsewhere.example")
        self.refuses("name")
        self.end()

    def test_wrong_authority(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                 "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=other",
                 "-keyout", folder + "/key", "-outform", "DER", "-out",
                 folder + "/other.der"], check=True, capture_output=True)
            self.start(synced=False, anchor=folder + "/other.der")
        self.refuses("trust")
        self.end()

    def test_expired_then_renewed(self):
        self.fill(1)
        self.server.command("cert expired")
        self.server.command("restart")
        self.start(synced=False)
        self.refuses("expired")
        self.server.command("cert good")
        self.server.command("restart")
        for board in self.boards:
            board.wait("^in sync")
        self.change(after="renewal")
        self.end()


class Limits(OnBoards):
    def test_an_object_too_large(self):
        self.fill(2)
        self.start()
        for board in self.boards:
            mark = board.mark()
            self.kload(board, "put", "big",
                       "k=" + "x" * (board.facts["object_bytes"] + 100))
            board.wait("^TRUNCATED .*/big", mark)
            self.kload(board, "patch", "big", "k=small")
            board.wait("^MODIFIED .*/big", mark)
            self.assertEqual([("TRUNCATED", "big"), ("MODIFIED", "big")],
                             self.told(board, mark))
        self.change(after="big")
        self.end()

    def test_a_cache_that_is_full_and_emptied(self):
        """One object too many is told as such; it comes in when another one
        goes, by a list of its own."""
        self.start()
        for board in self.boards:
            mark, objects = board.mark(), board.facts["objects"]
            names = {f"full-{i:05}" for i in range(objects + 1)}
            self.kload(board, "fill", "--count", str(objects + 1), "--bytes",
                       "600", "--prefix", "full")
            board.wait("^error .*no place", mark)
            apiserver.wait_for(
                lambda: len(self.kept(board, mark)) == objects, SECONDS)
            gone = min(self.kept(board, mark))
            self.kload(board, "delete", gone)
            apiserver.wait_for(
                lambda: self.kept(board, mark) == names - {gone}, SECONDS)
            self.kload(board, "delete", *sorted(names - {gone}))
            apiserver.wait_for(lambda: not self.kept(board, mark), SECONDS)
            self.kload(board, "put", "again", "a=1")
            board.wait("^ADDED .*/again", mark)
        self.end()

    def kept(self, board, mark):
        """Names that handlers were told of since mark and that still are."""
        names = set()
        for kind, name in self.told(board, mark):
            (names.discard if kind == "DELETED" else names.add)(name)
        return names


class Rsa(OnBoards):
    @classmethod
    def setUpClass(cls):
        cls.server = apiserver.Server("--key", "rsa")

    def test_an_rsa_server(self):
        self.fill(3)
        self.start()
        self.change(a=1)
        for board in self.boards:
            board.relay.cut()
        self.change(after="cut")
        for board in self.boards:
            self.assertNotIn(CERTIFICATE, board.relay.said[-1][1].messages)
        self.end()


class Configuration(unittest.TestCase):
    def compiled(self, **symbols):
        """What the compiler says to port/lwip with these symbols."""
        sources = os.environ.get("LWIP_DIR", "build/src/lwip")
        return subprocess.run(
            ["arm-none-eabi-gcc", "-mcpu=cortex-m3", "-mthumb", "-std=c11",
             "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-Icore/include",
             "-Iport", "-Iport/lwip", "-isystem", sources + "/src/include",
             *(f"-DCONFIG_KINF_LWIP_{k}={v}" for k, v in symbols.items()),
             "port/lwip/tcp.c"], capture_output=True, text=True,
            check=False).stderr

    def test_a_pool_below_the_windows_does_not_compile(self):
        for lean, connections, least in ((1, 1, 8), (1, 2, 14), (0, 1, 6),
                                         (0, 2, 10)):
            sizes = {"LEAN": lean, "CONNECTIONS": connections}
            with self.subTest(**sizes):
                self.assertEqual("", self.compiled(POOL=least, **sizes))
                self.assertIn("CONFIG_KINF_LWIP_POOL",
                              self.compiled(POOL=least - 1, **sizes))

    def test_names_and_addresses_by_option_compile(self):
        self.assertEqual("", self.compiled(DNS=1))
        self.assertEqual("", self.compiled(DNS=1, DHCP=1))


if __name__ == "__main__":
    tap.main()

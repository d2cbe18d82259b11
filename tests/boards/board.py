# SPDX-License-Identifier: Apache-2.0
"""board.py - a board in QEMU: what it says, the line to it, what it is asked.

    with board.Board(board.SMALL, port, anchor, token) as one:
        one.wait("^in sync")
        one.relay.cut()             # TCP ends
        one.link(False)             # the cable is out
        one.ask("n")                # a command of node.c
        told = one.end()            # its own account, after exit code 0
"""

import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

for folder in ("tests/apiserver", "boards/common"):
    sys.path.insert(0, folder)
import apiserver  # noqa: E402
import run as board_run  # noqa: E402

OUT = os.environ.get("O", "build")
SMALL = {"name": "lm3s6965evb", "nic": "stellaris", "objects": 16,
         "object_bytes": 1536}
LARGE = {"name": "mps2-an386", "nic": "lan9118", "objects": 64,
         "object_bytes": 4096}
ONLY = os.environ.get("BOARDS", "").split()
BOARDS = tuple(of for of in (SMALL, LARGE) if not ONLY or of["name"] in ONLY)
WALL_TRUE, WALL_UNKNOWN = 0, 1 # of node/options.h
SECONDS = 40.0
CERTIFICATE, APPLICATION_DATA, HANDSHAKE = 11, 23, 22
LONGEST_POLL = 3300000 # instructions, an ECDSA server
# What is used for as long as the firmware lives.
FOR_EVER = ("tls", "lwip-SYS_TIMEOUT")
# Bytes of stack, by which its peak may rise at any time: where an interrupt
# comes is chance. stack_interrupt of boards/stack.py, aligned.
INTERRUPT = 48


class Tap:
    """What one side said of a TLS 1.2 connection, as far as it is in clear."""

    def __init__(self):
        self.data = b""
        self.records, self.messages, self.sizes = [], [], []

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
            self.sizes.append(size)
            while kind == HANDSHAKE and clear and len(body) >= 4:
                self.messages.append(body[0])
                body = body[4 + int.from_bytes(body[1:4], "big"):]


class Listener:
    """Connections to a port of its own, each passed to a function that is
    called in a thread."""

    def __init__(self, accepted):
        self.accepted = accepted
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.accepted(connection)

    def close(self):
        """Ends the thread, too: one that is left in accept() may take what
        comes to the next listener, whose descriptor has the same number."""
        if self.thread.is_alive():
            self.listener.shutdown(socket.SHUT_RDWR) # it wakes
            self.thread.join()
        self.listener.close()


class Relay:
    """Connections to a port, passed on; they can be cut and refused."""

    def __init__(self, port):
        self.target, self.open, self.live = port, True, []
        self.said = [] # (by the board, by the server) of each connection
        self.cuts = 0  # so many connections end once the server has answered
        self.listener = Listener(self._accepted)
        self.port = self.listener.port

    def _accepted(self, one):
        try:
            if not self.open:
                raise OSError
            two = socket.create_connection(("127.0.0.1", self.target), 5)
        except OSError:
            one.close()
            return
        taps = (Tap(), Tap())
        self.said.append(taps)
        self.live = [e for e in self.live if e.fileno() >= 0] + [one, two]
        for end in (one, two):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            end.settimeout(None)
        left = [2]
        for source, sink, tapped in ((one, two, taps[0]),
                                     (two, one, taps[1])):
            threading.Thread(target=self._pass, daemon=True,
                             args=(source, sink, tapped,
                                   tapped is taps[1], left)).start()

    def _pass(self, source, sink, tapped, of_server, left):
        try:
            while data := source.recv(65536):
                tapped.feed(data)
                sink.sendall(data)
                if of_server and self.cuts > 0 and \
                        APPLICATION_DATA in tapped.records:
                    self.cuts -= 1
                    break
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        left[0] -= 1
        if left[0] == 0:
            source.close()
            sink.close()

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


class Told:
    """What a node told of itself: pools and work."""

    def __init__(self, lines):
        self.pools, self.work, self.counts = {}, {}, {}
        for line in lines:
            words = line.split()
            if words[:1] == ["pool"]:
                self.pools[words[1]] = tuple(int(n) for n in words[2:5])
            elif words[:1] == ["work"]:
                self.work[words[1]] = int(words[2])
            elif words[:1] and words[0] in ("bytes", "bookmarks", "closing",
                                            "relists"):
                self.counts[words[0]] = int(words[1])
        unit = self.work.pop("unit", 1)
        self.work = {k: n * unit for k, n in self.work.items()}

    def used(self):
        return {name: of[0] for name, of in self.pools.items()}

    def peak(self, name):
        return self.pools[name][1]

    def longest(self):
        """Instructions of the longest kinf_poll."""
        return max(n for k, n in self.work.items()
                   if k.startswith("longest-"))


def options(mode=0, clock_ms=0, seed=0, arena_bytes=0, wall_s=0, token="",
            second="", ca=b"", certificate=b"", key=b""):
    """struct options of node/options.h, as bytes."""
    return struct.pack("<IIIIIIII256s64s1400s2800s", mode, clock_ms, seed,
                       arena_bytes, wall_s, len(ca), len(certificate),
                       len(key), token.encode(), second.encode(), ca,
                       certificate + key)


class Board:
    """A board that runs, and what it has said."""

    def __init__(self, facts, port, anchor, token, elf="short/{}/node.elf",
                 asked=None, exact=True, **page):
        self.facts, self.lines = facts, []
        self.space = page.setdefault("space", facts["name"])
        self.relay = Relay(port)
        self.folder = tempfile.TemporaryDirectory()
        image = self.folder.name + "/image.elf"
        more = {} if "node" not in elf else \
            {"options": options(**(asked or {}))}
        board_run.flash(f"{OUT}/{elf.format(facts['name'])}",
                        board_run.page(self.relay.port, token, anchor, **page),
                        image, **more)
        self.monitor_path = self.folder.name + "/monitor"
        self.process = subprocess.Popen(
            board_run.qemu(facts["name"], facts["nic"], image,
                           ("-icount", "shift=0") if exact else (),
                           f"unix:{self.monitor_path},server=on,wait=off"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

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
                self.reader.join(5)
                if not any(re.search(pattern, l) for l in self.lines[mark:]):
                    raise apiserver.Failed(f"ended before {pattern}: "
                                           f"{self.lines[-5:]}")
            return None
        try:
            return apiserver.wait_for(look, seconds)
        except apiserver.Failed as error:
            raise apiserver.Failed(f"{self.facts['name']}: no {pattern} in "
                                   f"{self.lines[-8:]}") from error

    def told(self, mark=0, space=None):
        """Kind and name of each call of a handler since mark."""
        return re.findall(rf"^([A-Z]+) +{space or self.space}/(\S+)",
                          "\n".join(self.since(mark)), re.MULTILINE)

    # ---- what it is asked ----

    def ask(self, command):
        self.process.stdin.write(command.encode())
        self.process.stdin.flush()

    def account(self):
        """Pools and work as they stand."""
        mark = self.mark()
        self.ask("m")
        self.wait("^told", mark)
        return Told(self.since(mark))

    def end(self):
        """Stops the informer; the account after that. Exit code 0."""
        mark = self.mark()
        self.ask("q")
        code = self.process.wait(20)
        self.reader.join(5)
        if code != 0:
            raise apiserver.Failed(f"{self.facts['name']}: exit code {code}: "
                                   f"{self.lines[-5:]}")
        return Told(self.since(mark))

    def end_well(self, test, starved=(), longest_poll=LONGEST_POLL):
        """Ends it and looks at its memory: no pool ran over, the paint of the
        stack is unbroken, all that was lent is given back, to the byte. Returns
        the longest kinf_poll. starved: pools filled on purpose."""
        live = self.account()
        told = self.end()
        print(f"# {self.facts['name']}: " + ", ".join(
            f"{name} {high}/{size}" for name, (_, high, size)
            in live.pools.items() if high))
        for name, (_, high, size) in told.pools.items():
            test.assertLessEqual(high, size, name)
            if name in ("stack", "tls") and name not in starved:
                test.assertLess(high, size, name)
        test.assertEqual(0, told.counts["closing"])
        test.assertEqual({}, {name: used for name, used in told.used().items()
                              if used and name not in FOR_EVER})
        begin = int(self.wait("^TLS arena ").split()[2])
        test.assertEqual(begin, told.used()["tls"])
        test.assertLess(told.longest(), longest_poll)
        return told.longest()

    def link(self, up):
        """Plugs the cable in or out."""
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(self.monitor_path)
            monitor.sendall(f"set_link n0 {'on' if up else 'off'}\n".encode())
            said = b""
            while said.count(b"(qemu)") < 2:
                said += monitor.recv(4096)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.reader.join(5)
        self.process.stdin.close()
        self.process.stdout.close()
        self.relay.close()
        self.folder.cleanup()


def until(what, seconds=SECONDS):
    return apiserver.wait_for(what, seconds)


def pause(seconds):
    """Time passes on the wire; what is shown needs it."""
    time.sleep(seconds)

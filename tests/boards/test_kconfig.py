#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# suite: timeout=300
"""A board's configuration as its user makes it: menuconfig at a terminal, what
it leads to in the image, savedefconfig; and configurations that cannot work,
which do not compile and say which symbol it is, or the bytes that would do."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
import unittest

sys.path.insert(0, "tests")
import own_make  # noqa: E402
import tap  # noqa: E402

HERE = os.environ["TMPDIR"]
BOARDS = ("lm3s6965evb", "mps2-an386")
SOURCES = os.path.abspath("build/src")


def make(board, *words, out=HERE, folder="."):
    return own_make.make("-C", folder, "BOARD=" + board, "O=" + out, *words)


class Terminal:
    """A program at a terminal of 24 lines."""

    def __init__(self, *command):
        self.pid, self.end = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, dict(
                own_make.ENV, TERM="xterm", LINES="24", COLUMNS="80"))
        self.said = b""

    def wait(self, pattern, seconds=60):
        """Until that is on the screen, since the last wait."""
        until = time.monotonic() + seconds
        while not re.search(pattern, self.said):
            left = until - time.monotonic()
            ready, _, _ = select.select([self.end], [], [], max(left, 0))
            try:
                more = os.read(self.end, 65536) if ready else b""
            except OSError: # it has ended
                more = b""
            if not more:
                raise AssertionError(f"no {pattern} in {self.said[-2000:]}")
            self.said += more
        self.said = b""

    def type(self, *keys):
        for key in keys:
            os.write(self.end, key.encode())

    def code(self):
        """Its exit code."""
        try:
            while os.read(self.end, 65536):
                pass
        except OSError:
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self.end)
        return os.waitstatus_to_exitcode(status)


class Menu(unittest.TestCase):
    def test_a_symbol_that_is_changed_is_in_the_image(self):
        """A ring of 5 in place of 2: in .config, in the report of RAM, and in
        the size of what main.c lends."""
        for name in BOARDS:
            with self.subTest(board=name):
                before = self.memory(name)
                self.change(name, "KINF_RING", 5)
                self.assertRegex(self.config(name),
                                 r"(?m)^CONFIG_KINF_RING=5$")
                # Each a notification and a record of 34 bytes, rounded up.
                self.assertEqual(5 - self.ring(name), round(
                    (self.memory(name) - before) / 34))
        run = make(BOARDS[0], "ram_report")
        self.assertEqual(0, run.returncode, run.stdout)
        self.assertRegex(run.stdout, r"(?m)^rings +5 ")

    def change(self, name, symbol, value):
        menu = Terminal("make", "--no-print-directory", "BOARD=" + name,
                        "O=" + HERE, "menuconfig")
        menu.wait(b"kinformer, a Kubernetes informer")
        menu.type("/")
        menu.wait(b"Jump to symbol")
        menu.type(symbol)
        menu.wait(b"RING")
        menu.type("\r") # to the first that fits
        menu.wait(b"Undelivered")
        menu.type("\r") # edit
        menu.wait(b"Range")
        menu.type("\x7f" * 12, str(value), "\r")
        menu.wait(str(value).encode())
        menu.type("s")
        menu.wait(b"[Ff]ilename")
        menu.type("\r")
        menu.wait(b"saved")
        menu.type(" ", "q")
        self.assertEqual(0, menu.code())

    def config(self, name):
        with open(f"{HERE}/{name}/.config", encoding="ascii") as f:
            return f.read()

    def ring(self, name):
        with open(f"boards/{name}/defconfig", encoding="ascii") as f:
            return int(re.search(r"KINF_RING=(\d+)", f.read()).group(1))

    def memory(self, name):
        """Bytes that main.c lends to the informer."""
        path = f"{HERE}/{name}/obj/boards/common/main.o"
        run = make(name, path)
        self.assertEqual(0, run.returncode, run.stdout)
        run = subprocess.run(["arm-none-eabi-nm", "-S", path], check=True,
                             text=True, stdout=subprocess.PIPE)
        return int(re.search(r" (\w+) b memory$", run.stdout,
                             re.M).group(1), 16)

    def test_savedefconfig(self):
        """In a copy of the tree: what it writes leads to the same sizes, and a
        symbol that was changed is one line of it."""
        tree = self.copy()
        for name in BOARDS:
            with self.subTest(board=name):
                config = f"{tree}/out/{name}/.config"
                self.works(tree, name, "defconfig")
                was = self.lines(config)
                self.works(tree, name, "savedefconfig", "defconfig")
                self.assertEqual(was, self.lines(config))
                saved = self.lines(f"{tree}/boards/{name}/defconfig")
                with open(config, "a", encoding="ascii") as f:
                    f.write("CONFIG_KINF_RING=11\n")
                self.works(tree, name, "savedefconfig")
                self.assertEqual(
                    {"CONFIG_KINF_RING=11"},
                    self.lines(f"{tree}/boards/{name}/defconfig") - saved)

    def copy(self):
        tree = HERE + "/tree"
        for path in subprocess.run(["git", "ls-files"], check=True, text=True,
                                   stdout=subprocess.PIPE).stdout.split():
            if os.path.exists(path):
                os.makedirs(os.path.dirname(f"{tree}/{path}"), exist_ok=True)
                shutil.copy(path, f"{tree}/{path}")
        os.makedirs(tree + "/build")
        os.symlink(SOURCES, tree + "/build/src")
        return tree

    def works(self, tree, name, *targets):
        for target in targets:
            run = make(name, target, out=tree + "/out", folder=tree)
            self.assertEqual(0, run.returncode, run.stdout)

    def lines(self, path):
        with open(path, encoding="ascii") as f:
            return set(f.read().splitlines())


# What cannot work: what is wrong, lines of .config, the file that says so,
# and its words.
CANNOT = {
    "a TLS arena below a handshake": (
        {"TLS_ARENA_BYTES": 27031}, "port/mbedtls/system",
        "KINF_TLS_ARENA_BYTES is less than"),
    "more out than in": (
        {"TLS_IN_BYTES": 4096, "TLS_OUT_BYTES": 4097}, "port/mbedtls/system",
        "CONFIG_KINF_TLS_OUT_BYTES is at most CONFIG_KINF_TLS_IN_BYTES"),
    "twice the largest object above the arena": (
        {"OBJECT_BYTES": 8192, "ARENA_BYTES": 16415},
        "core/informer/shared_informer",
        "CONFIG_KINF_ARENA_BYTES is less than 2 x CONFIG_KINF_OBJECT_BYTES"),
    "a pool below the windows": (
        {"LWIP_LEAN": "y", "LWIP_CONNECTIONS": 1, "LWIP_POOL": 7},
        "port/lwip/tcp", "CONFIG_KINF_LWIP_POOL"),
    "no place for a delta": ({"FIFO": 0}, "boards/common/main", "memory"),
}
JUST = { # the least that does
    "a TLS arena below a handshake": {"TLS_ARENA_BYTES": 27032},
    "more out than in": {"TLS_OUT_BYTES": 4096},
    "twice the largest object above the arena": {"ARENA_BYTES": 16416},
    "a pool below the windows": {"LWIP_POOL": 8},
    "no place for a delta": {"FIFO": 1},
}


class Cannot(unittest.TestCase):
    def compiled(self, board, symbols, source):
        out = f"{HERE}/cannot"
        os.makedirs(f"{out}/{board}", exist_ok=True)
        shutil.copy(f"boards/{board}/defconfig", f"{out}/{board}/.config")
        with open(f"{out}/{board}/.config", "a", encoding="ascii") as f:
            f.writelines(f"CONFIG_KINF_{k}={v}\n" for k, v in
                         symbols.items())
        return make(board, f"{out}/{board}/obj/{source}.o", out=out)

    def test_it_does_not_compile_and_says_why(self):
        for board in BOARDS:
            for what, (symbols, source, words) in CANNOT.items():
                with self.subTest(what, board=board):
                    run = self.compiled(board, symbols, source)
                    self.assertNotEqual(0, run.returncode)
                    self.assertIn(words, run.stdout)

    def test_the_least_that_can_work_does(self):
        for what, (symbols, source, _) in CANNOT.items():
            with self.subTest(what):
                run = self.compiled(BOARDS[0], {**symbols, **JUST[what]},
                                    source)
                self.assertEqual(0, run.returncode, run.stdout)


if __name__ == "__main__":
    tap.main()

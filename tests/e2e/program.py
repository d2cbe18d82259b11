# SPDX-License-Identifier: Apache-2.0
"""program.py - runs kinformer for tests and waits for what it prints."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, "tests")
sys.path.insert(0, "tests/apiserver")

OUT = os.environ.get("O", "build")
GATEWAY = os.path.abspath(f"{OUT}/gateway/kinformer")
SANITIZED = os.path.abspath(f"{OUT}/sane/kinformer")


def environment(**more):
    """Ours without what would lead kinformer elsewhere."""
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(("KUBE", "NOTIFY", "WATCHDOG"))}
    env["HOME"] = "/nonexistent"
    env["ASAN_OPTIONS"] = "detect_leaks=0"
    env.update(more)
    return env


def run(*words, program=SANITIZED, seconds=60, **env):
    """To its end: exit code, stdout, stderr."""
    done = subprocess.run([program, *words], env=environment(**env),
                          stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=seconds, check=False)
    return (done.returncode, done.stdout.decode(),
            done.stderr.decode(errors="replace"))


def wait_for(check, what, seconds=40):
    """Asks until it is so; a file that is not there yet is no answer."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if check():
                return
        except OSError:
            pass
        time.sleep(0.02)
    raise AssertionError("never: " + what)


class Kinformer:
    """A running kinformer; what it prints is read as it comes."""

    def __init__(self, *words, program=SANITIZED, stdout=subprocess.PIPE,
                 **env):
        self.process = subprocess.Popen(
            [program, *words], env=environment(**env), stdout=stdout,
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.pid = self.process.pid
        self.lines = queue.Queue()
        self.errors = []
        self.threads = [threading.Thread(target=self._read_errors)]
        if self.process.stdout:
            self.threads.append(threading.Thread(target=self._read))
        for thread in self.threads:
            thread.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.decode().rstrip("\n"))

    def _read_errors(self):
        for line in self.process.stderr:
            self.errors.append(line.decode(errors="replace").rstrip("\n"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end(signal.SIGKILL)

    def line(self, seconds=20):
        """The next line of stdout."""
        try:
            return self.lines.get(timeout=seconds)
        except queue.Empty:
            raise AssertionError(
                "no line came; stderr: " + "\n".join(self.errors)) from None

    def line_with(self, text, seconds=20):
        """Skips lines until one holds the text."""
        until = time.monotonic() + seconds
        while True:
            line = self.line(max(0.01, until - time.monotonic()))
            if text in line:
                return line

    def error_with(self, text, seconds=20):
        """Waits for a line of stderr that holds the text."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for line in list(self.errors):
                if text in line:
                    return line
            time.sleep(0.02)
        raise AssertionError(f"no '{text}' in stderr: " +
                             "\n".join(self.errors))

    def send(self, number):
        self.process.send_signal(number)

    def end(self, number=signal.SIGTERM, seconds=10):
        """Signals it and returns its exit code. Waits less than any deadline
        of the program as it ships lasts: it is to wait for none."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(seconds)
        for thread in self.threads:
            thread.join(seconds)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe:
                pipe.close()
        return code

    def wait(self, seconds=20):
        """Waits for it to end by itself."""
        self.process.wait(seconds)
        return self.end()

    # ---- what the kernel knows of it ----

    def memory(self):
        """Bytes resident, and anonymous of them."""
        sizes = {}
        with open(f"/proc/{self.pid}/smaps_rollup", encoding="ascii") as f:
            for line in f:
                name, _, rest = line.partition(":")
                if rest.endswith("kB\n"):
                    sizes[name] = int(rest.split()[0]) * 1024
        return sizes["Rss"], sizes["Anonymous"]

    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def sleeps(self):
        """How often it has gone to sleep of its own accord."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as f:
            for line in f:
                if line.startswith("voluntary_ctxt_switches"):
                    return int(line.split()[1])
        raise AssertionError("no such line")

    def image(self):
        """All its writable memory."""
        parts = []
        with open(f"/proc/{self.pid}/maps", encoding="ascii") as maps, \
                open(f"/proc/{self.pid}/mem", "rb", 0) as mem:
            for line in maps:
                where, rights = line.split()[:2]
                if not rights.startswith("rw"):
                    continue
                begin, end = (int(x, 16) for x in where.split("-"))
                mem.seek(begin)
                parts.append(mem.read(end - begin))
        return b"\n".join(parts)


def state(path, **wanted):
    """Waits until the status file says what is wanted of it."""
    until = time.monotonic() + 20
    seen = None
    while time.monotonic() < until:
        try:
            with open(path, encoding="utf-8") as f:
                seen = json.load(f)
        except FileNotFoundError:
            seen = {}
        if all(seen.get(k) == v for k, v in wanted.items()) and seen:
            return seen
        time.sleep(0.05)
    raise AssertionError(f"status says {seen}, not {wanted}")

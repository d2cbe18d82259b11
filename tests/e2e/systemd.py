# SPDX-License-Identifier: Apache-2.0
"""systemd.py - a systemd of the test's own, for unit files.

    with systemd.Machine() as machine:
        machine.write("etc/systemd/system/x.service", text)
        machine.systemctl("start", "x.service")

It is process 1 of namespaces of its own (processes, mounts, control groups) on
a copy of this machine's files that is forgotten at the end; the network is
ours, so that it reaches servers on loopback. Root is needed."""

import os
import shutil
import subprocess
import tempfile
import time

# Files of this machine below, changes in memory; then what a system needs.
BOOT = r"""
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
cd "$1"
mkdir up work root
mount -t overlay -o lowerdir=/,upperdir=up,workdir=work overlay root
cd root
mount -t proc proc proc
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mount --rbind /dev dev
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount --make-rshared /
printf '[Unit]\nDescription=test\n' >etc/systemd/system/test.target
exec env -i PATH="$PATH" container=test chroot . \
    /usr/lib/systemd/systemd --system --unit=test.target --log-target=null
"""


class Failed(Exception):
    """A command inside that ended with another code than 0."""


def why_not():
    """The reason why there can be none here, or nothing."""
    if os.geteuid():
        return "needs root"
    if not os.path.exists("/usr/lib/systemd/systemd"):
        return "systemd is not installed"
    tried = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "--cgroup", "sh", "-c",
         "mount --make-rprivate / && mount -t cgroup2 cgroup2 /mnt"],
        capture_output=True, text=True, check=False)
    return tried.stderr.strip() if tried.returncode else ""


class Machine:
    def __init__(self):
        self.dir = tempfile.mkdtemp()
        self.outer = subprocess.Popen(
            ["unshare", "--kill-child", "--mount", "--pid", "--fork",
             "--cgroup", "--ipc", "--uts", "sh", "-c", BOOT, "boot",
             self.dir], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            self.first = self._first()
            self._wait_until_up()
        except Failed:
            self.close()
            raise

    def _first(self):
        """Its process 1, as we number it."""
        path = f"/proc/{self.outer.pid}/task/{self.outer.pid}/children"
        until = time.monotonic() + 20
        while time.monotonic() < until and self.outer.poll() is None:
            with open(path, encoding="ascii") as f:
                children = f.read().split()
            if children:
                return children[0]
            time.sleep(0.02)
        raise Failed("namespaces: " + self.outer.stderr.read())

    def _wait_until_up(self):
        until = time.monotonic() + 30
        while self.outer.poll() is None and time.monotonic() < until:
            code, said = self.try_to("systemctl", "is-system-running")
            if said.strip() in ("running", "degraded"):
                return
            time.sleep(0.05)
        raise Failed(f"systemd does not come up: {said}")

    def try_to(self, *words):
        """Exit code, and what a command printed, inside."""
        done = subprocess.run(
            ["nsenter", "-t", self.first, "-m", "-p", "-C", "-r", "-w",
             *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
        return done.returncode, done.stdout

    def run(self, *words):
        code, said = self.try_to(*words)
        if code:
            raise Failed(f"{' '.join(words)}: {code}: {said}")
        return said

    def systemctl(self, *words):
        return self.run("systemctl", *words)

    def show(self, unit, what):
        """One property of a unit."""
        return self.run("systemctl", "show", "--value", "-p", what,
                        unit).strip()

    def path(self, inside):
        """A file inside, as one of ours."""
        return os.path.join("/proc", self.first, "root", inside)

    def write(self, inside, text):
        os.makedirs(os.path.dirname(self.path(inside)), exist_ok=True)
        with open(self.path(inside), "w", encoding="utf-8") as f:
            f.write(text)

    def copy(self, source, inside):
        shutil.copy(source, self.path(inside))

    def close(self):
        self.outer.kill()
        self.outer.wait()
        self.outer.stderr.close()
        os.rmdir(self.dir)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

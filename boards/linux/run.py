#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run.py - what `make run` shows.

Without KUBECONFIG: starts the tests' API server, fills it, lets `kinformer
watch` and `kinformer mirror` follow it, changes ConfigMaps from outside, and
prints each change as it arrives. With KUBECONFIG: watches that cluster until
Ctrl-C and changes nothing there.
"""
import argparse
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time

FILLED = 10
PATIENCE = 60  # seconds for one change to arrive


def say(text):
    print(text, flush=True)


class Server:
    """The API server of the tests, in a folder of its own."""

    def __init__(self, binary, kload):
        self.folder = tempfile.mkdtemp(prefix="kinformer-server-")
        self.kload = kload
        self.process = subprocess.Popen(
            [binary, "--dir", self.folder], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        if not line or not json.loads(line).get("ready"):
            raise SystemExit("run: the API server did not start; see %s/log"
                             % self.folder)
        self.kubeconfig = os.path.join(self.folder, "kubeconfig")

    def load(self, *arguments):
        subprocess.run([self.kload, *arguments, "--dir", self.folder],
                       check=True, stdout=subprocess.DEVNULL)

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        subprocess.run(["rm", "-rf", "--", self.folder], check=False)


def start(program, kubeconfig, *arguments):
    return subprocess.Popen([program, *arguments],
                            env={**os.environ, "KUBECONFIG": kubeconfig},
                            stdout=subprocess.PIPE)


def stop(process):
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def resident_kb(process):
    with open("/proc/%d/status" % process.pid, encoding="ascii") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0


class Lines:
    """The lines a process prints, each with a limit to its wait."""

    def __init__(self, process):
        self.descriptor = process.stdout.fileno()
        self.held = b""

    def next(self):
        end = time.monotonic() + PATIENCE
        while b"\n" not in self.held:
            with selectors.DefaultSelector() as ready:
                ready.register(self.descriptor, selectors.EVENT_READ)
                arrived = ready.select(max(0, end - time.monotonic()))
            piece = os.read(self.descriptor, 65536) if arrived else b""
            if not piece:
                raise SystemExit("run: no change arrived within %d s"
                                 % PATIENCE)
            self.held += piece
        line, self.held = self.held.split(b"\n", 1)
        return line.decode("utf-8", "replace")


def change(server, number):
    """One change from outside: mostly updates, now and then a new or a
    deleted ConfigMap."""
    if number % 5 == 3:
        server.load("put", "-n", "shop", "extra-%d" % number,
                    "born=%d" % number)
    elif number % 5 == 4 and number > 4:
        server.load("delete", "-n", "shop", "extra-%d" % (number - 1))
    else:
        server.load("patch", "-n", "shop", "cm-%05d" % (number % FILLED),
                    "changed=%d" % number)


def wait_for_file(path):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if os.path.exists(path):
            return
        time.sleep(0.05)
    raise SystemExit("run: %s was not mirrored within %d s" % (path, PATIENCE))


def demonstrate(options):
    say("starting a kube-apiserver with etcd inside ...")
    began = time.monotonic()
    server = Server(options.apiserver, options.kload)
    processes = []
    try:
        say("ready after %.1f s; filling namespace shop with %d ConfigMaps"
            % (time.monotonic() - began, FILLED))
        server.load("fill", "-n", "shop", "--count", str(FILLED),
                    "--bytes", "1544")
        mirror = tempfile.mkdtemp(prefix="kinformer-mirror-")
        watch = start(options.program, server.kubeconfig, "watch",
                      "configmaps", "-n", "shop")
        processes.append(watch)
        processes.append(start(options.program, server.kubeconfig, "mirror",
                               "-n", "shop", mirror))
        lines = Lines(watch)
        for _ in range(FILLED):
            say("  " + lines.next())
        say("changing them from outside, %d times" % options.changes)
        for number in range(options.changes):
            change(server, number)
            say("  " + lines.next())
        wait_for_file(os.path.join(mirror, "shop", "cm-00000"))
        resident = resident_kb(watch)
        for root in sorted(os.listdir(os.path.join(mirror, "shop")))[:3]:
            say("  mirrored: %s/shop/%s: %s" % (mirror, root, " ".join(
                sorted(os.listdir(os.path.join(mirror, "shop", root))))))
    finally:
        for process in processes:
            stop(process)
        server.stop()
    say("%d changes seen, %d KB resident, mirror in %s"
        % (options.changes, resident, mirror))


def follow(options):
    say("watching the cluster of %s; Ctrl-C ends" % os.environ["KUBECONFIG"])
    process = subprocess.Popen([options.program, "watch", "configmaps", "-A"])
    signal.signal(signal.SIGINT, lambda *_: None)
    return process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    parser.add_argument("--changes", type=int, default=20)
    parser.add_argument("--apiserver")
    parser.add_argument("--kload")
    options = parser.parse_args()
    if options.apiserver is None:
        sys.exit(follow(options))
    demonstrate(options)


if __name__ == "__main__":
    main()

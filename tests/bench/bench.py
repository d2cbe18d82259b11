#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""bench.py - kinformer against client-go and a bare drain, in one run.

Every figure is a ratio inside this run or an exact count of bytes. Clients
take turns, round by round; the median over the rounds counts. Memory is the
program's as `make run` builds it, CPU that of the library with a counting
handler, as client-go's is.
"""
import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

LIMITS = {
    "rss_empty": 1048576,
    "anon_empty": 314572,
    "rss_over_kept": 1.10,
    "relist_peak": 1.02,
    "cpu_list_vs_drain": 1.5,
    "cpu_event_vs_drain": 1.25,
    "cpu_event_vs_client_go_json": 0.20,
    "cpu_event_vs_client_go_pb": 0.34,
}
SPACE = "bench"
RATE = 500
WARM_UP = 200


class Server:
    def __init__(self, binary, kload):
        self.folder = tempfile.mkdtemp(prefix="kinformer-bench-")
        self.binary, self.kload_path = binary, kload
        self.process = subprocess.Popen(
            [binary, "--dir", self.folder], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        ready = json.loads(self.process.stdout.readline())
        self.port = str(ready["port"])

    def path(self, name):
        return os.path.join(self.folder, name)

    def kload(self, *arguments):
        answer = subprocess.run(
            [self.kload_path, *arguments, "--dir", self.folder],
            check=True, stdout=subprocess.PIPE, text=True)
        return json.loads(answer.stdout.splitlines()[-1])

    def control(self, *words):
        subprocess.run([self.binary, "ctl", self.folder, *words], check=True,
                       stdout=subprocess.DEVNULL)

    def stop(self):
        self.process.stdin.close()
        self.process.wait(15)
        subprocess.run(["rm", "-rf", "--", self.folder], check=False)


class Client:
    """One that tells "synced N" and then its figures at each line."""

    def __init__(self, command, environment=None):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, **(environment or {})})
        line = self.process.stdout.readline()
        if not line.startswith("synced"):
            raise SystemExit("bench: %s did not sync" % command[0])

    def figures(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        self.process.wait(15)


def clients(options, server):
    ours = [server.port, server.path("ca.crt"), server.path("token-admin"),
            SPACE]
    go = [options.informer_go, "--kubeconfig", server.path("kubeconfig"),
          "--namespace", SPACE]
    return {
        "drain": [os.path.join(options.bin, "drain"), "127.0.0.1", *ours],
        "ours": [os.path.join(options.bin, "count"), "127.0.0.1", *ours],
        "go_json": [*go, "--encoding", "json"],
        "go_pb": [*go, "--encoding", "protobuf"],
    }


def churn(server, events):
    server.kload("churn", "-n", SPACE, "--rate", str(RATE), "--count",
                 str(events), "--objects", "1000")
    time.sleep(1)


def measure(command, server, events):
    """CPU in us of the first sync, and of one event at RATE a second."""
    client = Client(command)
    time.sleep(1)
    synced = client.figures()
    # Linux acknowledges late at first, and at once after its timer for late
    # ones has run out (net/ipv4/tcp_timer.c): when that is, is chance, and an
    # acknowledgement makes a sixth of an event's CPU.
    churn(server, WARM_UP)
    before = client.figures()
    churn(server, events)
    after = client.figures()
    client.stop()
    return synced["cpu_us"], (after["cpu_us"] - before["cpu_us"]) / events


def status_bytes(pid, *names):
    found = {}
    with open("/proc/%d/status" % pid, encoding="ascii") as status:
        for line in status:
            name, _, rest = line.partition(":")
            if name in names:
                found[name] = int(rest.split()[0]) * 1024
    return [found[name] for name in names]


class Program:
    """`kinformer watch`, its standard output thrown away."""

    def __init__(self, options, server, space):
        self.status = server.path("status-%s" % space)
        self.process = subprocess.Popen(
            [options.program, "watch", "configmaps", "-n", space, "-o", "name",
             "--status", self.status],
            env={**os.environ, "KUBECONFIG": server.path("kubeconfig")},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def wait(self, condition):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                with open(self.status, encoding="utf-8") as file:
                    state = json.load(file)
                if condition(state):
                    return state
            except (OSError, ValueError, KeyError):
                pass
            time.sleep(0.1)
        raise SystemExit("bench: the program does not come so far: %s" % state)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(15)


def lists_of(state):
    return sum(informer["counters"]["lists"] for informer in state["informers"])


def memory(options, server, kept):
    figures = {}
    empty = Program(options, server, "nothing-here")
    empty.wait(lambda state: state["synced"])
    time.sleep(1)
    figures["rss_empty"], figures["anon_empty"] = status_bytes(
        empty.process.pid, "VmRSS", "RssAnon")
    empty.stop()
    full = Program(options, server, SPACE)
    state = full.wait(lambda state: state["synced"])
    time.sleep(1)
    (resident,) = status_bytes(full.process.pid, "VmRSS")
    figures["rss_over_kept"] = (resident - figures["rss_empty"]) / kept
    before = lists_of(state)
    with open("/proc/%d/clear_refs" % full.process.pid, "w",
              encoding="ascii") as refs:
        refs.write("5")  # the high-water mark begins anew
    server.control("restart")
    full.wait(lambda state: lists_of(state) > before and state["synced"])
    time.sleep(2)
    (peak,) = status_bytes(full.process.pid, "VmHWM")
    figures["relist_peak"] = peak / resident
    full.stop()
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("out", "program", "bin", "apiserver", "kload",
                 "informer-go"):
        parser.add_argument("--" + name, required=True)
    for name in ("rounds", "objects", "events"):
        parser.add_argument("--" + name, type=int, required=True)
    options = parser.parse_args()
    server = Server(options.apiserver, options.kload)
    results = {}
    try:
        print("filling %d ConfigMaps ..." % options.objects, flush=True)
        server.kload("fill", "-n", SPACE, "--count", str(options.objects),
                     "--bytes", "1544")
        for turn in range(options.rounds):
            for name, command in clients(options, server).items():
                listed, event = measure(command, server, options.events)
                results.setdefault(name, []).append((listed, event))
                print("  round %d  %-8s list %8d us  event %6.1f us"
                      % (turn + 1, name, listed, event), flush=True)
        probe = Client(clients(options, server)["ours"])
        kept = probe.figures()["bytes"]
        probe.stop()
        figures = memory(options, server, kept)
    finally:
        server.stop()
    listed = {n: statistics.median(r[0] for r in v) for n, v in results.items()}
    event = {n: statistics.median(r[1] for r in v) for n, v in results.items()}
    figures["cpu_list_vs_drain"] = listed["ours"] / listed["drain"]
    figures["cpu_event_vs_drain"] = event["ours"] / event["drain"]
    figures["cpu_event_vs_client_go_json"] = event["ours"] / event["go_json"]
    figures["cpu_event_vs_client_go_pb"] = event["ours"] / event["go_pb"]
    os.makedirs(os.path.dirname(options.out), exist_ok=True)
    with open(options.out, "w", encoding="utf-8") as out:
        json.dump(figures, out, indent=2)
    print("%-30s %12s %12s" % ("", "measured", "limit"))
    for name, limit in LIMITS.items():
        value = figures[name]
        shown = "%12d %12d" if isinstance(limit, int) else "%12.3f %12.3f"
        print(("%-30s " + shown + "%s")
              % (name, value, limit, "" if value <= limit else "  ABOVE"))


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""test_traces.py - what the program leaves: no process, file, descriptor or
page more than it had, and of a secret one copy in memory and none in a log."""

import json
import os
import re
import signal
import ssl
import subprocess
import time
import unittest

import harness
import tap
from harness import (TOKEN, certificates, configmap, event, events, refusal,
                     side_by_side, wait_for, watch)
from program import GATEWAY


def marked(mark):
    """Processes that have the mark in their environment."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as f:
                if mark.encode() in f.read():
                    found.append(int(pid))
        except OSError:
            continue
    return found


def descriptors(k):
    return len(os.listdir(f"/proc/{k.pid}/fd"))


@side_by_side
class Left(unittest.TestCase):
    def test_no_process(self):
        """Names are looked up beside the loop: that must end with it."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
            with self.subTest(signal=number), harness.Server() as server:
                config = server.kubeconfig(host="localhost")
                mark = f"KINF_MARK={number}-{time.monotonic_ns()}"
                k = watch(server, kubeconfig=config, binary=GATEWAY,
                          KINF_MARK=mark.partition("=")[2])
                k.fails("WRONG_HOST") # the name was looked up
                self.assertIn(k.pid, marked(mark))
                k.end(number)
                wait_for(lambda m=mark: not marked(m), 5)

    def test_no_process_when_ended_in_a_lookup(self):
        with harness.Server() as server:
            config = server.kubeconfig(host="no-such-host.invalid")
            mark = f"KINF_MARK=lookup-{time.monotonic_ns()}"
            k = watch(server, kubeconfig=config, binary=GATEWAY,
                      KINF_MARK=mark.partition("=")[2])
            wait_for(lambda: k.errors)
            self.assertEqual(0, k.end())
            wait_for(lambda: not marked(mark), 5)

    def test_no_file(self):
        with harness.Server() as server:
            folder = f"{server.dir}/home"
            os.mkdir(folder)
            server.items = [configmap("a", 5)]
            with watch(server, HOME=folder, TMPDIR=folder) as k:
                k.line_with("ADDED     default/a")
                k.wait_status(lambda s: s["synced"])
            self.assertEqual([], os.listdir(folder))
            self.assertEqual(
                {"home", "kubeconfig", os.path.basename(k.status_path)},
                set(os.listdir(server.dir)))

    def test_no_descriptor_and_no_page_for_each_connection(self):
        """Connections that end in every phase, again and again."""
        def hook(connection):
            if connection.number % 4 == 1:
                return True # closed before the handshake
            if connection.number % 4 == 2:
                connection.plain.recv(4096)
                connection.send(b"\x15\x03\x03\x00\x02\x02\x28") # an alert
                return True
            return False
        with harness.Server() as server:
            server.items = [configmap(f"n{i}", 5) for i in range(50)]
            server.plan("stream", events(*[event("ADDED", i)
                                           for i in server.items]))
            server.plan("watch", harness.raw(harness.head()[:20], "reset"),
                        events(event("MODIFIED", configmap("n1", 101))[:-9],
                               then="close"))
            with watch(server) as k:
                server.wait_asked("watch", 2)
                server.on_accept = hook
                before = descriptors(k)
                wait_for(lambda: server.connections > 8, 60)
                used, anonymous = k.memory()
                wait_for(lambda: server.connections > 24, 60)
                wait_for(lambda: abs(descriptors(k) - before) <= 1, 10)
                # The sanitizer's own books grow a little.
                self.assertLess(k.memory()[1] - anonymous, 300000)
                tls = json.loads(k.status_text())["tls"]
                self.assertEqual(0, tls["refused"])
                self.assertLess(tls["high"], tls["size"] // 2)


def private_number(path):
    """The secret bytes of an EC key."""
    said = subprocess.run(["openssl", "ec", "-in", path, "-text", "-noout"],
                          capture_output=True, text=True, check=True).stdout
    digits = re.search(r"priv:\n([\s0-9a-f:]+)pub", said)[1]
    return bytes.fromhex(re.sub(r"[\s:]", "", digits))[-32:]


@side_by_side
class Secret(unittest.TestCase):
    def test_token_is_in_memory_once(self):
        """After lists, events, refusals, reconnects, and reading it again."""
        with harness.Server() as server:
            server.items = [configmap("a", 5)]
            server.plan("stream", refusal(401, "Unauthorized", "no"),
                        server._stream)
            server.plan("watch", refusal(500, "Internal", "no"),
                        events(then="reset"), server._watch)
            with watch(server, binary=GATEWAY) as k:
                server.say(event("MODIFIED", configmap("a", 101)))
                k.line_with("MODIFIED  default/a")
                self.assertEqual(1, k.image().count(TOKEN.encode()))

    def test_an_old_token_is_forgotten(self):
        with harness.Server() as server:
            path = f"{server.dir}/token"
            old, new = "old-" + TOKEN[::-1], "new-" + TOKEN[::-1]

            def write(token):
                with open(path + ".new", "w", encoding="ascii") as f:
                    f.write(token + "\n")
                os.rename(path + ".new", path)
            write(old)
            server.items = [configmap("a", 5)]
            config = server.kubeconfig(user=f"tokenFile: {path}")

            def expire(connection, request):
                write(new)
                refusal(401, "Unauthorized", "expired")(connection, request)
            server.plan("watch", events(event("MODIFIED", configmap("a", 101)),
                                        then="reset"), expire, server._watch)
            with watch(server, kubeconfig=config, binary=GATEWAY) as k:
                server.wait_asked("watch", 3)
                server.say(event("MODIFIED", configmap("a", 102)))
                k.line_with("rv 102")
                image = k.image()
                self.assertEqual(0, image.count(old.encode()))
                self.assertEqual(1, image.count(new.encode()))
                said = "\n".join(k.errors) + k.status_text()
            self.assertNotIn(old, said)
            self.assertNotIn(new, said)
            self.assertEqual(f"Bearer {new}",
                             server.requests[-1].headers["authorization"])

    def test_token_of_8_kilobytes_is_sent_whole_and_a_longer_one_is_not(self):
        for size, good in ((8192, True), (8193, False)):
            with self.subTest(size=size), harness.Server() as server:
                token = ("0123456789abcdef" * 513)[:size]
                server.items = [configmap("a", 5)]
                code, out, err = harness.once(
                    server, kubeconfig=server.kubeconfig(token))
                self.assertNotIn(token[:64], out + err)
                if not good:
                    self.assertEqual(3, code, err)
                    self.assertEqual([], server.requests)
                    continue
                self.assertEqual(0, code, err)
                self.assertEqual(f"Bearer {token}",
                                 server.requests[0].headers["authorization"])

    def server_that_wants_a_certificate(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(f"{certificates()}/ca.crt")
        return harness.Server(context=context)

    def test_client_key_is_not_left_as_text(self):
        folder = certificates()
        with open(f"{folder}/client.key", encoding="ascii") as f:
            lines = [x for x in f.read().splitlines() if "-" not in x]
        with self.server_that_wants_a_certificate() as server:
            server.items = [configmap("a", 5)]
            config = server.kubeconfig(
                user=f"client-certificate: {folder}/client.crt, "
                     f"client-key: {folder}/client.key")
            with watch(server, kubeconfig=config, binary=GATEWAY) as k:
                k.line_with("ADDED     default/a")
                k.send(signal.SIGHUP)
                k.error_with("SIGHUP")
                server.say(event("MODIFIED", configmap("a", 101)))
                k.line_with("MODIFIED  default/a")
                image = k.image()
            self.assertEqual(0, image.count(lines[0].encode()))
            number = private_number(f"{folder}/client.key")
            self.assertEqual(1, image.count(number) +
                             image.count(number[::-1]))
            self.assertNotIn("authorization", server.requests[0].headers)

    def test_without_the_certificate_it_is_told(self):
        with self.server_that_wants_a_certificate() as server:
            with watch(server) as k:
                k.error_with("warning: configmaps: ")
                k.wait_status(lambda s: set(s["errors"]) & {"TLS", "CLOSED"})
            self.assertEqual(0, server.http_bytes)


if __name__ == "__main__":
    tap.main()

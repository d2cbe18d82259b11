# SPDX-License-Identifier: Apache-2.0
"""test_protocols.py - servers with keys and TLS of each kind that is taken,
with names of each kind, with tickets, and with records of a byte."""

import ssl
import unittest

import harness
import tap
from harness import (P256, certificates, configmap, event, events, head,
                     list_body, once, side_by_side, watch)
from program import GATEWAY

P384 = ("ec", "-pkeyopt", "ec_paramgen_curve:P-384")
KEYS = {"rsa2048": ("rsa:2048",), "rsa4096": ("rsa:4096",), "p384": P384,
        "p256": P256, "ed25519": ("ed25519",)}
VERSIONS = {"1_2": ssl.TLSVersion.TLSv1_2, "1_3": ssl.TLSVersion.TLSv1_3}


def setUpModule():
    folder = certificates()
    for name, key in KEYS.items():
        harness.leaf(folder, name, key=key)
    harness.leaf(folder, "byname", san="DNS:localhost,DNS:api.example.org")
    harness.leaf(folder, "wild", san="DNS:*.example.org")


def context_of(version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = version
    return context


class Tls(unittest.TestCase):
    """Each key with each version."""


def taken(key, version):
    def test(self):
        with harness.Server(key, context_of(VERSIONS[version])) as server:
            server.items = [configmap("a", 5)]
            with watch(server, binary=GATEWAY) as k:
                k.line_with("ADDED     default/a")
                server.say(event("MODIFIED", configmap("a", 101)))
                k.line_with("MODIFIED  default/a")
                self.assertEqual("TLSv" + version.replace("_", "."),
                                 server.tls_version)
    setattr(Tls, f"test_{key}_with_tls_{version}", test)


for KEY in KEYS:
    for VERSION in VERSIONS:
        if KEY != "ed25519":
            taken(KEY, VERSION)


def test_ed25519_is_refused_and_told(self):
    with harness.Server("ed25519") as server:
        with watch(server) as k:
            k.fails("TLS")
        self.assertEqual(0, server.http_bytes)


Tls.test_ed25519_is_refused_and_told = test_ed25519_is_refused_and_told
side_by_side(Tls)


@side_by_side
class Names(unittest.TestCase):
    def code(self, certificate, host, more=""):
        with harness.Server(certificate) as server:
            server.items = [configmap("a", 5)]
            config = server.kubeconfig(host=host)
            if more:
                with open(config, encoding="ascii") as f:
                    text = f.read()
                with open(config, "w", encoding="ascii") as f:
                    f.write(text.replace("certificate-authority:",
                                         more + ", certificate-authority:"))
            return once(server, kubeconfig=config)[0]

    def test_by_name(self):
        self.assertEqual(0, self.code("byname", "localhost"))

    def test_by_another_name_given(self):
        self.assertEqual(0, self.code("byname", "127.0.0.1",
                                      "tls-server-name: api.example.org"))
        self.assertEqual(0, self.code("byname", "127.0.0.1",
                                      "tls-server-name: API.Example.ORG"))
        self.assertEqual(4, self.code("good", "127.0.0.1",
                                      "tls-server-name: api.example.org"))

    def test_an_address_is_no_name_and_a_name_no_address(self):
        self.assertEqual(4, self.code("byname", "127.0.0.1"))
        self.assertEqual(4, self.code("good", "localhost"))

    def test_wildcards_stand_for_one_label(self):
        for name, code in (("a.example.org", 0), ("a.b.example.org", 4),
                           ("example.org", 4), ("aexample.org", 4)):
            with self.subTest(name=name):
                self.assertEqual(code, self.code("wild", "127.0.0.1",
                                                 f"tls-server-name: {name}"))


@side_by_side
class Flow(unittest.TestCase):
    def test_tickets_are_used(self):
        for version in VERSIONS.values():
            with self.subTest(version=version), \
                    harness.Server("good", context_of(version)) as server:
                server.items = [configmap("a", 5)]
                server.plan("watch", *[events(event(
                    "MODIFIED", configmap("a", 101 + i)), then="close")
                    for i in range(3)], server._watch)
                with watch(server) as k:
                    k.line_with("rv 103")
                    server.wait_asked("watch", 4)
                    self.assertGreaterEqual(server.resumed, 2)

    def test_records_of_one_byte(self):
        body = list_body(*[configmap(f"n{i}", 5 + i) for i in range(5)])

        def bytewise(connection, _):
            for byte in head(length=len(body)) + body:
                connection.send(bytes([byte]))
        with harness.Server() as server:
            server.plan("list", bytewise)
            with watch(server) as k:
                k.line_with("default/n4")
                server.wait_asked("watch")

    def test_all_in_one_piece(self):
        """Head, list and watch of 2,000 objects in records of 16 KB."""
        items = [configmap(f"n{i}", 5 + i, {"k": "y" * 1000})
                 for i in range(2000)]
        with harness.Server() as server:
            server.items = items
            server.plan("watch", lambda c, r: (c.send(
                head(chunked=True) + harness.chunk(b"".join(
                    event("MODIFIED", configmap(f"n{i}", 3000 + i))
                    for i in range(2000)))), c.hold()))
            with watch(server, "-o", "name", binary=GATEWAY) as k:
                got = [k.line() for _ in range(4000)]
                names = [f"default/n{i}" for i in range(2000)]
                self.assertEqual(names, got[:2000])
                self.assertEqual(names, got[2000:])


if __name__ == "__main__":
    tap.main()

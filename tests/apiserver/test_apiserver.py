#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# suite: alone timeout=600
"""test_apiserver.py - what other tests rely on when they ask for a server"""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import unittest
import urllib.error

sys.path[:0] = ["tests", "tests/apiserver"]
import apiserver  # noqa: E402
import tap  # noqa: E402

MAPS = "/api/v1/namespaces/demo/configmaps"
PARTIAL = ("application/json;as=PartialObjectMetadataList;"
           "g=meta.k8s.io;v=v1")


def version(server):
    """The version of the collection, from etcd itself."""
    return int(server.get(MAPS)[1]["metadata"]["resourceVersion"])


def first_event(server, since, seconds=3):
    """What a watch from a version says first; None when it says nothing."""
    path = f"{MAPS}?watch=1&resourceVersion={since}&timeoutSeconds={seconds}"
    with server.open(path) as response:
        line = response.readline()
    return json.loads(line) if line else None


def handshake(server, name="127.0.0.1"):
    """Verifies the server as a client would: key kind, or the reason."""
    context = ssl.create_default_context(cafile=server.file("ca.crt"))
    try:
        with socket.create_connection(("127.0.0.1", server.port), 5) as plain:
            with context.wrap_socket(plain, server_hostname=name) as tls:
                der = tls.getpeercert(binary_form=True)
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    # id-ecPublicKey
    return "ecdsa" if bytes.fromhex("06072a8648ce3d0201") in der else "rsa"


def alive(pid):
    """Whether a process exists that is no corpse."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Shared(unittest.TestCase):
    """One server for all that leaves it as it was."""

    @classmethod
    def setUpClass(cls):
        cls.server = apiserver.Server("--audit")
        cls.server.kload("fill", "-n", "demo", "--count", "50")

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def test_version_is_the_one_asked_for(self):
        about = self.server.get("/version")[1]
        self.assertEqual(about["gitVersion"], "v" + apiserver.VERSION)

    def test_users_have_their_rights(self):
        body = json.dumps({"metadata": {"name": "by-reader"}})
        for token, method, status in (
                ("admin", "GET", 200), ("reader", "GET", 200),
                ("none", "GET", 403), (None, "GET", 403),
                ("reader", "POST", 403)):
            with self.subTest(token=token, method=method):
                post = body if method == "POST" else None
                response = self.server.open(
                    MAPS, token=token, method=method, body=post,
                    Content_Type="application/json")
                self.assertEqual(response.status, status)
                response.close()

    def test_wrong_token_is_refused(self):
        with self.server.open(MAPS, token=None,
                              Authorization="Bearer wrong") as response:
            self.assertEqual(response.status, 401)

    def test_client_certificate_is_accepted(self):
        context = ssl.create_default_context(
            cafile=self.server.file("ca.crt"))
        context.load_cert_chain(self.server.file("client.crt"),
                                self.server.file("client.key"))
        with socket.create_connection(("127.0.0.1", self.server.port)) as s:
            with context.wrap_socket(s, server_hostname="127.0.0.1") as tls:
                tls.sendall(f"GET {MAPS}?limit=1 HTTP/1.1\r\nHost: x\r\n"
                            "Connection: close\r\n\r\n".encode())
                self.assertIn(b" 200 ", tls.recv(64))

    def test_kubeconfigs_name_server_and_credentials(self):
        for name, word in (("kubeconfig", "token: admin."),
                           ("kubeconfig-reader", "token: reader."),
                           ("kubeconfig-client-cert", "client-key-data: "),
                           ("kubeconfig-files", "tokenFile: token-admin")):
            text = self.server.read(name)
            self.assertIn(self.server.url, text)
            self.assertIn(word, text)

    def test_watch_tells_a_change(self):
        since = version(self.server)
        self.server.kload("put", "-n", "demo", "cm-00007", "k=v")
        event = first_event(self.server, since)
        self.assertEqual(event["type"], "MODIFIED")
        self.assertEqual(event["object"]["metadata"]["name"], "cm-00007")
        self.assertEqual(event["object"]["data"], {"k": "v"})

    def test_objects_have_the_size_promised(self):
        _, answer = self.server.get(MAPS)
        item = [i for i in answer["items"]
                if i["metadata"]["name"] == "cm-00001"][0]
        whole = len(json.dumps(item, separators=(",", ":")))
        item["metadata"].pop("managedFields")
        bare = len(json.dumps(item, separators=(",", ":")))
        self.assertAlmostEqual(whole, 1880, delta=8)
        self.assertAlmostEqual(bare, 1544, delta=4)

    def test_churn_holds_rate_count_and_size(self):
        before = version(self.server)
        done = self.server.kload("churn", "-n", "demo", "--rate", "100",
                                 "--count", "200")
        self.assertEqual((done["done"], done["errors"]), (200, 0))
        # The last one is due after 1.99 s; a busy machine takes longer.
        self.assertGreater(done["seconds"], 1.9)
        self.assertLess(done["seconds"], 60.0)
        self.assertGreaterEqual(version(self.server), before + 200)

    def test_single_objects(self):
        load = self.server.kload
        load("namespace", "create", "one")
        load("put", "-n", "one", "x", "a=1", "b=2", "--labels", "app=t")
        load("patch", "-n", "one", "x", "b=3", "a-")
        self.assertEqual(load("get", "-n", "one", "x")["data"], {"b": "3"})
        load("put", "-n", "one", "--kind", "secrets", "s", "p=word")
        secret = load("get", "-n", "one", "--kind", "secrets", "s")
        self.assertEqual(secret["data"], {"p": "d29yZA=="})
        load("delete", "-n", "one", "x")
        with self.assertRaisesRegex(apiserver.Failed, "404"):
            load("get", "-n", "one", "x")
        load("namespace", "delete", "one")
        with self.server.open("/api/v1/namespaces/one") as response:
            self.assertEqual(response.status, 404)

    def test_custom_kind(self):
        self.server.kload("crd", "create")
        self.server.kload("fill", "-n", "things", "--kind", "widgets",
                          "--prefix", "w", "--count", "3")
        _, answer = self.server.get(
            "/apis/test.example/v1/namespaces/things/widgets")
        self.assertEqual(len(answer["items"]), 3)
        self.assertEqual(answer["items"][0]["kind"], "Widget")
        self.server.kload("crd", "delete")

    def test_rights_are_given_and_taken(self):
        def status():
            with self.server.open(MAPS, token="none") as response:
                return response.status
        self.assertEqual(status(), 403)
        self.server.kload("rbac", "grant", "-n", "demo", "--user", "none")
        apiserver.wait_for(lambda: status() == 200)
        self.server.kload("rbac", "revoke", "-n", "demo", "--user", "none")
        apiserver.wait_for(lambda: status() == 403)

    def test_delete_all(self):
        self.server.kload("fill", "-n", "gone", "--count", "20")
        done = self.server.kload("delete-all", "-n", "gone")
        self.assertEqual(done["done"], 20)
        _, answer = self.server.get("/api/v1/namespaces/gone/configmaps")
        self.assertEqual(answer["items"], [])

    def test_requests_are_recorded(self):
        self.server.get(MAPS + "?limit=3", agent="recorded")
        seen = apiserver.wait_for(lambda: self.server.asked("recorded"))
        self.assertEqual(len(seen), 1)
        self.assertTrue(seen[0]["requestURI"].endswith("?limit=3"))

    def test_pause_stalls_and_resume_heals(self):
        self.server.command("pause")
        with self.assertRaises((urllib.error.URLError, TimeoutError)):
            self.server.get(MAPS, timeout=1)
        with self.assertRaisesRegex(apiserver.Failed, "not running"):
            self.server.command("revision")
        self.server.command("resume")
        self.assertEqual(self.server.get(MAPS)[0], 200)

    def test_ctl_from_another_process(self):
        done = subprocess.run(
            [apiserver.BINARY, "ctl", self.server.dir, "revision"],
            capture_output=True, text=True, check=True)
        self.assertGreaterEqual(json.loads(done.stdout)["revision"], 50)
        done = subprocess.run(
            [apiserver.BINARY, "ctl", self.server.dir, "nonsense"],
            capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)

    def test_directory_is_not_shared(self):
        done = subprocess.run(
            [apiserver.BINARY, "--dir", self.server.dir],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=20, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("in use", done.stderr)


class Changed(unittest.TestCase):
    """What stops, restarts, or goes back; a server of its own each."""

    def server(self, *flags, **options):
        server = apiserver.Server(*flags, **options)
        self.addCleanup(server.close)
        return server

    def test_restart_keeps_data_and_port_and_expires_watches(self):
        server = self.server()
        server.kload("fill", "-n", "demo", "--count", "5")
        old = version(server)
        # Any later change will do, of another resource, too.
        server.kload("namespace", "create", "later")
        again = server.command("restart")
        self.assertEqual(again["port"], server.port)
        self.assertEqual(len(server.get(MAPS)[1]["items"]), 5)
        event = first_event(server, old)
        self.assertEqual(event["type"], "ERROR")
        self.assertEqual(event["object"]["code"], 410)

    def test_stop_refuses_and_start_serves(self):
        server = self.server()
        server.command("stop")
        self.assertFalse(os.path.exists(server.file("ready")))
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port), 2)
        server.command("start")
        self.assertEqual(server.get("/api/v1/namespaces")[0], 200)

    def test_restart_is_quick_with_a_watch_open(self):
        server = self.server()
        with server.open("/api/v1/configmaps?watch=1") as response:
            response.readline()
            reply = server.command("restart")
            self.assertLess(reply["ms"], 20000)
            with self.assertRaises(Exception):
                while response.readline():
                    pass
                raise EOFError

    def test_restore_goes_back(self):
        server = self.server()
        server.kload("fill", "-n", "demo", "--count", "5")
        server.command("snapshot early")
        server.kload("fill", "-n", "demo", "--count", "300", "--from", "5")
        late = version(server)
        server.command("restore early")
        self.assertLess(version(server), late)
        self.assertEqual(len(server.get(MAPS)[1]["items"]), 5)
        # A watch from the future: 200 and silence, no error.
        self.assertIsNone(first_event(server, late, 2))
        server.kload("put", "-n", "demo", "fresh", "a=b")
        self.assertLess(version(server), late)

    def test_compact(self):
        server = self.server()
        server.kload("fill", "-n", "demo", "--count", "20")
        page = server.get(MAPS + "?limit=5")[1]["metadata"]["continue"]
        server.kload("put", "-n", "demo", "x", "a=b")
        revision = server.command("compact")["revision"]
        self.assertGreaterEqual(revision, 20)
        server.kload("put", "-n", "demo", "y", "a=b")
        server.command("compact cache")
        # The server looks every 15 s.
        def expired():
            status, answer = server.get(f"{MAPS}?limit=5&continue={page}")
            return status == 410 and answer
        answer = apiserver.wait_for(expired, 25)
        self.assertEqual(answer["reason"], "Expired")
        self.assertTrue(answer["metadata"]["continue"])

    def test_certificates_good_and_bad(self):
        server = self.server("--key", "rsa")
        self.assertEqual(handshake(server), "rsa")
        for words, want in (
                ("good ecdsa", "ecdsa"), ("chain rsa", "rsa"),
                ("expired", "certificate has expired"),
                ("notyet", "certificate is not yet valid"),
                ("wronghost", "IP address mismatch"),
                ("nameonly", "IP address mismatch"),
                ("otherca", "unable to get local issuer|signature failure")):
            with self.subTest(cert=words):
                server.command("cert " + words)
                server.command("restart now")
                self.assertRegex(handshake(server), want)
        server.command("cert ecdsa kinformer.example")
        server.command("restart now")
        self.assertEqual(handshake(server, "kinformer.example"), "ecdsa")

    def test_rotation_of_ca_token_and_client(self):
        server = self.server()
        old_ca, old = server.read("ca.crt"), server.read("token-admin")
        old_client = server.read("client.crt")
        for line in ("newca", "newclient", "token admin fresh-token",
                     "restart"):
            server.command(line)
        self.assertNotEqual(server.read("ca.crt"), old_ca)
        self.assertNotEqual(server.read("client.crt"), old_client)
        self.assertIn("fresh-token", server.read("kubeconfig"))
        self.assertEqual(server.get("/api/v1/namespaces")[0], 200)
        with server.open("/api/v1/namespaces", token=None,
                         Authorization="Bearer " + old) as response:
            self.assertEqual(response.status, 401)

    def test_token_of_eight_kilobytes(self):
        server = self.server()
        server.command("token reader " + "t" * 8192)
        server.command("restart now")
        self.assertEqual(server.get("/api/v1/nodes", token="reader")[0], 200)

    def test_further_flags_and_a_used_directory(self):
        first = self.server()
        first.kload("fill", "-n", "demo", "--count", "3")
        first.command("quit")
        first.process.wait(5)
        again = self.server("--port", str(first.port), dir=first.dir,
                            extra=["--watch-cache=false"])
        self.assertEqual(again.port, first.port)
        self.assertEqual(len(again.get(MAPS)[1]["items"]), 3)


class Ends(unittest.TestCase):
    """No process stays, however it is told to end."""

    def end(self, how, seconds=20.0):
        server = apiserver.Server()
        self.addCleanup(server.close)
        with server.open("/api/v1/configmaps?watch=1"):
            child = server.about["child"]
            began = time.monotonic()
            how(server)
            apiserver.wait_for(lambda: not alive(child), seconds)
            server.process.wait(seconds)
            self.assertLess(time.monotonic() - began, seconds)
        return server

    def test_when_standard_input_closes(self):
        self.end(lambda s: s.process.stdin.close())

    def test_on_sigterm(self):
        self.end(lambda s: s.process.send_signal(signal.SIGTERM))

    def test_on_quit(self):
        self.end(lambda s: s.command("quit"))

    def test_when_killed(self):
        self.end(lambda s: s.process.kill())

    def test_when_paused(self):
        def how(server):
            server.command("pause")
            server.process.send_signal(signal.SIGTERM)
        self.end(how)

    def test_when_killed_while_paused(self):
        def how(server):
            server.command("pause")
            server.process.kill()
        self.end(how)

    def test_when_the_parent_dies(self):
        folder = os.path.join(os.environ.get("TMPDIR", "/tmp"), "orphan")
        parent = subprocess.Popen(
            [sys.executable, "-c", "import subprocess, sys, time\n"
             "subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)\n"
             "time.sleep(600)", apiserver.BINARY, "--dir", folder,
             "--ignore-stdin"])
        try:
            ready = os.path.join(folder, "ready")
            apiserver.wait_for(lambda: os.path.exists(ready), 60)
            asked = subprocess.run(
                [apiserver.BINARY, "ctl", folder, "status"],
                capture_output=True, text=True, check=True)
        finally:
            parent.kill()
            parent.wait()
        about = json.loads(asked.stdout)
        for pid in (about["child"], about["pid"]):
            apiserver.wait_for(lambda: not alive(pid), 3)

    def test_when_it_cannot_start(self):
        with self.assertRaisesRegex(apiserver.Failed, "unknown flag"):
            apiserver.Server(extra=["--no-such-flag"])


if __name__ == "__main__":
    tap.main()

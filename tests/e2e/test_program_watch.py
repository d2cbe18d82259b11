# SPDX-License-Identifier: Apache-2.0
# suite: timeout=600
"""test_program_watch.py - kinformer watch against a real API server: what is
printed, for which resources, how it ends, and what it costs."""

import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import program
import apiserver
import tap
from program import GATEWAY, Kinformer, run, state

server = None
scratch = None


def setUpModule():
    global server, scratch
    scratch = tempfile.TemporaryDirectory()
    server = apiserver.Server()
    server.kload("crd", "create")
    for name in ("shop", "depot", "big"):
        server.kload("namespace", "create", name)


def tearDownModule():
    server.close()
    scratch.cleanup()


def config(name="kubeconfig"):
    return ("--kubeconfig", server.file(name))


def path(name):
    return os.path.join(scratch.name, name)


class Lines(unittest.TestCase):
    def setUp(self):
        server.kload("delete-all", "-n", "shop")

    def test_each_change_is_a_line(self):
        server.kload("put", "-n", "shop", "prices", "a=1")
        with Kinformer("watch", "cm", "-n", "shop", *config()) as k:
            self.assertRegex(k.line(), r"^ADDED +shop/prices  rv \d+$")
            k.error_with("in sync: 1 objects")
            server.kload("put", "-n", "shop", "prices", "a=2")
            self.assertRegex(k.line(), r"^MODIFIED +shop/prices  rv \d+$")
            server.kload("put", "-n", "shop", "more", "a=2")
            self.assertRegex(k.line(), r"^ADDED +shop/more  rv \d+$")
            server.kload("delete", "-n", "shop", "prices")
            self.assertRegex(k.line(), r"^DELETED +shop/prices  rv \d+$")
            self.assertEqual(0, k.end())

    def test_formats(self):
        server.kload("put", "-n", "shop", "prices", "a=1")
        once = ("watch", "cm", "-n", "shop", "--once", "-q", *config())
        self.assertEqual((0, "shop/prices\n", ""), run(*once, "-o", "name"))
        _, out, _ = run(*once, "-o", "wide")
        self.assertRegex(out, r"^ADDED +shop/prices  rv \d+  \d+ bytes  "
                              r"uid [0-9a-f-]{36}\n$")

    def test_json_is_what_the_server_says_without_bookkeeping(self):
        text = "quote \" backslash \\ tab \t newline \n \u00e4 \u2028 <&>"
        server.kload("put", "-n", "shop", "odd", "key=" + text)
        once = ("watch", "cm", "-n", "shop", "--once", "-q", "-o", "json",
                *config())
        _, out, _ = run(*once)
        self.assertEqual(1, out.count("\n"))
        ours = json.loads(out)
        _, theirs = server.get("/api/v1/namespaces/shop/configmaps/odd")
        del theirs["metadata"]["managedFields"]
        self.assertEqual(theirs, ours)
        self.assertEqual(text, ours["data"]["key"])
        _, out, _ = run(*once, "--output-watch-events")
        self.assertEqual({"type": "ADDED", "object": theirs}, json.loads(out))

    def test_deletions_can_be_told_in_json(self):
        server.kload("put", "-n", "shop", "prices", "a=1")
        with Kinformer("watch", "cm", "-n", "shop", "-o", "json",
                       "--output-watch-events", *config()) as k:
            self.assertEqual("ADDED", json.loads(k.line())["type"])
            server.kload("delete", "-n", "shop", "prices")
            event = json.loads(k.line())
            self.assertEqual("DELETED", event["type"])
            self.assertEqual("prices", event["object"]["metadata"]["name"])

    def test_large_objects_pass_whole_and_larger_ones_as_truncated(self):
        server.kload("delete-all", "-n", "big")
        blob = path("blob")
        with open(blob, "w", encoding="ascii") as f:
            f.write("0123456789\n" * 90000)
        server.kload("put", "-n", "big", "blob", f"key=@{blob}")
        once = ("watch", "cm", "-n", "big", "--once", "-q", *config())
        _, out, _ = run(*once, "-o", "json")
        self.assertEqual("0123456789\n" * 90000, json.loads(out)["data"]["key"])
        code, out, _ = run(*once, "--max-object", "64K")
        self.assertEqual(7, code)
        self.assertRegex(out, r"^TRUNCATED +big/blob  rv \d+  \(larger than "
                              r"--max-object, 10\d{5} bytes\)\n$")
        code, out, _ = run(*once, "--max-object", "64K", "-o", "json")
        self.assertEqual(7, code)
        self.assertIn("larger", json.loads(out)["kinformer"]["truncated"])


class Choice(unittest.TestCase):
    """Of resources, namespaces and objects."""

    @classmethod
    def setUpClass(cls):
        for name in ("shop", "depot", "default"):
            server.kload("delete-all", "-n", name)
        for name in ("shop", "depot"):
            server.kload("put", "-n", name, "one", "a=1")
        server.kload("fill", "-n", "depot", "--count", "2", "--prefix", "red",
                     "--labels", "colour=red")
        server.kload("delete-all", "-n", "shop", "--kind", "widgets")
        server.kload("fill", "-n", "shop", "--count", "3", "--kind", "widgets")
        server.kload("fill", "-n", "shop", "--count", "2", "--kind",
                     "deployments")

    def names(self, *words, code=0):
        got, out, err = run("watch", *words, "--once", "-o", "name", *config())
        self.assertEqual(code, got, err)
        return sorted(x for x in out.split() if not x.startswith("kube-"))

    def test_namespaces(self):
        red = ["depot/red-00000", "depot/red-00001"]
        self.assertEqual(["shop/one"], self.names("cm", "-n", "shop"))
        both = self.names("cm", "-n", "shop", "-n", "depot")
        self.assertEqual(4, len(both), both)
        self.assertEqual([], self.names("cm")) # default
        self.assertEqual(both, [x for x in self.names("cm", "-A")
                                if x.startswith(("shop/", "depot/"))])
        self.assertEqual(2, len(red))

    def test_selectors(self):
        self.assertEqual(2, len(self.names("cm", "-A", "-l", "colour=red")))
        self.assertEqual(2, len(self.names("cm", "-n", "depot", "-l",
                                           "colour in (red, blue)")))
        self.assertEqual(["depot/one"], self.names(
            "cm", "-n", "depot", "-l", "colour!=red"))
        self.assertEqual(["depot/one"], self.names(
            "cm", "-A", "--field-selector",
            "metadata.name=one,metadata.namespace=depot"))

    def test_resources_by_any_name(self):
        for name in ("widgets", "widget", "widgets.test.example",
                     "widgets.v1.test.example", "Widget"):
            self.assertEqual(3, len(self.names(name, "-n", "shop")), name)
        for name in ("deploy", "deployments", "deployment.apps",
                     "deployments.v1.apps"):
            self.assertEqual(2, len(self.names(name, "-A")), name)
        self.assertIn("shop", self.names("ns"))
        self.assertIn("shop", self.names("namespaces.v1."))
        self.assertEqual([], self.names("leases", "-n", "shop"))
        self.assertEqual([], self.names("cronjobs.batch", "-A"))

    def test_custom_resources_as_json(self):
        _, out, _ = run("watch", "widgets", "-n", "shop", "--once", "-q", "-o",
                        "json", *config())
        for line in out.splitlines():
            one = json.loads(line)
            self.assertEqual(("test.example/v1", "Widget"),
                             (one["apiVersion"], one["kind"]))
            self.assertNotIn("managedFields", one["metadata"])

    def test_what_cannot_be_watched(self):
        self.names("nothing", code=6)
        self.names("widgets.nobody.example", code=6)
        self.names("componentstatuses", code=6)
        self.names("ns", "-n", "shop", code=2)


class Ends(unittest.TestCase):
    def once(self, *words, user="kubeconfig", **env):
        return run("watch", "cm", "-n", "shop", "--once", *words,
                   *config(user), **env)

    def test_no_right(self):
        code, _, err = self.once(user="kubeconfig-none")
        self.assertEqual(5, code)
        self.assertIn("HTTP 403", err)
        self.assertIn('User "none" cannot', err) # the server's own words

    def test_wrong_token_and_token_never_shown(self):
        wrong = path("wrong")
        with open(server.file("kubeconfig"), encoding="utf-8") as f, \
                open(wrong, "w", encoding="utf-8") as to:
            to.write(f.read().replace(server.read("token-admin"),
                                      "wrong-token-0815"))
        code, _, err = run("watch", "cm", "--once", "--kubeconfig", wrong,
                           "--timeout", "20")
        self.assertEqual(5, code)
        self.assertIn("401", err)
        self.assertNotIn("0815", err)

    def test_nobody_there_and_nobody_we_trust(self):
        text = server.read("kubeconfig")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            closed = f"https://127.0.0.1:{free.getsockname()[1]}"
        for name, old, new, words in (
                ("gone", server.url, closed, "refused"),
                ("unnamed", server.url, "https://no.such.name.invalid",
                 "resolve")):
            self.assertIn(old, text)
            with open(path(name), "w", encoding="utf-8") as f:
                f.write(text.replace(old, new))
            code, _, err = run("watch", "cm", "--once", "--timeout", "5",
                               "--kubeconfig", path(name))
            self.assertEqual(4, code, err)
            self.assertIn(words, err)
        other = path("other")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-subj",
                        "/CN=other", "-keyout", path("other.key"), "-out",
                        other], check=True, capture_output=True)
        text = server.read("kubeconfig-files")
        self.assertIn(": ca.crt", text)
        with open(path("files"), "w", encoding="utf-8") as f:
            f.write(text.replace(": ca.crt", ": " + other).replace(
                ": token-admin", ": " + server.file("token-admin")))
        code, _, err = run("watch", "cm", "--once", "--kubeconfig",
                           path("files"))
        self.assertEqual(4, code, err)
        self.assertIn("no trust anchor", err)

    def test_every_kind_of_credentials(self):
        for user in ("kubeconfig", "kubeconfig-reader", "kubeconfig-files",
                     "kubeconfig-client-cert"):
            code, _, err = self.once(user=user)
            self.assertEqual(0, code, (user, err))

    def test_signals_end_it_at_once(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with Kinformer("watch", "cm", *config()) as k:
                k.error_with("in sync")
                self.assertEqual(0, k.end(number))

    def test_signals_end_it_while_the_server_is_away(self):
        server.command("pause")
        try:
            with Kinformer("watch", "cm", *config()) as k:
                time.sleep(0.5)
                self.assertEqual(0, k.end())
        finally:
            server.command("resume")

    def test_reader_of_stdout_goes_away(self):
        server.kload("fill", "-n", "shop", "--count", "50", "--prefix", "gone")
        read, write = os.pipe()
        with Kinformer("watch", "cm", "-n", "shop", *config(),
                       stdout=write) as k:
            os.close(write)
            k.error_with("in sync")
            os.close(read)
            self.assertEqual(8, k.wait())


class Pressure(unittest.TestCase):
    def test_stuck_stdout_loses_nothing_and_burns_nothing(self):
        server.kload("delete-all", "-n", "big")
        server.kload("fill", "-n", "big", "--count", "400")
        read, write = os.pipe()
        status = path("stuck.json")
        with Kinformer("watch", "cm", "-n", "big", "-o", "json", "--status",
                       status, *config(), program=GATEWAY, stdout=write) as k:
            os.close(write)
            time.sleep(3) # the pipe takes 64 KB of about 600
            before = k.cpu_seconds()
            time.sleep(3)
            self.assertLessEqual(k.cpu_seconds() - before, 0.02)
            with open(status, encoding="utf-8") as f:
                informer = json.load(f)["informers"][0]
            self.assertTrue(informer["handler_stuck"])
            with os.fdopen(read, "rb") as out:
                names = [json.loads(out.readline())["metadata"]["name"]
                         for _ in range(400)]
                self.assertEqual(400, len(set(names)))
                self.assertEqual(0, k.end())

    def test_slow_reader_gets_all_of_it(self):
        server.kload("delete-all", "-n", "big")
        server.kload("fill", "-n", "big", "--count", "400")
        for pause in (0.0, 0.001, 0.02): # races of "full" and "free again"
            with subprocess.Popen(
                    [program.SANITIZED, "watch", "cm", "-n", "big", "-o",
                     "json", "-q", "--once", *config()],
                    stdout=subprocess.PIPE,
                    env=program.environment()) as process:
                got = b""
                while piece := process.stdout.read1(9999):
                    got += piece
                    time.sleep(pause)
                self.assertEqual(400, got.count(b"\n"))
                self.assertEqual(0, process.wait(20))


class Status(unittest.TestCase):
    def test_file_tells_the_state_and_its_changes(self):
        server.kload("delete-all", "-n", "shop")
        server.kload("put", "-n", "shop", "one", "a=1")
        status = path("status.json")
        with Kinformer("watch", "cm", "-n", "shop", "--status", status,
                       *config()) as k:
            seen = state(status, synced=True)
            self.assertEqual(k.pid, seen["pid"])
            self.assertEqual(server.url, seen["server"])
            informer = seen["informers"][0]
            self.assertEqual(("shop", True, True),
                             (informer["namespace"], informer["synced"],
                              informer["complete"]))
            self.assertEqual(1, informer["pools"]["entries"]["used"])
            inode = os.stat(status).st_ino
            server.kload("put", "-n", "shop", "two", "a=1")
            k.line_with("two")
            time.sleep(1.5)
            self.assertNotEqual(inode, os.stat(status).st_ino) # by a rename
            with open(status, encoding="utf-8") as f:
                informer = json.load(f)["informers"][0]
            self.assertEqual(2, informer["pools"]["entries"]["used"])
            self.assertEqual(informer["versions"]["received"],
                             informer["versions"]["delivered"])
            server.command("stop")
            try:
                time.sleep(2.5)
                with open(status, encoding="utf-8") as f:
                    informer = json.load(f)["informers"][0]
                self.assertIsNotNone(informer["last_error"])
                self.assertIn(informer["phase"], ("backoff", "connecting"))
                self.assertGreater(sum(informer["errors"].values()), 0)
            finally:
                server.command("start")
            k.end()
        self.assertEqual(["status.json"], [x for x in os.listdir(scratch.name)
                                           if x.startswith("status")])

    def test_a_folder_that_cannot_be_written_is_told(self):
        with Kinformer("watch", "cm", "--status", "/nonexistent/s",
                       *config()) as k:
            line = k.error_with("cannot write")
            self.assertIn("No such file", line)


class Systemd(unittest.TestCase):
    def test_ready_watchdog_stopping(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(path("notify"))
            notify.settimeout(20)
            began = time.monotonic()
            with Kinformer("watch", "cm", *config(), WATCHDOG_USEC="400000",
                           NOTIFY_SOCKET=path("notify")) as k:
                said, beat = [], "WATCHDOG=1"
                while said.count(beat) < 6 or len(set(said)) < 2:
                    said.append(notify.recv(200).decode())
                self.assertIn("READY=1\nSTATUS=in sync\n", said)
                # Each 0.2 s, however slow the machine is.
                self.assertLessEqual((said.count(beat) - 1) * 0.2,
                                     time.monotonic() - began)
                k.end()
                left = b""
                while left != b"STOPPING=1":
                    left = notify.recv(200)


class Credentials(unittest.TestCase):
    def test_sighup_reads_a_new_token(self):
        text = server.read("kubeconfig")
        mine = path("sighup")
        with open(mine, "w", encoding="utf-8") as f:
            f.write(text.replace(server.read("token-admin"), "not-valid"))
        with Kinformer("watch", "cm", "--kubeconfig", mine) as k:
            k.error_with("401")
            with open(mine, "w", encoding="utf-8") as f:
                f.write(text)
            k.send(signal.SIGHUP)
            k.error_with("in sync", 70)

    def test_token_file_is_read_at_once_when_refused(self):
        token = path("token")
        text = server.read("kubeconfig-files")
        with open(token, "w", encoding="utf-8") as f:
            f.write("not-valid\n")
        mine = path("tokenfile")
        with open(mine, "w", encoding="utf-8") as f:
            f.write(text.replace(": ca.crt", ": " + server.file("ca.crt"))
                    .replace(": token-admin", ": " + token))
        with Kinformer("watch", "cm", "--kubeconfig", mine) as k:
            k.error_with("401")
            with open(token, "w", encoding="utf-8") as f:
                f.write(server.read("token-admin") + "\n")
            k.error_with("a new token from", 70)
            k.error_with("in sync", 70)

    def test_token_is_once_in_memory_and_never_in_a_log(self):
        token = server.read("token-admin").encode()
        with Kinformer("watch", "cm", "-A", *config(), program=GATEWAY) as k:
            k.error_with("in sync")
            server.kload("put", "-n", "shop", "any", "a=1")
            k.line_with("shop/any")
            for _ in range(2):
                k.send(signal.SIGHUP)
                time.sleep(0.5)
            image = k.image()
            # SIGHUP puts the next one beside it, until the next request.
            self.assertLessEqual(image.count(token), 2)
            k.end()
            self.assertNotIn(token.decode(), "\n".join(k.errors))
        with Kinformer("watch", "cm", "-A", *config(), program=GATEWAY) as k:
            k.error_with("in sync")
            self.assertEqual(1, k.image().count(token))


class Away(unittest.TestCase):
    """The server goes and comes back."""

    def config_of(self, name):
        """A copy, so that a rotation does not change it under us."""
        text = server.read(name).replace(": ca.crt", ": " + path("ca.crt"))
        text = text.replace(": token-admin", ": " + server.file("token-admin"))
        text = re.sub("client-(certificate|key)-data: .*",
                      lambda m: f"client-{m[1]}: {path('client.')}" +
                      {"certificate": "crt", "key": "key"}[m[1]], text)
        with open(path("copy"), "w", encoding="utf-8") as f:
            f.write(text)
        self.copy("ca.crt", "client.crt", "client.key")
        return ("--kubeconfig", path("copy"))

    def copy(self, *names):
        for name in names:
            with open(path(name), "w", encoding="utf-8") as f:
                f.write(server.read(name) + "\n")

    def test_restart_of_the_server_shows_nothing_twice(self):
        server.kload("delete-all", "-n", "shop")
        server.kload("fill", "-n", "shop", "--count", "30")
        with Kinformer("watch", "cm", "-n", "shop", "-o", "name",
                       *config()) as k:
            for _ in range(30):
                k.line()
            server.command("restart")
            server.kload("put", "-n", "shop", "after", "a=1")
            self.assertEqual("shop/after", k.line(70))
            k.end()

    def test_asking_for_a_resource_waits_for_the_server(self):
        server.kload("delete-all", "-n", "shop", "--kind", "widgets")
        server.kload("fill", "-n", "shop", "--count", "1", "--kind", "widgets")
        server.command("stop")
        try:
            k = Kinformer("watch", "widgets", "-n", "shop", *config())
            k.error_with("asking what the resource is")
        finally:
            server.command("start")
        with k:
            self.assertIn("shop/", k.line(70))

    def test_a_resource_is_waited_for(self):
        with Kinformer("watch", "gizmos.test.example", *config()) as k:
            k.error_with("no resource 'gizmos.test.example'")
            kind = {"plural": "gizmos", "singular": "gizmo", "kind": "Gizmo"}
            schema = {"openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": True}}
            self.create("apis/apiextensions.k8s.io/v1/"
                        "customresourcedefinitions", {
                "metadata": {"name": "gizmos.test.example"},
                "spec": {"group": "test.example", "scope": "Cluster",
                         "names": kind, "versions": [
                    {"name": "v1", "served": True, "storage": True,
                     "schema": schema}]}})
            k.error_with("in sync: 0 objects", 40)
            self.create("apis/test.example/v1/gizmos", {
                "apiVersion": "test.example/v1", "kind": "Gizmo",
                "metadata": {"name": "first"}})
            self.assertRegex(k.line(), "^ADDED +first  rv")

    def create(self, where, body):
        with server.open("/" + where, method="POST", body=json.dumps(body),
                         Content_Type="application/json") as answer:
            self.assertEqual(201, answer.status, answer.read())

    def test_new_authority_by_sighup(self):
        with Kinformer("watch", "cm", *self.config_of("kubeconfig-files")) as k:
            k.error_with("in sync")
            server.command("newca")
            server.command("restart")
            k.error_with("no trust anchor", 70)
            self.copy("ca.crt")
            k.send(signal.SIGHUP)
            k.error_with("certificates read again", 30)
            server.kload("put", "-n", "default", "fresh", "a=1")
            k.line_with("default/fresh", 70)

    def test_new_client_certificate_ends_the_connection_between_events(self):
        server.kload("delete-all", "-n", "default")
        status = path("client.json")
        with Kinformer("watch", "cm", "--status", status,
                       *self.config_of("kubeconfig-client-cert")) as k:
            k.error_with("in sync")
            server.command("newclient")
            self.copy("client.crt", "client.key")
            k.send(signal.SIGHUP)
            k.error_with("certificates read again")
            server.kload("put", "-n", "default", "with-new", "a=1")
            k.line_with("default/with-new", 30)
            time.sleep(1.5)
            with open(status, encoding="utf-8") as f:
                counters = json.load(f)["informers"][0]["counters"]
            self.assertEqual(1, counters["lists"]) # it resumed


class Cost(unittest.TestCase):
    def test_memory_with_nothing_cached(self):
        with Kinformer("watch", "cm", *config(), program=GATEWAY) as k:
            k.error_with("in sync")
            time.sleep(1)
            rss, anonymous = k.memory()
            print(f"# resident {rss}, anonymous {anonymous}")
            self.assertLessEqual(rss, 1048576)
            self.assertLessEqual(anonymous, 314572)

    def test_idle_it_sleeps(self):
        with Kinformer("watch", "cm", *config(), program=GATEWAY) as k:
            k.error_with("in sync")
            time.sleep(2)
            before = k.sleeps()
            time.sleep(10)
            self.assertLessEqual(k.sleeps() - before, 2)

    def test_no_memory_call_after_the_start(self):
        """brk and mmap, counted by the kernel, while 300 objects come."""
        server.kload("delete-all", "-n", "big")
        with Kinformer("watch", "cm", "-n", "big", *config(),
                       program=GATEWAY) as k:
            k.error_with("in sync")
            with open(f"/proc/{k.pid}/maps", encoding="ascii") as f:
                before = f.read()
            server.kload("fill", "-n", "big", "--count", "300")
            for _ in range(300):
                k.line()
            with open(f"/proc/{k.pid}/maps", encoding="ascii") as f:
                self.assertEqual(before, f.read())


if __name__ == "__main__":
    tap.main()

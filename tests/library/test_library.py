# SPDX-License-Identifier: Apache-2.0
# suite: timeout=400
"""test_library.py - the behaviours of an informer through kinformer.h, shown on
a real API server: informers.c makes informers and handlers by lines, with the
short deadlines of e2e.mk; the server is changed, restarted, set back.

Not shown here, because no server makes it happen or none is needed: 429s, and
streams that are ignored or lose their end (e2e/test_server_errors.py, before
servers that do as they are told), the workqueue, sources of the user's own
(unit), handlers that misbehave (unit, sim). The program's own behaviour on a
real server is e2e/test_real_server.py's."""

import json
import os
import queue
import signal
import subprocess
import threading
import time
import unittest

import sys
sys.path[:0] = ["tests", "tests/apiserver"]
import apiserver  # noqa: E402
import tap  # noqa: E402

PROGRAM = os.environ.get("O", "build") + "/e2e-short/informers"
MAPS = ("-", "v1", "configmaps", "ConfigMap")
NO_STREAM = "-44"
NEVER = 0.4 # seconds in which nothing may come


class Informers:
    """The program, and what it says by handler."""

    def __init__(self, server, token_file=None):
        self.process = subprocess.Popen(
            [PROGRAM, "127.0.0.1", str(server.port), server.file("ca.crt"),
             token_file or server.file("token-admin")], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0"))
        self.told = {}
        self.answers = queue.Queue()
        self.seen = []
        self.lock = threading.Lock()
        threading.Thread(target=self.read, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.process.stdin.close()
        code = self.process.wait(20)
        if kind is not None:
            print("\n".join("#   " + x for x in self.seen[-40:]))
        assert kind is not None or code == 0, code

    def read(self):
        for line in self.process.stdout:
            line = line.rstrip("\n")
            word = line.split(" ", 1)[0]
            with self.lock:
                self.seen.append(line)
                own = self.told.get(word)
            if own is not None:
                own.put(line.split(" ", 1)[1])
            elif word not in ("error", "token"):
                self.answers.put(line)
        self.answers.put("closed")

    def say(self, *words):
        """One line; what it answers, without the last."""
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        said = []
        while True:
            line = self.answers.get(timeout=30)
            if line.startswith("done"):
                return said
            assert not line.startswith(("failed", "closed")), line
            said.append(line)

    def informer(self, name, resource=MAPS, space="-", selector="-",
                 flags="-", session=0):
        self.say("informer", name, session, *resource, space, selector, flags)

    def handler(self, name, informer, mode="every", resync=0, filter_="-"):
        with self.lock:
            self.told[name] = queue.Queue()
        self.say("handler", name, informer, mode, resync, filter_)

    def next(self, name, count=1, seconds=25):
        """What a handler is told, in order; no versions."""
        end, got = time.monotonic() + seconds, []
        while len(got) < count:
            words = self.told[name].get(
                timeout=max(0.1, end - time.monotonic())).split()
            got.append(" ".join(words[:2] + words[3:]))
        return got

    def silent(self, name, seconds=NEVER):
        try:
            line = self.told[name].get(timeout=seconds)
        except queue.Empty:
            return
        raise AssertionError(f"{name} was told: {line}")

    def status(self, name):
        return json.loads(self.say("status", name)[0].partition(" ")[2])

    def wait(self, name, what, seconds=25):
        """Until what(status) holds; that status."""
        end = time.monotonic() + seconds
        while True:
            status = self.status(name)
            if what(status):
                return status
            assert time.monotonic() < end, status
            time.sleep(0.05)

    def listed(self, *words):
        said = self.say("list", *words)
        return sorted(x.split()[1] for x in said[:-1]), said[-1]

    def errors(self):
        with self.lock:
            return [x.split(" ", 4) for x in self.seen
                    if x.startswith("error ")]


class Shared(unittest.TestCase):
    """One server; each test has a namespace of its own."""

    number = 0

    @classmethod
    def setUpClass(cls):
        cls.server = apiserver.Server("--audit")
        cls.server.kload("crd", "create")

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def setUp(self):
        Shared.number += 1
        self.space = f"s{Shared.number}"
        self.server.kload("namespace", "create", self.space)

    def key(self, name):
        return f"{self.space}/{name}"

    def put(self, name, *values, **options):
        words = [w for k, v in options.items() for w in ("--" + k, v)]
        self.server.kload("put", "-n", self.space, *words, name, *values)

    def delete(self, *names, **options):
        words = [w for k, v in options.items() for w in ("--" + k, v)]
        self.server.kload("delete", "-n", self.space, *words, *names)

    def asked(self):
        """Query strings of what this namespace was asked for by us."""
        return [r["requestURI"] for r in self.server.asked("library")
                if f"/{self.space}/" in r["requestURI"]]

    def test_streaming_list_and_what_changes_inside_it(self):
        """A slow handler holds the stream while its objects change."""
        self.server.kload("fill", "-n", self.space, "--count", "120",
                          "--bytes", "20000")
        with Informers(self.server) as k:
            k.informer("maps", space=self.space)
            k.handler("h", "maps")
            k.say("pause", "h")
            k.say("start")
            k.wait("maps", lambda s: s["arena"] > 0)
            self.put("cm-00100", "a=1")
            self.delete("cm-00119")
            self.put("new", "a=1")
            k.say("resume", "h")
            k.wait("maps", lambda s: s["synced"])
            held = {}
            deadline = time.monotonic() + 25
            while held.get("new") is None or "cm-00119" in held:
                self.assertLess(time.monotonic(), deadline, len(held))
                for line in k.next("h"):
                    word, key = line.split()[:2]
                    name = key.split("/")[1]
                    self.assertEqual(word != "add", name in held, line)
                    held[name] = True
                    if word == "delete":
                        del held[name]
            self.assertEqual(120, len(held))
            self.assertEqual('{"a":"1"}', k.say(
                "get", "maps", self.key("cm-00100"))[0].partition(
                    '"data":')[2][:-1])
            self.assertEqual(0, k.status("maps")["relists"])
            self.assertTrue(all("sendInitialEvents=true" in q
                                for q in self.asked()), self.asked())

    def test_late_handler_under_load(self):
        """No gap and no double, while objects change all the time."""
        self.server.kload("fill", "-n", self.space, "--count", "200")
        with Informers(self.server) as k:
            k.informer("maps", space=self.space)
            k.handler("first", "maps")
            k.say("start")
            k.next("first", 200)
            churn = threading.Thread(target=self.server.kload, args=(
                "churn", "-n", self.space, "--rate", "200", "--count", "400"))
            churn.start()
            time.sleep(0.3)
            k.handler("late", "maps")
            k.handler("newest", "maps", "latest")
            churn.join()
            self.put("last", "a=1")
            for name in ("late", "newest"):
                seen = set()
                while True:
                    said = k.next(name)[0].split()
                    if said[0] == "add":
                        self.assertNotIn(said[1], seen)
                        seen.add(said[1])
                    else:
                        self.assertIn(said[1], seen)
                    if said[1] == self.key("last"):
                        break
                if name == "late":
                    self.assertEqual(201, len(seen))
            self.assertEqual("200", str(sum(
                x.endswith(" initial") for x in k.seen
                if x.startswith("late add"))))

    def test_handlers_come_and_go(self):
        """One removes itself from inside, one is removed; the third sees all,
        and a new one what there is by then."""
        self.put("a", "a=1")
        with Informers(self.server) as k:
            k.informer("maps", space=self.space)
            for name in ("stays", "leaves", "goes"):
                k.handler(name, "maps")
            k.say("start")
            k.say("start") # twice is harmless
            for name in ("stays", "leaves", "goes"):
                self.assertEqual([f"add {self.key('a')} initial"],
                                 k.next(name))
            self.assertEqual(["for found"], k.say("for", "maps"))
            k.say("leave", "leaves")
            self.put("a", "a=2")
            for name in ("stays", "leaves", "goes"):
                self.assertEqual([f"update {self.key('a')}"], k.next(name))
            k.say("remove", "goes")
            self.put("a", "a=3")
            self.assertEqual([f"update {self.key('a')}"], k.next("stays"))
            k.handler("new", "maps")
            self.assertEqual([f"add {self.key('a')} initial"], k.next("new"))
            k.silent("leaves")
            k.silent("goes", 0.05)

    def test_resync_of_one_handler(self):
        for name in "ab":
            self.put(name, "a=1")
        with Informers(self.server) as k:
            k.informer("maps", space=self.space)
            k.handler("shown", "maps", resync=1000)
            k.handler("plain", "maps")
            k.say("start")
            k.next("shown", 2)
            k.next("plain", 2)
            begun = time.monotonic()
            self.assertEqual(["sync " + self.key("a"), "sync "
                              + self.key("b")], sorted(k.next("shown", 2)))
            k.next("shown", 2)
            self.assertGreater(time.monotonic() - begun, 1.5)
            self.put("a", "a=2")
            self.assertEqual(["update " + self.key("a")], k.next("plain"))
            k.silent("plain", 1.2)

    def test_filters_and_selectors_make_transitions(self):
        """A filter's answer changes; an object leaves the server's selector."""
        self.put("in", "a=1", labels="tier=a")
        self.put("out", "a=1", labels="tier=b")
        with Informers(self.server) as k:
            k.informer("all", space=self.space)
            k.informer("chosen", space=self.space, selector="tier~in~(a,z)",
                       session=1)
            k.handler("filter", "all", filter_="tier=a")
            k.handler("selector", "chosen")
            k.say("start")
            for name in ("filter", "selector"):
                self.assertEqual([f"add {self.key('in')} initial"],
                                 k.next(name))
            self.put("in", "a=1", labels="tier=b")
            self.put("out", "a=1", labels="tier=a")
            self.put("out", "a=2", labels="tier=a")
            for name in ("filter", "selector"):
                self.assertEqual([f"delete {self.key('in')}",
                                  f"add {self.key('out')}",
                                  f"update {self.key('out')}"],
                                 k.next(name, 3), name)
            self.assertEqual(([self.key("out")], "list ends 0"),
                             k.listed("chosen", "-", "-"))

    def test_namespace_deleted_whole(self):
        self.server.kload("fill", "-n", self.space, "--count", "40")
        with Informers(self.server) as k:
            k.informer("maps")
            k.handler("h", "maps", filter_="none!=x")
            k.say("start")
            k.wait("maps", lambda s: s["synced"])
            self.server.kload("delete-all", "-n", self.space)
            self.server.kload("namespace", "delete", self.space)
            gone = set()
            while len(gone) < 40:
                word, key = k.next("h")[0].split()[:2]
                if word == "delete" and key.startswith(self.space + "/"):
                    gone.add(key)
            self.assertEqual(([], "list ends 0"),
                             k.listed("maps", self.space, "-"))

    def test_two_informers_on_one_resource(self):
        self.put("a", "a=1")
        with Informers(self.server) as k:
            for number, name in enumerate(("one", "two")):
                k.informer(name, space=self.space, session=number)
                k.handler("h-" + name, name)
            k.say("start")
            for name in ("h-one", "h-two"):
                self.assertEqual([f"add {self.key('a')} initial"],
                                 k.next(name))
            k.say("stop", "one")
            self.put("a", "a=2")
            self.assertEqual([f"update {self.key('a')}"], k.next("h-two"))
            k.silent("h-one")

    def test_three_by_turns_on_one_connection(self):
        self.put("a", "a=1")
        self.put("s", "p=1", kind="secrets")
        self.put("w", "note=1", kind="widgets")
        with Informers(self.server) as k:
            k.informer("maps", space=self.space)
            k.informer("secrets", ("-", "v1", "secrets", "Secret"), self.space)
            k.informer("widgets", ("test.example", "v1", "widgets", "Widget"),
                       self.space)
            for name in ("maps", "secrets", "widgets"):
                k.handler("h-" + name, name)
            k.say("start")
            for name in ("maps", "secrets", "widgets"):
                k.next("h-" + name)
            self.put("a", "a=2")
            self.put("s", "p=2", kind="secrets")
            self.server.kload("patch", "-n", self.space, "--kind", "widgets",
                              "w", "note=2")
            for name in ("maps", "secrets", "widgets"):
                self.assertTrue(k.next("h-" + name)[0].startswith("update"))
                self.assertEqual(0, k.status(name)["relists"])
            with open(f"/proc/{k.process.pid}/net/tcp",
                      encoding="ascii") as f:
                port = f":{self.server.port:04X}"
                ours = [x for x in f if x.split()[2].endswith(port) and
                        x.split()[3] == "01"]
            fds = [os.readlink(f"/proc/{k.process.pid}/fd/{x}")
                   for x in os.listdir(f"/proc/{k.process.pid}/fd")]
            mine = [x for x in ours if f"socket:[{x.split()[9]}]" in fds]
            self.assertEqual(1, len(mine), mine)

    def test_a_stuck_one_costs_the_other_of_its_turns_two_seconds(self):
        """It loses the connection and goes on from where it was."""
        self.put("s", "p=1", kind="secrets")
        with Informers(self.server) as k:
            k.informer("maps", space=self.space)
            k.informer("secrets", ("-", "v1", "secrets", "Secret"), self.space)
            k.handler("h-maps", "maps")
            k.handler("h-secrets", "secrets")
            k.say("start")
            k.next("h-secrets")
            k.wait("maps", lambda s: s["synced"])
            k.say("pause", "h-maps")
            self.server.kload("fill", "-n", self.space, "--count", "120")
            k.wait("maps", lambda s: s["stuck"])
            for n in range(3):
                self.put("s", f"p={n + 2}", kind="secrets")
                self.assertEqual([f"update {self.key('s')}"],
                                 k.next("h-secrets"))
            k.silent("h-maps", 0.05)
            k.say("resume", "h-maps")
            self.assertEqual([f"add {self.key(f'cm-{i:05}')}"
                              for i in range(120)],
                             sorted(k.next("h-maps", 120)))
            self.assertEqual(0, k.status("maps")["relists"])

    def test_metadata_only_and_keep_lists(self):
        self.put("a", "a=1", "b=2", labels="app=x")
        with Informers(self.server) as k:
            k.informer("meta", ("-", "v1", "configmaps",
                                "PartialObjectMetadata"), self.space,
                       flags="metadata")
            k.informer("kept", space=self.space, flags="keep", session=1)
            k.informer("paged", space=self.space, flags="paged", session=2)
            for name in ("meta", "kept", "paged"):
                k.handler("h-" + name, name)
            k.say("start")
            for name in ("meta", "kept", "paged"):
                k.next("h-" + name)
            meta = json.loads(k.say("get", "meta", self.key("a"))[0][4:])
            self.assertEqual({"metadata"}, set(meta))
            self.assertNotIn("managedFields", meta["metadata"])
            kept = json.loads(k.say("get", "kept", self.key("a"))[0][4:])
            self.assertEqual({"a": "1"}, kept["data"])
            self.assertEqual("x", kept["metadata"]["labels"]["app"])
            self.assertNotIn("creationTimestamp", kept["metadata"])
            self.put("a", "a=3", labels="app=y")
            for name in ("meta", "kept", "paged"):
                self.assertEqual([f"update {self.key('a')}"],
                                 k.next("h-" + name))

    def test_pages(self):
        for i in range(5):
            self.put(f"n{i}", "a=1")
        with Informers(self.server) as k:
            k.informer("maps", space=self.space, flags="paged")
            k.handler("h", "maps")
            k.say("start")
            self.assertEqual([f"add {self.key(f'n{i}')} initial"
                              for i in range(5)], k.next("h", 5))
            lists = [q for q in self.asked() if "watch" not in q]
            self.assertEqual(3, len(lists), lists)

    def test_kinds_by_tables(self):
        for kind in ("pods", "deployments", "secrets", "widgets"):
            self.server.kload("fill", "-n", self.space, "--kind", kind,
                              "--count", "1", "--prefix", "x")
        with Informers(self.server) as k:
            k.informer("pods", ("-", "v1", "pods", "Pod"), self.space)
            k.informer("deployments", ("apps", "v1", "deployments",
                                       "Deployment"), self.space, session=1)
            k.informer("secrets", ("-", "v1", "secrets", "Secret"),
                       self.space, session=2)
            k.informer("widgets", ("test.example", "v1", "widgets", "Widget"),
                       self.space, session=3)
            names = ("pods", "deployments", "secrets", "widgets")
            for name in names:
                k.handler("h-" + name, name)
            k.say("start")
            for name in names:
                self.assertEqual([f"add {self.key('x-00000')} initial"],
                                 k.next("h-" + name))
            self.assertRegex(k.say("typed", "pods", self.key("x-00000"))[0],
                             "^typed .*Pending$")
            self.assertRegex(k.say("typed", "deployments",
                                   self.key("x-00000"))[0], r"^typed \d+$")
            self.assertEqual(["typed Opaque"], k.say(
                "typed", "secrets", self.key("x-00000")))
            widget = json.loads(k.say("get", "widgets",
                                      self.key("x-00000"))[0][4:])
            self.assertEqual(3, widget["spec"]["size"])

    def test_indexes_and_listers(self):
        for name, app in (("a", "x"), ("b", "y"), ("c", "x")):
            self.put(name, "a=1", labels="app=" + app)
        self.put("none", "a=1")
        with Informers(self.server) as k:
            k.informer("maps", flags="index")
            k.handler("h", "maps", filter_="app")
            k.say("start")
            k.wait("maps", lambda s: s["synced"])
            k.next("h", 3)
            values = sorted(k.say("values", "maps", "app")[:-1])
            self.assertTrue({"value x", "value y"} <= set(values), values)
            keys, end = k.listed("maps", "-", "-", "app", "x")
            self.assertEqual([self.key("a"), self.key("c")],
                             [x for x in keys if x.startswith(self.space)])
            self.assertEqual("list ends 0", end)
            self.assertEqual([self.key("a"), self.key("b")], k.listed(
                "maps", self.space, "app,app!=z,!no", "-", "-")[0][:2])
            self.assertEqual([self.key("none")], k.listed(
                "maps", self.space, "!app")[0])
            self.assertEqual([self.key("b")], k.listed(
                "maps", self.space, "app~in~(y,z),app~notin~(x)")[0])
            k.informer("later", space=self.space, session=1)
            k.say("start")
            k.wait("later", lambda s: s["synced"])
            self.assertEqual(4, len(k.listed("later")[0]))
            k.say("index", "later")
            self.assertEqual(([self.key("a"), self.key("c")], "list ends 0"),
                             k.listed("later", "-", "-", "app", "x"))
            self.put("c", "a=1", labels="app=y")
            k.next("h")
            self.assertEqual([self.key("a")], [
                x for x in k.listed("maps", "-", "-", "app", "x")[0]
                if x.startswith(self.space)])

    def test_right_taken_and_given_again(self):
        """403 is told, deletes nothing, and heals."""
        load = self.server.kload
        self.put("a", "a=1")
        with Informers(self.server, self.server.file("token-none")) as k:
            k.informer("maps", space=self.space)
            k.handler("h", "maps")
            k.say("start")
            k.wait("maps", lambda s: s["http"] == 403)
            self.assertEqual(["missing maps"], k.say("synced"))
            self.assertIn('User "none" cannot', k.errors()[0][4])
            load("rbac", "grant", "--user", "none", "--kind", "configmaps",
                 "-n", self.space)
            self.assertEqual([f"add {self.key('a')} initial"], k.next("h"))
            status = k.wait("maps", lambda s: s["synced"])
            self.assertEqual(0, status["error"])
            self.assertEqual(["synced"], k.say("synced"))

    def test_full_of_keys_and_healed(self):
        """Keys without an entry: told as incomplete; deletes make room, and
        one fresh list takes in what had none."""
        for i in range(5):
            self.put(f"n{i}", "a=1")
        with Informers(self.server) as k:
            k.informer("maps", space=self.space, flags="small")
            k.handler("h", "maps")
            k.say("start")
            k.next("h", 3)
            status = k.wait("maps", lambda s: s["degraded"])
            self.assertFalse(status["complete"])
            self.assertEqual("list ends 2", k.listed("maps")[1])
            self.delete("n0", "n1")
            self.assertEqual(["add n3", "add n4", "delete n0", "delete n1"],
                             sorted(x.replace(self.space + "/", "")
                                    .removesuffix(" missed")
                                    for x in k.next("h", 4)))
            k.wait("maps", lambda s: s["complete"] and not s["degraded"])
            self.assertEqual("list ends 0", k.listed("maps")[1])

    def test_full_of_bytes_and_fetched(self):
        """What finds no room is told, and fetched alone when there is some."""
        path = self.server.file("half")
        with open(path, "w", encoding="ascii") as f:
            f.write("x" * 40000)
        for name in "ab":
            self.put(name, f"a=@{path}")
        with Informers(self.server) as k:
            k.informer("maps", space=self.space, flags="tight")
            k.handler("h", "maps")
            k.say("start")
            self.assertEqual([f"add {self.key('a')} initial",
                              f"truncated {self.key('b')}"], k.next("h", 2))
            self.assertEqual(1, k.status("maps")["truncated"])
            self.delete("a")
            self.assertEqual([f"delete {self.key('a')}",
                              f"sync {self.key('b')}"], k.next("h", 2))
            status = k.status("maps")
            self.assertEqual((0, 1, 0), (status["truncated"],
                                         status["fetches"], status["relists"]))
            self.assertIn("x" * 40000, k.say("get", "maps", self.key("b"))[0])

    def test_object_too_large_and_small_again(self):
        path = self.server.file("large")
        with open(path, "w", encoding="ascii") as f:
            f.write("x" * 100000)
        self.put("a", f"a=@{path}")
        with Informers(self.server) as k:
            k.informer("maps", space=self.space)
            k.handler("h", "maps")
            k.say("start")
            self.assertEqual([f"truncated {self.key('a')}"], k.next("h"))
            self.assertEqual(1, k.status("maps")["truncated"])
            self.assertEqual(["got "], k.say("get", "maps", self.key("a")))
            self.put("a", "a=1")
            self.assertEqual([f"update {self.key('a')}"], k.next("h"))
            self.put("a", f"a=@{path}")
            self.assertEqual([f"truncated {self.key('a')}"], k.next("h"))
            self.delete("a")
            self.assertEqual([f"delete {self.key('a')}"], k.next("h"))

    def test_token_that_expires(self):
        """401: the token is asked for once more, and the new one serves."""
        self.put("a", "a=1")
        path = self.server.file("token-test")
        with open(path, "w", encoding="ascii") as f:
            f.write("no-longer-valid\n")
        with Informers(self.server, path) as k:
            k.informer("maps", space=self.space)
            k.handler("h", "maps")
            k.say("start")
            k.wait("maps", lambda s: s["http"] == 401)
            with open(path, "w", encoding="ascii") as f:
                f.write(self.server.read("token-admin"))
            self.assertEqual([f"add {self.key('a')} initial"], k.next("h"))
            self.assertIn("token again", k.seen)


class Restarted(unittest.TestCase):
    """Servers that forget, come back, and go back."""

    @classmethod
    def setUpClass(cls):
        cls.server = apiserver.Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def watching(self, k, space):
        self.server.kload("namespace", "create", space)
        self.server.kload("put", "-n", space, "same", "a=1")
        self.server.kload("put", "-n", space, "twice", "a=1")
        self.server.kload("put", "-n", space, "gone", "a=1")
        k.informer("maps", space=space)
        k.handler("h", "maps")
        k.say("start")
        k.next("h", 3)

    def test_gone_by_restart_with_changes_missed(self):
        """410; what was deleted and made again is a delete and an add."""
        load = self.server.kload
        with Informers(self.server) as k:
            self.watching(k, "away")
            k.process.send_signal(signal.SIGSTOP)
            self.server.command("restart now")
            load("delete", "-n", "away", "twice", "gone")
            load("put", "-n", "away", "twice", "a=2")
            self.server.command("restart now")
            k.process.send_signal(signal.SIGCONT)
            said = k.next("h", 3, 40)
            self.assertEqual(["delete away/twice missed", "add away/twice",
                              "delete away/gone missed"], said)
            status = k.status("maps")
            self.assertEqual((1, 1), (status["relists"], status["unchanged"]))
            k.silent("h")

    def test_gone_by_compaction(self):
        """Versions compacted in etcd, and a server that has only those since
        its start, while the watcher was away."""
        load = self.server.kload
        with Informers(self.server) as k:
            self.watching(k, "compacted")
            k.process.send_signal(signal.SIGSTOP)
            self.server.command("restart now")
            load("put", "-n", "compacted", "same", "a=2")
            self.server.command("compact")
            self.server.command("restart now")
            k.process.send_signal(signal.SIGCONT)
            self.assertEqual(["update compacted/same"], k.next("h", 1, 40))
            self.assertGreater(k.wait(
                "maps", lambda s: s["relists"] > 0)["unchanged"], 1)
            k.silent("h")

    def test_a_server_that_refuses_streams_is_remembered(self):
        """422 once; then pages, for the list after a restart, too."""
        self.server.command("stop now")
        self.server.command("start --feature-gates=WatchList=false")
        try:
            with Informers(self.server) as k:
                self.watching(k, "pages")
                self.assertEqual([NO_STREAM],
                                 [e[2] for e in k.errors()])
                k.process.send_signal(signal.SIGSTOP)
                self.server.command("restart now")
                self.server.kload("put", "-n", "pages", "same", "a=2")
                self.server.command("restart now")
                k.process.send_signal(signal.SIGCONT)
                self.assertEqual(["update pages/same"], k.next("h", 1, 40))
                self.assertEqual(1, k.wait(
                    "maps", lambda s: s["relists"] > 0)["relists"])
                self.assertEqual(1, sum(e[2] == NO_STREAM
                                        for e in k.errors()))
        finally:
            self.server.command("stop now")
            # A word is needed for the former ones to be forgotten.
            self.server.command("start --profiling=true")

    def test_frozen_server_makes_it_stale(self):
        with Informers(self.server) as k:
            self.watching(k, "frozen")
            self.server.command("pause")
            try:
                status = k.wait("maps", lambda s: s["error"] and
                                s["stale"] > 2000)
            finally:
                self.server.command("resume")
            self.assertEqual(1, status["synced"])
            self.server.kload("put", "-n", "frozen", "same", "a=2")
            self.assertEqual(["update frozen/same"], k.next("h", 1, 40))
            k.wait("maps", lambda s: s["stale"] == 0 and s["error"] == 0)
            self.assertEqual(0, k.status("maps")["relists"])

    def test_restored_backup_is_found_by_doubt(self):
        """By one with a connection of its own, and by two that take turns."""
        load = self.server.kload
        with Informers(self.server) as k:
            self.watching(k, "back")
            k.informer("turns", space="back", session=1)
            k.informer("secrets", ("-", "v1", "secrets", "Secret"), "back",
                       session=1)
            k.handler("t", "turns")
            k.say("start")
            k.next("t", 3)
            k.wait("secrets", lambda s: s["synced"])
            self.server.command("snapshot early")
            load("put", "-n", "back", "same", "a=2")
            load("delete", "-n", "back", "gone")
            load("put", "-n", "back", "new", "a=1")
            load("fill", "-n", "back", "--count", "60", "--prefix", "more")
            k.next("h", 63)
            k.next("t", 63)
            self.server.command("restore early")
            for name, informer in (("h", "maps"), ("t", "turns")):
                said = sorted(k.next(name, 63, 60))
                self.assertEqual(
                    ["add back/gone",
                     *[f"delete back/more-{i:05} missed" for i in range(60)],
                     "delete back/new missed", "update back/same"], said)
                self.assertGreater(k.status(informer)["probes"], 0)
            load("put", "-n", "back", "same", "a=3")
            for name in ("h", "t"):
                self.assertEqual(["update back/same"], k.next(name, 1, 30))

    def version(self, space, name):
        return int(self.server.kload("get", "-n", space, name)["metadata"]
                   ["resourceVersion"])

    def write_at(self, space, name, version):
        """Writes an object until it has that version. Others write, too, above
        all a server that has just begun: only one that takes this very
        version makes it miss. Returns the value, or None."""
        now = self.server.command("revision")["revision"]
        self.assertLess(now, version - 20)
        self.server.kload("fill", "-n", "noise", "--count",
                          str(version - 20 - now), "--prefix",
                          f"n{time.monotonic_ns()}")
        for n in range(20):
            self.server.kload("put", "-n", space, name, f"a=theirs{n}")
            if self.version(space, name) >= version:
                break
        return f"theirs{n}" if self.version(space, name) == version else None

    def test_restored_and_overtaken_is_found_by_verification(self):
        """The same uid and version, and another content: no list shows that
        but one that compares bytes."""
        load = self.server.kload
        load("namespace", "create", "noise")
        with Informers(self.server) as k:
            self.watching(k, "over")
            k.informer("verified", space="over", session=1, flags="verify")
            k.handler("v", "verified")
            k.say("start")
            k.next("v", 3)
            self.server.command("snapshot over")
            load("fill", "-n", "noise", "--count", "150")
            load("put", "-n", "over", "same", "a=ours")
            for name in ("h", "v"):
                self.assertEqual(["update over/same"], k.next(name))
            version = self.version("over", "same")
            k.process.send_signal(signal.SIGSTOP)
            for _ in range(3):
                self.server.command("restore over")
                theirs = self.write_at("over", "same", version)
                if theirs:
                    break
            else:
                self.fail("a version cannot be hit")
            load("fill", "-n", "noise", "--count", "20", "--prefix", "more")
            k.process.send_signal(signal.SIGCONT)
            # Both take up their watch: the version is one of the new history,
            # and doubt, which asks how far the server is, is satisfied.
            k.wait("maps", lambda s: s["phase"] == 4 and s["probes"] > 1)
            k.wait("verified", lambda s: s["mended"] > 0)
            said = [json.loads(k.say("get", i, "over/same")[0][4:])["data"]
                    for i in ("verified", "maps")]
            self.assertEqual([{"a": theirs}, {"a": "ours"}], said)
            self.assertEqual(["sync over/same"], k.next("v"))


if __name__ == "__main__":
    tap.main()

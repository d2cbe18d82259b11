# SPDX-License-Identifier: Apache-2.0
# suite: timeout=600
"""test_real_server.py - the program before a real API server that restarts,
forgets, goes back in time, and changes under load; that the cache is what the
server says, that unchanged objects call nobody, and that nothing is left."""

import json
import os
import signal
import threading
import time
import unittest

import harness
import program
import apiserver
import tap
from harness import SHORT, Watch, wait_for
from program import GATEWAY


class Model:
    """What a reader of -o json --output-watch-events knows."""

    def __init__(self, k):
        self.k = k
        self.held = {}
        self.events = 0
        self.wrong = []

    def read(self):
        """Takes in all lines that are there."""
        while not self.k.lines.empty():
            self.take(json.loads(self.k.lines.get()))

    def take(self, said):
        meta = said["object"]["metadata"]
        key = (meta.get("namespace", ""), meta["name"])
        known = key in self.held
        self.events += 1
        if known == (said["type"] == "ADDED"):
            self.wrong.append(said)
        if said["type"] == "DELETED":
            self.held.pop(key, None)
        else:
            self.held[key] = (meta["uid"], meta["resourceVersion"])


def truth(server, path="/api/v1/configmaps"):
    """The same of the server's own list."""
    _, body = server.get(path)
    return {(i["metadata"].get("namespace", ""), i["metadata"]["name"]):
            (i["metadata"]["uid"], i["metadata"]["resourceVersion"])
            for i in body["items"]}


def real_watch(server, *words, **more):
    more.setdefault("kubeconfig", server.file("kubeconfig"))
    return Watch(server, *words, **more)


def lines_of(k, count, seconds=40):
    until = time.monotonic() + seconds
    return [k.line(max(0.1, until - time.monotonic())) for _ in range(count)]


def setUpModule():
    """These have servers of their own and go on beside the first class."""
    for case in (BackInTime, Kinds, Load):
        case.begin()


class Again(unittest.TestCase):
    """A server that comes back, to a program that had watched it."""

    @classmethod
    def setUpClass(cls):
        cls.server = apiserver.Server()
        cls.server.kload("namespace", "create", "shop")
        cls.server.kload("namespace", "create", "depot")

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def setUp(self):
        for space in ("shop", "depot"):
            self.server.kload("delete-all", "-n", space)

    def test_one_relist_and_no_call_for_what_did_not_change(self):
        """Each of several watchers gets 410; 300 objects, one of them new."""
        server = self.server
        server.kload("fill", "-n", "shop", "--count", "300")
        server.kload("fill", "-n", "depot", "--count", "20", "--kind",
                     "secrets")
        with real_watch(server, "cm", "-n", "shop", "-o", "name") as one, \
                real_watch(server, "cm", "-n", "shop", "-n", "depot", "-o",
                           "name", binary=GATEWAY) as two, \
                real_watch(server, "secrets", "-A", "-o", "name") as three:
            for k, count in ((one, 300), (two, 300), (three, 20)):
                self.assertEqual(count, len(set(lines_of(k, count))))
                k.wait_status(lambda s: s["phase"] == "watching")
            # Else no version is older than the server's start (seen: 1.34).
            server.kload("namespace", "create", "elsewhere")
            server.command("restart")
            server.kload("put", "-n", "shop", "new", "a=1")
            for k in (one, two):
                self.assertEqual("shop/new", k.line(40))
            for k in (one, two, three):
                state = k.wait_status(lambda s: s["counters"]["lists"] > 1 and
                                      s["phase"] == "watching", 40)
                self.assertEqual(1, state["counters"]["relists"], state)
                self.assertEqual(1, state["errors"]["GONE"], state)
                self.assertTrue(state["complete"])
                self.assertGreater(state["counters"]["unchanged"], 18)
                k.no_more_lines(0.2)

    def test_what_was_missed_is_told_after_a_restart(self):
        """Frozen while objects change and the server forgets the changes."""
        server = self.server
        for name in ("kept", "gone", "changed", "other"):
            server.kload("put", "-n", "shop", name, "a=1")
        with real_watch(server, "cm", "-n", "shop") as k:
            lines_of(k, 4)
            k.wait_status(lambda s: s["phase"] == "watching")
            k.send(signal.SIGSTOP)
            server.command("restart now") # no event can reach it now
            server.kload("delete", "-n", "shop", "gone")
            server.kload("put", "-n", "shop", "changed", "a=2")
            server.kload("put", "-n", "shop", "new", "a=1")
            server.kload("delete", "-n", "shop", "other")
            server.kload("put", "-n", "shop", "other", "a=1")
            server.command("restart now") # and none can be had any more
            k.send(signal.SIGCONT)
            lines = [(*x.split()[:2], x.partition("  (")[2])
                     for x in lines_of(k, 5)]
            missed = "missed, last known state)"
            self.assertEqual(
                [("ADDED", "shop/new", ""), ("ADDED", "shop/other", ""),
                 ("DELETED", "shop/gone", missed),
                 ("DELETED", "shop/other", missed),
                 ("MODIFIED", "shop/changed", "")], sorted(lines))
            self.assertEqual("shop/gone", lines[-1][1]) # after all others
            k.no_more_lines()

    def test_frozen_server_is_waited_for_and_nothing_is_lost(self):
        """Connections stay and nothing moves: the idle deadline finds it."""
        server = self.server
        server.kload("put", "-n", "shop", "a", "a=1")
        with real_watch(server, "cm", "-n", "shop") as k:
            self.assertIn("ADDED", k.line())
            server.command("pause")
            try:
                k.fails("TIMEOUT")
            finally:
                server.command("resume")
            server.kload("put", "-n", "shop", "a", "a=2")
            self.assertIn("MODIFIED  shop/a", k.line(40))
            k.wait_status(lambda s: s["last_error"] is None)
            k.no_more_lines()

    def test_rights_taken_and_given_again(self):
        """A 403 deletes nothing; when the right is back it goes on."""
        server = self.server
        server.kload("put", "-n", "shop", "a", "a=1")
        server.kload("rbac", "grant", "--user", "none", "--kind", "configmaps",
                     "-n", "shop")
        with real_watch(server, "cm", "-n", "shop",
                        kubeconfig=server.file("kubeconfig-none")) as k:
            self.assertIn("ADDED     shop/a", k.line())
            server.kload("rbac", "revoke", "--user", "none", "--kind",
                         "configmaps", "-n", "shop")
            server.command("restart")
            line = k.fails("FORBIDDEN", "configmaps in shop", 40)
            self.assertIn('User "none" cannot', line)
            server.kload("put", "-n", "shop", "a", "a=2")
            k.no_more_lines(0.2)
            server.kload("rbac", "grant", "--user", "none", "--kind",
                         "configmaps", "-n", "shop")
            self.assertIn("MODIFIED  shop/a", k.line(40))
            k.no_more_lines()

    def test_page_token_too_old_begins_the_list_anew(self):
        """The reader stalls between pages, and the server forgets them."""
        server = self.server
        server.kload("fill", "-n", "shop", "--count", "1100")
        server.command("stop")
        server.command("start --feature-gates=WatchList=false")
        self.addCleanup(server.command, "restart")
        left, right = os.pipe()
        k = Watch(server, "cm", "-n", "shop", "-o", "json",
                  kubeconfig=server.file("kubeconfig"), stdout=right)
        os.close(right)
        got = []
        try:
            state = k.wait_status(lambda s: s["handler_stuck"])
            self.assertFalse(state["synced"], state)
            maps = "/api/v1/namespaces/shop/configmaps"
            page = server.get(maps + "?limit=5")[1]["metadata"]["continue"]
            server.kload("put", "-n", "shop", "cm-00500", "a=1")
            server.command("compact cache") # the server looks each 15 s
            wait_for(lambda: server.get(f"{maps}?limit=5&continue={page}")[0]
                     == 410, 30)
            server.kload("delete", "-n", "shop", "cm-00003", "cm-01099")
            server.kload("put", "-n", "shop", "new", "a=1")

            def read():
                with os.fdopen(left, encoding="utf-8") as f:
                    for line in f:
                        got.append(json.loads(line)["metadata"]["name"])
            reader = threading.Thread(target=read)
            reader.start()
            k.fails("GONE", seconds=40)
            state = k.wait_status(lambda s: s["phase"] == "watching", 40)
            # a streaming one was tried first
            self.assertEqual(3, state["counters"]["lists"])
            self.assertEqual(1099, state["pools"]["entries"]["used"])
            self.assertTrue(state["complete"])
        finally:
            self.assertEqual(0, k.end())
        reader.join(10)
        self.assertEqual(1, got.count("new"))
        self.assertEqual(len(set(got)) + got.count("cm-00003") - 1,
                         len(got)) # no object twice but the deleted one


@harness.side_by_side
class BackInTime(unittest.TestCase):
    def test_restored_from_a_backup(self):
        """Its versions are lower than ours, and it would be silent for ever:
        the doubt asks, and the server's state is the truth."""
        with apiserver.Server() as server:
            server.kload("put", "same", "a=1")
            server.kload("put", "changed", "a=1")
            server.kload("put", "deleted", "a=1")
            server.command("snapshot old")
            with real_watch(server, "cm", "-n", "default") as k:
                self.assertEqual({"same", "changed", "deleted",
                                  "kube-root-ca.crt"} & {
                    x.split("/")[1].split()[0] for x in lines_of(k, 3)
                    if "root" not in x}, {"same", "changed", "deleted"})
                server.kload("put", "changed", "a=2")
                server.kload("delete", "deleted")
                server.kload("put", "new", "a=1")
                server.kload("fill", "--count", "50", "--prefix", "more")
                lines_of(k, 53)
                server.command("restore old")
                k.fails("BACK_IN_TIME", "restored from a backup", 40)
                lines = sorted(" ".join(x.split()[:2])
                               for x in lines_of(k, 53))
                deleted = [f"DELETED default/more-{i:05}" for i in range(50)]
                self.assertEqual(["ADDED default/deleted", *deleted,
                                  "DELETED default/new",
                                  "MODIFIED default/changed"], lines)
                state = k.wait_status(lambda s: s["complete"] and
                                      s["phase"] == "watching")
                self.assertGreater(state["counters"]["probes"], 0)
                server.kload("put", "changed", "a=3")
                self.assertIn("MODIFIED  default/changed", k.line())
                k.no_more_lines()


@harness.side_by_side
class Load(unittest.TestCase):
    """What the program says adds up to what the server says, whatever
    happens meanwhile."""

    def test_the_sum_of_all_events_is_the_server_s_list(self):
        with apiserver.Server() as server:
            for space in ("one", "two"):
                server.kload("namespace", "create", space)
                server.kload("fill", "-n", space, "--count", "150")
            words = ("-o", "json", "--output-watch-events")
            with real_watch(server, *words) as short, \
                    real_watch(server, "cm", "-n", "one", "-n", "two", *words,
                               binary=GATEWAY) as plain:
                models = [Model(short), Model(plain)]
                stop = threading.Event()

                def work():
                    number = 0
                    while not stop.is_set():
                        number += 1
                        try:
                            server.kload("churn", "-n", "one", "--rate", "200",
                                         "--count", "100")
                            server.kload("fill", "-n", "two", "--prefix",
                                         f"p{number}", "--count", "30")
                            server.kload("delete-all", "-n", "two")
                        except apiserver.Failed:
                            time.sleep(0.2) # the server was away
                worker = threading.Thread(target=work)
                worker.start()
                try:
                    for line in ("restart now", "pause", "resume", "compact",
                                 "restart"):
                        time.sleep(1.5)
                        server.command(line)
                    time.sleep(2)
                finally:
                    stop.set()
                    worker.join(60)
                server.kload("put", "-n", "one", "last", "a=1")
                server.kload("put", "-n", "two", "last", "a=1")
                want = truth(server)
                for model in models:
                    mine = want if model.k is short else {
                        k: v for k, v in want.items() if k[0] in ("one", "two")}

                    def same(model=model, mine=mine):
                        model.read()
                        return model.held == mine
                    wait_for(same, 60, lambda m=model, w=mine: str(
                        set(m.held.items()) ^ set(w.items())) +
                        "\n".join(m.k.errors))
                    self.assertEqual([], model.wrong)
                    self.assertGreater(model.events, 300)


@harness.side_by_side
class Kinds(unittest.TestCase):
    """Keys, chains and protocols of the server."""

    def one_object(self, server, *words):
        code, out, err = harness.program.run(
            "watch", "cm", "-n", "kube-system", "--once", "-o", "name",
            "--kubeconfig", server.file("kubeconfig"), *words, program=GATEWAY)
        self.assertEqual(0, code, err)
        self.assertIn("kube-system/", out)

    def test_rsa_and_chain_and_tls_1_3_only(self):
        with apiserver.Server("--key", "rsa", extra=(
                "--tls-min-version=VersionTLS13",)) as server:
            self.one_object(server)
            server.command("cert chain rsa")
            server.command("restart")
            self.one_object(server)
            server.command("cert good ecdsa")
            server.command("restart")
            self.one_object(server)

    def test_client_certificate_of_files_and_inline(self):
        with apiserver.Server("--key", "ecdsa") as server:
            for name in ("kubeconfig-client-cert", "kubeconfig-files"):
                code, out, err = harness.program.run(
                    "watch", "cm", "-n", "kube-system", "--once", "-o", "name",
                    "--kubeconfig", server.file(name), program=GATEWAY)
                self.assertEqual(0, code, err)
                self.assertIn("kube-system/", out)


if __name__ == "__main__":
    tap.main()

# SPDX-License-Identifier: Apache-2.0
# suite: timeout=600
"""test_program_mirror.py - kinformer mirror against a real API server: the
files, what goes away and what may not, and how it ends. What happens at each
step of a write is tests/linux/test_mirror_*.c's."""

import base64
import json
import os
import signal
import stat
import tempfile
import threading
import time
import unittest

import program
import apiserver
import tap
from program import Kinformer, run, state, wait_for

server = None
scratch = None


def setUpModule():
    global server, scratch
    scratch = tempfile.TemporaryDirectory()
    server = apiserver.Server()
    for name in ("shop", "depot"):
        server.kload("namespace", "create", name)


def tearDownModule():
    server.close()
    scratch.cleanup()


def config(name="kubeconfig"):
    return ("--kubeconfig", server.file(name))


def files(folder):
    """What a reader sees: {"shop/prices/key": bytes}."""
    seen = {}
    for namespace in os.listdir(folder):
        if namespace.startswith("."):
            continue
        for name in os.listdir(os.path.join(folder, namespace)):
            for key in os.listdir(os.path.join(folder, namespace, name)):
                at = os.path.join(folder, namespace, name, key)
                with open(at, "rb") as f:
                    seen[f"{namespace}/{name}/{key}"] = f.read()
    return seen


class Mirror(unittest.TestCase):
    def setUp(self):
        for name in ("shop", "depot"):
            server.kload("delete-all", "-n", name)
        self.dir = tempfile.mkdtemp(dir=scratch.name)

    def mirror(self, *words, folder=None):
        return Kinformer("mirror", *words, *config(), folder or self.dir)

    def once(self, *words, folder=None):
        return run("mirror", "--once", *words, *config(), folder or self.dir)

    def fill(self, count, namespace="shop"):
        server.kload("fill", "-n", namespace, "--count", str(count))

    def test_files_follow_the_cluster(self):
        server.kload("put", "-n", "shop", "prices", "a=1", "b=two\nlines\n")
        with self.mirror("-n", "shop") as k:
            k.error_with("in sync")
            wait_for(lambda: files(self.dir) == {
                "shop/prices/a": b"1", "shop/prices/b": b"two\nlines\n"},
                "first files")
            server.kload("patch", "-n", "shop", "prices", "a=2", "b-")
            wait_for(lambda: files(self.dir) == {"shop/prices/a": b"2"},
                     "the change")
            server.kload("put", "-n", "shop", "more", "x=y")
            wait_for(lambda: "shop/more/x" in files(self.dir), "the new one")
            server.kload("delete", "-n", "shop", "prices")
            wait_for(lambda: files(self.dir) == {"shop/more/x": b"y"},
                     "the deletion")
            self.assertEqual(0, k.end())
        self.assertEqual({"shop/more/x": b"y"}, files(self.dir))

    def test_a_reader_sees_all_old_or_all_new(self):
        server.kload("put", "-n", "shop", "pair", "a=0", "b=0")
        torn, reads, done = [], 0, threading.Event()
        with self.mirror("-n", "shop") as k:
            k.error_with("in sync")
            wait_for(lambda: files(self.dir), "first files")

            def change():
                for i in range(1, 40):
                    server.kload("patch", "-n", "shop", "pair", f"a={i}",
                                 f"b={i}")
                done.set()

            changer = threading.Thread(target=change)
            changer.start()
            while not done.is_set():
                fd = os.open(f"{self.dir}/shop/pair", os.O_DIRECTORY)
                values = []
                for key in ("a", "b"):
                    f = os.open(key, os.O_RDONLY, dir_fd=fd)
                    values.append(os.read(f, 100))
                    os.close(f)
                    time.sleep(0.002)
                os.close(fd)
                reads += 1
                if values[0] != values[1]:
                    torn.append(values)
            changer.join()
            wait_for(lambda: files(self.dir)["shop/pair/a"] == b"39", "last")
        self.assertEqual([], torn)
        self.assertGreater(reads, 10)

    def test_binary_and_secrets(self):
        data = bytes(range(256))
        body = {"metadata": {"name": "odd"}, "data": {"text": "\u00e4\0b"},
                "binaryData": {"blob": base64.b64encode(data).decode()}}
        self.post("configmaps", body)
        self.assertEqual(0, self.once("-n", "shop")[0])
        self.assertEqual({"shop/odd/text": "\u00e4\0b".encode(),
                          "shop/odd/blob": data}, files(self.dir))
        folder = tempfile.mkdtemp(dir=scratch.name)
        self.post("secrets", {"metadata": {"name": "key"}, "data": {
            "password": base64.b64encode(b"hunter2").decode()}})
        code, _, err = self.once("-n", "shop", "--secrets", folder=folder)
        self.assertEqual(0, code, err)
        self.assertEqual({"shop/key/password": b"hunter2"}, files(folder))
        mode = os.stat(f"{folder}/shop/key/password").st_mode
        self.assertEqual(0o600, stat.S_IMODE(mode))
        self.assertNotIn("hunter2", err)

    def post(self, plural, body):
        path = f"/api/v1/namespaces/shop/{plural}"
        with server.open(path, method="POST", body=json.dumps(body),
                         Content_Type="application/json") as answer:
            self.assertEqual(201, answer.status)

    def test_what_was_deleted_meanwhile_goes_and_the_rest_stays(self):
        self.fill(5)
        self.assertEqual(0, self.once("-n", "shop")[0])
        links = {x: os.lstat(f"{self.dir}/shop/{x}").st_ino
                 for x in os.listdir(f"{self.dir}/shop")}
        self.assertEqual(5, len(links))
        server.kload("delete", "-n", "shop", "cm-00002")
        self.assertEqual(0, self.once("-n", "shop")[0])
        del links["cm-00002"]
        self.assertEqual(links, {x: os.lstat(f"{self.dir}/shop/{x}").st_ino
                                 for x in os.listdir(f"{self.dir}/shop")})

    def test_a_list_that_removes_too_much_is_held(self):
        self.fill(30)
        self.assertEqual(0, self.once("-n", "shop")[0])
        server.kload("delete-all", "-n", "shop")
        self.assertEqual(10, self.once("-n", "shop")[0])
        self.assertEqual(30, len(os.listdir(f"{self.dir}/shop")))
        status = self.dir + ".json"
        with self.mirror("-n", "shop", "--status", status) as k:
            k.error_with("30 of 30")
            seen = state(status, synced=True)
            time.sleep(1.5)
            with open(status, encoding="utf-8") as f:
                seen = json.load(f)
            self.assertEqual(30, seen["mirror"]["held"])
            k.send(signal.SIGUSR1)
            wait_for(lambda: not files(self.dir), "the removal")
            time.sleep(1.2)
            with open(status, encoding="utf-8") as f:
                seen = json.load(f)
            self.assertEqual((0, True), (seen["mirror"]["held"],
                                         seen["mirror"]["settled"]))

    def test_max_delete_sets_the_limit(self):
        self.fill(30)
        self.assertEqual(0, self.once("-n", "shop")[0])
        server.kload("delete-all", "-n", "shop")
        self.assertEqual(10, self.once("-n", "shop", "--max-delete", "29")[0])
        self.assertEqual(0, self.once("-n", "shop", "--max-delete",
                                      "100%")[0])
        self.assertEqual({}, files(self.dir))

    def test_several_namespaces_and_selector(self):
        self.fill(2)
        self.fill(3, "depot")
        server.kload("fill", "-n", "depot", "--count", "1", "--prefix", "red",
                     "--labels", "colour=red")
        self.assertEqual(0, self.once("-n", "shop", "-n", "depot")[0])
        self.assertEqual({"shop": 2, "depot": 4}, {
            x: len(os.listdir(f"{self.dir}/{x}")) for x in ("shop", "depot")})
        folder = tempfile.mkdtemp(dir=scratch.name)
        self.assertEqual(0, self.once("-A", "-l", "colour=red",
                                      folder=folder)[0])
        self.assertEqual(["red-00000"], os.listdir(f"{folder}/depot"))
        self.assertFalse(os.path.exists(f"{folder}/shop"))

    def test_a_folder_of_somebody_else_is_refused(self):
        with open(f"{self.dir}/precious", "w", encoding="ascii") as f:
            f.write("mine")
        code, _, err = self.once("-n", "shop")
        self.assertEqual(9, code)
        self.assertIn("--adopt", err)
        self.assertEqual(["precious"], os.listdir(self.dir))
        self.assertEqual(0, self.once("-n", "shop", "--adopt")[0])
        self.assertIn("precious", os.listdir(self.dir))

    def test_another_source_is_refused_until_reset(self):
        self.fill(2)
        self.assertEqual(0, self.once("-n", "shop")[0])
        for words in (("-n", "depot"), ("-n", "shop", "-l", "a=b"),
                      ("-n", "shop", "--secrets"), ("-A",)):
            code, _, err = self.once(*words)
            self.assertEqual(9, code, words)
            self.assertIn("--reset", err)
            self.assertEqual(2, len(os.listdir(f"{self.dir}/shop")))
        self.assertEqual(0, self.once("-n", "depot", "--reset")[0])
        self.assertEqual({}, files(self.dir))

    def test_a_second_one_is_refused(self):
        with self.mirror("-n", "shop") as k:
            k.error_with("in sync")
            code, _, err = self.once("-n", "shop")
            self.assertEqual(9, code)
            self.assertIn("another kinformer", err)

    def test_truncated_objects_keep_their_files(self):
        blob = os.path.join(scratch.name, "blob")
        with open(blob, "w", encoding="ascii") as f:
            f.write("x" * 100000)
        server.kload("put", "-n", "shop", "grows", "a=small")
        with self.mirror("-n", "shop", "--max-object", "16K") as k:
            k.error_with("in sync")
            wait_for(lambda: files(self.dir), "first files")
            server.kload("put", "-n", "shop", "grows", f"a=@{blob}")
            k.error_with("shop/grows")
            self.assertEqual({"shop/grows/a": b"small"}, files(self.dir))
            server.kload("put", "-n", "shop", "grows", "a=small again")
            wait_for(lambda: files(self.dir) == {
                "shop/grows/a": b"small again"}, "recovery")

    def test_nothing_is_touched_by_a_restart_of_the_server(self):
        self.fill(20)
        with self.mirror("-n", "shop") as k:
            k.error_with("in sync")
            wait_for(lambda: len(files(self.dir)) >= 20, "first files")
            before = {x: os.lstat(f"{self.dir}/shop/{x}").st_ino
                      for x in os.listdir(f"{self.dir}/shop")}
            server.command("restart")
            server.kload("put", "-n", "shop", "after", "a=1")
            wait_for(lambda: "shop/after/a" in files(self.dir), "reconnection",
                     70)
            after = {x: os.lstat(f"{self.dir}/shop/{x}").st_ino
                     for x in os.listdir(f"{self.dir}/shop") if x != "after"}
            self.assertEqual(before, after)
            self.assertEqual(0, k.end())

    def test_no_right_leaves_the_files(self):
        self.fill(3)
        self.assertEqual(0, self.once("-n", "shop")[0])
        before = files(self.dir)
        code, _, _ = run("mirror", "-n", "shop", "--once",
                         *config("kubeconfig-none"), self.dir)
        self.assertEqual(5, code)
        self.assertEqual(before, files(self.dir))


if __name__ == "__main__":
    tap.main()

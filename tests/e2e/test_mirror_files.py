# SPDX-License-Identifier: Apache-2.0
# suite: timeout=600
"""test_mirror_files.py - kinformer mirror on disks that misbehave, and killed
at any moment. Each single system call is tests/linux/test_mirror_faults.c's;
here the kernel, the disk and the API server are real."""

import os
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

import program
import apiserver
import tap
from program import GATEWAY, Kinformer, wait_for

server = None
scratch = None


def setUpModule():
    global server, scratch
    scratch = tempfile.TemporaryDirectory()
    os.chmod(scratch.name, 0o755)
    server = apiserver.Server()
    for name in ("shop", "depot"):
        server.kload("namespace", "create", name)


def tearDownModule():
    server.close()
    scratch.cleanup()


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def versions(folder):
    return [x for x in os.listdir(f"{folder}/.kinformer") if len(x) == 8]


class Disk(unittest.TestCase):
    def setUp(self):
        for name in ("shop", "depot"):
            server.kload("delete-all", "-n", name)
        self.dir = tempfile.mkdtemp(dir=scratch.name)

    def words(self, folder=None):
        return ("mirror", "-n", "shop", "-n", "depot", "--kubeconfig",
                server.file("kubeconfig"), folder or self.dir)

    def mirror(self, folder=None):
        return Kinformer(*self.words(folder), program=GATEWAY)

    def has(self, path, text):
        return lambda: read(f"{self.dir}/{path}") == text

    def test_killed_at_any_moment_a_reader_sees_whole_versions(self):
        """SIGKILL comes 25 times, while both keys change all the time."""
        server.kload("put", "-n", "shop", "pair", "a=0", "b=0")
        done = threading.Event()
        last = [0]

        def change():
            while not done.is_set():
                last[0] += 1
                server.kload("put", "-n", "shop", "pair", f"a={last[0]}",
                             f"b={last[0]}")

        def pair():
            fd = os.open(f"{self.dir}/shop/pair", os.O_DIRECTORY)
            try:
                values = []
                for key in ("a", "b"):
                    f = os.open(key, os.O_RDONLY, dir_fd=fd)
                    values.append(os.read(f, 100))
                    os.close(f)
                return values
            finally:
                os.close(fd)

        with self.mirror():
            wait_for(lambda: pair()[0] == b"0", "the first version")
        changer = threading.Thread(target=change)
        changer.start()
        seen = set()
        dice = random.Random(4)
        try:
            for _ in range(25):
                with self.mirror() as k:
                    until = time.monotonic() + 0.2 + dice.random() / 2
                    while time.monotonic() < until:
                        a, b = pair()
                        self.assertEqual(a, b)
                        seen.add(a)
                    k.end(signal.SIGKILL)
        finally:
            done.set()
            changer.join()
        self.assertGreater(len(seen), 20)
        with self.mirror():
            wait_for(self.has("shop/pair/a", str(last[0])), "the last version")
            wait_for(lambda: len(versions(self.dir)) == 1,
                     "the end of old versions")

    def test_a_full_disk_costs_what_does_not_fit_and_heals(self):
        if os.geteuid() != 0:
            self.skipTest("needs root to mount a small disk")
        disk = os.path.join(scratch.name, "disk")
        os.mkdir(disk)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k,mode=755",
                           "none", disk], check=False).returncode:
            self.skipTest("no right to mount a small disk")
        self.addCleanup(subprocess.run, ["umount", "-l", disk], check=True)
        self.dir = disk + "/mirror"
        blob = os.path.join(scratch.name, "blob")
        with open(blob, "w", encoding="ascii") as f:
            f.write("x" * 200000)
        server.kload("put", "-n", "shop", "grows", "a=small")
        with self.mirror() as k:
            wait_for(self.has("shop/grows/a", "small"), "the first version")
            server.kload("put", "-n", "shop", "grows", f"a=@{blob}", "b=1")
            self.assertIn("shop/grows", k.error_with("No space left"))
            server.kload("put", "-n", "shop", "other", "a=fits")
            wait_for(self.has("shop/other/a", "fits"), "what fits")
            self.assertEqual("small", read(f"{self.dir}/shop/grows/a"))
            self.assertEqual(["a"], os.listdir(f"{self.dir}/shop/grows"))
            subprocess.run(["mount", "-o", "remount,size=1m", disk],
                           check=True)
            wait_for(self.has("shop/grows/b", "1"), "the second attempt")
            self.assertEqual(0, k.end())

    def test_no_right_to_write_is_told_by_object_and_heals(self):
        """As nobody, for root may write everywhere."""
        if os.geteuid() != 0 or not shutil.which("setpriv"):
            self.skipTest("needs root, to become nobody")
        # Nobody may not enter the driver's folder for this suite.
        open_to_all = tempfile.mkdtemp(dir="/tmp")
        self.addCleanup(shutil.rmtree, open_to_all)
        os.chmod(open_to_all, 0o755)
        self.dir = tempfile.mkdtemp(dir=open_to_all)
        os.chown(self.dir, 65534, 65534)
        os.mkdir(f"{self.dir}.bin", 0o755)
        copy = shutil.copy(GATEWAY, f"{self.dir}.bin/kinformer")
        config = shutil.copy(server.file("kubeconfig"), f"{self.dir}.config")
        os.chown(config, 65534, 65534)
        words = list(self.words())
        words[words.index(server.file("kubeconfig"))] = config
        server.kload("put", "-n", "shop", "prices", "a=1")
        server.kload("put", "-n", "depot", "stock", "a=1")
        with Kinformer("--reuid", "65534", "--regid", "65534",
                       "--clear-groups", copy, *words,
                       program=shutil.which("setpriv")) as k:
            wait_for(self.has("shop/prices/a", "1"), "the first version")
            wait_for(self.has("depot/stock/a", "1"), "the first version")
            os.chmod(f"{self.dir}/shop", 0o555)
            server.kload("put", "-n", "shop", "prices", "a=2")
            self.assertIn("shop/prices", k.error_with("Permission denied"))
            server.kload("put", "-n", "depot", "stock", "a=2")
            wait_for(self.has("depot/stock/a", "2"), "the others")
            self.assertEqual("1", read(f"{self.dir}/shop/prices/a"))
            os.chmod(f"{self.dir}/shop", 0o755)
            wait_for(self.has("shop/prices/a", "2"), "the second attempt")
            self.assertEqual(0, k.end())

    def test_a_file_where_a_folder_is_needed(self):
        server.kload("put", "-n", "shop", "prices", "a=1")
        with self.mirror() as k:
            wait_for(self.has("shop/prices/a", "1"), "the first version")
            with open(f"{self.dir}/depot", "w", encoding="ascii") as f:
                f.write("mine")
            server.kload("put", "-n", "depot", "stock", "a=1")
            k.error_with("depot/stock")
            server.kload("put", "-n", "shop", "prices", "a=2")
            wait_for(self.has("shop/prices/a", "2"), "the others")
            self.assertEqual("mine", read(f"{self.dir}/depot"))
            os.unlink(f"{self.dir}/depot")
            wait_for(self.has("depot/stock/a", "1"), "the second attempt")
            self.assertEqual(0, k.end())

    def test_names_of_253_characters(self):
        name, key = "n" * 253, "K" * 253
        server.kload("put", "-n", "shop", name, f"{key}=1")
        with self.mirror():
            wait_for(self.has(f"shop/{name}/{key}", "1"), "the long names")
            server.kload("put", "-n", "shop", name, f"{key}=2")
            wait_for(self.has(f"shop/{name}/{key}", "2"), "the change")
            server.kload("delete", "-n", "shop", name)
            wait_for(lambda: not os.path.exists(f"{self.dir}/shop"), "the end")

    def test_a_link_planted_in_place_of_a_namespace(self):
        """Nothing outside DIR is touched, whatever comes."""
        outside = tempfile.mkdtemp(dir=scratch.name)
        server.kload("put", "-n", "shop", "prices", "a=1")
        with self.mirror() as k:
            wait_for(self.has("shop/prices/a", "1"), "the first version")
            os.rename(f"{self.dir}/shop", f"{self.dir}/was")
            os.symlink(outside, f"{self.dir}/shop")
            with open(f"{outside}/stock", "w", encoding="ascii") as f:
                f.write("mine")
            server.kload("put", "-n", "shop", "prices", "a=2")
            server.kload("put", "-n", "shop", "stock", "a=2")
            k.error_with("shop/stock")
            server.kload("delete", "-n", "shop", "stock")
            server.kload("put", "-n", "depot", "after", "a=1")
            wait_for(self.has("depot/after/a", "1"), "the others")
            self.assertEqual(["stock"], os.listdir(outside))
            self.assertEqual("mine", read(f"{outside}/stock"))
            self.assertEqual("1", read(f"{self.dir}/was/prices/a"))
            os.unlink(f"{self.dir}/shop")
            os.rename(f"{self.dir}/was", f"{self.dir}/shop")
            wait_for(self.has("shop/prices/a", "2"), "the second attempt")
            self.assertEqual(0, k.end())


if __name__ == "__main__":
    tap.main()

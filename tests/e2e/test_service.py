# SPDX-License-Identifier: Apache-2.0
"""test_service.py - kinformer.service under a real systemd, as it is shipped:
started counts as in sync, no rights, reload, watchdog, stop. A drop-in of the
test shortens its waits and shows where it logs; no other line is changed."""

import os
import unittest

import program
import apiserver
import systemd
import tap

UNIT = "kinformer.service"
FOLDER = "var/lib/kinformer/mirror"
DROP_IN = """[Service]
WatchdogSec=2s
RestartSec=100ms
StandardError=append:/run/kinformer.log
"""

server = None
machine = None


def setUpModule():
    global server, machine
    reason = systemd.why_not()
    if reason:
        raise unittest.SkipTest(reason)
    server = apiserver.Server()
    machine = systemd.Machine()
    with open(f"boards/linux/{UNIT}", encoding="utf-8") as f:
        machine.write(f"etc/systemd/system/{UNIT}", f.read())
    machine.write(f"etc/systemd/system/{UNIT}.d/test.conf", DROP_IN)
    machine.copy(program.GATEWAY, "usr/local/bin/kinformer")
    os.makedirs(machine.path("etc/kinformer"))
    machine.copy(server.file("kubeconfig"), "etc/kinformer/kubeconfig")
    machine.run("useradd", "--system", "kinformer")
    machine.systemctl("daemon-reload")


def tearDownModule():
    if machine:
        machine.close()
    if server:
        server.close()


def pid():
    """Of the service, as the machine numbers it."""
    return machine.show(UNIT, "MainPID")


def mirrored(name, key):
    """What another user than root and the service reads."""
    code, said = machine.try_to("setpriv", "--reuid=65534", "--regid=65534",
                                "--clear-groups", "cat",
                                f"/{FOLDER}/default/{name}/{key}")
    return said if code == 0 else None


def log():
    return machine.try_to("cat", "/run/kinformer.log")[1]


def wait_for(check, what):
    try:
        program.wait_for(check, what)
    except AssertionError as error:
        raise AssertionError(f"{error}; log: {log()}") from None


class Service(unittest.TestCase):
    def setUp(self):
        server.kload("delete-all", "-n", "default")
        server.kload("put", "-n", "default", "prices", "coffee=2")
        code, said = machine.try_to("systemctl", "start", UNIT)
        if code:
            said += machine.try_to("systemctl", "status", UNIT)[1] + log()
        self.assertEqual(0, code, said)

    def tearDown(self):
        machine.systemctl("stop", UNIT)

    def test_is_started_once_the_files_are_there(self):
        self.assertEqual("active", machine.show(UNIT, "ActiveState"))
        self.assertEqual("2", mirrored("prices", "coffee"))

    def test_follows_what_changes(self):
        server.kload("put", "-n", "default", "prices", "coffee=3")
        wait_for(lambda: mirrored("prices", "coffee") == "3", "the change")

    def test_runs_without_rights(self):
        said = machine.run("cat", f"/proc/{pid()}/status")
        has = dict(line.split(":\t", 1) for line in said.splitlines()
                   if ":\t" in line)
        self.assertNotIn("0", has["Uid"].split())
        for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb"):
            self.assertEqual(0, int(has[name], 16), name)
        self.assertEqual("1", has["NoNewPrivs"])
        self.assertEqual("2", has["Seccomp"])

    def test_reload_keeps_it_running(self):
        before = pid()
        machine.systemctl("reload", UNIT)
        server.kload("put", "-n", "default", "prices", "coffee=4")
        wait_for(lambda: mirrored("prices", "coffee") == "4", "the change")
        self.assertEqual(before, pid())

    def test_watchdog_replaces_one_that_hangs(self):
        before = pid()
        machine.run("kill", "-STOP", before)
        wait_for(lambda: pid() not in (before, "0") and
                 machine.show(UNIT, "ActiveState") == "active", "another")
        server.kload("put", "-n", "default", "prices", "coffee=5")
        wait_for(lambda: mirrored("prices", "coffee") == "5", "the change")

    def test_stops_cleanly_and_leaves_the_files(self):
        machine.systemctl("stop", UNIT)
        self.assertEqual("success", machine.show(UNIT, "Result"))
        self.assertEqual("0", machine.show(UNIT, "ExecMainStatus"))
        self.assertEqual("2", mirrored("prices", "coffee"))

    def test_says_how_it_is_where_others_can_read_it(self):
        said = machine.run("cat", "/run/kinformer/status.json")
        self.assertIn('"complete"', said)


if __name__ == "__main__":
    tap.main()

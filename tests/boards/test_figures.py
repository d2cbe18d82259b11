#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# suite: alone timeout=600
"""What the boards cost is what boards/BOARD/figures says, and within what was
promised. After a change that is meant: make BOARD=x record, and commit it."""

import json
import os
import sys
import unittest

for folder in ("tests", "tests/apiserver", "tests/boards", "boards"):
    sys.path.insert(0, folder)
import apiserver  # noqa: E402
import board  # noqa: E402
import budget  # noqa: E402
import figures  # noqa: E402
import measure  # noqa: E402
import tap  # noqa: E402


def report_of(facts):
    with open(measure.report(facts), encoding="utf-8") as f:
        return json.load(f)


class Figures(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        told = {}
        for key in ("ecdsa", "rsa"):
            with apiserver.Server("--key", key) as server:
                told[key] = measure.run(server, board.BOARDS)
        for number, facts in enumerate(board.BOARDS):
            budget.write(measure.report(facts), measure.keys_of(
                facts, told["ecdsa"][number], told["rsa"][number]))

    def test_small_board(self):
        self.agrees(board.SMALL)

    def test_large_board(self):
        self.agrees(board.LARGE)

    def agrees(self, facts):
        found = figures.check(report_of(facts),
                              f"boards/{facts['name']}/figures",
                              "arm-none-eabi-")
        self.assertEqual([], found)

    def test_the_bound_is_above_what_was_measured(self):
        for facts in board.BOARDS:
            report = report_of(facts)
            self.assertGreaterEqual(report["stack_bound"],
                                    report["stack_measured"])
            self.assertGreaterEqual(report["stack_reserve"],
                                    report["stack_bound"])
            self.assertGreaterEqual(board.INTERRUPT,
                                    report["stack_interrupt"])


    def test_a_stranger_cannot_make_a_poll_longer_than_promised(self):
        for facts in board.BOARDS:
            report = report_of(facts)
            self.assertLess(report["stranger_poll"], board.LONGEST_POLL)
            self.assertLess(report["stranger_poll_rsa"],
                            report["longest_poll_rsa"])


class Reports(unittest.TestCase):
    """Each command adds its keys to the board's one report."""

    KEYS = {"size": ("flash", "flash_ecdsa", "ram", "app", "core_text",
                     "files"),
            "ram_report": ("ram_pools", "ram_files"),
            "stack": ("stack_bound", "stack_interrupt", "stack_reserve",
                      "stack_measured"),
            "steps": ("longest_poll", "longest_poll_rsa", "longest_polls",
                      "longest_polls_rsa", "handshake", "handshake_rsa",
                      "handshake_ticket", "ticket_reconnect", "event",
                      "received_byte", "stranger", "stranger_rsa",
                      "stranger_poll", "stranger_poll_rsa")}

    def test_no_key_is_missing(self):
        for facts in board.BOARDS:
            for command, keys in self.KEYS.items():
                with self.subTest(board=facts["name"], command=command):
                    self.assertEqual(set(), set(keys) -
                                     set(report_of(facts)))

    def test_pools_and_files_add_up_to_all_ram(self):
        for facts in board.BOARDS:
            report = report_of(facts)
            self.assertEqual(report["ram"],
                             sum(report["ram_files"].values()))
            self.assertEqual(report["ram"], sum(
                row["bytes"] for row in report["ram_pools"].values()))
            self.assertLess(report["ram_files"]["padding"], 128)
            self.assertLess(report["ram_pools"]["rest"]["bytes"], 2048)
            for name, row in report["ram_pools"].items():
                self.assertEqual(row["bytes"], row["count"] * row["unit"])
                self.assertTrue(row["reason"], name)


class Promises(unittest.TestCase):
    def test_every_limit_is_kept(self):
        owed = [line for facts in board.BOARDS
                for line in figures.owed(f"boards/{facts['name']}/figures")]
        if owed:
            self.skipTest("still owed: " + ", ".join(owed))


class Guard(unittest.TestCase):
    """The guard itself: what it lets pass, and what it does not."""

    def said(self, key, is_, recorded, limit="-", same=True):
        return list(figures.wrong(key, is_, recorded, limit, same))

    def test_a_byte_more_is_told(self):
        self.assertEqual([], self.said("flash", 1000, 1000))
        self.assertIn("+1", self.said("flash", 1001, 1000)[0])
        self.assertIn("-1", self.said("flash", 999, 1000)[0])

    def test_instructions_may_drift_by_2_percent(self):
        self.assertEqual([], self.said("event", 10200, 10000))
        self.assertIn("+2.0%", self.said("event", 10201, 10000)[0])
        self.assertIn("-2.0%", self.said("event", 9799, 10000)[0])

    def test_other_versions_are_held_to_the_limits_alone(self):
        self.assertEqual([], self.said("flash", 1999, 1000, "2000", False))
        self.assertIn("limit", self.said("flash", 2001, 1000, "2000",
                                         False)[0])
        self.assertIn("limit", self.said("app", 999, 1000, "1000", False)[0])


if __name__ == "__main__":
    tap.main()

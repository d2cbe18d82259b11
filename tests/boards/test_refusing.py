#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# suite: alone timeout=600
"""Both boards in QEMU against a real API server that is not who it should be,
or that has an RSA key. See scenario.py."""

import sys

for folder in ("tests", "tests/apiserver", "tests/boards", "boards"):
    sys.path.insert(0, folder)
import board  # noqa: E402
import scenario  # noqa: E402
import tap  # noqa: E402
from board import APPLICATION_DATA, CERTIFICATE  # noqa: E402
from scenario import OnBoards, other_authority  # noqa: E402

NO_CLOCK = 18 # kinf_err's number
BEFORE = 1700000000 # a time before any image of ours was built


class Refusing(OnBoards):
    """No request leaves the board when the server is not who it should be."""

    def test_not_yet_valid(self):
        self.server.command("cert notyet")
        self.server.command("restart now")
        try:
            self.start(synced=False)
            self.refuses("not valid yet")
            self.end()
        finally:
            self.server.command("cert good")
            self.server.command("restart now")

    def test_times_that_are_none(self):
        """Unknown, and one before the image was built: dates cannot be checked
        and nothing is sent, not even the first message of TLS."""
        for wall_s in (board.WALL_UNKNOWN, BEFORE):
            self.start(synced=False, asked={"wall_s": wall_s})
            for one in self.boards:
                one.wait(f"^error {NO_CLOCK} ")
                for said, _ in one.relay.said:
                    self.assertEqual([], said.records)
            self.end()
            for one in self.boards:
                one.close()
            self.boards.clear()

    def test_an_authority_that_changes(self):
        """The server has a certificate of a new authority: refused, until the
        board is given that authority. Nothing of the old one is used again, and
        no handler is called for what did not change."""
        self.fill(2)
        old = self.server_s_files()
        self.server.command("newca")
        new = self.server_s_files()
        self.put_back(old)
        self.start(asked={"ca": new["ca.der"]})
        marks = [one.mark() for one in self.boards]
        before = [len(one.relay.said) for one in self.boards]
        self.put_back(new)
        self.refuses("trust", before)
        for one, mark in zip(self.boards, marks):
            one.ask("a")
            one.wait("^trusted", mark)
        self.change(after="renewal")
        for one, mark in zip(self.boards, marks):
            self.assertEqual([("MODIFIED", "cm-00000")], one.told(mark))
            before = len(one.relay.said)
            one.ask("a") # the same once more, while all is well
            board.until(lambda one=one, n=before: len(one.relay.said) > n)
            board.until(lambda one=one: CERTIFICATE in
                        one.relay.said[-1][1].messages)
        self.change(after="reload")
        self.end()

    def server_s_files(self):
        """Authority and certificate as they are, and what clients know."""
        files = {}
        for name in ("pki/ca.crt", "pki/ca.key", "pki/server.crt",
                     "pki/server.key", "ca.crt", "ca.der", "kubeconfig"):
            with open(self.server.file(name), "rb") as f:
                files[name] = f.read()
        return files

    def put_back(self, files):
        self.server.command("stop now")
        for name, content in files.items():
            with open(self.server.file(name), "wb") as f:
                f.write(content)
        self.server.command("start")

    def refuses(self, pattern, connections=None):
        for number, one in enumerate(self.boards):
            connection = connections[number] if connections else 0
            with self.subTest(board=one.facts["name"]):
                print("# " + one.wait("^error .*(" + pattern + ")"))
                self.assertGreater(len(one.relay.said), connection)
                for said, _ in one.relay.said[connection:]:
                    self.assertNotIn(APPLICATION_DATA, said.records)

    def test_wrong_name(self):
        self.start(synced=False, name="elsewhere.example")
        self.refuses("name")
        self.end()

    def test_wrong_authority(self):
        self.start(synced=False, anchor=other_authority())
        self.refuses("trust")
        self.end()

    def test_a_certificate_that_changes(self):
        """Good, expired, good again: the ticket of before is worth nothing,
        an expired one is refused, a new one is taken."""
        self.fill(1)
        self.start()
        self.server.command("cert expired")
        before = [len(one.relay.said) for one in self.boards]
        self.server.command("restart now")
        for one in self.boards:
            print("# " + one.wait("^error .*expired"))
        self.server.command("cert good")
        self.server.command("restart now")
        self.change(after="renewal")
        for one, connection in zip(self.boards, before):
            # The first one since that a request went over began anew.
            used = [server for said, server in one.relay.said[connection:]
                    if APPLICATION_DATA in said.records]
            self.assertIn(CERTIFICATE, used[0].messages)
        self.end()


class Rsa(OnBoards):
    """Its key exchange is the step that nobody can cut."""

    key = "rsa"
    longest_poll = 22000000

    def test_an_rsa_server(self):
        self.fill(3)
        self.start()
        self.change(a=1)
        for one in self.boards:
            one.relay.cut()
        self.change(after="cut")
        for one in self.boards:
            self.assertNotIn(CERTIFICATE, one.relay.said[-1][1].messages)
        self.end()


tearDownModule = scenario.keep_longest


if __name__ == "__main__":
    tap.main()

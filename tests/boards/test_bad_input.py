#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# suite: alone timeout=600
"""Both boards before a scripted server that answers badly, then well: each
mistake is told by its own error, nothing of it stays, and the board heals."""

import ssl
import sys
import unittest

for folder in ("tests", "tests/e2e", "tests/apiserver", "tests/boards"):
    sys.path.insert(0, folder)
import board  # noqa: E402
import harness  # noqa: E402
import tap  # noqa: E402
from harness import configmap, head, list_body, raw, whole  # noqa: E402

GOOD = configmap("good", 5)
BODY = list_body(GOOD)
CHUNKED = head(chunked=True)

# What the first list is answered with, and the error that is told.
AS_LIST = {
    "wrong token": (harness.refusal(401, "Unauthorized", "no"), "AUTH"),
    "no right": (harness.refusal(403, "Forbidden", "you may not"),
                 "FORBIDDEN"),
    "unknown resource": (harness.refusal(404, "NotFound", "no such"),
                         "NO_RESOURCE"),
    "too many requests": (harness.refusal(429, "TooManyRequests", "later",
                                          Retry_After=1), "BUSY"),
    "a server's failure": (harness.refusal(500, "InternalError", "oh"),
                           "SERVER"),
    "HTTP/1.0": (raw(b"HTTP/1.0 200 OK\r\n\r\n"), "HTTP_VERSION"),
    "a header line without a colon": (
        raw(b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n"), "HTTP_LINE"),
    "a header section of 20 KB": (
        raw(head()[:-2] + (b"X-Filler: " + b"x" * 90 + b"\r\n") * 200 +
            b"\r\n"), "HTTP_HEADERS"),
    "a length that is no number": (
        raw(head(length="1x") + BODY), "HTTP_NUMBER"),
    "a length and chunks": (
        raw(head(length=5, chunked=True) + BODY), "HTTP_LENGTH"),
    "a chunk size that is no number": (raw(CHUNKED + b"zz\r\n"),
                                       "HTTP_CHUNK"),
    "a chunk that does not end": (raw(CHUNKED + b"1\r\n{{\r\n"),
                                  "HTTP_CHUNK_END"),
    "gzip": (whole(b"\x1f\x8b", Content_Encoding="gzip"), "HTTP_ENCODING"),
    "HTML of a proxy": (whole(b"<html>Sign in</html>", kind="text/html"),
                        "HTTP_TYPE"),
    "a redirect": (whole(b"", 302, Location="https://elsewhere/"),
                   "REDIRECT"),
    "broken JSON": (whole(BODY.replace(b'"items":[', b'"items":[}')), "JSON"),
    "a list cut in the middle": (raw(head(length=len(BODY)) + BODY[:-60]),
                                 "CUT"),
    "a list that stalls": (
        raw(head(length=len(BODY)) + BODY[:-60], "hold"), "TIMEOUT"),
    "a list that drips": (
        harness.drips(head(length=9000) + BODY[:-60], every=0.5), "TIMEOUT"),
}

LEGAL = whole(list_body(
    GOOD, configmap("nul", 6, {"k": "a\0b"}),
    harness.text(configmap("digits", 7, metadata={"generation": 8})).replace(
        b'"generation":8', b'"generation":' + b"8" * 10000)))


class OnBoards(unittest.TestCase):
    def boards(self, plan):
        """Each board with a server of its own, on which plan() is made."""
        for facts in board.BOARDS:
            with harness.Server() as server, self.subTest(
                    board=facts["name"]):
                plan(server)
                with open(f"{server.folder}/ca.crt", encoding="ascii") as f:
                    anchor = ssl.PEM_cert_to_DER_cert(f.read())
                with board.Board(facts, server.port, anchor, harness.TOKEN,
                                 space="default") as one:
                    yield server, one
                    live = one.account()
                    for name, (_, high, size) in live.pools.items():
                        self.assertLessEqual(high, size, name)
                    self.assertLess(live.pools["stack"][1],
                                    live.pools["stack"][2])
                    one.end()

    def tells(self, one, name):
        code, text = CODES[name], harness.ERRORS[name]
        one.wait(f"^error {code} ")
        self.assertIn(text, one.wait(f"^error {code} "))


class List(OnBoards):
    """The first list is bad; see AS_LIST."""


def as_list(answer, name):
    def test(self):
        def plan(server):
            server.plan("list", answer, whole(BODY))
        for _, one in self.boards(plan):
            self.tells(one, name)
            one.wait("^in sync")
            self.assertEqual([("ADDED", "good")], one.told())
    return test


def codes():
    with open("core/include/kinformer.h", encoding="ascii") as f:
        return {name: -int(number) for name, number in harness.re.findall(
            r"^    X\((\w+), (-\d+),", f.read(), harness.re.M)}


CODES = codes()
for words, (given, error) in AS_LIST.items():
    setattr(List, "test_" + "_".join(
        "".join(c if c.isalnum() else " " for c in words).split()),
            as_list(given, error))


class Watch(OnBoards):
    """After a good list."""

    def watched(self, *answers):
        def plan(server):
            server.items = [GOOD]
            server.plan("watch", *answers, harness.events(
                harness.event("MODIFIED", configmap("good", 9)), then="hold"))
        return self.boards(plan)

    def goes_on(self, name, *answers):
        for server, one in self.watched(*answers):
            self.tells(one, name)
            one.wait("^MODIFIED  default/good rv 9")
            yield server, one

    def test_broken_json_in_a_watch(self):
        for server, one in self.goes_on("JSON", harness.events(
                harness.event("ADDED", configmap("new", 7)),
                b'{"type":"ADDED","object":]}\n', then="hold")):
            self.assertIn(("ADDED", "new"), one.told())
            self.assertEqual("7",
                             server.asked("watch")[1].query["resourceVersion"])

    def test_an_unknown_event(self):
        for _ in self.goes_on("EVENT", harness.events(
                harness.event("SURPRISE", configmap("good", 8)),
                harness.event("MODIFIED", configmap("good", 9)))):
            pass

    def test_an_object_that_is_not_utf_8(self):
        bad = harness.event("ADDED", configmap("bad", 7, {"k": "@@"}))
        for _, one in self.goes_on("UNREADABLE", harness.events(
                bad.replace(b"@@", b"\xff\xfe"),
                harness.event("MODIFIED", configmap("good", 9)))):
            self.assertIn(("TRUNCATED", "bad"), one.told())

    def test_a_watch_that_is_reset(self):
        for _ in self.goes_on("CUT", harness.events(then="reset")):
            pass

    def test_what_is_legal_is_taken(self):
        """A NUL in a value, and a number of 10,000 digits."""
        def plan(server):
            server.plan("list", LEGAL)
        for _, one in self.boards(plan):
            one.wait("^in sync")
            self.assertEqual({"good", "nul", "digits"},
                             {name for _, name in one.told()})


if __name__ == "__main__":
    tap.main()

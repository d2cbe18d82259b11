#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# suite: alone timeout=600
"""Both boards before a scripted server that answers badly, then well: each
mistake is told by its own error, nothing of it stays, and the board heals.

Tables are those of the gateway program's tests (tests/e2e), and each board gets
their rows one after the other, in one life. Who the server is, a clock that is
none, cuts and full pools are in the suites of scenario.py."""

import importlib.util
import re
import ssl
import sys
import unittest

for folder in ("tests", "tests/e2e", "tests/apiserver", "tests/boards"):
    sys.path.insert(0, folder)
import board  # noqa: E402
import harness  # noqa: E402
import tap  # noqa: E402
from harness import (chunk, configmap, event, events, head,  # noqa: E402
                     list_body, raw, text, whole)


def of_program(name):
    """A suite of tests/e2e, for its tables."""
    spec = importlib.util.spec_from_file_location(
        "e2e_" + name, f"tests/e2e/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def codes():
    with open("core/include/kinformer.h", encoding="ascii") as f:
        return {name: -int(number) for name, number in re.findall(
            r"^    X\((\w+), (-\d+),", f.read(), re.M)}


CODES = codes()
NAMES = {number: name for name, number in CODES.items()}
ANSWERS = of_program("test_bad_input")
JSON = of_program("test_bad_json")
WIRE = of_program("test_deadlines")
GOOD = configmap("good", 5)
BODY = list_body(GOOD)

# What a list is answered with, and the error that is told.
AS_LIST = {
    "wrong token": ("AUTH", harness.refusal(401, "Unauthorized", "no")),
    "no right": ("FORBIDDEN", harness.refusal(403, "Forbidden",
                                              "you may not")),
    "unknown resource": ("NO_RESOURCE", harness.refusal(404, "NotFound",
                                                        "no such")),
    "too many requests": ("BUSY", harness.refusal(
        429, "TooManyRequests", "later", Retry_After=1)),
    "a server's failure": ("SERVER", harness.refusal(500, "InternalError",
                                                     "oh")),
    **{name.replace("_", " "): (error, raw(data))
       for name, (error, data) in ANSWERS.NONSENSE.items()},
    "broken JSON": ("JSON", whole(BODY.replace(b'"items":[',
                                               b'"items":[}'))),
    "cut in the middle": ("CUT", raw(head(length=len(BODY)) + BODY[:-60])),
    "reset": ("CUT", raw(head(length=len(BODY)) + BODY[:-60], "reset")),
    "closed at once": ("CLOSED", raw(b"")),
    "stalls before its header": ("TIMEOUT", raw(b"", "hold")),
    "stalls": ("TIMEOUT", raw(head(length=len(BODY)) + BODY[:-60], "hold")),
    "drips": ("TIMEOUT", harness.drips(head(length=9000) + BODY[:-60],
                                       every=0.5)),
}

# What a connection gets before the first request.
AS_CONNECTION = {
    "closed before the handshake": ("CLOSED", lambda c: True),
    "closed in it": ("CLOSED", lambda c: WIRE.hello_then(c, lambda: None)),
    "reset in it": ("CLOSED", lambda c: WIRE.hello_then(c, c.reset)),
    "words in its place": ("TLS", lambda c: WIRE.hello_then(
        c, lambda: c.send(b"go away\r\n" * 9))),
    "stalled": ("TIMEOUT", lambda c: WIRE.hello_then(c,
                                                     lambda: c.pause(60))),
    "dripping": ("TIMEOUT", WIRE.drip_handshake),
}


def changed(version, more=b""):
    return event("MODIFIED", configmap("good", version)) + more


# What a watch shows, of version v; then it is asked for again from there.
AS_WATCH = {
    "closed": ("CUT", lambda v: events(changed(v), then="close")),
    "cut without a word": ("CUT", lambda v: events(changed(v), then="cut")),
    "reset": ("CUT", lambda v: events(changed(v), then="reset")),
    "stalls": ("TIMEOUT", lambda v: events(changed(v))),
    "stalls in an event": ("TIMEOUT", lambda v: events(
        changed(v), changed(v + 1)[:50])),
    "drips blanks": ("TIMEOUT", lambda v: harness.drips(
        head(chunked=True) + chunk(changed(v)), as_chunks=True)),
    "drips an event": ("TIMEOUT", lambda v: harness.drips(
        head(chunked=True) + chunk(changed(v) + changed(v + 1)[:90]), b"y",
        as_chunks=True)),
    "broken JSON": ("JSON", lambda v: events(
        changed(v), b'{"type":"ADDED","object":]}\n')),
    "an unknown event, closed": (("EVENT", "CUT"), lambda v: events(
        changed(v), event("SURPRISE", configmap("good", v)), then="close")),
}


class OnBoards(unittest.TestCase):
    def boards(self, plan):
        """Both boards, each with a server of its own, for which plan() is
        made; after a turn of the loop the board is ended and looked at."""
        pairs = []
        for facts in board.BOARDS:
            server = self.enterContext(harness.Server())
            plan(server)
            with open(f"{server.folder}/ca.crt", encoding="ascii") as f:
                anchor = ssl.PEM_cert_to_DER_cert(f.read())
            pairs.append((server, self.enterContext(board.Board(
                facts, server.port, anchor, harness.TOKEN,
                space="default"))))
        for server, one in pairs:
            yield server, one
            one.end_well(self)

    def enterContext(self, context): # unittest has it since Python 3.11
        value = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return value

    def tells(self, one, rows):
        """These errors, each with its text, in this order, and no other."""
        found = re.findall(r"^error (\d+) (.*?), HTTP", "\n".join(one.lines),
                           re.M)
        self.assertEqual([f"{name}: {error}" for name, error in rows],
                         [f"{name}: {NAMES[int(code)]}" for (name, _),
                          (code, _) in zip(rows, found)])
        self.assertEqual(len(rows), len(found), found[len(rows):])
        for code, words in found:
            self.assertEqual(harness.ERRORS[NAMES[int(code)]], words)


def named(rows):
    return [(name, error) for name, (errors, _) in rows.items()
            for error in ([errors] if isinstance(errors, str) else errors)]


class Answers(OnBoards):
    def test_of_a_list(self):
        def plan(server):
            server.plan("list", *(answer for _, answer in AS_LIST.values()),
                        whole(BODY))
        for _, one in self.boards(plan):
            one.wait("^in sync", seconds=120)
            self.tells(one, [("streaming", "NO_STREAM")] + named(AS_LIST))
            self.assertEqual([("ADDED", "good")], one.told())

    def test_of_a_connection(self):
        hooks = [hook for _, hook in AS_CONNECTION.values()]

        def plan(server):
            server.items = [GOOD]
            server.on_accept = lambda c: c.number <= len(hooks) and \
                hooks[c.number - 1](c)
        for server, one in self.boards(plan):
            one.wait("^in sync", seconds=120)
            self.tells(one, named(AS_CONNECTION) +
                       [("streaming", "NO_STREAM")])
            self.assertEqual(1, len(server.asked("list")))

    def test_of_a_watch(self):
        """From the last good version on, with no list."""
        def plan(server):
            server.items = [GOOD]
            server.plan("watch", *(
                answer(101 + 2 * n) for n, (_, answer) in
                enumerate(AS_WATCH.values())), server._watch)
        last = 101 + 2 * (len(AS_WATCH) - 1)
        for server, one in self.boards(plan):
            one.wait("^in sync")
            mark = one.mark()
            board.until(lambda n=len(AS_WATCH): len(server.asked("watch")) > n,
                        120)
            server.say(changed(last + 9))
            one.wait(f"^MODIFIED  default/good rv {last + 9}", mark)
            self.tells(one, [("streaming", "NO_STREAM")] + named(AS_WATCH))
            self.assertEqual(["100"] + [str(v) for v in
                                        range(101, last + 1, 2)],
                             [r.query["resourceVersion"]
                              for r in server.asked("watch")])
            self.assertEqual(1, len(server.asked("list")))

    def test_framing_lost_twice_at_one_version(self):
        """Then a list, for the same bytes are not asked for for ever."""
        bad = events(b'{"type":"ADDED","object":]}\n')

        def plan(server):
            server.items = [GOOD]
            server.plan("watch", bad, bad, server._watch)
        for server, one in self.boards(plan):
            one.wait("^in sync")
            board.until(lambda s=server: len(s.asked("list")) == 2)
            server.say(changed(201))
            one.wait("^MODIFIED  default/good rv 201")
            self.assertEqual([("ADDED", "good"), ("MODIFIED", "good")],
                             one.told())


class Objects(OnBoards):
    """What is broken in one object costs that object."""

    # Each with a name of its own; a name that is said twice has either error.
    ROWS = {name: (error, known, data.replace(b'"x"', text("x-" + str(n))))
            for n, (name, (error, known, data)) in
            enumerate(JSON.OBJECTS.items()) if name != "name_twice"}

    def test_in_a_list(self):
        """Known by its name, or counted; while one has no name, nothing is
        deleted; the next list, which is whole, does."""
        def plan(server):
            server.plan("list", harness.objects(
                GOOD, *(data for _, _, data in self.ROWS.values()),
                configmap("last", 6)), harness.objects(
                    GOOD, configmap("last", 6), version=200))
            server.plan("watch", events(JSON.GONE, then="end"), server._watch)
        known = [f"x-{n}" for n, (name, _) in enumerate(JSON.OBJECTS.items())
                 if self.ROWS.get(name, (0, False))[1]]
        for _, one in self.boards(plan):
            one.wait("^DELETED .*/" + known[-1])
            self.tells(one, [("streaming", "NO_STREAM")] +
                       [(name, error) for name, (error, _, _)
                        in self.ROWS.items()] + [("the watch", "GONE")])
            self.assertEqual([("ADDED", "good")] +
                             [("TRUNCATED", name) for name in known] +
                             [("ADDED", "last")], one.told()[:len(known) + 2])
            self.assertEqual({("DELETED", name) for name in known},
                             set(one.told()[len(known) + 2:]))

    def test_in_a_watch(self):
        """The version moves on."""
        rows = {name: row for name, row in self.ROWS.items() if row[1] and
                b'"resourceVersion"' in row[2]}

        def plan(server):
            server.items = [GOOD]
            server.plan("watch", events(
                *(b'{"type":"ADDED","object":' + data + b"}\n"
                  for _, _, data in rows.values()), then="reset"),
                        server._watch)
        for server, one in self.boards(plan):
            board.until(lambda s=server: len(s.asked("watch")) == 2)
            self.tells(one, [("streaming", "NO_STREAM")] +
                       [(name, error) for name, (error, _, _)
                        in rows.items()] + [("reset", "CUT")])
            self.assertEqual("105",
                             server.asked("watch")[1].query["resourceVersion"])
            self.assertEqual(1, len(server.asked("list")))

    def test_what_is_legal_is_taken(self):
        """A NUL in a value, deep nesting, a number of 10,000 digits; what is
        larger than the board's largest object by its name, which stands behind
        256 KB, or before a mebibyte of escapes."""
        late = configmap("late", 9)
        late = {"metadata": {"annotations": {"big": "y" * 2 ** 18},
                             **late.pop("metadata")}, **late}
        items = (
            GOOD, configmap("nul", 6, {"k": "a\0b"}),
            text(configmap("deep", 7))[:-1] + b',"x":' + b"[" * 400 +
            b"]" * 400 + b"}",
            text(configmap("digits", 8, metadata={"generation": 8})).replace(
                b'"generation":8', b'"generation":' + b"8" * 10000),
            late, text(configmap("escapes", 10, {"k": "@"})).replace(
                b'"@"', b'"' + b"\\u003c" * 2 ** 20 + b'"'),
            configmap("last", 11))

        def plan(server):
            server.plan("list", harness.objects(*items))
        for _, one in self.boards(plan):
            one.wait("^in sync", seconds=120)
            self.assertEqual(
                [("ADDED", "good"), ("ADDED", "nul"), ("ADDED", "deep"),
                 ("TRUNCATED", "digits"), ("TRUNCATED", "late"),
                 ("TRUNCATED", "escapes"), ("ADDED", "last")], one.told())
            self.tells(one, [("streaming", "NO_STREAM"),
                             ("digits", "TOO_BIG"), ("late", "TOO_BIG"),
                             ("escapes", "TOO_BIG")])


if __name__ == "__main__":
    tap.main()

# SPDX-License-Identifier: Apache-2.0
"""test_deadlines.py - servers that close, reset, stall, or drip, in each phase
of a connection, before the program with short deadlines (see e2e.mk)."""

import socket
import ssl
import time
import unittest

import harness
import tap
from harness import (configmap, drips, event, events, head, list_body, objects,
                     once, raw, side_by_side, text, watch)
from program import GATEWAY

BODY = list_body(configmap("a", 5), configmap("b", 6))


def short(name):
    """A deadline of the short build, in seconds."""
    with open("tests/e2e/e2e.mk", encoding="ascii") as f:
        return int(f.read().split(f" {name}=")[1].split()[0]) / 1000


def hello_then(connection, then):
    """Reads the client's hello, then that."""
    connection.plain.recv(4096)
    then()
    return True


def drip_handshake(connection):
    """The server's own flight, a byte at a time."""
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = connection.server.context.wrap_bio(into, out, server_side=True)
    into.write(connection.plain.recv(4096))
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    for byte in out.read():
        connection.send(bytes([byte]))
        if connection.pause(0.1):
            return True
    return True


def healing(server, count, hook):
    """The first connections get this, all others are served."""
    def on_accept(connection):
        return hook(connection) if connection.number <= count else False
    server.on_accept = on_accept
    server.items = [configmap("a", 5)]


@side_by_side
class Connecting(unittest.TestCase):
    def heals(self, hook, code, words=""):
        with harness.Server() as server:
            healing(server, 1, hook)
            with watch(server) as k:
                k.fails(code, words)
                k.line_with("ADDED     default/a")
                k.wait_status(lambda s: s["last_error"] is None)

    def test_refused_until_it_listens(self):
        with harness.Server() as server:
            server.items = [configmap("a", 5)]
            port = server.listener.getsockname()[1]
            free = socket.create_server(("127.0.0.1", 0))
            other = free.getsockname()[1]
            free.close()
            server.port = other
            config = server.kubeconfig()
            server.port = port
            with watch(server, kubeconfig=config) as k:
                k.fails("REFUSED", "is the API server running")
                server.move(other)
                k.line_with("ADDED     default/a")

    def test_name_that_does_not_resolve(self):
        with harness.Server() as server:
            config = server.kubeconfig(host="no-such-host.invalid")
            with watch(server, kubeconfig=config) as k:
                k.fails("NAME", "DNS", 40)

    def test_stalled_connect(self):
        """Nobody accepts and the queue is full: SYN goes unanswered."""
        full = socket.create_server(("127.0.0.1", 0), backlog=0)
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        try:
            with harness.Server() as server:
                server.items = [configmap("a", 5)]
                own, server.port = server.port, address[1]
                config = server.kubeconfig()
                server.port = own
                begun = time.monotonic()
                with watch(server, kubeconfig=config) as k:
                    k.error_with(harness.ERRORS["TIMEOUT"])
                    self.assertGreater(time.monotonic() - begun,
                                       short("CONNECT"))
                    self.assertLess(k.cpu_seconds(), 2)
                    full.close()
                    for one in waiting:
                        one.close()
                    server.move(address[1])
                    k.line_with("ADDED     default/a")
        finally:
            full.close()
            for one in waiting:
                one.close()

    def test_closed_before_the_handshake(self):
        self.heals(lambda c: True, "CLOSED")

    def test_closed_in_the_handshake(self):
        self.heals(lambda c: hello_then(c, lambda: None), "CLOSED")

    def test_reset_in_the_handshake(self):
        def reset(connection):
            connection.plain.recv(4096)
            connection.reset()
        self.heals(reset, "CLOSED")

    def test_stalled_handshake(self):
        self.heals(lambda c: hello_then(c, lambda: c.pause(30)), "TIMEOUT")

    def test_dripping_handshake(self):
        self.heals(drip_handshake, "TIMEOUT")

    def test_words_in_place_of_a_handshake(self):
        self.heals(lambda c: hello_then(c, lambda: c.send(b"go away\r\n" * 9)),
                   "TLS")

    def test_waits_grow_between_attempts(self):
        begun = []

        def close(_):
            begun.append(time.monotonic())
            return True
        with harness.Server(on_accept=close) as server:
            with watch(server) as k:
                harness.wait_for(lambda: len(begun) > 6, 30)
                waits = [b - a for a, b in zip(begun, begun[1:])]
                for least, seen in zip((.1, .2, .4, .8, .8, .8), waits):
                    self.assertGreater(seen, least * 0.98, waits)
                self.assertLess(k.cpu_seconds(), 3)

    def test_once_gives_up_after_its_timeout(self):
        with harness.Server(on_accept=lambda c: hello_then(
                c, lambda: c.pause(30))) as server:
            begun = time.monotonic()
            code, out, err = once(server, "--timeout", "2")
            self.assertEqual((4, ""), (code, out), err)
            self.assertIn("not in sync after 2 seconds", err)
            self.assertLess(time.monotonic() - begun, 28)


@side_by_side
class Head(unittest.TestCase):
    """Between a request and the header of its answer."""

    def heals(self, answer, code, kind="list", words=""):
        with harness.Server() as server:
            server.items = [configmap("a", 5)]
            server.plan(kind, answer, getattr(server, "_" + kind))
            with watch(server) as k:
                k.fails(code, words)
                server.say(event("MODIFIED", configmap("a", 101)))
                k.line_with("MODIFIED  default/a")
            self.assertLessEqual(len(server.asked("list")), 2)
            self.assertEqual(1, len({r.query["resourceVersion"] for r in
                                     server.asked("watch")}))

    def test_list_closed(self):
        # The connection had served the stream's refusal: asked once more at
        # once, as it may have been closed for its age.
        with harness.Server() as server:
            server.items = [configmap("a", 5)]
            server.plan("list", raw(b""), server._list)
            with watch(server) as k:
                k.line_with("ADDED     default/a")
                state = k.wait_status(lambda s: s["synced"])
                self.assertEqual({"NO_STREAM": 1}, state["errors"])

    def test_list_closed_in_its_header(self):
        self.heals(raw(head()[:30]), "CLOSED")

    def test_list_reset(self):
        self.heals(raw(head()[:30], "reset"), "CLOSED")

    def test_list_stalled(self):
        self.heals(raw(b"", "hold"), "TIMEOUT")

    def test_list_stalled_in_its_header(self):
        self.heals(raw(head()[:30], "hold"), "TIMEOUT")

    def test_list_drips(self):
        self.heals(drips(b"HTTP/1.1 200 OK\r\nX: ", b"x"), "TIMEOUT")

    def test_watch_closed_in_its_header(self):
        self.heals(raw(head()[:30]), "CLOSED", "watch")

    def test_watch_stalled(self):
        self.heals(raw(b"", "hold"), "TIMEOUT", "watch")

    def test_watch_drips(self):
        self.heals(drips(b"HTTP/1.1 200 OK\r\nX: ", b"x"), "TIMEOUT", "watch")

    def test_refusal_without_its_body(self):
        """The status is known; the words never come."""
        for kind in ("application/json", "text/plain"):
            with self.subTest(kind=kind):
                self.heals(raw(head(503, kind, length=300), "hold"), "SERVER",
                           words="(HTTP 503)")

    def test_refusal_that_drips(self):
        self.heals(drips(head(503, "application/json", length=3000)), "SERVER")
        self.heals(drips(head(503, "text/plain", length=3000) + b"sorry, ",
                         b"."), "SERVER", words="(HTTP 503): sorry, ...")

    def test_html_that_stalls(self):
        self.heals(raw(head(200, "text/html", chunked=True) +
                       harness.chunk(b"<html>"), "hold"), "HTTP_TYPE",
                   words="(HTTP 200): <html>")


@side_by_side
class Lists(unittest.TestCase):
    def heals(self, answer, code, most=20):
        with harness.Server() as server:
            server.plan("list", answer, objects(configmap("a", 5),
                                                configmap("b", 6)))
            begun = time.monotonic()
            with watch(server) as k:
                k.fails(code)
                k.line_with("ADDED     default/b")
                k.wait_status(lambda s: s["synced"] and s["complete"])
                k.no_more_lines(0.1)
            self.assertEqual(2, len(server.asked("list")))
            self.assertLess(time.monotonic() - begun, most)

    def test_closed(self):
        self.heals(raw(head(length=len(BODY)) + BODY[:-50]), "CUT")

    def test_cut_without_a_word(self):
        self.heals(raw(head(length=len(BODY)) + BODY[:-50], "cut"), "CUT")

    def test_closed_without_length(self):
        self.heals(raw(head() + BODY[:-50]), "CUT")

    def test_reset(self):
        self.heals(raw(head(length=len(BODY)) + BODY[:-50], "reset"), "CUT")

    def test_stalled_after_the_header(self):
        self.heals(raw(head(length=len(BODY)), "hold"), "TIMEOUT")

    def test_stalled_in_an_object(self):
        self.heals(raw(head(length=len(BODY)) + BODY[:-50], "hold"), "TIMEOUT")

    def test_stalled_before_its_end(self):
        self.heals(raw(head(length=len(BODY)) + BODY[:-3], "hold"), "TIMEOUT")

    def test_dripping_object(self):
        item = text(configmap("a", 5))
        self.heals(drips(head(chunked=True) + harness.chunk(
            b'{"items":[' + item[:-3]), b"x", as_chunks=True), "TIMEOUT")

    def test_dripping_blanks(self):
        self.heals(drips(head(chunked=True) + harness.chunk(b'{"items":['),
                         as_chunks=True), "TIMEOUT")

    def test_slow_but_whole_objects_are_waited_for(self):
        def slowly(connection, _):
            connection.send(head(chunked=True) + harness.chunk(
                b'{"metadata":{"resourceVersion":"9"},"items":['))
            for i in range(5):
                connection.send(harness.chunk(
                    (b"," if i else b"") + text(configmap(f"n{i}", 5))))
                connection.pause(0.9)
            connection.send(harness.chunk(b"]}") + b"0\r\n\r\n")
        with harness.Server() as server:
            server.plan("list", slowly)
            with watch(server) as k:
                k.line_with("default/n4")
                state = k.wait_status(lambda s: s["synced"])
                self.assertEqual({"NO_STREAM": 1}, state["errors"])
            self.assertEqual(1, len(server.asked("list")))


@side_by_side
class Streams(unittest.TestCase):
    """A streaming list that gets nowhere: a paged one follows."""

    def falls_back(self, answer, code):
        with harness.Server() as server:
            server.items = [configmap("a", 5)]
            server.plan("stream", answer)
            with watch(server) as k:
                k.fails(code)
                k.line_with("ADDED     default/a")
                server.say(event("MODIFIED", configmap("a", 101)))
                k.line_with("MODIFIED  default/a")
            self.assertEqual(1, len(server.asked("list")))
            return len(server.asked("stream"))

    def test_stalled(self):
        self.assertEqual(1, self.falls_back(events(
            event("ADDED", configmap("a", 5))), "TIMEOUT"))

    def test_ends_before_its_mark(self):
        self.assertEqual(1, self.falls_back(events(
            event("ADDED", configmap("a", 5)), then="end"), "NO_STREAM"))

    def test_an_ordinary_bookmark(self):
        self.assertEqual(1, self.falls_back(events(
            event("ADDED", configmap("a", 5)), harness.bookmark(50)),
            "NO_STREAM"))

    def test_cut_twice(self):
        self.assertEqual(2, self.falls_back(events(
            event("ADDED", configmap("a", 5)), then="reset"), "CUT"))

    def test_whole(self):
        with harness.Server() as server:
            server.plan("stream", events(
                event("ADDED", configmap("a", 5)),
                harness.bookmark(50, initial_end=True),
                event("MODIFIED", configmap("a", 51)), then="reset"))
            with watch(server) as k:
                self.assertIn("ADDED     default/a", k.line())
                self.assertIn("MODIFIED  default/a", k.line())
                asked = server.wait_asked("watch")
                self.assertEqual("51", asked[0].query["resourceVersion"])
            self.assertEqual((1, 0), (len(server.asked("stream")),
                                      len(server.asked("list"))))


@side_by_side
class Watches(unittest.TestCase):
    def resumes(self, answer, code, version="101"):
        """After an event at that version; with no list."""
        with harness.Server() as server:
            server.items = [configmap("a", 5)]
            server.plan("watch", answer, server._watch)
            with watch(server) as k:
                k.line_with("MODIFIED  default/a  rv 101")
                k.fails(code)
                server.say(event("MODIFIED", configmap("a", 102)))
                self.assertIn("rv 102", k.line())
                self.assertLess(k.cpu_seconds(), 3)
            asked = server.asked("watch")
            self.assertEqual(["100", version],
                             [r.query["resourceVersion"] for r in asked[:2]])
            self.assertEqual(1, len(server.asked("list")))
            return asked[1].when - asked[0].when

    def test_closed(self):
        self.resumes(events(event("MODIFIED", configmap("a", 101)),
                            then="close"), "CUT")

    def test_cut_without_a_word(self):
        self.resumes(events(event("MODIFIED", configmap("a", 101)),
                            then="cut"), "CUT")

    def test_reset(self):
        self.resumes(events(event("MODIFIED", configmap("a", 101)),
                            then="reset"), "CUT")

    def test_stalled(self):
        lasted = self.resumes(events(event("MODIFIED", configmap("a", 101))),
                              "TIMEOUT")
        self.assertGreater(lasted, short("IDLE"))

    def test_stalled_in_an_event(self):
        self.resumes(events(event("MODIFIED", configmap("a", 101)),
                            event("MODIFIED", configmap("a", 102))[:50]),
                     "TIMEOUT")

    def test_dripping_blanks_are_no_progress(self):
        self.resumes(drips(head(chunked=True) + harness.chunk(
            event("MODIFIED", configmap("a", 101))), as_chunks=True),
                     "TIMEOUT")

    def test_dripping_event(self):
        start = event("MODIFIED", configmap("a", 101, {"k": "y" * 900}))
        self.resumes(drips(head(chunked=True) + harness.chunk(
            start + start[:90]), b"y", as_chunks=True), "TIMEOUT")

    def test_bookmarks_keep_it_and_move_its_version(self):
        with harness.Server() as server:
            server.items = [configmap("a", 5)]

            def marks(connection, _):
                connection.send(head(chunked=True))
                for i in range(8):
                    connection.send(harness.chunk(harness.bookmark(200 + i)))
                    if connection.pause(0.7):
                        break
                connection.reset()
            server.plan("watch", marks, server._watch)
            with watch(server) as k:
                asked = server.wait_asked("watch", 2)
                self.assertGreater(asked[1].when - asked[0].when, 5.5)
                self.assertEqual("207", asked[1].query["resourceVersion"])
                state = k.wait_status(lambda s: s["errors"].get("CUT"))
                self.assertEqual({"NO_STREAM": 1, "CUT": 1}, state["errors"])

    def test_a_clean_end_at_once_is_an_error_with_waits(self):
        with harness.Server() as server:
            server.items = [configmap("a", 5)]
            server.plan("watch", events(then="end"))
            with watch(server) as k:
                k.fails("SHORT_WATCH")
                asked = server.wait_asked("watch", 5, 30)
                waits = [b.when - a.when for a, b in zip(asked, asked[1:])]
                for least, seen in zip((.1, .2, .4, .8), waits):
                    self.assertGreater(seen, least * 0.98, waits)
            self.assertEqual(1, len(server.asked("list")))

    def test_ends_at_once_with_sigterm_wherever_it_is(self):
        for kind, answer in (("stream", raw(b"", "hold")),
                             ("list", raw(head(length=9), "hold")),
                             ("watch", events()),
                             ("stream", harness.refusal(403))):
            with self.subTest(kind=kind), harness.Server() as server:
                server.plan(kind, answer)
                k = watch(server, binary=GATEWAY)
                server.wait_asked(kind)
                time.sleep(0.2)
                self.assertEqual(0, k.end())


@side_by_side
class Single(unittest.TestCase):
    """Requests beside the watch, and the question what a resource is."""

    def discovery(self, answer, words, seconds="3"):
        with harness.Server() as server:
            server.plan("get", answer)
            code, out, err = harness.program.run(
                "watch", "widgets.test.example", "--once", "--timeout",
                seconds, "--kubeconfig", server.kubeconfig(),
                program=harness.SHORT)
            self.assertEqual("", out)
            self.assertIn(words, err)
            self.assertLess(len(server.requests), 8)
            return code

    def test_discovery_stalled(self):
        self.assertEqual(4, self.discovery(raw(b"", "hold"), "no progress"))

    def test_discovery_stalled_in_its_body(self):
        self.assertEqual(4, self.discovery(raw(head(
            length=100) + b'{"kind":', "hold"), "no progress"))

    def test_discovery_reset(self):
        self.assertEqual(4, self.discovery(raw(head(
            length=100) + b'{"kind":', "reset"), "before it was complete"))

    def test_discovery_of_nonsense(self):
        self.assertEqual(4, self.discovery(harness.whole(b'{"kind":]}'),
                                           "JSON"))
        self.assertEqual(4, self.discovery(harness.words(
            200, b"<html>", "text/html"), "not JSON"))

    def test_discovery_refused(self):
        self.assertEqual(5, self.discovery(harness.refusal(403), "403"))
        self.assertEqual(6, self.discovery(harness.refusal(404), "no resource"))

    def test_a_stalled_probe_does_not_disturb_the_watch(self):
        """No event, no bookmark: a doubt; its answer never comes."""
        with harness.Server() as server:
            server.items = [configmap("a", 5)]
            server.plan("probe", raw(b"", "hold"))

            def quiet(connection, _):
                connection.send(head(chunked=True))
                connection.pause(3)
                connection.send(harness.chunk(
                    event("MODIFIED", configmap("a", 101))))
                connection.hold()
            server.plan("watch", quiet)
            with watch(server) as k:
                k.line_with("MODIFIED  default/a")
                self.assertEqual(1, len(server.asked("probe")))
                self.assertEqual(1, len(server.asked("watch")))


if __name__ == "__main__":
    tap.main()

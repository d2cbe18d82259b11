# SPDX-License-Identifier: Apache-2.0
"""test_server_errors.py - what servers answer when they cannot: 429 and 5xx in
every form, of lists, streams and watches, as answers and as events; versions
too large; kinds that go away. What it costs: no list where none is needed."""

import email.utils
import time
import unittest

import harness
import tap
from harness import (bookmark, configmap, event, events, head, raw, refusal,
                     side_by_side, status_body, watch, whole, words)

TOO_OLD = event("ERROR", {"kind": "Status", "metadata": {}, "code": 410,
                          "reason": "Expired", "message": "too old"})
BUSY = b"Too many requests, please try again later.\n"


def error(code, reason, message="no", **details):
    """An ERROR event in an answer of its own, and the watch's clean end."""
    said = harness.json.loads(status_body(code, reason, message, **details))
    return events(event("ERROR", {**said, "metadata": {}}), then="end")


def too_large(causes=True):
    """causes: newer servers give a reason beside the words."""
    details = {"causes": [{"reason": "ResourceVersionTooLarge",
                           "message": "Too large resource version"}]}
    return dict(code=504, reason="Timeout",
                message="Timeout: Too large resource version: 500, current: 7",
                **(details if causes else {}), retryAfterSeconds=1)


def versions(requests):
    return [r.query.get("resourceVersion") for r in requests]


def stream_of(version, *more, name="a", then="hold"):
    return events(event("ADDED", configmap(name, 5)),
                  bookmark(version, initial_end=True), *more, then=then)


@side_by_side
class OfWatches(unittest.TestCase):
    """The version is still good: it is watched from again, without a list."""

    def resumes(self, *answers, code, seconds=20):
        with harness.Server() as server:
            server.items = [configmap("a", 5)]
            server.plan("watch", *answers, server._watch)
            with watch(server) as k:
                k.line_with("ADDED     default/a")
                k.fails(code, seconds=seconds)
                asked = server.wait_asked("watch", len(answers) + 1, seconds)
                server.say(event("MODIFIED", configmap("a", 101)))
                k.line_with("MODIFIED  default/a")
                state = k.wait_status(lambda s: s["last_error"] is None)
                self.assertEqual(0, state["counters"]["relists"])
            self.assertEqual(1, len(server.asked("list")), server.requests)
            self.assertEqual({"100"}, set(versions(asked)))
            return [b.when - a.when for a, b in zip(asked, asked[1:])]

    def test_429_of_flow_control_is_text(self):
        gaps = self.resumes(words(429, BUSY, "text/plain; charset=utf-8",
                                  Retry_After="1"), code="BUSY")
        self.assertGreater(gaps[0], 0.95)

    def test_429_without_a_time_waits_longer_each_time(self):
        gaps = self.resumes(*[words(429, BUSY)] * 3, code="BUSY")
        for least, seen in zip((.1, .2, .4), gaps):
            self.assertGreater(seen, least * 0.98, gaps)

    def test_429_with_a_date(self):
        """The date is the server's clock's, whatever ours says."""
        there = time.time() + 86400
        date = email.utils.formatdate(there, usegmt=True)
        later = email.utils.formatdate(there + 3, usegmt=True)
        gaps = self.resumes(words(429, BUSY, Date=date, Retry_After=later),
                            code="BUSY")
        self.assertGreater(gaps[0], 1.95)
        self.assertLess(gaps[0], 15)

    def test_503_with_a_time(self):
        gaps = self.resumes(words(503, b"etcd is away\n", Retry_After="1"),
                            code="SERVER")
        self.assertGreater(gaps[0], 0.95)

    def test_429_of_a_server_that_leaves(self):
        """Its watches end, and it closes what it refuses."""
        leaves = raw(head(429, length=len(BUSY), kind="text/plain",
                          Retry_After="1", Connection="close") + BUSY)
        gaps = self.resumes(leaves, leaves, code="BUSY")
        self.assertGreater(min(gaps), 0.95)

    def test_500_502_503_504(self):
        self.resumes(refusal(500, "InternalError", "leader changed"),
                     words(502, b"<html>bad gateway</html>", "text/html"),
                     words(503, b"upstream is away"),
                     refusal(504, "Timeout", "request timed out"),
                     code="SERVER")

    def test_429_as_an_event(self):
        self.resumes(error(429, "TooManyRequests", "come later"), code="BUSY")

    def test_500_as_an_event(self):
        self.resumes(error(500, "InternalError", "etcd is away"),
                     code="SERVER")

    def test_504_as_an_event(self):
        self.resumes(error(504, "Timeout", "took too long"), code="SERVER")

    def test_a_kind_that_went_away_comes_back(self):
        """Its objects stay; it is asked for slowly."""
        with harness.Server() as server:
            server.items = [configmap("a", 5)]
            server.plan("watch", words(404, b"404 page not found\n"),
                        words(404, b"404 page not found\n"), server._watch)
            with watch(server) as k:
                k.line_with("ADDED     default/a")
                k.fails("NO_RESOURCE")
                asked = server.wait_asked("watch", 3)
                self.assertGreater(asked[1].when - asked[0].when, 1.4)
                server.say(event("MODIFIED", configmap("a", 101)))
                k.line_with("MODIFIED  default/a")
                k.no_more_lines(0.1)
            self.assertEqual(1, len(server.asked("list")))

    def test_what_cannot_be_watched_is_told(self):
        with harness.Server() as server:
            server.items = [configmap("a", 5)]
            server.plan("watch", refusal(405, "MethodNotAllowed",
                                         "no watch of this"))
            with watch(server) as k:
                k.line_with("ADDED     default/a")
                k.fails("METHOD", "no watch of this")
                asked = server.wait_asked("watch", 3)
                self.assertGreater(asked[2].when - asked[1].when, 1.4)
            self.assertEqual(1, len(server.asked("list")))

    def test_a_time_too_long_is_capped(self):
        with harness.Server() as server:
            server.items = [configmap("a", 5)]
            server.plan("watch", words(429, BUSY, Retry_After="99999999"))
            with watch(server) as k:
                k.line_with("ADDED     default/a")
                state = k.wait_status(lambda s: s["retry_ms"] > 1000)
                self.assertLessEqual(state["retry_ms"], 240000)


@side_by_side
class OfLists(unittest.TestCase):
    """Asked for again after a wait; a stream that was busy is no refusal of
    streams."""

    def begins(self, kind, *answers, code):
        with harness.Server() as server:
            server.items = [configmap("a", 5)]
            server.plan(kind, *answers, stream_of(100) if kind == "stream"
                        else server._list)
            with watch(server) as k:
                k.fails(code)
                k.line_with("ADDED     default/a")
                k.wait_status(lambda s: s["synced"] and s["complete"])
            return server

    def test_cache_that_is_being_filled(self):
        busy = refusal(429, "TooManyRequests", "storage is (re)initializing",
                       Retry_After="1")
        server = self.begins("stream", busy, busy, code="BUSY")
        self.assertEqual([], server.asked("list"))
        asked = server.asked("stream")
        self.assertEqual(3, len(asked))
        self.assertGreater(asked[1].when - asked[0].when, 0.95)

    def test_stream_that_fails_is_asked_for_again(self):
        server = self.begins("stream", words(503, b"away"), code="SERVER")
        self.assertEqual((2, 0), (len(server.asked("stream")),
                                  len(server.asked("list"))))

    def test_list_that_fails(self):
        server = self.begins("list", refusal(500, "InternalError", "no"),
                             words(429, BUSY, Retry_After="1"),
                             words(504, b"timed out"), code="SERVER")
        self.assertEqual(4, len(server.asked("list")))

    def test_too_large_without_a_cause(self):
        """Servers of 1.17 and 1.18 say it in words alone."""
        said = too_large(causes=False)
        code = said.pop("code")
        with harness.Server() as server:
            server.items = [configmap("a", 5)]
            server.plan("list", server._list,
                        whole(status_body(code, **said), code), server._list)
            server.plan("watch", events(TOO_OLD, then="end"), server._watch)
            with watch(server) as k:
                k.line_with("ADDED     default/a")
                k.fails("VERSION_AHEAD")
                server.wait_asked("watch", 2)
            self.assertEqual([None, "100", None],
                             versions(server.asked("list")))

    def test_too_large_inside_a_stream(self):
        """A real server answers 200, waits, and says it by an event. What it
        holds then is listed and compared by its bytes; streams go on after."""
        with harness.Server() as server:
            server.items, server.version = [configmap("a", 5)], 7
            server.plan("stream", stream_of(100, TOO_OLD, then="end"),
                        error(**too_large()), stream_of(11))
            server.plan("watch", events(bookmark(9), TOO_OLD, then="end"))
            with watch(server) as k:
                k.line_with("ADDED     default/a")
                k.fails("VERSION_AHEAD")
                asked = server.wait_asked("stream", 3)
                k.wait_status(lambda s: s["versions"]["stored"] == "11")
                k.no_more_lines(0.1)
            self.assertEqual([None, "100", "9"], versions(asked))
            self.assertEqual([None], versions(server.asked("list")))

    def test_too_old_inside_a_stream(self):
        gone = error(410, "Expired", "too old resource version: 1 (9)")
        with harness.Server() as server:
            server.plan("stream", gone, stream_of(100))
            with watch(server) as k:
                k.fails("GONE")
                k.line_with("ADDED     default/a")
            self.assertEqual([None, None], versions(server.asked("stream"))[:2])


if __name__ == "__main__":
    tap.main()

# SPDX-License-Identifier: Apache-2.0
"""test_requests.py - what the program asks a server for, in which order, and
from which version; and what it makes of answers that are not broken at all."""

import re
import socket
import unittest

import harness
import program
import tap
from harness import (bookmark, configmap, event, events, objects, raw, refusal,
                     side_by_side, uid_of, watch, whole)

MAPS = "/api/v1/configmaps"


def gone(message="too old resource version"):
    return event("ERROR", {"kind": "Status", "apiVersion": "v1",
                           "metadata": {}, "status": "Failure",
                           "message": message, "reason": "Expired",
                           "code": 410})


def too_large():
    return whole(harness.status_body(
        504, "Timeout", "Too large resource version: 500, current: 7",
        causes=[{"reason": "ResourceVersionTooLarge",
                 "message": "Too large resource version"}],
        retryAfterSeconds=1), 504)


def page(token, *items, version=100):
    return objects(*items, version=version, meta={"continue": token})


def lists(server):
    """Version, match and token of each list."""
    return [tuple(r.query.get(k) for k in ("resourceVersion",
                                           "resourceVersionMatch", "continue"))
            for r in server.asked("list")]


@side_by_side
class Sent(unittest.TestCase):
    def test_header_and_query(self):
        with harness.Server() as server:
            server.items = [configmap("a", 5)]
            with watch(server) as k:
                k.line_with("ADDED     default/a")
                server.wait_asked("watch")
            stream, paged, last = server.requests[:3]
            for r in server.requests:
                self.assertRegex(r.line, r"^GET [!-~]+ HTTP/1\.1$")
                self.assertEqual({"host", "user-agent", "accept",
                                  "authorization"}, set(r.headers))
                self.assertEqual(f"127.0.0.1:{server.port}", r.headers["host"])
                self.assertRegex(r.headers["user-agent"], r"^kinformer/\d")
                self.assertEqual("application/json", r.headers["accept"])
                self.assertEqual(MAPS, r.path)
            seconds = {int(r.query.pop("timeoutSeconds"))
                       for r in (stream, last)}
            self.assertTrue(all(300 <= s < 600 for s in seconds), seconds)
            self.assertEqual(
                {"watch": "1", "allowWatchBookmarks": "true",
                 "sendInitialEvents": "true",
                 "resourceVersionMatch": "NotOlderThan"}, stream.query)
            self.assertEqual({"limit": "500"}, paged.query)
            self.assertEqual({"watch": "1", "allowWatchBookmarks": "true",
                              "resourceVersion": "100"}, last.query)
            self.assertEqual(1, server.connections)

    def test_selectors_are_percent_encoded(self):
        labels, fields = "app in (web,db),tier!=b", "metadata.name=a&b=c%d é+"
        with harness.Server() as server:
            with watch(server, "-l", labels, "--field-selector", fields):
                server.wait_asked("watch")
            for r in server.requests:
                self.assertEqual(labels, r.query["labelSelector"])
                self.assertEqual(fields, r.query["fieldSelector"])

    def test_path_prefix_and_namespace(self):
        with harness.Server() as server:
            config = server.kubeconfig(prefix="/k8s/clusters/c-1")
            with watch(server, "cm", "-n", "team-a", kubeconfig=config):
                server.wait_asked("watch")
            self.assertEqual(
                {"/k8s/clusters/c-1/api/v1/namespaces/team-a/configmaps"},
                {r.path for r in server.requests})

    def test_ipv6(self):
        try:
            server = harness.Server(family=socket.AF_INET6)
        except OSError as error:
            self.skipTest(f"no ::1 here: {error}")
        with server:
            server.items = [configmap("a", 5)]
            with watch(server, kubeconfig=server.kubeconfig(
                    host="[::1]")) as k:
                k.line_with("ADDED     default/a")
            self.assertEqual(f"[::1]:{server.port}",
                             server.requests[0].headers["host"])


    def test_spread_is_how_long_a_fleet_waits_after_a_lost_connection(self):
        def lasts(connection, _):
            connection.send(harness.head(chunked=True))
            connection.pause(2) # longer than any backoff of this program
            connection.close()
        with harness.Server() as server:
            server.plan("watch", lasts)
            with watch(server, "--spread", "86400") as k:
                # Up to a day, and hardly ever less than this; without the
                # option never more than a second.
                k.wait_status(lambda s: s["retry_ms"] > 2000)


@side_by_side
class Pages(unittest.TestCase):
    def test_each_page_by_its_token(self):
        token = "eyJ2IjoibWV0YS5rOHMuaW8vdjEi+/ =&%"
        with harness.Server() as server:
            server.plan("list", page(token, configmap("a", 5)),
                        page("two", configmap("b", 6), version=""),
                        objects(configmap("c", 7), version=""))
            with watch(server) as k:
                self.assertEqual(["a", "b", "c"], [
                    k.line().split()[1][-1] for _ in range(3)])
                asked = server.wait_asked("watch")
                self.assertEqual("100", asked[0].query["resourceVersion"])
            self.assertEqual([(None, None, None), (None, None, token),
                              (None, None, "two")], lists(server))
            self.assertEqual(1, server.connections)

    def test_token_too_old_begins_anew_without_the_fresh_one(self):
        """At once the first time, then after a wait; nothing is told twice."""
        expired = whole(harness.text({
            "kind": "Status", "apiVersion": "v1", "status": "Failure",
            "metadata": {"continue": "inconsistent"}, "reason": "Expired",
            "message": "The provided continue parameter is too old",
            "code": 410}), 410)
        with harness.Server() as server:
            server.plan("list", page("one", configmap("a", 5)), expired,
                        page("two", configmap("a", 5), configmap("b", 6)),
                        expired,
                        objects(configmap("a", 5), configmap("b", 6),
                                configmap("c", 7)))
            with watch(server, "-o", "name") as k:
                self.assertEqual(["default/a", "default/b", "default/c"],
                                 [k.line() for _ in range(3)])
                server.wait_asked("watch")
                k.no_more_lines(0.2)
            self.assertEqual([None, "one", None, "two", None],
                             [x[2] for x in lists(server)])
            asked = server.asked("list")
            self.assertGreater(asked[4].when - asked[3].when, 0.09)

    def test_page_that_fails_is_asked_for_again(self):
        body = harness.list_body(configmap("b", 6))
        for bad in (raw(harness.head(length=len(body)) + body[:-40]),
                    raw(harness.head(length=len(body)) + body[:-40], "reset"),
                    refusal(503, "Unavailable", "not now"),
                    refusal(429, "TooManyRequests", "later")):
            with harness.Server() as server:
                server.plan("list", page("one", configmap("a", 5)), bad,
                            objects(configmap("b", 6)))
                with watch(server, "-o", "name") as k:
                    self.assertEqual(["default/a", "default/b"],
                                     [k.line(), k.line()])
                    server.wait_asked("watch")
                self.assertEqual([None, "one", "one"],
                                 [x[2] for x in lists(server)])

    def test_endless_token_is_told(self):
        with harness.Server() as server:
            server.plan("list", page("x" * 5000, configmap("a", 5)))
            with watch(server) as k:
                k.fails("CONTINUE")
            self.assertLess(len(server.asked("list")), 12)

    def test_deletes_come_when_the_last_page_is_whole(self):
        with harness.Server() as server:
            server.plan("list", objects(configmap("a", 5), configmap("b", 6)),
                        page("one", configmap("c", 107), version=110),
                        refusal(503, "Unavailable", "not now"),
                        objects(configmap("b", 6), version=110))
            server.plan("watch", events(gone(), then="end"), server._watch)
            with watch(server) as k:
                lines = [" ".join(k.line().split()[:2]) for _ in range(4)]
                self.assertEqual(
                    ["ADDED default/a", "ADDED default/b", "ADDED default/c",
                     "DELETED default/a"], lines)
                self.assertEqual("110", server.wait_asked("watch", 2)[1]
                                 .query["resourceVersion"])


@side_by_side
class Versions(unittest.TestCase):
    def test_410_as_an_event_or_as_an_answer(self):
        for answer in (events(gone(), then="end"), events(gone()),
                       refusal(410, "Expired", "too old")):
            with harness.Server() as server:
                server.items = [configmap("a", 5)]
                server.plan("watch", answer, server._watch)
                with watch(server) as k:
                    k.line_with("ADDED     default/a")
                    server.wait_asked("watch", 2)
                    k.wait_status(lambda s: s["synced"] and
                                  s["errors"].get("GONE") and
                                  s["phase"] == "watching")
                    k.no_more_lines(0.1)
                self.assertEqual([(None, None, None),
                                  ("100", "NotOlderThan", None)],
                                 lists(server))

    def test_410_again_waits_and_asks_for_the_newest(self):
        with harness.Server() as server:
            server.items = [configmap("a", 5)]
            server.plan("watch", *[events(gone(), then="end")] * 4,
                        server._watch)
            with watch(server) as k:
                k.line_with("ADDED     default/a")
                server.wait_asked("watch", 5)
                k.no_more_lines(0.1)
            self.assertEqual(
                [(None, None, None), ("100", "NotOlderThan", None)] +
                [(None, None, None)] * 3, lists(server))
            asked = server.asked("list")
            waits = [b.when - a.when for a, b in zip(asked[1:], asked[2:])]
            for least, seen in zip((.1, .2, .4), waits):
                self.assertGreater(seen, least * 0.98, waits)

    def test_version_the_server_has_not_reached(self):
        with harness.Server() as server:
            server.items = [configmap("a", 5)]
            server.plan("list", server._list, too_large(),
                        objects(configmap("a", 3, {"k": "old"}), version=7))
            server.plan("watch", events(gone(), then="end"), events())
            with watch(server) as k:
                k.line_with("ADDED     default/a  rv 5")
                k.line_with("MODIFIED  default/a  rv 3")
                k.fails("VERSION_AHEAD")
                self.assertEqual("7", server.wait_asked("watch", 2)[1]
                                 .query["resourceVersion"])
            self.assertEqual([(None, None, None),
                              ("100", "NotOlderThan", None),
                              (None, None, None)], lists(server))

    def test_versions_are_opaque(self):
        for version in ("abc-42_x", "18446744073709551615", "0x1F"):
            with harness.Server() as server:
                server.version = version
                server.items = [configmap("a", version)]
                server.plan("watch", events(bookmark(version + "1"),
                                            then="reset"), events())
                with watch(server) as k:
                    k.line_with(f"ADDED     default/a  rv {version}")
                    self.assertEqual([version, version + "1"], [
                        r.query["resourceVersion"]
                        for r in server.wait_asked("watch", 2)])

    def test_events_that_change_nothing_or_more_than_they_say(self):
        """An event again; a delete of what is unknown; another uid."""
        new = configmap("a", 104, uid=uid_of("another"))
        with harness.Server() as server:
            server.items = [configmap("a", 5)]
            server.plan("watch", events(
                event("ADDED", configmap("a", 5)),
                event("MODIFIED", configmap("a", 5)),
                event("DELETED", configmap("unknown", 101)),
                event("ADDED", configmap("a", 102)),
                event("MODIFIED", configmap("b", 103)),
                event("ADDED", new), event("DELETED", new)))
            with watch(server) as k:
                self.assertEqual(
                    ["ADDED     default/a  rv 5",
                     "MODIFIED  default/a  rv 102",
                     "ADDED     default/b  rv 103",
                     "DELETED   default/a  rv 102  (missed, last known state)",
                     "ADDED     default/a  rv 104",
                     "DELETED   default/a  rv 104"],
                    [k.line() for _ in range(6)])
                k.no_more_lines(0.2)

    def test_silence_is_doubted_and_only_a_lower_version_lists(self):
        with harness.Server() as server:
            server.items = [configmap("a", 5)]
            server.plan("watch", events()) # no bookmark, ever
            with watch(server) as k:
                server.wait_asked("probe", 2)
                self.assertEqual([None], [x[0] for x in lists(server)])
                server.version = 60
                server.items = [configmap("a", 4, {"k": "restored"})]
                k.line_with("MODIFIED  default/a  rv 4")
                k.fails("BACK_IN_TIME")
                server.wait_asked("list", 2)
            self.assertEqual([(None, None, None)] * 2, lists(server))
            probes = server.asked("probe")
            for one in probes:
                self.assertIn("as=PartialObjectMetadataList",
                              one.headers["accept"])
                self.assertNotIn("resourceVersion", one.query)
            waits = [b.when - a.when for a, b in zip(probes, probes[1:])]
            self.assertGreater(min(waits), 2.9) # short PROBE_MS


if __name__ == "__main__":
    tap.main()

# SPDX-License-Identifier: Apache-2.0
"""test_bad_json.py - broken JSON, broken objects, unusual objects, and objects
for which there is no room: the lines of 'What bad input gets' about them."""

import json
import re
import threading
import time
import unittest

import harness
import program
import tap
from harness import (bookmark, configmap, event, events, head, list_body,
                     objects, once, raw, refusal, side_by_side, text, uid_of,
                     watch)

GONE = event("ERROR", {"kind": "Status", "apiVersion": "v1", "metadata": {},
                       "status": "Failure", "reason": "Expired", "code": 410,
                       "message": "too old resource version: 100 (200)"})


def asked_versions(requests):
    return [r.query.get("resourceVersion") for r in requests]


@side_by_side
class Framing(unittest.TestCase):
    """JSON that is cut, or broken so that objects cannot be told apart."""

    def test_list_cut_in_the_middle_of_an_object(self):
        body = list_body(configmap("a", 5), configmap("b", 6))
        with harness.Server() as server:
            server.plan("list", raw(head(length=len(body)) + body[:-60]),
                        objects(configmap("a", 5), configmap("b", 6)))
            with watch(server) as k:
                self.assertIn("default/a", k.line())
                k.fails("CUT")
                self.assertIn("ADDED     default/b", k.line())
                server.wait_asked("watch")
                k.no_more_lines()
            self.assertEqual(2, len(server.asked("list")))

    def test_list_that_ends_whole_but_early(self):
        """A proxy's timeout: the chunks end well, the JSON does not."""
        body = list_body(configmap("a", 5), configmap("b", 6))[:-40]
        with harness.Server() as server:
            server.plan("list", raw(head(length=len(body)) + body, "keep"),
                        objects(configmap("a", 5), configmap("b", 6)))
            with watch(server) as k:
                k.fails("CUT")
                k.line_with("ADDED     default/b")

    def test_list_with_lost_framing(self):
        body = list_body(configmap("a", 5)).replace(b'"items":[', b'"items":]')
        with harness.Server() as server:
            server.plan("list", raw(head(length=len(body)) + body, "keep"),
                        objects(configmap("a", 5)))
            with watch(server) as k:
                k.fails("JSON")
                k.line_with("ADDED     default/a")

    def test_watch_cut_in_an_event_resumes_from_the_last_good_version(self):
        good = event("MODIFIED", configmap("a", 101))
        with harness.Server() as server:
            server.items = [configmap("a", 5)]
            server.plan("watch", events(good, event(
                "MODIFIED", configmap("a", 102))[:-30], then="close"),
                        server._watch)
            with watch(server) as k:
                k.line_with("MODIFIED  default/a  rv 101")
                k.fails("CUT")
                server.say(event("MODIFIED", configmap("a", 102)))
                k.line_with("MODIFIED  default/a  rv 102")
                self.assertEqual(["100", "101"],
                                 asked_versions(server.asked("watch")))
            self.assertEqual(1, len(server.asked("list")))

    def test_framing_lost_twice_at_one_version_lists(self):
        bad = events(event("MODIFIED", configmap("a", 101)),
                     b'{"type":"MODIFIED","object":{"metadata":]}\n')
        again = events(b'{"type":"MODIFIED","object":{"metadata":]}\n')
        with harness.Server() as server:
            server.plan("list", objects(configmap("a", 5)),
                        objects(configmap("a", 103), version=103))
            server.plan("watch", bad, again, server._watch)
            with watch(server) as k:
                k.line_with("MODIFIED  default/a  rv 101")
                k.line_with("MODIFIED  default/a  rv 103")
                asked = server.wait_asked("watch", 3)
                self.assertEqual(["100", "101", "103"], asked_versions(asked))
                state = k.wait_status(lambda s: s["errors"].get("JSON") == 2)
                self.assertEqual(1, state["counters"]["relists"])
            self.assertEqual([None, "101"],
                             asked_versions(server.asked("list")))

    def test_framing_lost_at_different_versions_never_lists(self):
        lost = b'{"type":"MODIFIED"]\n'
        with harness.Server() as server:
            server.items = [configmap("a", 5)]
            server.plan("watch", *[events(
                event("MODIFIED", configmap("a", 101 + i)), lost)
                for i in range(4)], server._watch)
            with watch(server) as k:
                k.line_with("rv 104")
                server.wait_asked("watch", 5)
                k.wait_status(lambda s: s["errors"].get("JSON") == 4)
            self.assertEqual(1, len(server.asked("list")))

    def test_words_between_events(self):
        with harness.Server() as server:
            server.items = [configmap("a", 5)]
            server.plan("watch", events(
                event("MODIFIED", configmap("a", 101)),
                b"<html>Bad Gateway</html>", then="close"), server._watch)
            with watch(server) as k:
                k.fails("JSON")
                self.assertEqual(["100", "101"], asked_versions(
                    server.wait_asked("watch", 2)))

    def test_nothing_between_events_and_blanks_are_fine(self):
        one = event("MODIFIED", configmap("a", 101)).strip()
        two = event("MODIFIED", configmap("a", 102)).strip()
        with harness.Server() as server:
            server.items = [configmap("a", 5)]
            server.plan("watch", events(one + two[:40], two[40:] + b" \r\n\t",
                                        event("DELETED", configmap("a", 103))))
            with watch(server) as k:
                k.line_with("MODIFIED  default/a  rv 101")
                k.line_with("MODIFIED  default/a  rv 102")
                k.line_with("DELETED   default/a")


def broken(name="x", version=105, body=b'"data":{"k":"v"}', meta=b""):
    """An object of which each part can be spoilt."""
    parts = [b'"namespace":"default"']
    if name is not None:
        parts.append(b'"name":' + text(name))
    if version is not None:
        parts.append(b'"resourceVersion":' + text(str(version)))
    parts.append(b'"uid":' + text(uid_of("x")))
    return (b'{"metadata":{' + b",".join(parts) + meta + b"}," + body + b"}")


# What is wrong: the error, and whether the object is known by its name.
OBJECTS = {
    "literal": ("UNREADABLE", True, broken(body=b'"data":{"k":tru}')),
    "number": ("UNREADABLE", True, broken(body=b'"data":{"k":01e}')),
    "comma": ("UNREADABLE", True, broken(body=b'"data":{"k":"v",}')),
    "missing_colon": ("UNREADABLE", True, broken(body=b'"data":{"k" "v"}')),
    "escape": ("UNREADABLE", True, broken(body=rb'"data":{"k":"\q"}')),
    "short_escape": ("UNREADABLE", True, broken(body=rb'"data":{"k":"\u12"}')),
    "not_utf8": ("UNREADABLE", True, broken(body=b'"data":{"k":"\xff\xfe"}')),
    "overlong_utf8": ("UNREADABLE", True, broken(body=b'"data":{"k":"\xc0\xaf"}'
                                                 )),
    "control_byte": ("UNREADABLE", True, broken(body=b'"data":{"k":"a\x01b"}')),
    "no_version": ("UNREADABLE", True, broken(version=None)),
    "no_name": ("NO_IDENTITY", False, broken(name=None)),
    "empty_name": ("NO_IDENTITY", False, broken(name="")),
    "name_not_text": ("NO_IDENTITY", False, broken(name=None,
                                                   meta=b',"name":7')),
    "name_twice": (("UNREADABLE", "NO_IDENTITY"), None,
                   broken(meta=b',"name":"y"')),
    "uid_twice": ("UNREADABLE", True, broken(meta=b',"uid":"other"')),
    "version_twice": ("UNREADABLE", True, broken(
        meta=b',"resourceVersion":"106"')),
    "wrong_kind": ("UNREADABLE", True, broken(
        body=b'"kind":"Secret","apiVersion":"v1"')),
    "no_metadata": ("NO_IDENTITY", False, b'{"data":{"k":"v"}}'),
    "null": ("NO_IDENTITY", False, b"null"),
}


class Objects(unittest.TestCase):
    """One object broken: it costs that object, and the version moves on."""


def one_object(name, codes, known, data):
    codes = (codes,) if isinstance(codes, str) else codes
    # Whose state that was only a list can tell.
    listed = codes == ("NO_IDENTITY",) and data != b"null"

    def told(self, k, *more):
        line = harness.wait_for(
            lambda: next((e for e in k.errors for c in codes + more
                          if harness.ERRORS[c] in e), None), 20,
            lambda: f"{k.errors}")
        if known:
            self.assertIn("default/x", line)
        k.wait_status(lambda s: any(c in s["errors"] for c in codes + more))

    def in_a_watch(self):
        with harness.Server() as server:
            server.items = [configmap("a", 5)]
            server.plan("watch", events(
                event("MODIFIED", configmap("a", 101)),
                b'{"type":"ADDED","object":' + data + b"}\n", then="reset"),
                        server._watch)
            with watch(server) as k:
                k.line_with("MODIFIED  default/a  rv 101")
                told(self, k, "EVENT") # an event without an object
                if known:
                    self.assertIn("TRUNCATED default/x", k.line())
                moved = b'"resourceVersion"' in data
                asked = server.wait_asked("watch", 2)
                if listed:
                    server.wait_asked("list", 2)
                elif known is not None:
                    self.assertEqual(["100", "105" if moved else "101"],
                                     asked_versions(asked))
                server.say(event("MODIFIED", configmap("x", 107)))
                k.line_with("default/x  rv 107")
            self.assertEqual(2 if listed else 1, len(server.asked("list")))

    def in_a_list(self):
        with harness.Server() as server:
            server.plan("list", objects(configmap("a", 5), data,
                                        configmap("z", 6)))
            with watch(server) as k:
                k.line_with("ADDED     default/a")
                if known:
                    self.assertIn("TRUNCATED default/x", k.line())
                k.line_with("ADDED     default/z")
                told(self, k)
                state = k.wait_status(lambda s: s["synced"])
                if known is not None:
                    self.assertEqual(known, state["complete"])
                    self.assertEqual(int(known), state["truncated"])
                server.say(event("MODIFIED", configmap("x", 107)))
                k.line_with("default/x  rv 107")
                k.wait_status(lambda s: s["truncated"] == 0)

    setattr(Objects, f"test_{name}_in_a_watch", in_a_watch)
    setattr(Objects, f"test_{name}_in_a_list", in_a_list)


for NAME, ROW in OBJECTS.items():
    one_object(NAME, *ROW)


def test_events_of_unknown_type_or_without_object(self):
    for bad in (b'{"type":"EXPLODED","object":' + broken() + b"}\n",
                b'{"type":"","object":' + broken() + b"}\n",
                b'{"object":' + broken() + b"}\n"):
        with self.subTest(bad=bad), harness.Server() as server:
            server.items = [configmap("a", 5)]
            server.plan("watch", events(bad, then="reset"), server._watch)
            with watch(server) as k:
                k.line_with("ADDED     default/a")
                k.fails("EVENT")
                self.assertEqual(["100", "105"], asked_versions(
                    server.wait_asked("watch", 2)))
                k.no_more_lines(0.1)
    with harness.Server() as server:
        server.items = [configmap("a", 5)]
        server.plan("watch", events(b'{"type":"ADDED"}\n',
                                    event("MODIFIED", configmap("a", 101))))
        with watch(server) as k:
            k.fails("EVENT")
            k.line_with("MODIFIED  default/a  rv 101")


def test_json_shows_what_is_broken_by_name_only(self):
    with harness.Server() as server:
        server.plan("list", objects(OBJECTS["not_utf8"][2]))
        code, out, err = once(server, "-o", "json")
        self.assertEqual(7, code, err)
        shown = json.loads(out)
        self.assertEqual("unreadable", shown["kinformer"]["truncated"])
        self.assertEqual("x", shown["metadata"]["name"])
        self.assertNotIn("data", shown)


def test_list_with_an_item_without_identity_deletes_nothing(self):
    nameless = broken(name=None)
    with harness.Server() as server:
        server.plan("list", objects(configmap("a", 5), configmap("b", 6)),
                    objects(configmap("a", 5), nameless, configmap("c", 120),
                            version=200),
                    objects(configmap("a", 5), configmap("c", 120),
                            version=300))
        go_on = threading.Event()

        def gone_later(connection, request):
            go_on.wait(20)
            events(GONE, then="end")(connection, request)
        server.plan("watch", events(GONE, then="end"), gone_later,
                    server._watch)
        with watch(server) as k:
            k.line_with("ADDED     default/b")
            k.line_with("ADDED     default/c")
            k.fails("NO_IDENTITY")
            k.no_more_lines()
            state = k.wait_status(lambda s: not s["relisting"])
            self.assertFalse(state["complete"])
            self.assertEqual(3, state["pools"]["entries"]["used"])
            go_on.set() # 410 again, and the next list is whole
            k.line_with("DELETED   default/b")
            k.wait_status(lambda s: s["complete"])
            k.no_more_lines()


for TEST in (test_events_of_unknown_type_or_without_object,
             test_json_shows_what_is_broken_by_name_only,
             test_list_with_an_item_without_identity_deletes_nothing):
    setattr(Objects, TEST.__name__, TEST)
side_by_side(Objects)


@side_by_side
class Unusual(unittest.TestCase):
    """Legal, and taken as it is."""

    def shown(self, item):
        """The line -o json prints for it, in a list and in a watch."""
        with harness.Server() as server:
            server.plan("list", objects(item))
            code, out, err = once(server, "-o", "json", "-q")
            self.assertEqual((0, ""), (code, err))
        with harness.Server() as server:
            server.version = 1
            with watch(server, "-o", "json") as k:
                server.say(event("ADDED", item) if isinstance(item, dict) else
                           b'{"type":"ADDED","object":' + item + b"}")
                self.assertIn(k.line(60).partition('"metadata"')[2],
                              out.rstrip("\n"))
        return out

    def test_nul_and_all_other_escapes(self):
        value = "a\x00b\x01\x1f\"\\/\x7f\b\f\n\r\té漢🎈\u2028"
        out = self.shown(configmap("a", 5, {"k": value}))
        self.assertEqual(value, json.loads(out)["data"]["k"])

    def test_every_byte_as_an_escape(self):
        raw_value = "".join(f"\\u{n:04x}" for n in range(0xd800))
        item = text(configmap("a", 5, {"k": "@"})).replace(
            b'"@"', b'"' + raw_value.encode() + b'"')
        out = self.shown(item)
        self.assertEqual("".join(map(chr, range(0xd800))),
                         json.loads(out)["data"]["k"])

    def test_deep_nesting(self):
        deep = b"[" * 5000 + b'{"a":1}' + b"]" * 5000
        out = self.shown(text(configmap("a", 5))[:-1] + b',"x":' + deep + b"}")
        self.assertIn(deep.decode(), out)

    def test_number_of_10_000_digits(self):
        number = b"-1" + b"7" * 10000 + b".5e+10"
        out = self.shown(text(configmap("a", 5))[:-1] + b',"x":' + number +
                         b"}")
        self.assertIn(number.decode(), out)

    def test_annotations_of_256_kb_before_the_name(self):
        item = configmap("a", 5)
        meta = item.pop("metadata")
        item = {"metadata": {"annotations": {"big": "y" * 2 ** 18}, **meta},
                **item}
        out = self.shown(item)
        self.assertEqual(item["metadata"], json.loads(out)["metadata"])

    def test_a_mebibyte_of_escaped_less_than(self):
        item = text(configmap("a", 5, {"k": "@"})).replace(
            b'"@"', b'"' + b"\\u003c" * 2 ** 20 + b'"')
        out = self.shown(item)
        self.assertEqual("<" * 2 ** 20, json.loads(out)["data"]["k"])

    def test_metadata_after_everything_else(self):
        item = configmap("a", 5)
        meta = item.pop("metadata")
        out = self.shown({"data": {"metadata": "name", "name": "no"},
                          "metadata": {"labels": {"name": "nor this"}, **meta}})
        self.assertEqual("a", json.loads(out)["metadata"]["name"])

    def test_managed_fields_are_dropped_and_nothing_else(self):
        item = configmap("a", 5, metadata={
            "managedFields": [{"manager": "m", "fieldsV1": {"f:data": {}}}],
            "annotations": {"x": "y", "kubectl.kubernetes.io/last-applied-"
                            "configuration": "{\"metadata\":{}}"}})
        shown = json.loads(self.shown(item))
        del item["metadata"]["managedFields"]
        item["metadata"]["annotations"] = {"x": "y"}
        self.assertEqual({"apiVersion": "v1", "kind": "ConfigMap", **item},
                         shown)

    def test_metadata_after_the_items_and_items_null(self):
        late = (b'{"items":[' + text(configmap("a", 5)) +
                b'],"kind":"ConfigMapList","metadata":{"resourceVersion":"9"}}')
        none = (b'{"kind":"ConfigMapList","apiVersion":"v1","metadata":'
                b'{"resourceVersion":"9"},"items":null}')
        for body in (late, none):
            with self.subTest(body=body), harness.Server() as server:
                server.plan("list", harness.whole(body))
                with watch(server) as k:
                    asked = server.wait_asked("watch")
                    self.assertEqual(["9"], asked_versions(asked))


def least_memory(*words):
    _, _, err = program.run("watch", "cm", "--memory", "4096", *words,
                            program=harness.SHORT)
    return int(re.search(r"at least (\d+)", err)[1])


@side_by_side
class Room(unittest.TestCase):
    """Too large, or no place: told, bounded, and repaired without a restart."""

    def test_larger_than_max_object_then_smaller(self):
        big = configmap("a", 5, {"k": "y" * 100000})
        with harness.Server() as server:
            server.items = [configmap("b", 4), big, configmap("c", 6)]
            with watch(server, "--max-object", "64K") as k:
                k.line_with("ADDED     default/b")
                self.assertRegex(k.line(), r"^TRUNCATED default/a  rv 5  "
                                 r"\(larger than --max-object, 100\d{3} bytes")
                k.line_with("ADDED     default/c")
                self.assertIn("default/a", k.fails("TOO_BIG"))
                state = k.wait_status(lambda s: s["synced"])
                self.assertTrue(state["complete"])
                self.assertEqual(1, state["truncated"])
                server.say(event("MODIFIED", configmap("a", 101)))
                self.assertEqual("MODIFIED  default/a  rv 101", k.line())
                k.wait_status(lambda s: s["truncated"] == 0)
                server.say(event("MODIFIED", dict(big, metadata={
                    **big["metadata"], "resourceVersion": "102"})))
                self.assertIn("TRUNCATED default/a  rv 102", k.line())
                server.say(event("DELETED", configmap("a", 103)))
                self.assertIn("DELETED   default/a", k.line())
            self.assertEqual([], server.asked("get"))
        with harness.Server() as server:
            server.items = [big]
            code, out, err = once(server, "--max-object", "64K")
            self.assertEqual(7, code, err)
            self.assertIn("TRUNCATED default/a", out)

    def test_arena_full_and_freed(self):
        """Four of 20 KB where two fit: the others come as others go."""
        items = [configmap(n, 5 + i, {"k": "y" * 20000})
                 for i, n in enumerate("abcd")]
        words = ("--max-object", "24K", "--objects", "50")
        memory = str(least_memory(*words) + 20000)
        with harness.Server() as server:
            server.items = items
            with watch(server, *words, "--memory", memory) as k:
                lines = [k.line() for _ in range(4)]
                whole = [x for x in lines if x.startswith("ADDED")]
                cut = [x.split()[1] for x in lines if "no room" in x]
                self.assertEqual(4, len(whole) + len(cut), lines)
                self.assertGreater(len(whole), 0)
                self.assertGreater(len(cut), 0)
                k.fails("FULL")
                self.assertEqual(len(cut), k.wait_status(
                    lambda s: s["synced"])["truncated"])
                k.no_more_lines(3)
                quiet = len(server.requests)
                self.assertLess(quiet, 6, server.requests)
                gone = whole[0].split()[1].split("/")[1]
                server.items = [i for i in items
                                if i["metadata"]["name"] != gone]
                server.say(event("DELETED", configmap(gone, 101)))
                self.assertIn(f"DELETED   default/{gone}", k.line())
                line = k.line()
                self.assertTrue(line.startswith("MODIFIED  "), line)
                self.assertIn(line.split()[1], cut)
                k.wait_status(lambda s: s["truncated"] == len(cut) - 1)
                k.no_more_lines(2)
            self.assertLess(len(server.requests), quiet + 4, server.requests)
            self.assertEqual(1, len(server.asked("list")))

    def test_more_objects_than_places(self):
        items = [configmap(f"n{i}", 10 + i) for i in range(8)]
        with harness.Server() as server:
            server.items = items
            with watch(server, "--objects", "5") as k:
                self.assertEqual([f"default/n{i}" for i in range(5)],
                                 [k.line().split()[1] for _ in range(5)])
                line = k.fails("DEGRADED", "give more --objects")
                self.assertIn("default/n", line)
                state = k.wait_status(lambda s: s["synced"])
                self.assertTrue(state["degraded"])
                self.assertFalse(state["complete"])
                k.no_more_lines(3)
                self.assertEqual(1, len(server.asked("list")))
                server.say(event("ADDED", configmap("m", 101)))
                k.wait_status(lambda s: s["errors"]["DEGRADED"] == 4)
                k.no_more_lines(0.1)
                server.items = items[4:] + [configmap("m", 101)]
                server.version = 110
                server.say(*[event("DELETED", configmap(f"n{i}", 102 + i))
                             for i in range(4)])
                state = k.wait_status(lambda s: s["complete"])
                self.assertFalse(state["degraded"])
                lines = [k.line() for _ in range(8)]
                self.assertEqual(
                    [("ADDED", f"default/{n}") for n in ("m", "n5", "n6", "n7")]
                    + [("DELETED", f"default/n{i}") for i in range(4)],
                    sorted(tuple(x.split()[:2]) for x in lines))
                k.no_more_lines(1.5)
            self.assertLessEqual(len(server.asked("list")), 4)
        with harness.Server() as server:
            server.items = items
            code, _, err = once(server, "--objects", "3")
            self.assertEqual(7, code, err)

    def test_places_that_come_and_go_cost_few_lists(self):
        """A key goes and another comes, all the time, and none is too many."""
        items = [configmap(f"n{i}", 10 + i) for i in range(8)]
        with harness.Server() as server:
            server.items = items
            with watch(server, "--objects", "5", "-o", "name") as k:
                k.wait_status(lambda s: s["synced"])
                begun = time.monotonic()
                version = 100
                for i in range(40):
                    gone = server.items.pop(0)["metadata"]["name"]
                    new = configmap(f"m{i}", version + 2)
                    server.items.append(new)
                    server.version = version + 2
                    server.say(event("DELETED", configmap(gone, version + 1)),
                               event("ADDED", new))
                    version += 2
                    time.sleep(0.1)
                seconds = time.monotonic() - begun
                lists = len(server.asked("list"))
                self.assertLessEqual(lists, seconds / 1.0 + 2) # REPAIR_MS
                self.assertGreater(lists, 1)
                server.say(*[event("DELETED", configmap(
                    x["metadata"]["name"], version + 1 + i))
                    for i, x in enumerate(server.items[4:])])
                server.items = server.items[:4]
                server.version = version + 10
                state = k.wait_status(lambda s: s["complete"])
                self.assertEqual(4, state["pools"]["entries"]["used"])

    def truncated(self, server, count):
        """Objects of 20 KB where few fit; how many were cut, and k."""
        server.items = [configmap(f"n{i}", 5 + i, {"k": "y" * 20000})
                        for i in range(count)]
        words = ("--max-object", "24K", "--objects", "50")
        memory = str(least_memory(*words) + 20000)
        return watch(server, *words, "--memory", memory)

    def free_one(self, server, k, lines):
        whole = [x for x in lines if x.startswith("ADDED")]
        gone = whole[0].split()[1].split("/")[1]
        server.items = [i for i in server.items
                        if i["metadata"]["name"] != gone]
        server.version = 101
        server.say(event("DELETED", configmap(gone, 101)))
        k.line_with(f"DELETED   default/{gone}")

    def test_many_without_room_are_fetched_by_one_list(self):
        with harness.Server() as server, self.truncated(server, 14) as k:
            lines = [k.line() for _ in range(14)]
            k.wait_status(lambda s: s["synced"])
            self.free_one(server, k, lines)
            self.assertTrue(k.line().startswith("MODIFIED  "))
            k.no_more_lines(4)
            self.assertLessEqual(len(server.asked("list")), 3)
            self.assertEqual([], server.asked("get"))

    def test_what_is_fetched_counts_only_if_it_is_what_was_asked_for(self):
        """Another state, another object, and nonsense are no repair."""
        def other(change):
            def answer(connection, request):
                name = request.path.rsplit("/", 1)[1]
                item = dict(next(i for i in server.items
                                 if i["metadata"]["name"] == name))
                item["metadata"] = {**item["metadata"], **change}
                harness.whole(text({"kind": "ConfigMap", **item}))(
                    connection, request)
            return answer
        for change in ({"resourceVersion": "999"}, {"uid": uid_of("other")},
                       {"name": "other"}, {"namespace": "other"}):
            with self.subTest(change=change), harness.Server() as server, \
                    self.truncated(server, 4) as k:
                lines = [k.line() for _ in range(4)]
                server.plan("get", other(change))
                self.free_one(server, k, lines)
                server.wait_asked("get", 1)
                k.no_more_lines(1)
                self.assertLess(len(server.asked("get")), 8)

    def test_a_fetch_that_fails_is_tried_again_with_waits(self):
        with harness.Server() as server, self.truncated(server, 4) as k:
            lines = [k.line() for _ in range(4)]
            server.plan("get", harness.refusal(500, "Internal", "not now"),
                        raw(head(length=50) + b'{"kind":', "hold"),
                        harness.words(200, b"<html>", "text/html"),
                        server._get)
            self.free_one(server, k, lines)
            line = k.line(30)
            self.assertTrue(line.startswith("MODIFIED  "), line)
            k.wait_status(lambda s: s["errors"].get("SERVER") == 1 and
                          s["errors"].get("TIMEOUT") == 1 and
                          s["errors"].get("HTTP_TYPE") == 1)
            self.assertEqual(1, len(server.asked("list")))


if __name__ == "__main__":
    tap.main()

# SPDX-License-Identifier: Apache-2.0
# suite: timeout=400
"""test_model.py - the model API server of the simulation says what a real one
says: each case puts the same questions to both, and what came back is compared
line by line, headers, framing and order of members included.

What may differ, and why:

- versions, by their rank among those of the case's objects; uids, dates,
  Audit-Id, uids of flow schemas, Content-Length, continue tokens, the content
  of managedFields: no client reads meaning into them, or two real servers
  differ in them, too. Other resources move a real server's version at any time.
- a Node's spec and status: not modelled.
- real moments: only that something took about as long is checked.
- how events that come close together share chunks: chance on both.
- ordinary bookmarks in watches of seconds: none is promised, and some come
  when others ask for consistent lists. long_model.py compares their times.

What the model does and this server does not: servers of older versions
(server.h, "its nature"), proxies and faults. What takes minutes is
long_model.py's, for `make test-long`."""

import concurrent.futures
import difflib
import os
import re
import unittest

import sys
sys.path[:0] = ["tests", "tests/apiserver", "tests/sim"]
import apiserver  # noqa: E402
import sides  # noqa: E402
import tap  # noqa: E402
from sides import PARTIAL, PARTIALS  # noqa: E402

STREAM = ("watch=true&sendInitialEvents=true&allowWatchBookmarks=true&"
          "resourceVersionMatch=NotOlderThan")
FAR = 99999999


class Watch:
    """A watch that has been asked for, and what came of it."""

    def __init__(self, script, target, line, **options):
        self.script, self.line = script, script.side.line(line)
        self.taken = 0
        self.line.ask(target, **options)
        self.answer = self.line.read(lambda a: a.code is not None, 10)
        script.head(target, self.answer)

    def events(self, count, seconds=10):
        """The next events, decoded and compared."""
        want = self.taken + count
        self.answer = self.line.read(lambda a: len(self.lines(a)) >= want,
                                     seconds)
        lines = self.lines(self.answer)
        if len(lines) < want:
            self.script.say(f"  only {len(lines) - self.taken} of {count} "
                            f"events, ended {self.answer.ended}")
        for line in lines[self.taken:want]:
            self.script.say("  " + self.script.t.event(line))
        self.taken = min(want, len(lines))
        return lines

    def lines(self, answer):
        return [x for x in answer.lines() if not self.script.t.is_extra(x)]

    def quiet(self, seconds):
        """Nothing comes for so long."""
        self.answer = self.line.read(lambda a: a.body, seconds)
        self.script.say("  a noise" if self.answer.ended or self.answer.body
                        else "  silence")

    def end(self, seconds, least=0.0):
        """It ends by itself, not before and not after."""
        begun = self.script.side.now()
        self.answer = self.line.read(lambda a: False, seconds)
        took = self.script.side.now() - begun
        more = self.lines(self.answer)[self.taken:]
        self.taken += len(more)
        for line in more:
            self.script.say("  " + self.script.t.event(line))
        how = "clean" if self.answer.ended else \
            "cut" if self.answer.closed else "not at all"
        if took < least:
            how += f", after {took:.1f} s"
        self.script.say("  end: " + how)


def target_is_watch(answer):
    return answer.body.startswith(b'{"type":')


class Script:
    """Puts a case's questions to one side."""

    def __init__(self, side, space):
        self.side, self.space = side, space
        self.t = sides.Transcript()
        self.maps = f"/api/v1/namespaces/{space}/configmaps"

    def say(self, text):
        # Names of namespaces are this side's own.
        self.t.add(text.replace(self.space, "SPACE"))

    def head(self, target, answer):
        self.say("GET " + self.t.target(target))
        if answer.code is None:
            self.say("  no answer")
            return
        self.say(f"  {answer.code} {answer.phrase}; "
                 + sides.headers_of(answer))

    def ask(self, target, line=0, seconds=20, least=0.0, **options):
        """A question with a whole answer."""
        begun = self.side.now()
        self.side.line(line).ask(target, **options)
        answer = self.side.line(line).read(lambda a: False, seconds)
        took = self.side.now() - begun
        self.head(target, answer)
        if not answer.ended:
            self.say("  no end")
        if took < least:
            self.say(f"  after {took:.1f} s")
        self.body(answer)
        return answer

    def body(self, answer):
        self.say("  " + sides.framing_of(answer))
        if target_is_watch(answer):
            for line in answer.lines():
                self.say("  " + self.t.event(line))
            return
        if answer.header("Content-Type") != "application/json":
            self.say("  " + repr(answer.body))
            return
        if answer.body.startswith(b"{\n  \""):
            self.say("  pretty")
        document = self.t.document(answer.json())
        items = document.pop("items", None)
        self.say("  " + repr(document))
        for item in items or []:
            self.say("    " + repr(item))
        self.say("  newline" if answer.body.endswith(b"}\n") else "  bare end")

    def watch(self, target, line=0, **options):
        return Watch(self, target, line, **options)

    def put(self, name, res="configmaps", space=None, **look):
        space = self.space if space is None else space
        self.side.put(res, space, name, **look)

    def delete(self, name, res="configmaps"):
        self.side.delete(res, self.space, name)

    def fill(self, count, **look):
        for i in range(count):
            self.put(f"n{i}", tier="abc"[i % 3], hold=i % 2, salt=i % 4, **look)


# ---- cases ------------------------------------------------------------------

CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


@case
def lists_small_large_and_empty(s):
    s.ask(s.maps)
    s.put("one")
    s.ask(s.maps)
    s.fill(6)
    s.ask(s.maps)
    s.put("large", size=30000)
    s.ask(s.maps)
    s.put("escapes", payload=1)
    s.put("utf8", payload=2)
    s.put("nul", payload=3)
    s.ask(s.maps + "?limit=2")


@case
def single_objects(s):
    s.put("a")
    s.ask(s.maps + "/a")
    s.ask(s.maps + "/a", accept=PARTIAL)
    s.ask(s.maps + "/missing")
    s.put("big", size=5000)
    s.ask(s.maps + "/big")
    s.put("w", res="widgets")
    widgets = s.maps.replace("/api/v1", "/apis/example.com/v1").replace(
        "configmaps", "widgets")
    s.ask(widgets + "/w")
    s.ask(widgets + "/missing")
    s.ask(widgets + "/w", accept=PARTIAL)


@case
def kinds_and_metadata_only(s):
    widgets = f"/apis/example.com/v1/namespaces/{s.space}/widgets"
    s.ask(widgets)
    s.ask(widgets, accept=PARTIALS)
    s.ask(s.maps, accept=PARTIALS)
    for i in range(3):
        s.put(f"w{i}", res="widgets")
        s.put(f"m{i}")
    for path in (widgets, s.maps):
        for query in ("", "?limit=2", "?limit=1&labelSelector=tier%3Da"):
            s.ask(path + query)
            s.ask(path + query, accept=PARTIALS)
    s.put("many", res="widgets", size=9000)
    s.ask(widgets)
    for i in range(8):
        s.put(f"x{i}")
    s.ask(s.maps, accept=PARTIALS)


@case
def resources_of_the_cluster(s):
    mine = "?fieldSelector=metadata.name%21%3Dx-1"
    s.put("g1", res="gadgets", space="")
    s.put("no1", res="nodes", space="", payload=6)
    s.ask("/apis/example.com/v1/gadgets")
    s.ask("/apis/example.com/v1/gadgets/g1")
    s.ask("/api/v1/nodes")
    s.ask("/api/v1/nodes" + mine)
    s.ask("/api/v1/nodes", accept=PARTIALS)
    s.ask("/apis/example.com/v1/gadgets", accept=PARTIALS)
    w = s.watch("/api/v1/nodes?" + STREAM + "&timeoutSeconds=1")
    w.events(2)
    w.end(5)


@case
def selectors_of_labels_and_fields(s):
    s.fill(7, size=900)
    for selector in ("tier=a", "tier!=a", "tier in (a,b)", "!hold",
                     "hold,tier notin (c)"):
        query = "?labelSelector=" + sides.urllib.parse.quote(selector, safe="")
        s.ask(s.maps + query)
        first = s.ask(s.maps + query + "&limit=1")
        s.ask(s.maps + query + "&limit=1&continue=" + first.token())
    s.ask(s.maps + "?fieldSelector=metadata.name%21%3Dx-1&limit=3")


@case
def pages(s):
    s.fill(5)
    page = s.ask(s.maps + "?limit=2")
    s.put("n4", size=50)
    s.delete("n3")
    page = s.ask(s.maps + "?limit=2&continue=" + page.token())
    s.ask(s.maps + "?limit=2&continue=" + page.token())
    # without its limit, and with another
    s.ask(s.maps + "?continue=" + page.token())
    page = s.ask(s.maps + "?limit=1")
    s.ask(s.maps + "?limit=2&continue=" + page.token())


@case
def pages_after_a_compaction(s):
    s.fill(5)
    page = s.ask(s.maps + "?limit=2")
    s.put("n4", size=50)
    s.side.compact()
    s.ask(s.maps + "?limit=2&continue=" + page.token())


@case
def versions_of_lists(s):
    s.put("a")
    old = s.ask(s.maps).version()
    s.put("b")
    s.delete("a")
    for query in (f"resourceVersion={old}",
                  f"resourceVersion={old}&resourceVersionMatch=NotOlderThan",
                  f"resourceVersion={old}&resourceVersionMatch=NotOlderThan"
                  "&limit=1",
                  f"resourceVersion={old}&resourceVersionMatch=Exact",
                  f"resourceVersion={old}&limit=1",
                  "resourceVersion=0", "resourceVersion=0&limit=1",
                  "resourceVersion=0&resourceVersionMatch=NotOlderThan"
                  "&limit=1"):
        s.ask(s.maps + "?" + query)


@case
def version_not_reached(s):
    s.put("a")
    query = f"?resourceVersion={FAR}"
    s.ask(s.maps + query, least=2.5)
    s.ask(s.maps + query + "&resourceVersionMatch=NotOlderThan&limit=1",
          least=2.5)
    s.ask(s.maps + query + "&" + STREAM + "&timeoutSeconds=20", least=2.5)
    s.ask(s.maps + "/a")


@case
def watch_from_a_version_not_reached(s):
    s.put("a")
    w = s.watch(f"{s.maps}?watch=true&resourceVersion={FAR}&timeoutSeconds=3"
                "&allowWatchBookmarks=true")
    s.put("b")
    w.quiet(2)
    w.end(5)
    s.ask(s.maps + "/a")


@case
def list_waits_for_a_version_soon_reached(s):
    s.put("a")
    now = s.ask(s.maps).version()
    line = s.side.line(1)
    line.ask(f"{s.maps}?resourceVersion={now + 4}")
    s.side.wait(0.5)
    for i in range(6):
        s.put("b", size=20 * i)
    s.say("waited: " + str(line.read(lambda a: False, 10).code))


@case
def watch_tells_changes(s):
    s.put("before")
    since = s.ask(s.maps).version()
    w = s.watch(f"{s.maps}?watch=true&resourceVersion={since}"
                "&timeoutSeconds=30&allowWatchBookmarks=true")
    s.put("a")
    w.events(1)
    s.put("a", size=100)
    w.events(1)
    s.put("large", size=40000)
    w.events(1)
    s.delete("before")
    w.events(1)
    s.say("  " + sides.framing_of(w.answer, events=True))
    s.side.drop(w.line)
    w = s.watch(f"{s.maps}?watch=true&resourceVersion={since}"
                "&timeoutSeconds=2", accept=PARTIAL)
    w.events(4)
    w.end(8, least=1.0)
    s.ask(s.maps + "/a") # on the same connection


@case
def watch_of_a_custom_resource(s):
    widgets = f"/apis/example.com/v1/namespaces/{s.space}/widgets"
    s.put("before", res="widgets")
    since = s.ask(widgets).version()
    w = s.watch(f"{widgets}?watch=true&resourceVersion={since}"
                "&timeoutSeconds=3")
    s.put("a", res="widgets")
    s.put("a", res="widgets", size=100)
    s.delete("before", res="widgets")
    w.events(3)
    w.end(8)


@case
def watch_without_a_version(s):
    s.fill(4)
    for query in ("watch=true", "watch=true&resourceVersion=0",
                  "watch=true&allowWatchBookmarks=true",
                  "watch=true&sendInitialEvents=true"
                  "&resourceVersionMatch=NotOlderThan"):
        w = s.watch(f"{s.maps}?{query}&timeoutSeconds=1")
        w.events(4)
        w.end(5)


@case
def selector_transitions(s):
    for name, tier in (("in", "a"), ("out", "b")):
        s.put(name, tier=tier)
    since = s.ask(s.maps).version()
    w = s.watch(f"{s.maps}?watch=true&resourceVersion={since}"
                "&timeoutSeconds=4&labelSelector=tier%3Da")
    s.put("in", tier="b")
    s.put("out", tier="a")
    s.put("out", tier="a", size=60)
    s.put("never", tier="c")
    s.delete("never")
    s.delete("in")
    s.delete("out")
    w.events(4)
    w.end(8)


@case
def streaming_list(s):
    s.fill(9)
    s.side.noise(2)
    w = s.watch(f"{s.maps}?{STREAM}&timeoutSeconds=4")
    w.events(10)
    s.say("  " + sides.framing_of(w.answer))
    s.put("later")
    w.events(1)
    w.end(8)
    now = s.ask(s.maps + "?limit=1").version()
    w = s.watch(f"{s.maps}?{STREAM}&timeoutSeconds=1&resourceVersion={now}")
    w.events(11)
    w.end(8)
    for path, accept in ((s.maps, PARTIAL), (
            f"/apis/example.com/v1/namespaces/{s.space}/widgets", None)):
        w = s.watch(f"{path}?{STREAM}&timeoutSeconds=1", accept=accept)
        w.events(11 if accept else 1)
        w.end(8)


@case
def refusals_of_rights(s):
    s.put("a")
    token = s.side.token("none")
    for target in (s.maps, s.maps + "/a", s.maps + "?watch=true",
                   "/apis/example.com/v1/widgets", "/api/v1/nodes",
                   "/apis/example.com/v1/gadgets/g"):
        s.ask(target, token=token)
    s.ask(s.maps, token="wrong")
    s.ask(s.maps, token="-")
    s.ask(s.maps + "/a")


@case
def unknown_paths(s):
    s.ask("/apis/nothing.example.com/v1/things")
    s.ask("/api/v1/things")
    s.ask("/apis/example.com/v1/things")
    s.ask(f"/apis/example.com/v1/namespaces/{s.space}/things/a")


@case
def options_that_make_no_sense(s):
    for query in (
            "resourceVersionMatch=Exact", "resourceVersionMatch=NotOlderThan",
            "resourceVersion=0&resourceVersionMatch=Exact",
            "sendInitialEvents=true", "watch=true&sendInitialEvents=true",
            "watch=true&resourceVersionMatch=NotOlderThan",
            "continue=abc"):
        s.ask(s.maps + "?" + query)


@case
def agents_of_people(s):
    s.put("a")
    s.ask(s.maps, agent="curl/8.0")
    s.ask(s.maps + "/a", agent="Wget/1.2")
    s.ask(s.maps + "/missing", agent="Mozilla/5.0")
    s.ask(s.maps, agent="kinformer/1")


@case
def three_ask_on_one_connection(s):
    s.put("a")
    since = s.ask(s.maps).version()
    for _ in range(2):
        w = s.watch(f"{s.maps}?watch=true&resourceVersion={since}"
                    "&timeoutSeconds=1&allowWatchBookmarks=true")
        w.end(5)
        s.ask(s.maps + "?limit=1")


# Cases that end others' connections come one after another.

LATER = {}


def later(function):
    LATER[function.__name__] = function
    return function


@later
def watch_after_a_restart(s):
    s.put("a")
    first = s.ask(s.maps).version()
    s.put("a", size=40)
    # what changes elsewhere counts, too
    second = s.ask(s.maps).version()
    s.side.noise(3)
    s.side.restart()
    s.side.drop(s.side.line(0))
    for since in (first, second):
        w = s.watch(f"{s.maps}?watch=true&resourceVersion={since}"
                    "&timeoutSeconds=5&allowWatchBookmarks=true")
        w.events(1)
        w.end(5)
    now = s.ask(s.maps).version()
    w = s.watch(f"{s.maps}?watch=true&resourceVersion={now}"
                "&timeoutSeconds=2&allowWatchBookmarks=true")
    w.end(5)


@later
def pages_after_a_restart(s):
    s.fill(5)
    first = s.ask(s.maps).version()
    page = s.ask(s.maps + "?limit=2")
    s.put("n4", size=50)
    s.side.restart()
    s.side.drop(s.side.line(0))
    s.ask(s.maps + "?limit=2&continue=" + page.token())
    s.side.compact()
    s.ask(s.maps + "?limit=2&continue=" + page.token())
    s.ask(f"{s.maps}?resourceVersion={first}&resourceVersionMatch=Exact")
    s.ask(f"{s.maps}?resourceVersion={first}&"
          "resourceVersionMatch=NotOlderThan&limit=2")


@later
def restored_from_a_backup(s):
    s.fill(3)
    s.side.backup("model")
    s.side.noise(60) # a real server's own start writes, too
    s.put("n0", size=44)
    s.delete("n1")
    s.put("new")
    page = s.ask(s.maps + "?limit=1")
    ahead = page.version()
    s.side.restore("model")
    s.side.drop(s.side.line(0))
    w = s.watch(f"{s.maps}?watch=true&resourceVersion={ahead}"
                "&timeoutSeconds=2&allowWatchBookmarks=true")
    w.quiet(1)
    w.end(5)
    s.ask(f"{s.maps}?resourceVersion={ahead}&"
          "resourceVersionMatch=NotOlderThan&limit=5", least=2.5)
    s.ask(s.maps + "?limit=1", accept=PARTIALS)
    s.ask(s.maps)
    w = s.watch(f"{s.maps}?{STREAM}&timeoutSeconds=1")
    w.events(4)
    w.end(5)


@later
def gate_of_streaming_lists_is_off(s):
    s.put("a")
    s.side.without_streams()
    try:
        s.ask(f"{s.maps}?{STREAM}&timeoutSeconds=1")
        s.ask(s.maps)
    finally:
        s.side.as_before()


@later
def more_requests_than_are_taken(s):
    s.put("a")
    s.side.one_at_a_time()
    s.side.drop(s.side.line(0))
    try:
        # an admin's requests are not counted
        reader = s.side.token("reader")
        s.side.line(1).ask(f"{s.maps}?resourceVersion={FAR}", token=reader)
        s.side.wait(0.5)
        s.ask(s.maps, token=reader)
        w = s.watch(f"{s.maps}?watch=true&timeoutSeconds=1", token=reader)
        w.end(5)
        s.say(str(s.side.line(1).read(lambda a: False, 10).code))
        s.ask(s.maps, token=reader)
    finally:
        s.side.as_before()


# ---- both sides of each -----------------------------------------------------

server = None
pool = concurrent.futures.ThreadPoolExecutor(6)
running = {}


def picked(name):
    return len(sys.argv) < 2 or any(w in name for w in sys.argv[1:])


def on_real(name, function):
    side = sides.Real(server)
    space = name.replace("_", "-")
    side.space(space)
    s = Script(side, space)
    try:
        function(s)
    finally:
        side.close()
    return s.t.text()


def on_model(name, function):
    side = sides.Model()
    s = Script(side, name.replace("_", "-"))
    try:
        function(s)
    finally:
        side.close()
    return s.t.text()


def setUpModule():
    global server
    server = apiserver.Server()
    side = sides.Real(server)
    side.prepare()
    side.close()
    for name, function in CASES.items():
        if picked(name):
            running[name] = pool.submit(on_real, name, function)


def tearDownModule():
    server.close()


def compared(name, function, real):
    def test(self):
        said = real()
        model = on_model(name, function)
        if os.environ.get("SHOW"):
            print("\n".join("# " + x for x in said))
        if said != model:
            self.fail("the model differs:\n" + "\n".join(
                difflib.unified_diff(said, model, "real", "model", n=4,
                                     lineterm="")))
    return test


class Model(unittest.TestCase):
    """Those that leave others alone: all at once on the real side."""

    @classmethod
    def tearDownClass(cls):
        concurrent.futures.wait(running.values())


class ModelLater(unittest.TestCase):
    """Those that restart the server."""


for name_, function_ in CASES.items():
    setattr(Model, "test_" + name_, compared(
        name_, function_, lambda n=name_: running[n].result()))
for name_, function_ in LATER.items():
    setattr(ModelLater, "test_" + name_, compared(
        name_, function_, lambda n=name_, f=function_: on_real(n, f)))

if __name__ == "__main__":
    tap.main()

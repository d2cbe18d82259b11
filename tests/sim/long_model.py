# SPDX-License-Identifier: Apache-2.0
# suite: timeout=400
"""long_model.py - what test_model.py compares, where it takes real minutes:
bookmarks, the silence after a restore, idle connections, slow readers."""

import json
import unittest

import sys
sys.path[:0] = ["tests", "tests/sim"]
import sides  # noqa: E402
import tap  # noqa: E402
import test_model  # noqa: E402
from test_model import FAR  # noqa: E402


def near(seconds, *expected):
    """The moment that was meant, when it was about then."""
    for one in expected:
        if abs(seconds - one) < 3:
            return f"about {one}"
    return f"{seconds:.1f}"


def bookmarks(s, target, seconds, *expected):
    """When they come and what they say, to the end of the watch."""
    line = s.side.line(0)
    line.ask(target)
    begun, seen, told = s.side.now(), 0, None
    while True:
        answer = line.read(lambda a: len(a.lines()) > seen, seconds + 10)
        for event in answer.lines()[seen:]:
            said = json.loads(event)
            at = near(s.side.now() - begun, 0, *expected)
            if said["type"] == "BOOKMARK" and at != told:
                s.say(f"  at {at}: " + s.t.event(event))
                told = at # one or two before the end
        seen = len(answer.lines())
        if answer.ended or answer.closed or \
                s.side.now() - begun > seconds + 10:
            break
    s.say(f"  end: {answer.ended}, " + near(s.side.now() - begun, seconds))


def since(s):
    s.put("a")
    s.side.noise(3)
    return s.ask(s.maps).version()


def bookmarks_of_a_long_watch(s):
    bookmarks(s, f"{s.maps}?watch=true&allowWatchBookmarks=true&"
              f"resourceVersion={since(s)}&timeoutSeconds=130", 130,
              60, 120, 128)


def bookmarks_of_75_seconds(s):
    bookmarks(s, f"{s.maps}?watch=true&allowWatchBookmarks=true&"
              f"resourceVersion={since(s)}&timeoutSeconds=75", 75, 60, 74)


def bookmark_before_the_end_of_45_seconds(s):
    bookmarks(s, f"{s.maps}?watch=true&allowWatchBookmarks=true&"
              f"resourceVersion={since(s)}&timeoutSeconds=45", 45, 43)


def none_that_were_not_asked_for(s):
    bookmarks(s, f"{s.maps}?watch=true&resourceVersion={since(s)}"
              "&timeoutSeconds=75", 75)


def none_for_a_version_not_reached(s):
    bookmarks(s, f"{s.maps}?watch=true&allowWatchBookmarks=true&"
              f"resourceVersion={FAR}&timeoutSeconds=80", 80)


def idle_connection_is_closed(s):
    s.put("a")
    s.ask(s.maps)
    line = s.side.line(0)
    line.raw, begun = b"", s.side.now()
    while not line.closed and s.side.now() - begun < 110:
        s.side.wait(0.5, line)
    s.say("closed at " + near(s.side.now() - begun, 90))


def slow_reader_of_a_list_is_cut(s):
    for i in range(24):
        s.put(f"n{i:02}", size=900000)
    line = s.side.line(0)
    line.ask(s.maps)
    s.side.hold(line, True)
    s.side.wait(68)
    s.side.hold(line, False)
    answer = line.read(lambda a: False, 20)
    # how much of it still arrives is chance
    s.say(f"ended {answer.ended}, closed {answer.closed}")


test_model.CASES.clear()
test_model.LATER.clear()
for one in (bookmarks_of_a_long_watch, bookmarks_of_75_seconds,
            bookmark_before_the_end_of_45_seconds,
            none_that_were_not_asked_for, none_for_a_version_not_reached,
            idle_connection_is_closed, slow_reader_of_a_list_is_cut):
    test_model.CASES[one.__name__] = one
test_model.pool._max_workers = len(test_model.CASES)


class Long(unittest.TestCase):
    """All at once on the real side."""


for name_, function_ in test_model.CASES.items():
    setattr(Long, "test_" + name_, test_model.compared(
        name_, function_, lambda n=name_: test_model.running[n].result()))

setUpModule = test_model.setUpModule
tearDownModule = test_model.tearDownModule

if __name__ == "__main__":
    tap.main()

# SPDX-License-Identifier: Apache-2.0
"""tap.py - runs a script's unittest cases and prints TAP for tests/run.py."""

import sys
import unittest


class TapResult(unittest.TestResult):
    """One line a test as it ends; the reason of a failure as comments."""

    def __init__(self):
        super().__init__()
        self.number = 0

    def say(self, word, test, more=""):
        self.number += 1
        case = getattr(test, "test_case", test)
        name = case.id().rsplit(".", 1)[-1]
        if case is not test:
            name += test.id()[len(case.id()):]
        print(f"{word} {self.number} - {name}{more}", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.say("ok", test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.say("ok", test, f" # SKIP {reason}")

    def explain(self, test, err):
        # As unittest's own runner shows it: without unittest's frames.
        for line in self._exc_info_to_string(err, test).splitlines():
            print("# " + line)
        self.say("not ok", test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.explain(test, err)

    def addError(self, test, err):
        super().addError(test, err)
        self.explain(test, err)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.explain(subtest, err)

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self.say("ok", test, " # SKIP known to fail, not mended yet")

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.say("not ok", test)


def main():
    """Words on the command line pick the tests whose name holds one."""
    suite = unittest.defaultTestLoader.loadTestsFromModule(
        sys.modules["__main__"])
    words = sys.argv[1:]

    def pick(part):
        for test in part:
            if isinstance(test, unittest.TestSuite):
                yield from pick(test)
            elif not words or any(w in test.id() for w in words):
                yield test

    result = TapResult()
    # A suite of suites keeps setUpClass and setUpModule working.
    unittest.TestSuite(list(pick(suite))).run(result)
    print(f"1..{result.number}")
    sys.exit(0 if result.wasSuccessful() else 1)

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# suite: alone timeout=900
"""test_mutants.py - the proof of the proof: each fault of tests/sim/mutants
still applies and is found by the first set of seeds, on which test_sim.sh runs
core as it is: the same faults and seeds on any machine, so the same answer.
`make sim-mutants` runs all faults on two sets.
"""

import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import tap  # noqa: E402

O = os.environ.get("O", "build")
STALE = """[stale] core/watch/recover.c after_gone
It was there once.
- r->can_resume = perhaps;
"""
SILENT = """[silent sim-lean] core/watch/recover.c after_gone
What nobody can see.
- r->gone_before = true;
+ r->gone_before = !false;
"""


def mutants(*more):
    jsmn = os.environ.get("JSMN_DIR", "build/src/jsmn")
    return subprocess.run(
        [sys.executable, f"{HERE}/mutants.py", "--built", O, "--jsmn", jsmn,
         "--sets", "1", "--faults-only", *more],
        capture_output=True, text=True)


def from_list(text, *more):
    with tempfile.NamedTemporaryFile("w", suffix=".mutants") as f:
        f.write(text)
        f.flush()
        return mutants("--list", f.name, *more)


class Mutants(unittest.TestCase):
    def test_every_fault_is_found(self):
        done = mutants()
        print("\n".join("# " + x for x in done.stdout.splitlines()))
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)

    def test_a_fault_that_no_longer_applies_is_an_error(self):
        done = from_list(STALE, "--check")
        self.assertEqual(1, done.returncode)
        self.assertIn("STALE", done.stdout)

    def test_a_fault_that_survives_is_an_error(self):
        done = from_list(SILENT)
        self.assertEqual(1, done.returncode)
        self.assertIn("SURVIVES silent", done.stdout)

    def test_a_failing_seed_shrinks_to_a_story(self):
        """A failure may hang on chances of its whole script and stay long; of
        three seeds one is short."""
        mutants("--only", "new-uid-is-an-update", "--keep")
        program = f"{O}/mutants/new-uid-is-an-update/sim"
        stories = []
        for seed in ("20001", "20003", "20004"):
            with tempfile.NamedTemporaryFile("r", suffix=".script") as script:
                done = subprocess.run(
                    [sys.executable, f"{HERE}/shrink.py", program, "--seed",
                     seed, "--out", script.name],
                    capture_output=True, text=True)
                stories.append((len(script.read().splitlines()), seed,
                                done.stdout))
        lines, _, told = min(stories)
        self.assertLessEqual(lines, 8, told)
        self.assertRegex(told, r"recreate|delete")
        self.assertIn("to another uid", told)


if __name__ == "__main__":
    tap.main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run.py - runs every suite and ends with one line 'N passed, N failed'.

A suite is an executable: the C programs it is given, and every tests/*/test_*
script (.py, .sh) it finds. Suites print TAP ("ok 1 - name", "not ok 2 - name",
"ok 3 - name # SKIP why"); see tests/README.md. One that prints no such line
has failed, whatever its exit code, and so has one that prints only "ok" and
exits with another code than 0.
"""

import argparse
import concurrent.futures
import fnmatch
import glob
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

LINE = re.compile(r"^(not )?ok\b[ \t]*(\d+)?[ \t]*(?:- )?(.*)$")
PLAN = re.compile(r"^1\.\.(\d+)\s*$")
SKIP = re.compile(r"#\s*SKIP\b", re.IGNORECASE)
HEAD = re.compile(r"^(?:#|//| \*)\s*suite:\s*(.*)$", re.MULTILINE)
SHOWN = 60  # last lines of a failed suite's output
LOCK = threading.Lock()


class Suite:
    """One executable, what it asks for, and what came of it."""

    def __init__(self, path):
        self.path = path
        built = os.environ.get("O", "build") + "/"
        self.name = re.sub(r"^tests/", "", path.removeprefix(built))
        self.timeout = 300.0
        self.alone = False
        self.passed = self.failed = self.skipped = 0
        self.said = []
        self.read_head()

    def read_head(self):
        """A script's head may say '# suite: alone timeout=900'."""
        if not self.path.endswith((".py", ".sh")):
            self.timeout = 900.0  # other processors are slow under QEMU
            return
        with open(self.path, encoding="utf-8") as f:
            found = HEAD.search(f.read(2000))
        for word in found.group(1).split() if found else []:
            if word == "alone":
                self.alone = True
            elif word.startswith("timeout="):
                self.timeout = float(word[8:])
            else:
                sys.exit(f"{self.path}: 'suite:' knows no '{word}'")

    def command(self):
        """Debian's own Python: the first in PATH may lack its modules."""
        if self.path.endswith(".py"):
            own = "/usr/bin/python3"
            return [own if os.access(own, os.X_OK) else sys.executable,
                    self.path]
        if self.path.endswith(".sh"):
            return ["/bin/sh", self.path]
        return [os.path.abspath(self.path)]


def count(suite, text, code):
    """Turns the output into counts; what does not add up is a failure."""
    planned = None
    for line in text.splitlines():
        plan = PLAN.match(line)
        if plan:
            planned = (planned or 0) + int(plan.group(1))
            continue
        seen = LINE.match(line)
        if not seen:
            continue
        if seen.group(1):
            suite.failed += 1
            suite.said.append("not ok: " + seen.group(3))
        elif SKIP.search(seen.group(3)):
            suite.skipped += 1
            suite.said.append("skipped: " + seen.group(3))
        else:
            suite.passed += 1
    seen = suite.passed + suite.failed + suite.skipped
    if seen == 0 and planned != 0:
        suite.failed += 1
        suite.said.append("it ran no test")
    elif planned is not None and planned != seen:
        suite.failed += 1
        suite.said.append(f"{planned} tests planned, {seen} seen")
    if code != 0 and suite.failed == 0:
        suite.failed += 1
        suite.said.append(f"it ended with {code}" if code >= 0
                          else f"it died of signal {-code}")


def end_group(process):
    """A suite that overstays goes with all that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            continue
        time.sleep(0.2)


def run(suite, logs):
    """Runs one suite in a session of its own, with a folder of its own."""
    begun = time.monotonic()
    log = os.path.join(logs, suite.name.replace("/", "+") + ".log")
    if not os.path.exists(suite.path):
        suite.failed += 1
        suite.said.append("it was not built")
        report(suite, "", 0.0, log)
        return
    env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP", LC_ALL="C.UTF-8",
               PYTHONDONTWRITEBYTECODE="1")
    with tempfile.TemporaryDirectory(prefix="kinf-test-") as folder, \
            open(log, "wb") as out:
        env["TMPDIR"] = folder
        process = subprocess.Popen(suite.command(), stdout=out, stderr=out,
                                   stdin=subprocess.DEVNULL, env=env,
                                   start_new_session=True)
        try:
            code = process.wait(suite.timeout)
        except subprocess.TimeoutExpired:
            code = None
        end_group(process)
    with open(log, encoding="utf-8", errors="replace") as f:
        text = f.read()
    count(suite, text, code or 0)
    if code is None:
        suite.failed += 1
        suite.said.append(f"not done after {suite.timeout:.0f} s")
    report(suite, text, time.monotonic() - begun, log)


def report(suite, text, seconds, log):
    with LOCK:
        word = "FAIL" if suite.failed else "ok  "
        print(f"{word} {suite.name}: {suite.passed} passed, "
              f"{suite.failed} failed"
              + (f", {suite.skipped} skipped" if suite.skipped else "")
              + f" ({seconds:.1f} s)")
        for line in suite.said:
            print("     " + line)
        if suite.failed:
            print(f"     the end of {log}:")
            for line in text.splitlines()[-SHOWN:]:
                print("     | " + line)
        sys.stdout.flush()


def find(given, only_given):
    paths = list(given)
    if not only_given:
        paths += sorted(glob.glob("tests/house/test_*.*")
                        + [p for p in glob.glob("tests/*/test_*.*")
                           if not p.startswith("tests/house/")],
                        key=lambda p: (not p.startswith("tests/house/"), p))
    return [Suite(p) for p in dict.fromkeys(paths)
            if p.endswith((".py", ".sh")) or p in given]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--logs", default="build/test/logs")
    parser.add_argument("--list", help="file that names the suites in C")
    parser.add_argument("--only-given", action="store_true")
    parser.add_argument("--filter", help="words, of which one is in the name")
    parser.add_argument("given", nargs="*")
    a = parser.parse_args()
    if a.list:
        with open(a.list, encoding="utf-8") as f:
            a.given += f.read().split()
    suites = find(a.given, a.only_given)
    if a.filter:
        suites = [s for s in suites if any(
            fnmatch.fnmatch(s.name, f"*{w}*") for w in a.filter.split())]
    os.makedirs(a.logs, exist_ok=True)

    # Suites that measure time or load the machine ask to run alone.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for job in [pool.submit(run, s, a.logs)
                    for s in suites if not s.alone]:
            job.result()
    for suite in suites:
        if suite.alone:
            run(suite, a.logs)

    passed = sum(s.passed for s in suites)
    failed = sum(s.failed for s in suites)
    skipped = sum(s.skipped for s in suites)
    bad = [s.name for s in suites if s.failed]
    if bad:
        print("failed: " + " ".join(bad))
    if passed + failed == 0:
        print("no suite was run")
        failed = 1
    print(f"{passed} passed, {failed} failed"
          + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

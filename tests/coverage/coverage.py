#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""coverage.py - which lines, branches and conditions of core the tests reach.

Runs the programs that coverage.mk built, adds their counters up by place in
the source, and prints a table. A branch is one outcome of one condition.

Aside: what stands in KINF_ASSERT, and lines of KINF_UNREACHABLE with what
follows them in their case. A branch that no test can reach is named, with the
reason, in tests/coverage/unreached:

    core/base/x.c function
    never true: the condition's text
    why it is so
"""

import argparse
import collections
import concurrent.futures
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

RELEASE = os.environ.get("COVERAGE_CLANG", "19")
UNREACHED = "tests/coverage/unreached"
LEAST_BRANCHES = 95.0
MOST_MARKED = 1.0
SIM_HOURS = "10"


class Failed(Exception):
    """A program of the suite failed: there is nothing to count."""


# ---- running ----------------------------------------------------------------

def command(program, seeds):
    if os.path.basename(program) != "sim":
        return [program]
    return [program, "--seed", "1", "--seeds", str(seeds), "--hours",
            SIM_HOURS, "--faults", "all", "--jobs", "2"]


def run_one(program, seeds, folder, built):
    flavour = os.path.relpath(program, built).split("/")[0]
    name = f"{flavour}.{os.path.basename(program)}.%m.profraw"
    env = dict(os.environ, LLVM_PROFILE_FILE=os.path.join(folder, name))
    run = subprocess.run(command(program, seeds), env=env, text=True,
                         errors="replace", stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT)
    if run.returncode != 0:
        raise Failed(f"{program} failed:\n{run.stdout[-4000:]}")


def export(flavour, folder, built):
    """Clang's own account of one build."""
    raw = glob.glob(f"{folder}/{flavour}.*.profraw")
    profile = f"{folder}/{flavour}.profdata"
    subprocess.run([f"llvm-profdata-{RELEASE}", "merge", "-sparse", "-o",
                    profile, *raw], check=True)
    objects = []
    for source in sorted(glob.glob("core/*.c") + glob.glob("core/*/*.c")):
        objects += ["-object",
                    f"{built}/{flavour}/obj/{source.removesuffix('.c')}.o"]
    users = f"{built}/{flavour}/obj/tests/unit/test_typed.o"
    objects += ["-object", users] if os.path.exists(users) else []
    tell = [f"llvm-cov-{RELEASE}", "export", "-instr-profile", profile,
            *objects[1:]]
    text = subprocess.run(tell, check=True, stdout=subprocess.PIPE,
                          text=True).stdout
    lcov = subprocess.run([*tell, "-format=lcov"], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    return json.loads(text)["data"][0], lcov


# ---- adding up --------------------------------------------------------------

Branch = collections.namedtuple("Branch", "file start end")


class Source:
    """The text of a file of core, and which of its lines are marked."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as f:
            self.lines = f.read().split("\n")
        self.marked, self.calls = set(), set()
        # Lines of the preprocessor are no code.
        self.aside = {at for at, line in enumerate(self.lines, 1)
                      if line.startswith("#")}
        for at, line in enumerate(self.lines, 1):
            if re.match(r"\s*KINF_UNREACHABLE\(", line):
                self.mark(at)

    def mark(self, at):
        self.calls.add(at)
        if re.match(r"\s*default:", self.lines[at - 2]):
            self.marked.add(at - 1)
        while not re.match(r"\s*(}|case |default:)", self.lines[at - 1]):
            self.marked.add(at)
            at += 1

    def text(self, start, end):
        rows = self.lines[start[0] - 1:end[0]]
        rows[-1] = rows[-1][:end[1] - 1]
        rows[0] = rows[0][start[1] - 1:]
        return " ".join(" ".join(rows).split())


class Account:
    """Counts by file of core, over all builds."""

    def __init__(self):
        self.root = os.getcwd() + "/"
        self.sources = {}
        self.lines = collections.defaultdict(dict)  # file: line: count
        self.branches = {}   # Branch: [true, false]
        self.functions = {}  # Branch: name
        self.decisions = {}  # Branch of the whole: [condition decides]

    def core(self, path):
        """The path from the root if the file is core's, and counts."""
        path = os.path.normpath(path).removeprefix(self.root)
        if not path.startswith("core/") or path == "core/base/assert.h":
            return None
        if path not in self.sources:
            self.sources[path] = Source(path)
        return path

    def add(self, data, lcov):
        for function in data["functions"]:
            self.add_function(function)
        path = None
        for row in lcov.splitlines():
            if row.startswith("SF:"):
                path = self.core(row[3:])
            elif row.startswith("DA:") and path:
                self.add_line(path, *map(int, row[3:].split(",")[:2]))

    def add_line(self, path, line, count):
        if line not in self.sources[path].aside:
            seen = self.lines[path]
            seen[line] = seen.get(line, 0) + count

    def add_function(self, function):
        starts = {}
        name = function["name"].rsplit(":", 1)[-1]
        for row in function["branches"]:
            path = self.core(function["filenames"][row[6]])
            if path is None:
                continue
            at = Branch(path, tuple(row[:2]), tuple(row[2:4]))
            starts[at.start] = path
            counts = self.branches.setdefault(at, [0, 0])
            counts[0] += row[4]
            counts[1] += row[5]
            self.functions[at] = name
        for row in function["mcdc_records"]:
            path = starts.get(tuple(row[:2]))
            if path is None:
                continue  # an assertion's
            at = Branch(path, tuple(row[:2]), tuple(row[2:4]))
            was = self.decisions.get(at, [False] * len(row[6]))
            self.decisions[at] = [a or b for a, b in zip(was, row[6])]

    # What follows is asked once all is added.

    def marked(self, path):
        return self.sources[path].marked & set(self.lines[path])

    def lines_of(self, path):
        """(reached, all) without marked ones."""
        counted = [n for line, n in self.lines[path].items()
                   if line not in self.sources[path].marked]
        return sum(n > 0 for n in counted), len(counted)

    def missed_lines(self):
        for path in sorted(self.lines):
            for line, n in sorted(self.lines[path].items()):
                if n == 0 and line not in self.sources[path].marked:
                    yield (f"{path}:{line}: "
                           f"{self.sources[path].lines[line - 1].strip()}")

    def reached_marks(self):
        for path, source in sorted(self.sources.items()):
            for line in sorted(source.calls):
                if self.lines[path].get(line, 0) > 0:
                    yield f"{path}:{line}"

    def outcomes(self, path):
        """Of each branch of a file: (branch, word, reached)."""
        for at, counts in sorted(self.branches.items()):
            if at.file != path or at.start[0] in self.sources[path].marked:
                continue
            yield at, "true", counts[0] > 0
            yield at, "false", counts[1] > 0

    def branches_of(self, path):
        seen = [reached for _, _, reached in self.outcomes(path)]
        return sum(seen), len(seen)

    def missed_branches(self):
        """{(file, function, 'never true: text'): 'file:line'}"""
        missed = {}
        for path in sorted(self.sources):
            for at, word, reached in self.outcomes(path):
                if not reached:
                    text = self.sources[path].text(at.start, at.end)
                    key = (path, self.functions[at], f"never {word}: {text}")
                    missed[key] = f"{path}:{at.start[0]}"
        return missed

    def decisions_of(self, path):
        found = [d for at, d in self.decisions.items() if at.file == path]
        return sum(map(sum, found)), sum(map(len, found))


def measure(programs, seeds, built):
    account = Account()
    with tempfile.TemporaryDirectory(prefix="coverage.") as folder:
        # The longest first; each simulation starts two processes of its own.
        programs = sorted(programs, key=lambda p: not p.endswith("/sim"))
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda p: run_one(p, seeds, folder, built),
                          programs))
        for flavour in sorted({os.path.relpath(p, built).split("/")[0]
                               for p in programs}):
            account.add(*export(flavour, folder, built))
    return account


# ---- what is known not to be reached ----------------------------------------

def reasons(path=UNREACHED):
    """{(file, function, 'never true: text'): reason}"""
    known = {}
    with open(path, encoding="utf-8") as f:
        text = re.sub(r"^#.*\n", "", f.read(), flags=re.MULTILINE)
    for block in re.split(r"\n\s*\n", text.strip()):
        rows = block.splitlines()
        if not rows:
            continue
        if len(rows) < 3 or len(rows[0].split()) != 2:
            sys.exit(f"{path}: not an entry:\n{block}")
        file, function = rows[0].split()
        known[file, function, rows[1]] = " ".join(rows[2:])
    return known


# ---- telling ----------------------------------------------------------------

def share(part):
    reached, count = part
    return 100.0 * reached / count if count else 100.0


def total(parts):
    parts = list(parts)
    return sum(p[0] for p in parts), sum(p[1] for p in parts)


def table(account):
    rows = []
    for path in sorted(account.sources):
        rows.append((path, account.lines_of(path), account.branches_of(path),
                     account.decisions_of(path), len(account.marked(path))))
    rows.append(("all", *(total(r[i] for r in rows) for i in (1, 2, 3)),
                 sum(r[4] for r in rows)))
    return rows


def show(rows):
    def cell(part):
        return f"{part[0]:5}/{part[1]:<5}{share(part):6.1f}"

    print(f"{'file':34}{'lines':>12}{'%':>6}{'branches':>12}{'%':>6}"
          f"{'MC/DC':>12}{'%':>6} marked")
    for path, lines, branches, decisions, marked in rows:
        print(f"{path:34} {cell(lines)} {cell(branches)} {cell(decisions)}"
              f"{marked:5}")


def report(rows, missed, built):
    _, lines, branches, decisions, marked = rows[-1]
    os.makedirs(built + "/report", exist_ok=True)
    with open(built + "/report/coverage.json", "w", encoding="utf-8") as f:
        json.dump({"lines": lines[1], "lines_percent": share(lines),
                   "lines_marked": marked, "branches": branches[1],
                   "branches_percent": share(branches),
                   "branches_named": len(missed),
                   "mcdc": decisions[1],
                   "mcdc_percent": share(decisions)}, f, indent=1)
        f.write("\n")


def faults(account, rows, known):
    """What is wrong, by kind: empty lists where all is well."""
    missed = account.missed_branches()
    _, lines, branches, _, marked = rows[-1]
    few = [] if share(branches) >= LEAST_BRANCHES else [
        f"{share(branches):.2f} % of the branches, {LEAST_BRANCHES} are asked"]
    many = [] if 100.0 * marked / lines[1] <= MOST_MARKED else [
        f"{marked} of {lines[1]} lines are marked as unreachable"]
    return {
        "every_line_of_core_is_reached": list(account.missed_lines()),
        "enough_branches_are_reached": few,
        "few_lines_are_marked_unreachable": many,
        "no_line_marked_unreachable_is_reached":
            list(account.reached_marks()),
        "each_branch_not_reached_has_its_reason": [
            f"{where}\n{key[0]} {key[1]}\n{key[2]}"
            for key, where in missed.items() if key not in known],
        "each_reason_is_for_a_branch_not_reached": [
            f"{UNREACHED}: reached, or not there:\n{' '.join(key[:2])}\n"
            f"{key[2]}" for key in known if key not in missed],
    }


def everything(seeds, built):
    """Runs, prints the table, writes the report; returns the faults."""
    with open(built + "/coverage/programs", encoding="utf-8") as f:
        account = measure(f.read().split(), seeds, built)
    rows = table(account)
    show(rows)
    report(rows, account.missed_branches(), built)
    return faults(account, rows, reasons())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=60)
    arguments = parser.parse_args()
    try:
        wrong = everything(arguments.seeds, os.environ.get("O", "build"))
    except Failed as e:
        sys.exit(str(e))
    print("Not in MC/DC: decisions with a decision inside one of their "
          "conditions, which clang cannot count.")
    for kind, found in wrong.items():
        if found:
            print(f"\n{kind.replace('_', ' ')}: NO")
            print("\n\n".join(found))
    sys.exit(any(wrong.values()))


if __name__ == "__main__":
    main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""mutants.py - the proof of the proof: faults planted in a copy of core, one at
a time, each of which the simulated world must find.

tests/sim/mutants lists them:

    [name] where function
    One line: what is wrong with it.
    - text that is there, exactly once in the function
    + text in its stead, or nothing
    @ where function          another place of the same fault
    ! --fleet 0               options in place of many seeds

"where" is a file, or a folder that has one such function; the function "*" is
the whole file. White space does not count. "[name sim-lean]" is looked for in
that build of the world and not in "sim". Text that is not found exactly once is
an error: the fault no longer applies and has to be fitted anew.

A fault is found when a seed of the first set fails and one of the second does.
The sets are the same for all faults, and core as it is must pass on each of
their seeds: these two runs come first. --sets 1 leaves out the second; the
first is among what test_sim.sh runs in CI.
"""

import argparse
import concurrent.futures
import glob
import json
import os
import re
import shlex
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SETS = {  # where the two begin, how many seeds, and hours of each
    "sim": ((1, 20000), 480, 10),
    "sim-small": ((1, 20000), 60, 4),
    "sim-lean": ((1, 20000), 60, 4),
}


class Stale(Exception):
    """A fault whose text is no longer there, or that does not compile."""


class Mutant:
    def __init__(self, name, flavour, place):
        self.name = name
        self.flavour = flavour
        self.why = ""
        self.edits = []  # where, function, old lines, new lines
        self.options = ()
        self.place = place

    def begin(self, place):
        self.place = place

    def line(self, sign, text):
        if sign == "-" and (not self.edits or self.edits[-1][3] or
                            self.edits[-1][:2] != self.place):
            self.edits.append((*self.place, [], []))
        self.edits[-1][2 if sign == "-" else 3].append(text)

    def plant(self, root):
        """Changes the copy of core. Returns the files that have changed."""
        return {plant(root, edit) for edit in self.edits}


def read_mutants(path):
    mutants = []
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip("\n")
            head = re.match(r"\[([a-z0-9-]+)(?: ([a-z-]+))?\] (\S+) (\S+)$",
                            line)
            if head:
                mutants.append(Mutant(head[1], head[2] or "sim",
                                      (head[3], head[4])))
            elif not line or line.startswith("#"):
                continue
            elif line[0] in "-+":
                mutants[-1].line(line[0], line[1:].strip())
            elif line[0] == "!":
                mutants[-1].options = tuple(line[1:].split())
            elif line[0] == "@":
                mutants[-1].begin(tuple(line.split()[1:3]))
            elif not mutants[-1].why:
                mutants[-1].why = line
            else:
                sys.exit(f"{path}:{number}: not a line of a fault: {line}")
    names = [m.name for m in mutants]
    twice = {n for n in names if names.count(n) > 1}
    if twice:
        sys.exit(f"{path}: twice: {' '.join(sorted(twice))}")
    return mutants


# ---- planting --------------------------------------------------------------

def extent(text, function):
    """Where a function's definition lies, from its head to its last brace;
    None if there is none."""
    if function == "*":
        return 0, len(text)
    for m in re.finditer(
            r"^(?![ \t#/*}]).*\b%s\([^;{]*?\)\s*{" % re.escape(function), text,
            re.M):
        end = re.compile(r"^}.*$", re.M).search(text, m.start())
        if end:
            return m.start(), end.end()
    return None


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def find_file(root, where, function):
    """The one file with that function, relative to root, and its extent."""
    path = os.path.join(root, where)
    files = [path] if os.path.isfile(path) else sorted(
        glob.glob(f"{path}/**/*.[ch]", recursive=True))
    found = [(f, e) for f in files
             for e in [extent(read(f), function)] if e is not None]
    if len(found) != 1:
        raise Stale(f"{where} has {len(found)} functions {function}")
    return found[0]


def plant(root, edit):
    """Returns the file that has changed, relative to root."""
    where, function, old, new = edit
    path, (start, end) = find_file(root, where, function)
    text = read(path)
    tokens = re.findall(r"\w+|[^\w\s]", " ".join(old))
    pattern = r"\s*".join(re.escape(t) for t in tokens)
    if tokens and re.match(r"\w", tokens[0]):
        pattern = r"\b" + pattern
    found = list(re.finditer(pattern, text[start:end]))
    if len(found) != 1:
        raise Stale(f"{os.path.relpath(path, root)}, {function}: found "
                    f"{len(found)} times: {' '.join(old)}")
    m = found[0]
    with open(path, "w", encoding="utf-8") as f:
        f.write(text[:start + m.start()] + "\n".join(new) +
                text[start + m.end():])
    return os.path.relpath(path, root)


def mutate(a, mutant):
    """Makes a copy of core with the fault."""
    out = os.path.join(a.out, mutant.name)
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree("core", os.path.join(out, "core"))
    return mutant.plant(out)


# ---- building --------------------------------------------------------------

def objects_of(a, flavour):
    return os.path.join(a.built, flavour, "obj")


def flags(a, flavour):
    """How a flavour was compiled, without its warnings."""
    words = shlex.split(read(os.path.join(a.built, flavour, ".flags")))
    return [w for w in words if not w.startswith("-W")]


def depends(objects, changed):
    """Core's sources that have to be compiled again."""
    sources = []
    for d in glob.glob(os.path.join(objects, "core/**/*.d"), recursive=True):
        if set(read(d).replace("\\\n", " ").split()) & changed:
            sources.append(os.path.relpath(d, objects)[:-2] + ".c")
    return sorted(sources)


def compile_one(a, mutant, source):
    out = os.path.join(a.out, mutant.name)
    o = os.path.join(out, source[:-2] + ".o")
    done = subprocess.run(
        [*flags(a, mutant.flavour), "-std=c11", "-w", f"-I{out}/core/include",
         f"-I{out}/core", "-isystem", a.jsmn, "-c", f"{out}/{source}", "-o", o],
        capture_output=True, text=True)
    if done.returncode != 0:
        raise Stale(f"{mutant.name} does not compile:\n{done.stderr}")
    return o


def build(a, mutant):
    """The simulator with this fault; all that it does not touch is shared."""
    changed = mutate(a, mutant)
    objects = objects_of(a, mutant.flavour)
    sources = depends(objects, changed)
    if not sources:
        raise Stale(f"nothing in {objects} is made of {' '.join(changed)}")
    shared = {os.path.relpath(o, objects): o for o in
              glob.glob(f"{objects}/core/**/*.o", recursive=True)}
    for source in sources:
        shared[source[:-2] + ".o"] = compile_one(a, mutant, source)
    world = glob.glob(objects_of(a, mutant.flavour + "-world") +
                      "/tests/sim/*.o")
    program = os.path.join(a.out, mutant.name, "sim")
    subprocess.run([*flags(a, mutant.flavour), *shared.values(), *world, "-o",
                    program], check=True)
    return program


# ---- looking ---------------------------------------------------------------

class Found:
    """What a set showed: how it was found (None: not at all), where, what was
    said, and after how many simulated hours."""

    def __init__(self, how=None, seed=0, hour=0.0, said="", hours=0.0):
        self.how, self.seed, self.hour = how, seed, hour
        self.said, self.hours = said, hours

    def __str__(self):
        if self.how is None:
            return f"not in {self.hours:.0f} hours"
        return (f"seed {self.seed} hour {self.hour:.1f}, after "
                f"{self.hours:.0f} hours, by {self.how}: {self.said[:90]}")


def reason(text):
    """By what a seed failed, and in which of its hours."""
    said = re.search(r"FAILED at (\d+):(\d+):\S+ (.*)", text)
    if said:
        how = "assertion" if "assertion of the lib" in said[3] else "check"
        return how, int(said[1]) + int(said[2]) / 60, said[3]
    said = re.search(r"(AddressSanitizer: \S+|runtime error: .*)", text)
    if said:
        return "sanitizer", 0.0, said[1]
    said = re.search(r"killed by signal \d+", text)
    return "hanging", 0.0, said[0] if said else text[-90:]


def command(program, mutant, first):
    """What looks for a fault in a set, and how many hours that takes."""
    _, seeds, hours = SETS[mutant.flavour]
    options = mutant.options or ("--seeds", str(seeds), "--hours", str(hours))
    given = dict(zip(options[::2], options[1::2]))
    hours = int(given.get("--hours", hours))
    return ([program, "--seed", str(first), *options], hours,
            int(given.get("--seeds", 1)) * hours)


def look(program, mutant, first):
    """Runs seeds until one fails."""
    words, hours, most = command(program, mutant, first)
    done = subprocess.run(words, capture_output=True, errors="replace")
    if done.returncode == 0:
        return Found(hours=most)
    text = done.stdout + done.stderr
    failed = re.search(r"seed (\d+) failed", text)
    seed = int(failed[1]) if failed else first
    how, hour, said = reason(text)
    return Found(how, seed, hour, said, (seed - first) * hours + hour)


def try_one(a, mutant):
    program = build(a, mutant)
    found = [look(program, mutant, first)
             for first in SETS[mutant.flavour][0][:a.sets]]
    if not a.keep:
        shutil.rmtree(os.path.join(a.out, mutant.name))
    return found


def check_one(a, mutant):
    """Does it apply?"""
    mutate(a, mutant)
    shutil.rmtree(os.path.join(a.out, mutant.name))
    return []


def try_all(a, mutants, work):
    """Returns what was found, by name, and the faults that do not apply."""
    results, stale = {}, []
    with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
        tasks = {pool.submit(work, a, m): m for m in mutants}
        for task in concurrent.futures.as_completed(tasks):
            mutant = tasks[task]
            try:
                results[mutant.name] = task.result()
                tell(f"{len(results)}/{len(mutants)}", mutant,
                     results[mutant.name])
            except Stale as e:
                stale.append(mutant.name)
                print(f"STALE {mutant.name}: {e}", flush=True)
    return results, stale


def unmutated(a, mutants):
    """Core as it is must pass on every seed that is to find a fault."""
    kinds = {(m.flavour, m.options): m for m in mutants}
    for flavour, options in sorted(kinds):
        for first in SETS[flavour][0][:a.sets]:
            words, _, _ = command(os.path.join(a.built, flavour, "sim"),
                                  kinds[flavour, options], first)
            done = subprocess.run([*words, "--jobs", str(a.jobs)],
                                  capture_output=True, text=True)
            print(f"without a fault: {' '.join(words)}: "
                  f"{done.stdout.strip().splitlines()[-1]}", flush=True)
            if done.returncode != 0:
                sys.exit(f"{done.stdout}{done.stderr}\n"
                         "core itself fails: this would prove nothing")


# ---- telling ---------------------------------------------------------------

def tell(number, mutant, found):
    if not found:
        return
    good = all(f.how for f in found)
    print(f"{number} {'found' if good else 'SURVIVES'} {mutant.name}: "
          f"{mutant.why}")
    for i, f in enumerate(found, 1):
        print(f"    set {i}: {f}")
    sys.stdout.flush()


def table(mutants, results):
    """One line a fault: hours until it was found, by set, and by what."""
    for m in mutants:
        if results.get(m.name):
            cells = "".join(
                f"{f.hours:7.0f} {f.how:9}" if f.how else "      - -        "
                for f in results[m.name])
            print(f"{m.name:40}{cells}")


def report(path, planted, found):
    figures = json.loads(read(path)) if os.path.exists(path) else {}
    figures.update(mutants_planted=planted, mutants_found=found)
    with open(path, "w", encoding="utf-8") as f:
        f.write(json.dumps(figures, indent=2) + "\n")


# ---- which -----------------------------------------------------------------

def pick(a, mutants):
    if a.only:
        known = {m.name for m in mutants}
        for name in a.only.split(","):
            if name not in known:
                sys.exit(f"no fault is called {name}")
        mutants = [m for m in mutants if m.name in a.only.split(",")]
    return mutants


def options():
    p = argparse.ArgumentParser()
    p.add_argument("--built", required=True, help="make's O")
    p.add_argument("--jsmn", required=True, help="where its header lies")
    p.add_argument("--sets", type=int, default=2, help="of seeds: 1 or 2")
    p.add_argument("--jobs", type=int, default=os.cpu_count())
    p.add_argument("--keep", action="store_true", help="the programs")
    return p


def read_options(p):
    a = p.parse_args()
    a.out = os.path.join(a.built, "mutants")
    return a


def main():
    p = options()
    p.add_argument("--list", default=os.path.join(HERE, "mutants"))
    p.add_argument("--only", help="names, with commas")
    p.add_argument("--check", action="store_true", help="do all apply?")
    p.add_argument("--faults-only", action="store_true",
                   help="core as it is was run on these seeds elsewhere")
    p.add_argument("--report")
    a = read_options(p)
    a.out += "-check" if a.check else ""
    mutants = pick(a, read_mutants(a.list))
    if not (a.check or a.faults_only):
        unmutated(a, mutants)
    results, stale = try_all(a, mutants, check_one if a.check else try_one)
    table(mutants, results)
    found = sum(all(f.how for f in r) for r in results.values())
    print(f"{len(mutants)} planted, {found} "
          f"{'apply' if a.check else 'found'}, {len(stale)} no longer apply")
    if a.report and not (a.only or a.check or a.sets < 2):
        report(a.report, len(mutants), found)
    sys.exit(found != len(mutants))


if __name__ == "__main__":
    main()

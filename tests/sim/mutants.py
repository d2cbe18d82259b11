#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""mutants.py - the proof of the proof: faults planted in a copy of core, one at
a time, each of which the simulated world must find.

tests/sim/mutants lists them:

    [name] file function
    One line: what is wrong with it.
    - text that is there, exactly once in the function
    + text in its stead
    @ file function           another place of the same fault
    ! --fleet 0               options in place of many seeds

White space counts as one space. Text that is not found exactly once is an
error: the fault no longer applies and has to be fitted anew.

A fault is found when a seed of a set fails. What an assertion of core stops is
found, too, but the search goes on for a check of the world that sees it.
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
import time

HERE = os.path.dirname(os.path.abspath(__file__))


class Stale(Exception):
    """A fault whose text is no longer there."""


class Mutant:
    def __init__(self, name, place):
        self.name = name
        self.why = ""
        self.edits = []  # file, function, old lines, new lines
        self.options = []
        self.place = place

    def begin(self, place):
        self.place = place

    def line(self, sign, text):
        if sign == "-" and (not self.edits or self.edits[-1][3] or
                            self.edits[-1][:2] != self.place):
            self.edits.append((*self.place, [], []))
        self.edits[-1][2 if sign == "-" else 3].append(text)

    def files(self):
        return sorted({e[0] for e in self.edits})


def read_mutants(path):
    mutants = []
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip("\n")
            head = re.match(r"\[([a-z0-9-]+)\] (\S+) (\S+)$", line)
            if head:
                mutants.append(Mutant(head[1], (head[2], head[3])))
            elif not line or line.startswith("#"):
                continue
            elif line[0] in "-+":
                mutants[-1].line(line[0], line[1:].strip())
            elif line[0] == "!":
                mutants[-1].options = line[1:].split()
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

def extent(text, function, file):
    """Where a function's definition lies, from its head to its last brace."""
    if function == "*":
        return 0, len(text)
    found = [m for m in re.finditer(
        r"^(?![ \t#/*}]).*\b%s\b[^;]*?\n[{\n]" % re.escape(function), text,
        re.M)]
    for m in found:
        end = re.compile(r"^}.*$", re.M).search(text, m.start())
        if end:
            return m.start(), end.end()
    raise Stale(f"{file} has no function {function}")


def plant(text, edit):
    file, function, old, new = edit
    start, end = extent(text, function, file)
    words = " ".join(old).split()
    pattern = r"\s+".join(re.escape(w) for w in words)
    found = list(re.finditer(pattern, text[start:end]))
    if len(found) != 1:
        raise Stale(f"{file}, {function}: found {len(found)} times: "
                    + " ".join(words))
    m = found[0]
    return (text[:start + m.start()] + "\n".join(new) +
            text[start + m.end():])


def mutate(mutant, core):
    for edit in mutant.edits:
        path = os.path.join(core, os.path.relpath(edit[0], "core"))
        with open(path, encoding="utf-8") as f:
            text = f.read()
        with open(path, "w", encoding="utf-8") as f:
            f.write(plant(text, edit))


def depends(objects, files):
    """Core's sources that have to be compiled again."""
    sources = []
    for d in glob.glob(os.path.join(objects, "core/**/*.d"), recursive=True):
        with open(d, encoding="utf-8") as f:
            seen = set(f.read().replace("\\\n", " ").split())
        if seen & set(files):
            sources.append(os.path.relpath(d, objects)[:-2] + ".c")
    return sorted(sources)


def build(a, mutant):
    """The simulator with this fault; all that it does not touch is shared."""
    out = os.path.join(a.out, mutant.name)
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree("core", os.path.join(out, "core"))
    mutate(mutant, os.path.join(out, "core"))
    objects = {o: o for o in glob.glob(os.path.join(a.objects, "core/**/*.o"),
                                       recursive=True)}
    objects |= {o: o for o in glob.glob(os.path.join(a.objects, "core/*.o"))}
    sources = depends(a.objects, mutant.files())
    if not sources:
        raise Stale(f"nothing in {a.objects} is made of {mutant.files()}")
    for source in sources:
        o = os.path.join(out, source[:-2] + ".o")
        done = subprocess.run(
            [*shlex.split(a.compile), "-w", f"-I{out}/core/include",
             f"-I{out}/core", "-c", f"{out}/{source}", "-o", o],
            capture_output=True, text=True)
        if done.returncode != 0:
            raise Stale(f"{mutant.name} does not compile:\n{done.stderr}")
        objects[os.path.join(a.objects, source[:-2] + ".o")] = o
    world = glob.glob(os.path.join(a.world, "tests/sim/*.o"))
    program = os.path.join(out, "sim")
    subprocess.run([*shlex.split(a.link), *objects.values(), *world, "-o",
                    program], check=True)
    return program


# ---- looking ---------------------------------------------------------------

def failure(text):
    said = re.search(r"FAILED at \S+ (.*)", text)
    if said and "assertion of the library" in said[1]:
        return "assertion", said[1]
    if said:
        return "check", said[1]
    said = re.search(r"(AddressSanitizer: \S+|runtime error: .*)", text)
    if said:
        return "sanitizer", said[1]
    said = re.search(r"killed by signal \d+", text)
    return "hanging", said[0] if said else "?"


class Found:
    def __init__(self):
        self.how = None     # "check": the world's own checks see it
        self.said = ""
        self.seed = 0
        self.tried = 0      # seeds, until the first that failed
        self.first_how = None


def look(program, first, seeds, hours, options):
    """Runs seeds until one fails by a check of the world."""
    found = Found()
    if options:
        done = subprocess.run([program, "--seed", str(first), *options],
                              capture_output=True, errors="replace")
        if done.returncode != 0:
            found.how, found.said = failure(done.stdout + done.stderr)
            found.seed, found.tried = first, 1
            found.first_how = found.how
        return found
    seed, end = first, first + seeds
    while seed < end:
        done = subprocess.run(
            [program, "--seed", str(seed), "--seeds", str(end - seed),
             "--hours", str(hours)], capture_output=True, errors="replace")
        text = done.stdout + done.stderr
        if done.returncode == 0:
            break
        at = re.search(r"seed (\d+) failed", text)
        how, said = failure(text)
        seed = int(at[1]) if at else seed
        if found.how is None:
            found.tried = seed - first + 1
            found.first_how = how
        if found.how is None or how == "check":
            found.how, found.said, found.seed = how, said, seed
        if how in ("check", "hanging"):
            break
        seed += 1
    return found


def try_one(a, mutant):
    begun = time.monotonic()
    program = build(a, mutant)
    sets = [look(program, first, a.seeds, a.hours, mutant.options)
            for first in a.first]
    return mutant, sets, time.monotonic() - begun


def tell(mutant, sets, seconds):
    good = all(s.how for s in sets)
    print(f"{'found   ' if good else 'SURVIVES'} {mutant.name} "
          f"({seconds:.0f} s): {mutant.why}")
    for s in sets:
        if s.how:
            print(f"    seed {s.seed}, after {s.tried} seeds, by "
                  f"{s.how}: {s.said[:90]}")
        else:
            print("    not found")
    sys.stdout.flush()
    return good


def unmutated(a):
    for first in a.first:
        done = subprocess.run(
            [a.program, "--seed", str(first), "--seeds", str(a.seeds),
             "--hours", str(a.hours), "--jobs", str(a.jobs)])
        if done.returncode != 0:
            sys.exit("core itself fails: mutants prove nothing")


def report(path, planted, found):
    figures = {}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            figures = json.load(f)
    figures.update(mutants_planted=planted, mutants_found=found)
    with open(path, "w", encoding="utf-8") as f:
        f.write(json.dumps(figures, indent=2) + "\n")


def pick(a, mutants):
    if a.only:
        known = {m.name for m in mutants}
        for name in a.only.split(","):
            if name not in known:
                sys.exit(f"no fault is called {name}")
        mutants = [m for m in mutants if m.name in a.only.split(",")]
    if a.part:
        part, parts = map(int, a.part.split("/"))
        mutants = mutants[part - 1::parts]
    return mutants


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--list", default=os.path.join(HERE, "mutants"))
    p.add_argument("--compile", required=True, help="the compiler with flags")
    p.add_argument("--link", required=True)
    p.add_argument("--objects", required=True, help="where core's lie")
    p.add_argument("--world", required=True, help="where the world's lie")
    p.add_argument("--out", required=True)
    p.add_argument("--program", help="unmutated: has to pass first")
    p.add_argument("--first", type=int, action="append",
                   help="first seed of a set (twice: two sets)")
    p.add_argument("--seeds", type=int, default=500, help="of a set")
    p.add_argument("--hours", type=int, default=10, help="of a seed")
    p.add_argument("--jobs", type=int, default=os.cpu_count())
    p.add_argument("--only", help="names, with commas")
    p.add_argument("--part", help="1/3: every third, from the first")
    p.add_argument("--check", action="store_true", help="do all apply?")
    p.add_argument("--report")
    a = p.parse_args()
    a.first = a.first or [1, 1001]
    mutants = pick(a, read_mutants(a.list))
    if a.program:
        unmutated(a)
    found, stale = 0, []
    with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
        work = check_one if a.check else try_one
        for f in [pool.submit(work, a, m) for m in mutants]:
            try:
                done = f.result()
                found += 1 if a.check else tell(*done)
            except Stale as e:
                stale.append(str(e))
                print(f"STALE    {e}")
    print(f"{len(mutants)} planted, {found} found, {len(stale)} no longer "
          "apply")
    if a.report and not a.only:
        report(a.report, len(mutants), found)
    sys.exit(found != len(mutants))


def check_one(_, mutant):
    texts = {}
    for edit in mutant.edits:
        if edit[0] not in texts:
            with open(edit[0], encoding="utf-8") as f:
                texts[edit[0]] = f.read()
        texts[edit[0]] = plant(texts[edit[0]], edit)


if __name__ == "__main__":
    main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""flips.py - conditions and constants of core flipped at random, one at a time:
which of them does the simulated world not notice? make sim-mutants
SYSTEMATIC=20; what survives is either no fault (many are not) or a check that
is missing. It proves nothing by itself and fails for nothing; see mutants.py.
"""

import glob
import os
import random
import re

import mutants

FOLDERS = ("core/watch", "core/store", "core/informer")
# Not of the world: misuse, checks, what only a user of the library calls.
LEFT_OUT = ("store_check.c", "workqueue.c", "typed.c", "selector.c",
            "script.c", "kinds.c", "object.c", "get.c")
FLIPS = (
    (r"(?<![<>-])<(?![<=])", "<="), (r"(?<![<>-])>(?![>=])", ">="),
    (r"<=", "<"), (r">=", ">"), (r"==", "!="), (r"!=", "=="),
    (r"&&", "||"), (r"\|\|", "&&"), (r"\btrue\b", "false"),
    (r"\bfalse\b", "true"), (r"!(?=[a-z(])", ""), (r"\|=", "="),
    (r"(?<= )\+ 1\b", "+ 2"), (r"\b0\b(?=;)", "1"), (r"\+\+(?=;)", ""),
    (r"(?<=\n)    +[a-z_]+\([^;{}=]*\);(?=\n)", ";"),  # a call left out
    (r"(?<=\n)    +[a-z_>.\[\]-]+ [|+-]?= [^;{}]*;(?=\n)", ";"),
)


class Flip(mutants.Mutant):
    """A place in a file and what stands there instead."""

    def __init__(self, name, file, start, end, text):
        super().__init__(name, "sim", (file, "*"))
        self.file, self.start, self.end, self.text = file, start, end, text
        whole = mutants.read(file)
        begin = whole.rfind("\n", 0, start + 1) + 1
        stop = whole.find("\n", end)
        number = whole.count("\n", 0, start + 1) + 1
        line = whole[begin:start] + "[" + " ".join(whole[start:end].split())
        self.why = (f"{file}:{number}: {line.strip()} => {text}]"
                    f"{whole[end:stop]}")

    def plant(self, root):
        path = os.path.join(root, self.file)
        text = mutants.read(path)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text[:self.start] + self.text + text[self.end:])
        return {self.file}


def blank(text):
    """The same without comments, directives, assertions and strings, at the
    same places."""
    return re.sub(
        r"/\*.*?\*/|^#(?:[^\n]*\\\n)*[^\n]*$|_?[A-Za-z_]*(?:ASSERT|UNREACHABLE|"
        r"Static_assert)\((?:[^;]|\n)*?;|\"(?:\\.|[^\"])*\"",
        lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.M | re.S)


def places(file):
    text = blank(mutants.read(file))
    for pattern, new in FLIPS:
        for m in re.finditer(pattern, text):
            start = m.start() + len(m[0]) - len(m[0].lstrip())
            yield file, start, m.end(), new


def draw(count, seed):
    files = [f for folder in FOLDERS
             for f in sorted(glob.glob(f"{folder}/*.c"))
             if os.path.basename(f) not in LEFT_OUT]
    every = [p for f in files for p in places(f)]
    print(f"{count} of {len(every)} places, drawn by --draw {seed}")
    drawn = random.Random(seed).sample(every, min(count, len(every)))
    return [Flip(f"flip-{i}", *p) for i, p in enumerate(drawn, 1)]


def main():
    p = mutants.options()
    p.add_argument("--count", type=int, default=20)
    p.add_argument("--draw", type=int, help="seed of a draw",
                   default=random.SystemRandom().randrange(1, 1 << 30))
    a = mutants.read_options(p)
    flips = draw(a.count, a.draw)
    results, stale = mutants.try_all(a, flips, mutants.try_one)
    print(f"{len(stale)} do not compile; not noticed:")
    for f in flips:
        if any(x.how is None for x in results.get(f.name, [])):
            print(f"  {f.why}")


if __name__ == "__main__":
    main()

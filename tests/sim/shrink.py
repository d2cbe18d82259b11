#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""shrink.py - reduces a failing seed to the few lines of its script that it
takes, by leaving out halves, quarters, ... as long as it fails the same way.

    shrink.py SIM --seed N [--hours N] [--faults LIST] [--out FILE]
"""

import argparse
import re
import subprocess
import sys
import tempfile


class Shrinker:
    def __init__(self, a):
        self.base = [a.sim, "--seed", str(a.seed), "--hours", str(a.hours)]
        if a.faults:
            self.base += ["--faults", a.faults]
        if a.size is not None:
            self.base += ["--size", str(a.size)]
        self.file = tempfile.NamedTemporaryFile("w", suffix=".script")
        self.tries = 0
        self.failure = None

    def lines(self):
        out = subprocess.run(self.base + ["--print-script"], check=True,
                             capture_output=True, text=True).stdout
        return out.splitlines()

    def run(self, lines):
        """What went wrong, without the numbers, and the whole output."""
        self.tries += 1
        self.file.seek(0)
        self.file.truncate()
        self.file.write("\n".join(lines) + "\n")
        self.file.flush()
        done = subprocess.run(self.base + ["--script", self.file.name],
                              capture_output=True, errors="replace")
        text = done.stdout + done.stderr
        said = re.search(r"FAILED at \S+ (.*)", text)
        if said is None:
            said = re.search(r"(AddressSanitizer: \S+|runtime error: .*)",
                             text)
        if done.returncode == 0:
            return None, text
        kind = said.group(1) if said else "something"
        return re.sub(r"[0-9]+|x-\S+|\{.*", "N", kind)[:60], text

    def fails(self, lines):
        kind, text = self.run(lines)
        if kind is not None and kind == self.failure:
            self.text = text
            return True
        return False

    def shrink(self):
        lines = self.lines()
        self.failure, self.text = self.run(lines)
        if self.failure is None:
            sys.exit("this seed does not fail")
        lines = self.cut_tail(lines)
        parts = 2
        while len(lines) > 1 or parts == 2:
            size = max(1, -(-len(lines) // parts))
            for at in range(0, len(lines), size):
                fewer = lines[:at] + lines[at + size:]
                if self.fails(fewer):
                    lines = fewer
                    parts = max(parts - 1, 2)
                    break
            else:
                if size == 1:
                    break
                parts = min(len(lines), parts * 2)
            if sys.stderr.isatty():
                print(f"\r{len(lines)} lines, {self.tries} tries ", end="",
                      file=sys.stderr)
        return lines

    def story(self, path):
        """The end of the trace, which says what went wrong."""
        out = subprocess.run(self.base + ["--script", path, "--trace"],
                             capture_output=True, errors="replace").stdout
        return "\n".join(out.rstrip().splitlines()[-30:])

    def cut_tail(self, lines):
        """What comes after the failure cannot have caused it."""
        at = re.search(r"FAILED at (\d+):(\d+):(\d+)", self.text)
        if at is None:
            return lines
        hours, minutes, seconds = map(int, at.groups())
        end = hours * 3600 + minutes * 60 + seconds + 1
        short = [x for x in lines if float(x.split()[0]) <= end]
        return short if self.fails(short) else lines


def main():
    p = argparse.ArgumentParser()
    p.add_argument("sim")
    p.add_argument("--seed", type=int, required=True)
    p.add_argument("--hours", type=int, default=10)
    p.add_argument("--faults")
    p.add_argument("--size", type=int)
    p.add_argument("--out", default="shrunk.script")
    a = p.parse_args()
    s = Shrinker(a)
    lines = s.shrink()
    with open(a.out, "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")
    print("\n".join(lines))
    print("\nhow it ends:\n" + s.story(a.out))
    print("\nall of it: " + " ".join(s.base) + f" --script {a.out} --trace")


if __name__ == "__main__":
    main()

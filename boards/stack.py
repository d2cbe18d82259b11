#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""stack.py - the bound of a firmware's stack, from its call graph.

  stack.py ELF MAP CALLS [--cross PREFIX] [--path] [--report REPORT.json]

MAP names the objects; beside each lies gcc's .ci file (-fcallgraph-info=su).
What came compiled (libc, libgcc) is read from the ELF's code. Calls through
pointers are resolved by the file CALLS, see boards/calls; one that is not
listed is an error, and so are recursion and frames without a bound that are
not listed there. A bound above the linker script's stack_size is one, too."""

import argparse
import fnmatch
import glob
import re
import subprocess
import sys

import budget

NODE = re.compile(r'node: \{ title: "([^"]+)" label: "([^"]*)"')
EDGE = re.compile(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"'
                  r'(?: label: "([^"]*)")?')
FRAME = re.compile(r"\\n(\d+) bytes \(([a-z,]+)\)")
INDIRECT = "__indirect_call"
# An interrupt's frame: eight words, aligned to eight bytes. All have one
# priority, so that there is one at a time.
EXCEPTION = 8 * 4 + 4


class Graph:
    """frames: bytes of a function; calls: its callees, as titles or
    (INDIRECT, place)."""

    def __init__(self):
        self.frames, self.calls, self.unbounded = {}, {}, set()

    def read_ci(self, path):
        with open(path, encoding="utf-8") as f:
            for line in f:
                node, edge = NODE.match(line), EDGE.match(line)
                if node:
                    frame = FRAME.search(node.group(2))
                    if frame:
                        title = node.group(1)
                        self.frames[title] = int(frame.group(1))
                        self.calls.setdefault(title, set())
                        if frame.group(2) not in ("static", "dynamic,bounded"):
                            self.unbounded.add(title)
                elif edge:
                    source, target, place = edge.groups()
                    self.calls.setdefault(source, set()).add(
                        (INDIRECT, place) if target == INDIRECT else target)

    def read_code(self, text):
        """objdump -d of the ELF: for functions that have no frame yet."""
        name, known = None, set(self.frames)
        known |= {t.rsplit(":", 1)[1] for t in known if ":" in t}
        for line in text.splitlines():
            head = re.match(r"^[0-9a-f]+ <([^>]+)>:$", line)
            if head:
                name = None if head.group(1) in known else head.group(1)
                if name:
                    self.frames[name] = 0
                    self.calls[name] = set()
                continue
            if not name or "\t" not in line:
                continue
            words = line.split("\t")
            code, rest = words[2] if len(words) > 2 else "", \
                words[3] if len(words) > 3 else ""
            self.frames[name] += pushed(code, rest)
            target = re.search(r"<([^>+]+)>$", rest)
            if code in ("bl", "b.w", "b.n", "b", "beq.w", "bne.w", "blx") and \
                    target and target.group(1) != name:
                self.calls[name].add(target.group(1))
            elif code == "blx" or (code == "bx" and rest.strip() != "lr"):
                self.calls[name].add((INDIRECT, "libc:" + name))


def registers(rest):
    count = 0
    for part in re.search(r"\{([^}]*)\}", rest).group(1).split(","):
        ends = [int(n) for n in re.findall(r"[rsd](\d+)", part)]
        count += ends[1] - ends[0] + 1 if "-" in part else 1
    return count


def pushed(code, rest):
    if code in ("push", "push.w") or (code.startswith("stmdb")
                                      and rest.startswith("sp!")):
        return 4 * registers(rest)
    if code == "vpush":
        return 8 * registers(rest)
    if code in ("sub", "sub.w", "subw") and rest.startswith("sp, "):
        number = re.search(r"#(\d+)", rest)
        return int(number.group(1)) if number else 0
    grown = re.search(r"\[sp, #-(\d+)\]!", rest)
    return int(grown.group(1)) if grown else 0


class Calls:
    """The list: which functions a pointer may lead to."""

    def __init__(self, path):
        self.rules, self.never, self.twice = [], set(), set()
        with open(path, encoding="utf-8") as f:
            for line in f:
                words = line.split("#")[0].split()
                if words:
                    self.add(path, words)

    def add(self, path, words):
        if words[0] == "never" and len(words) == 3:
            self.never.add((words[1], words[2]))
        elif words[0] == "twice" and len(words) == 2:
            self.twice.add(words[1])
        elif len(words) >= 3 and words[2] == "=":
            self.rules.append((words[0], words[1], words[3:]))
        else:
            sys.exit(f"{path}: cannot read '{' '.join(words)}'")

    def targets(self, place, member):
        """place: file:line:column and the caller."""
        for where, name, to in self.rules:
            if where in place and name in (member, "*"):
                return to
        return None


SOURCES = {}


def member_at(place):
    """The name that is called at file:line:column, such as "recv"."""
    if place.startswith("libc:"):
        return "*"
    path, line, column = place.rsplit(":", 2)
    if path not in SOURCES:
        with open(path, encoding="utf-8", errors="replace") as f:
            SOURCES[path] = f.read().split("\n")
    text = " ".join(SOURCES[path][int(line) - 1:int(line) + 4])
    text = text[int(column) - 1:].split(";")[0]
    found = re.search(r"(?:->|\.)(\w+)\s*\)?\s*\(", text) or \
        re.search(r"(\w+)\s*\)?\s*\(", text)
    return found.group(1) if found else "?"


class Bound:
    def __init__(self, graph, calls):
        self.graph, self.calls = graph, calls
        self.by_name = {}
        for title in graph.frames:
            self.by_name.setdefault(title.rsplit(":", 1)[-1], []).append(title)
        self.done, self.wrong = {}, []

    def find(self, name, caller=""):
        if name in self.graph.frames:
            return name
        found = fnmatch.filter(self.graph.frames, name) if "*" in name else \
            self.by_name.get(short(name), [])
        if not found and ":" in name:
            return None # a static function that was inlined here
        if len(found) != 1:
            self.wrong.append(f"{caller}: {'many' if found else 'no'} '{name}'")
            return None
        return found[0]

    def callees(self, title):
        found = set()
        for call in self.graph.calls.get(title, ()):
            if isinstance(call, tuple):
                place = call[1]
                member = member_at(place)
                names = self.calls.targets(f"{place} {short(title)}", member)
                if names is None:
                    self.wrong.append(
                        f"{place}: {short(title)} calls through '{member}', "
                        "which is not listed")
                    continue
            else:
                names = [call]
            for name in names:
                to = self.find(name, title) if name != "-" else None
                if to and (short(title), short(to)) not in self.calls.never:
                    found.add(to)
        return sorted(found)

    def deepest(self, title, above=()):
        """Bytes from this function's entry on, and the path."""
        if title in self.done:
            return self.done[title]
        if title in above and short(title) in self.calls.twice:
            best = max((self.deepest(c, above + (title,))[0]
                        for c in self.callees(title) if c not in above),
                       default=0)
            return self.graph.frames[title] + best, (title,)
        if title in above:
            loop = [short(t) for t in above[above.index(title):] + (title,)]
            self.wrong.append("recursion: " + " > ".join(loop))
            return 0, ()
        if title in self.graph.unbounded:
            self.wrong.append(f"{title}: its frame has no bound")
        best = (0, ())
        for callee in self.callees(title):
            best = max(best, self.deepest(callee, above + (title,)),
                       key=lambda b: b[0])
        whole = (self.graph.frames[title] + best[0], (title,) + best[1])
        self.done[title] = whole
        return whole


def short(title):
    return title.rsplit(":", 1)[-1]


def info_files(path):
    """The .ci files of the objects that were linked, and of our archives."""
    with open(path, encoding="utf-8") as f:
        loaded = re.findall(r"^LOAD (\S+)", f.read(), re.MULTILINE)
    for name in loaded:
        if "/obj/" in name:
            yield name.removesuffix(".o") + ".ci"
        ours = re.match(r"(.*)/lib(mbedtls|lwip)\.a$", name)
        if ours:
            yield from glob.glob("/".join((ours.group(1), "obj", ours.group(2),
                                           "**", "*.ci")), recursive=True)


def reserve_of(options):
    text = subprocess.run([options.cross + "nm", options.elf], check=True,
                          capture_output=True, text=True).stdout
    place = {w[2]: int(w[0], 16) for w in map(str.split, text.splitlines())
             if len(w) == 3}
    return place["stack_top"] - place["stack_bottom"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("elf")
    parser.add_argument("map")
    parser.add_argument("calls")
    parser.add_argument("--cross", default="arm-none-eabi-")
    parser.add_argument("--path", action="store_true")
    parser.add_argument("--report")
    options = parser.parse_args()
    graph = Graph()
    for path in info_files(options.map):
        graph.read_ci(path)
    graph.read_code(subprocess.run(
        [options.cross + "objdump", "-d", options.elf], check=True,
        capture_output=True, text=True).stdout)
    bound = Bound(graph, Calls(options.calls))
    total, path = bound.deepest(bound.find("kinf_reset"))
    interrupt = EXCEPTION + max(bound.deepest(bound.find(h))[0]
                                for h in ("kinf_tick", "kinf_frame"))
    if bound.wrong:
        sys.exit("\n".join(sorted(set(bound.wrong))))
    if options.path:
        for title in path:
            print(f"{graph.frames[title]:6} {title}")
        print(f"{interrupt:6} an interrupt")
    whole = total + interrupt
    reserve = reserve_of(options)
    print(f"{whole:6} bytes of stack at most, of {reserve} reserved")
    if options.report:
        budget.write(options.report, {"stack_bound": whole,
                                      "stack_interrupt": interrupt,
                                      "stack_reserve": reserve})
    if whole > reserve:
        sys.exit("the stack may grow beyond its reserve")


if __name__ == "__main__":
    main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The floors of the house: who includes whom, and what core may call.

Includes are read from the sources; calls, data and recursion from the objects
that the compiler made of core for a host and for a Cortex-M4."""

import glob
import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, "tests")
import tap  # noqa: E402

BUILT = os.environ.get("O", "build")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)

# What a floor may include beside the public header and its own folder.
BELOW = {
    "base": set(),
    "wire": {"base"},
    "store": {"base"},
    "watch": {"base", "wire", "store"},
    "informer": {"base", "store", "watch"},
    "include": set(),
}
LANGUAGE = {"stdbool.h", "stddef.h", "stdint.h", "limits.h", "stdalign.h",
            "string.h", "jsmn.h"}
# Functions of C that need no system; libgcc's arithmetic on a small part.
CALLS = {"memchr", "memcmp", "memcpy", "memmove", "memset", "strchr",
         "strcmp", "strlen"}
ARITHMETIC = re.compile(r"__aeabi_(u?idiv|u?ldivmod|u?idivmod|lmul|l?asr|llsl"
                        r"|llsr|mem(cpy|move|set|clr)\d?)$")


def sources(pattern="core/**/*.[ch]"):
    return sorted(glob.glob(pattern, recursive=True))


def includes(path):
    with open(path, encoding="utf-8") as f:
        return INCLUDE.findall(f.read())


def objects(flavour):
    """The sources decide: objects of files that are gone may lie about."""
    out = [f"{BUILT}/{flavour}/obj/{s[:-2]}.o"
           for s in sources("core/**/*.c")]
    return [o for o in out if os.path.exists(o)], out


def nm(paths, *options):
    for path in paths:
        text = subprocess.run(["nm", *options, path], check=True, text=True,
                              stdout=subprocess.PIPE).stdout
        for line in text.splitlines():
            words = line.split()
            yield path, words[-2], words[-1]


class Includes(unittest.TestCase):
    def test_core_looks_only_down(self):
        for path in sources():
            parts = path.split("/")
            floor = parts[1] if len(parts) > 2 else None
            for kind, name in includes(path):
                with self.subTest(f"{path} includes {name}"):
                    self.check_core(floor, kind, name)

    def check_core(self, floor, kind, name):
        if name in LANGUAGE:
            return
        self.assertEqual('"', kind, "a system header")
        if "/" not in name:
            public = os.path.exists("core/include/" + name)
            own = floor and os.path.exists(f"core/{floor}/{name}")
            self.assertTrue(public or own, "neither public nor its own floor")
            return
        into = name.split("/")[0]
        self.assertIn(into, BELOW, "not of core")
        if floor:
            self.assertIn(into, BELOW[floor] | {floor}, "a floor above it")

    def test_base_reads_jsmn_alone(self):
        for path in sources():
            if any(name == "jsmn.h" for _, name in includes(path)):
                self.assertIn("core/base/", path)

    def test_ports_and_boards_know_the_public_header_alone(self):
        private = {os.path.relpath(p, "core") for p in sources()
                   if not p.startswith("core/include/")}
        for path in sources("port/**/*.[ch]") + sources("boards/**/*.[ch]"):
            for _, name in includes(path):
                with self.subTest(f"{path} includes {name}"):
                    self.assertNotIn(name, private)
                    self.assertNotIn("core/", name)
                    self.assertNotRegex(name, r"^(base|wire|watch|store|"
                                              r"informer)/")

    def test_third_parties_have_one_door_each(self):
        doors = {"mbedtls/": ("port/mbedtls/",), "psa/": ("port/mbedtls/",),
                 "lwip/": ("port/lwip/", "boards/"),
                 "netif/": ("port/lwip/", "boards/"),
                 "FreeRTOS.h": ("port/freertos/",),
                 "task.h": ("port/freertos/",)}
        for path in (sources() + sources("port/**/*.[ch]")
                     + sources("boards/**/*.[ch]")):
            for _, name in includes(path):
                for start, where in doors.items():
                    if name.startswith(start) and \
                            not os.path.exists("port/" + name):
                        with self.subTest(f"{path} includes {name}"):
                            self.assertTrue(path.startswith(where))


class Objects(unittest.TestCase):
    def each(self):
        for flavour in ("host", "m4"):
            there, wanted = objects(flavour)
            self.assertEqual(wanted, there, "core was not built for it")
            yield flavour, there

    def test_core_calls_nobody_but_itself(self):
        for flavour, paths in self.each():
            for path, _, name in nm(paths, "--undefined-only"):
                if name.startswith("kinf_") or name in CALLS or (
                        flavour == "m4" and ARITHMETIC.match(name)) or (
                        name == "_GLOBAL_OFFSET_TABLE_"):
                    continue
                with self.subTest(path):
                    self.fail(f"{path} calls {name}")

    def test_core_has_no_data_of_its_own(self):
        for _, paths in self.each():
            for path, kind, name in nm(paths, "--defined-only"):
                # .data.rel.ro is constant: pointers a host's linker fills in.
                if kind in "BbCGgSs" or (kind in "Dd" and not
                                         self.is_constant(path, name)):
                    with self.subTest(path):
                        self.fail(f"{path}: {name} can be written")

    @staticmethod
    def is_constant(path, name):
        text = subprocess.run(["objdump", "-t", path], check=True, text=True,
                              stdout=subprocess.PIPE).stdout
        return re.search(rf"\.data\.rel\.ro\S*\s.*\s{re.escape(name)}$", text,
                         re.MULTILINE) is not None

    def test_outer_names_begin_with_kinf(self):
        for _, paths in self.each():
            for path, _, name in nm(paths, "--defined-only", "--extern-only"):
                with self.subTest(path):
                    self.assertRegex(name, r"^kinf_")

    def test_what_the_header_names_exists(self):
        """Every function of kinformer.h is defined by core, but for those a
        port supplies."""
        with open("core/include/kinformer.h", encoding="utf-8") as f:
            text = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.DOTALL)
        declared = set(re.findall(r"^[a-z][\w \*]*?\b(kinf_\w+)\([^()]*\);",
                                  text, re.MULTILINE))
        there, _ = objects("host")
        defined = {name for _, _, name in
                   nm(there, "--defined-only", "--extern-only")}
        self.assertGreater(len(declared), 40)
        self.assertEqual(set(), declared - defined - {"kinf_assert_failed"})


class CallGraph(unittest.TestCase):
    EDGE = re.compile(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"')
    FLOAT = re.compile(r"__aeabi_[fd]|__(add|sub|mul|div|fix|float)\w*[sd]f")

    def edges(self):
        graph = {}
        for source in sources("core/**/*.c"):
            with open(f"{BUILT}/m4/obj/{source[:-2]}.ci",
                      encoding="utf-8") as f:
                for a, b in self.EDGE.findall(f.read()):
                    graph.setdefault(a, set()).add(b)
        return graph

    def test_core_does_not_recurse(self):
        graph, done, path = self.edges(), set(), []
        self.assertGreater(len(graph), 20)

        def visit(name):
            if name in path:
                self.fail(" -> ".join(path[path.index(name):] + [name]))
            if name in done:
                return
            path.append(name)
            for callee in graph.get(name, ()):
                visit(callee)
            path.pop()
            done.add(name)

        for name in graph:
            visit(name)

    def test_core_does_not_float(self):
        for caller, callees in self.edges().items():
            for callee in callees:
                self.assertIsNone(self.FLOAT.match(callee), caller)


if __name__ == "__main__":
    tap.main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""budget.py - what a firmware takes, by part; fails above the board's budget.

  budget.py MAP RAM_MAX FLASH_MAX [REPORT.json [KEY]]

Read from the linker's map, so that every byte has a file. Flash holds text,
constants and the start values of data; RAM holds data, bss and the sections
.stack and .noinit. With KEY the report gets the flash under this name, and
nothing else."""

import json
import os
import re
import sys

PLACED = re.compile(
    r"^ ?(\*fill\*|\.[\w.$*]+|COMMON)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)"
    r"(?:[ \t]+(\S.*))?$", re.MULTILINE)
FLASH = ("text", "rodata", "data")
RAM = ("data", "bss", "stack")


def kind_of(section):
    """The name of the output section decides."""
    for kind, starts in (
            ("text", (".text", ".vectors", ".isr", ".init", ".fini", ".ARM")),
            ("rodata", (".rodata",)), ("data", (".data",)),
            ("stack", (".stack", ".noinit")),
            ("bss", (".bss", "COMMON"))):
        if section.startswith(starts):
            return kind
    return None


def part_of(source):
    """core/wire/json_stream.c, mbedtls, lwip, libc, ... of an object's path."""
    for pattern, name in (
            (r"libmbedtls\.a", "mbedtls"), (r"liblwip\.a", "lwip"),
            (r"lib(c|c_nano|m|nosys|gcc|g)\.a", "libc"),
            (r"/obj/((?:core|port|boards|tests)/.*)\.o$", None)):
        found = re.search(pattern, source)
        if found:
            return name or found.group(1) + ".c"
    return "other"


def read_map(path):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    text = text[text.index("Linker script and memory map"):]
    text = re.sub(r"^( ?[.\w][\w.$*]+)\n +0x", r"\1 0x", text,
                  flags=re.MULTILINE)
    parts, kind, wholes, app = {}, None, {}, 0
    for line in text.splitlines():
        found = PLACED.match(line)
        if not found:
            continue
        section, _, size, source = found.groups()
        size = int(size, 16)
        if not line.startswith(" "): # an output section begins
            kind = kind_of(section)
            if kind:
                wholes[kind] = wholes.get(kind, 0) + size
        elif kind and size:
            part = "padding" if section == "*fill*" else \
                part_of(source) if source else "stack"
            row = parts.setdefault(part, dict.fromkeys(
                ("text", "rodata", "data", "bss", "stack"), 0))
            if kind in ("data", "bss") and (part.startswith("core/") or
                                            part.endswith("/main.c")):
                app += size
            inner = kind_of(section)
            row[inner if kind == "text" and inner == "rodata" else kind] += size
    return parts, wholes, app


def main():
    path, ram_max, flash_max = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    parts, wholes, app = read_map(path)
    if not parts:
        sys.exit(f"{path}: nothing was linked")
    flash = sum(wholes.get(k, 0) for k in FLASH)
    ram = sum(wholes.get(k, 0) for k in RAM)
    if len(sys.argv) > 5:
        write(sys.argv[4], {sys.argv[5]: flash})
    elif len(sys.argv) > 4:
        table(parts)
        core = [row for name, row in parts.items() if name.startswith("core/")]
        write(sys.argv[4], {
            "flash": flash, "ram": ram, "app": app, "files": parts,
            "core_text": sum(r["text"] + r["rodata"] for r in core)})
    print(f"flash {flash:,} of {flash_max:,}, RAM {ram:,} of {ram_max:,}")
    if flash > flash_max or ram > ram_max:
        sys.exit(f"{path}: above the board's budget")


def table(parts):
    print(f"{'file':44}{'text':>8}{'rodata':>8}{'data':>7}{'bss':>8}"
          f"{'stack':>7}")
    for name in sorted(parts):
        row = parts[name]
        print(f"{name:44}{row['text']:8}{row['rodata']:8}{row['data']:7}"
              f"{row['bss']:8}{row['stack']:7}")


def write(out, more):
    """Into the report; its other keys are kept."""
    whole = {}
    if os.path.exists(out):
        with open(out, encoding="utf-8") as f:
            whole = json.load(f)
    whole.update(more)
    os.makedirs(os.path.dirname(out), exist_ok=True)
    with open(out + ".new", "w", encoding="utf-8") as f:
        json.dump(whole, f, indent=2, sort_keys=True)
        f.write("\n")
    os.replace(out + ".new", out)


if __name__ == "__main__":
    main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""report.py - what core costs: tables on screen, the same as JSON.

  report.py size OUT.json LEAN LEAN_ASSERT ALL ALL_ASSERT
                       flash, from linker maps: smallest, everything
  report.py ram OUT.json OBJECT SOURCE NM
                       pools, from ram_pools.c's object
"""

import json
import os
import re
import subprocess
import sys

PLACED = re.compile(
    r"^ (\.[\w.$]+|COMMON)\s+0x[0-9a-f]+\s+0x([0-9a-f]+)\s+(\S.*\.o\)?)$",
    re.MULTILINE)
KINDS = (("text", (".text", ".rodata", ".ARM.ex")), ("data", (".data",)),
         ("bss", (".bss", "COMMON")))


def kind_of(section):
    for kind, starts in KINDS:
        if section.startswith(starts):
            return kind
    return None


def read_map(path):
    """Bytes of each core file as linked: {file: {text, data, bss}}."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    # What was thrown away is listed first; long names break their line.
    text = text[text.index("Linker script and memory map"):]
    text = re.sub(r"^( \.[\w.$]+)\n +", r"\1 ", text, flags=re.MULTILINE)
    files = {}
    for section, size, source in PLACED.findall(text):
        kind = kind_of(section)
        where = re.search(r"/obj/(core/.*)\.o$", source)
        if kind and where and int(size, 16):
            row = files.setdefault(where.group(1) + ".c",
                                   {"text": 0, "data": 0, "bss": 0})
            row[kind] += int(size, 16)
    return files


def total(files, kind):
    return sum(row[kind] for row in files.values())


def write(path, report):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as f:
        json.dump(report, f, indent=2, sort_keys=True)
        f.write("\n")
    os.replace(path + ".new", path)


def measure(title, plain, asserting):
    """Of one configuration: its sum and its files, told on screen."""
    files, more = read_map(plain), read_map(asserting)
    if not files:
        sys.exit(f"{plain}: nothing of core was linked")
    core = {kind: total(files, kind) for kind in ("text", "data", "bss")}
    core["text_assert"] = total(more, "text")
    for name, row in files.items():
        row["text_assert"] = more.get(name, {"text": 0})["text"]
    print(f"{title:40}{'text':>8}{'data':>6}{'bss':>6}"
          f"{'text with assertions':>23}")
    for name, row in sorted(files.items()) + [("all", core)]:
        print(f"{name:40}{row['text']:8}{row['data']:6}{row['bss']:6}"
              f"{row['text_assert']:23}")
    return core, files


def size(out, *maps):
    core_all, files_all = measure("core, Cortex-M4 -Os, every feature",
                                  *maps[2:])
    print()
    core, files = measure("core, Cortex-M4 -Os, smallest", *maps[:2])
    write(out, {"core": core, "files": files, "core_all": core_all,
                "files_all": files_all})


def read_pools(obj, source, nm):
    """What an object like that of ram_pools.c tells, with the reasons of its
    source: {pool: {count, unit, bytes, reason}}."""
    symbols = {}
    listing = subprocess.run([nm, "-S", obj], check=True, text=True,
                             stdout=subprocess.PIPE).stdout
    for line in listing.splitlines():
        words = line.split()
        if len(words) == 4:
            symbols[words[3]] = int(words[1], 16) - 1
    with open(source, encoding="utf-8") as f:
        found = re.findall(r'^POOL\((\w+),.*?"([^"]*)"\)$', f.read(),
                           re.MULTILINE | re.DOTALL)
    pools = {}
    for name, reason in found:
        if name + "__count" in symbols: # else not in this configuration
            count, unit = symbols[name + "__count"], symbols[name + "__unit"]
            pools[name] = {"count": count, "unit": unit,
                           "bytes": count * unit, "reason": reason}
    return pools


def show_pools(pools):
    print(f"{'pool':20}{'count':>8}{'unit':>8}{'bytes':>10}  reason")
    for name, row in pools.items():
        print(f"{name:20}{row['count']:8}{row['unit']:8}{row['bytes']:10}"
              f"  {row['reason']}")


def ram(out, obj, source, nm):
    pools = read_pools(obj, source, nm)
    whole = pools.pop("informer_memory")["bytes"]
    carved = list(pools)[list(pools).index("entries"):]
    padded = sum((pools[p]["bytes"] + 7) // 8 * 8 for p in carved)
    if padded != whole:
        sys.exit(f"the pools add up to {padded}, not to {whole}: "
                 f"{source} has forgotten one")
    structs = sum(row["bytes"] for name, row in pools.items()
                  if name not in carved)
    write(out, {"pools": pools, "informer_memory": whole, "structs": structs,
                "total": whole + structs})
    show_pools(pools)
    print(f"{'all, padded':20}{'':16}{whole + structs:10}")


if __name__ == "__main__":
    {"size": size, "ram": ram}[sys.argv[1]](*sys.argv[2:])

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""ram.py - all RAM of a board's firmware, by pool and by file.

  ram.py MAP REPORT.json NM OBJECT=SOURCE ...

Pools are told by objects like that of tests/size/ram_pools.c; what the linker
placed must agree with them. Tables on screen; the report gets ram_pools and
ram_files."""

import re
import sys

for folder in ("boards", "tests/size"):
    sys.path.insert(0, folder)
import budget  # noqa: E402
import report  # noqa: E402

# Where a pool is in the map, when it has a name of its own there.
LINKED = {"tls_arena": ".bss.arena", "tls_ticket": ".bss.ticket",
          "struct_tls": ".bss.tls", "lwip_heap": ".bss.ram_heap",
          "informer_memory": ".bss.memory"}
ROUNDED = {"lwip_heap": 40} # two heads and alignment; others: alignment


def linked(path):
    """Bytes of each section of .bss that has a name, the largest of it."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    text = text[text.index("Linker script and memory map"):]
    sizes = {}
    for name, size in re.findall(
            r"^ (\.bss\.\w+)(?:\n)? +0x[0-9a-f]+ +0x([0-9a-f]+) \S", text,
            re.MULTILINE):
        sizes[name] = max(sizes.get(name, 0), int(size, 16))
    return sizes


def check(pools, sizes):
    """A pool that was forgotten, or whose size is another one."""
    for name in sizes:
        found = re.fullmatch(r"\.bss\.memp_memory_(\w+)_base", name)
        if found:
            LINKED["lwip_" + found.group(1)] = name
            if "lwip_" + found.group(1) not in pools:
                yield f"nobody tells of {name}"
    for name, where in LINKED.items():
        if name not in pools:
            continue
        told, is_ = pools[name]["bytes"], sizes.get(where, 0)
        if not told <= is_ <= told + ROUNDED.get(name, 7):
            yield f"{name} has {told} bytes, linked are {is_}"


def main():
    path, out, nm = sys.argv[1:4]
    pools = {}
    for word in sys.argv[4:]:
        pools.update(report.read_pools(*word.split("="), nm))
    wrong = list(check(pools, linked(path)))
    if wrong:
        sys.exit("\n".join(wrong))
    del pools["informer_memory"] # told piece by piece
    parts, wholes, _ = budget.read_map(path)
    files = {name: sum(row[k] for k in budget.RAM)
             for name, row in parts.items()}
    ram = sum(wholes.get(k, 0) for k in budget.RAM)
    files["stack"] = stack = wholes.get("stack", 0)
    files["padding"] = ram - sum(files.values())
    pools["stack"] = {"count": 1, "unit": stack, "bytes": stack,
                      "reason": "the bound of the call graph, and more"}
    rest = ram - sum(row["bytes"] for row in pools.values())
    pools["rest"] = {"count": 1, "unit": rest, "bytes": rest, "reason":
                     "state of drivers and libraries, tables, padding"}
    report.show_pools(pools)
    print(f"{'all':20}{'':16}{ram:10}\n")
    print(f"{'file':44}{'RAM':>10}")
    for name, size in sorted(files.items(), key=lambda f: -f[1]):
        if size:
            print(f"{name:44}{size:10}")
    budget.write(out, {"ram_pools": pools, "ram_files":
                       {n: s for n, s in files.items() if s}, "ram": ram})


if __name__ == "__main__":
    main()

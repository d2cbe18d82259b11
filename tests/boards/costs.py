#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""costs.py - what each option of TLS costs on a board: make BOARD=x costs.

Builds the tests' firmware with each option and with none, with an arena that
is large enough for all, and lets it list and watch against a real API server
with an ECDSA key and against one with an RSA key. Differences on screen; the
board's report gets the key tls_options. The helps of port/mbedtls/Kconfig state
what this printed for mps2-an386."""

import os
import subprocess
import sys

for folder in ("tests", "tests/apiserver", "tests/boards", "boards"):
    sys.path.insert(0, folder)
import apiserver  # noqa: E402
import board  # noqa: E402
import budget  # noqa: E402
import measure  # noqa: E402
import own_make  # noqa: E402

BASE = {"TLS_ARENA_BYTES": 49152, "STOP": "y"}
# Name, symbols, whether the client shows a certificate.
OPTIONS = (
    ("none", {}, False),
    ("without RSA", {"TLS_RSA": "n"}, False),
    ("P-384, SHA-384", {"TLS_P384": "y"}, False),
    ("large tables", {"TLS_BIG_TABLES": "y"}, False),
    ("records of 4,096", {"TLS_IN_BYTES": 4096}, False),
    ("client certificate", {}, True),
    ("TLS 1.3", {"TLS_1_3": "y"}, False),
    ("TLS 1.3, client certificate", {"TLS_1_3": "y"}, True),
)


def make(facts, number, symbols, identity):
    """Builds node.elf; its path, and flash and RAM."""
    out = f"{board.OUT}/costs/{number}"
    folder = f"{out}/{facts['name']}"
    os.makedirs(folder, exist_ok=True)
    with open(f"boards/{facts['name']}/defconfig", encoding="ascii") as f:
        text = f.read()
    with open(folder + "/.config", "w", encoding="ascii") as f:
        f.write(text + "".join(f"CONFIG_KINF_{k}={v}\n"
                               for k, v in {**BASE, **symbols}.items()))
    node = sorted(f"tests/boards/node/{n}"
                  for n in os.listdir("tests/boards/node")
                  if n.endswith(".c"))
    run = own_make.make(
        "BOARD=" + facts["name"], "O=" + out, "FW_NAME=node",
        "FW_APP=" + " ".join(node), "RAM_MAX=4000000", "FLASH_MAX=4000000",
        *(["FW_DEFINES=-DNODE_IDENTITY"] if identity else []),
        folder + "/node.elf")
    if run.returncode:
        sys.exit(run.stdout)
    parts, wholes, _ = budget.read_map(folder + "/node.map")
    del parts
    return folder, {"flash": sum(wholes.get(k, 0) for k in budget.FLASH),
                    "ram": sum(wholes.get(k, 0) for k in budget.RAM) -
                    BASE["TLS_ARENA_BYTES"]}


def der(server, name, *words):
    return subprocess.run(["openssl", *words, "-in", server.file(name),
                           "-outform", "DER"], check=True,
                          capture_output=True).stdout


def course(facts, server, folder, identity):
    """Lists, watches a change; arena, stack, instructions."""
    asked = {"seed": 1}
    if identity:
        asked["certificate"] = der(server, "client.crt", "x509")
        asked["key"] = der(server, "client.key", "pkey")
    with open(server.file("ca.der"), "rb") as f:
        anchor = f.read()
    token = "" if identity else server.read("token-admin")
    with board.Board(facts, server.port, anchor, token, elf=os.path.relpath(
            folder, board.OUT) + "/node.elf", asked=asked) as one:
        one.wait("^in sync")
        server.kload("put", "-n", one.space, "one", "a=1")
        one.wait("^ADDED .*/one")
        told = one.account()
        server.kload("delete", "-n", one.space, "one")
        one.end()
    return {"arena": told.pools["tls"][1], "stack": told.pools["stack"][1],
            "handshake": told.work["handshake"],
            "longest_poll": told.longest()}


def measured(facts):
    built = {name: make(facts, number, symbols, identity) for
             number, (name, symbols, identity) in enumerate(OPTIONS)}
    found = {name: {"size": size} for name, (_, size) in built.items()}
    for key in ("ecdsa", "rsa"):
        with apiserver.Server("--key", key) as server:
            server.kload("namespace", "create", facts["name"])
            for name, symbols, identity in OPTIONS:
                if key == "ecdsa" or symbols.get("TLS_RSA") != "n":
                    found[name][key] = course(facts, server, built[name][0],
                                              identity)
    return found


def show(found):
    columns = [("size", "flash"), ("size", "ram")] + [
        (key, what) for key in ("ecdsa", "rsa")
        for what in ("arena", "stack", "handshake", "longest_poll")]
    print(f"{'':28}" + "".join(f"{' '.join(c):>19}" for c in columns))
    none = found["none"]
    for name, of in found.items():
        line = f"{name:28}"
        for key, what in columns:
            if key not in of:
                line += f"{'-':>19}"
            elif name == "none":
                line += f"{of[key][what]:19,}"
            else:
                line += f"{of[key][what] - none[key][what]:+19,}"
        print(line)


def main():
    facts = next(f for f in (board.SMALL, board.LARGE)
                 if f["name"] == sys.argv[1])
    found = measured(facts)
    show(found)
    budget.write(measure.report(facts), {"tls_options": found})


if __name__ == "__main__":
    main()

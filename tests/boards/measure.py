#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""measure.py - instructions of a board's firmware, and the stack it used.

  measure.py BOARD [BOARD ...]

node.elf, with the board's own sizes, lists, watches, reconnects by ticket and
passes over a large object, with an ECDSA server and with an RSA one; a stranger
(stranger.py) makes it work in vain. Chance is seeded. The clock of the emulated
processor is the counter. Tables on screen; each board's
$O/report/BOARD.json gets the keys.

longest_poll is the longest of these and of every scenario (scenario.py), as far
as those were run with the same firmware; make steps does."""

import hashlib
import json
import os
import re
import subprocess
import sys

for folder in ("tests/apiserver", "tests/boards", "boards"):
    sys.path.insert(0, folder)
import apiserver  # noqa: E402
import board  # noqa: E402
import budget  # noqa: E402
import stranger  # noqa: E402

RECONNECTS = 3
UNTRUSTED, EXHAUSTED = "error 14", "error 19"
BIG = 100000 # bytes of each of two values: a client's argument holds no more


def run(server, all_facts):
    """Accounts of every board against one server: of the common course, and
    of a large object that is passed over."""
    boards = []
    try:
        with open(server.file("ca.der"), "rb") as f:
            anchor = f.read()
        for facts in all_facts:
            server.kload("namespace", "create", facts["name"])
            server.kload("fill", "-n", facts["name"], "--count", "8",
                         "--bytes", "1100")
            boards.append(board.Board(
                facts, server.port, anchor, server.read("token-admin"),
                elf="{}/node.elf", asked={"seed": 1}))
        return [course(server, one) for one in boards]
    finally:
        for one in boards:
            one.close()
            server.kload("namespace", "delete", one.space)


def course(server, one):
    one.wait("^in sync")
    for number in range(RECONNECTS):
        mark = one.mark()
        one.relay.open = False
        one.relay.cut()
        server.kload("patch", "-n", one.space, "cm-00001",
                     f"cut={number}")
        one.relay.open = True
        one.wait("^MODIFIED .*/cm-00001", mark)
    common = one.account()
    one.ask("z")
    one.wait("^zeroed")
    mark = one.mark()
    server.kload("put", "-n", one.space, "big", "a=" + "x" * BIG,
                 "b=" + "y" * BIG)
    one.wait("^TRUNCATED .*/big", mark)
    large = one.account()
    one.end()
    return common, large


def refusal(facts, kind):
    """What the dearest stranger's chain costs, and the longest poll of any."""
    told = [refused(facts, *chain) for chain in stranger.CHAINS[kind]]
    if not any(error.startswith(UNTRUSTED) for error, *_ in told):
        raise apiserver.Failed(f"{facts['name']}: no chain is looked at to "
                               f"its end: {told}")
    return max(work for _, work, _ in told), max(poll for *_, poll in told)


def refused(facts, key, length):
    """What the board says of such a chain, its work and its longest poll."""
    with stranger.Stranger(key, length) as server, board.Board(
            facts, server.port, server.anchor, "", elf="{}/node.elf",
            asked={"seed": 1}) as one:
        error = one.wait(rf"^({UNTRUSTED}|{EXHAUSTED})\b")
        told = one.account()
        return error, told.work["polls"] + told.work["network"], told.longest()


def event(facts):
    """Instructions of an event, from event.elf."""
    done = subprocess.run(
        ["qemu-system-arm", "-M", facts["name"], "-display", "none",
         "-monitor", "none", "-serial", "none", "-icount", "shift=0",
         "-semihosting-config", "enable=on,target=native", "-kernel",
         f"{board.OUT}/{facts['name']}/event.elf"], check=True,
        capture_output=True, text=True, timeout=60)
    return int(re.search(r"^event (\d+)", done.stdout, re.M).group(1))


def firmware(facts):
    """What tells the scenarios' firmware from another one."""
    with open(f"{board.OUT}/short/{facts['name']}/node.elf", "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def report(facts):
    return f"{board.OUT}/report/{facts['name']}.json"


def write_shown(facts, scenarios):
    """The longest kinf_poll of each scenario, by the key of the server; those
    of other suites on the same firmware stay."""
    whole = read(facts)
    shown = read_shown(facts)
    for key, of in scenarios.items():
        shown[key] = {**shown.get(key, {}), **of}
    budget.write(report(facts), {
        "scenarios": {"of": firmware(facts), **shown},
        **{name: longest(shown, key, whole.get(phases, {})) for
           key, name, phases in
           (("ecdsa", "longest_poll", "longest_polls"),
            ("rsa", "longest_poll_rsa", "longest_polls_rsa"))
           if shown.get(key)}})


def read(facts):
    try:
        with open(report(facts), encoding="utf-8") as f:
            return json.load(f)
    except OSError:
        return {}


def read_shown(facts):
    shown = read(facts).get("scenarios", {"of": ""})
    return shown if shown.pop("of") == firmware(facts) else {}


def longest(scenarios, key, phases):
    return max([*phases.values(), *scenarios.get(key, {}).values()])


def keys_of(facts, ecdsa, rsa):
    """What the report is to hold, and the table of the longest polls."""
    phases, scenarios = {}, read_shown(facts)
    for key, (common, large) in (("ecdsa", ecdsa), ("rsa", rsa)):
        phases[key] = {
            name.removeprefix("longest-"): max(n, large.work[name])
            for name, n in common.work.items() if name.startswith("longest-")}
    large = ecdsa[1]
    strangers = {key: refusal(facts, key) for key in ("ecdsa", "rsa")}
    return {
        **{"stranger" + suffix: strangers[key][0] for key, suffix in
           (("ecdsa", ""), ("rsa", "_rsa"))},
        **{"stranger_poll" + suffix: strangers[key][1] for key, suffix in
           (("ecdsa", ""), ("rsa", "_rsa"))},
        "longest_poll": longest(scenarios, "ecdsa", phases["ecdsa"]),
        "longest_poll_rsa": longest(scenarios, "rsa", phases["rsa"]),
        "longest_polls": phases["ecdsa"], "longest_polls_rsa": phases["rsa"],
        "handshake": ecdsa[0].work["handshake"],
        "handshake_rsa": rsa[0].work["handshake"],
        "handshake_ticket": max(k[0].work["handshake-ticket"]
                                for k in (ecdsa, rsa)),
        "ticket_reconnect": max(k[0].work["reconnect"] for k in (ecdsa, rsa)),
        "received_byte": round((large.work["polls"] + large.work["network"]) /
                               large.counts["bytes"], 1),
        "event": event(facts),
        "stack_measured": max(t.pools["stack"][1] for t in ecdsa + rsa)}


def main():
    all_facts = [f for f in board.BOARDS if f["name"] in sys.argv[1:]]
    told = {}
    for key in ("ecdsa", "rsa"):
        with apiserver.Server("--key", key) as server:
            told[key] = run(server, all_facts)
    for number, facts in enumerate(all_facts):
        keys = keys_of(facts, told["ecdsa"][number], told["rsa"][number])
        budget.write(report(facts), keys)
        print(f"{facts['name'] + ', instructions':44}{'ECDSA':>14}{'RSA':>14}")
        for phase, most in keys["longest_polls"].items():
            print(f"longest kinf_poll, {phase:25}{most:14,}"
                  f"{keys['longest_polls_rsa'][phase]:14,}")
        shown = read_shown(facts)
        print(f"{f'the same in {sum(map(len, shown.values()))} scenarios':44}"
              + "".join(f"{max(shown.get(k, {'': 0}).values()):14,}"
                        for k in ("ecdsa", "rsa")))
        print(f"{'handshake':44}{keys['handshake']:14,}"
              f"{keys['handshake_rsa']:14,}")
        print(f"{'a stranger, dearest chain, refused':44}"
              f"{keys['stranger']:14,}{keys['stranger_rsa']:14,}")
        print(f"{'its longest kinf_poll':44}{keys['stranger_poll']:14,}"
              f"{keys['stranger_poll_rsa']:14,}")
        for what, key in (("handshake by ticket", "handshake_ticket"),
                          ("ticket reconnect, to the first event",
                           "ticket_reconnect"),
                          ("event of 600 bytes, without decryption", "event"),
                          ("received byte, lwIP and decryption included",
                           "received_byte")):
            print(f"{what:44}{keys[key]:14,}")
        print(f"{'stack, high-water, bytes':44}{keys['stack_measured']:14,}")


if __name__ == "__main__":
    main()

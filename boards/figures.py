#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""figures.py - what a board costs, held against what is recorded.

  figures.py check  REPORT.json FIGURES [--cross PREFIX]
  figures.py record REPORT.json FIGURES [--cross PREFIX]

FIGURES (boards/BOARD/figures) has a line for each key: name, recorded value,
and the limit that was promised, or "-". Limits hold everywhere. Sizes are equal
to the byte where compiler and sources are those of the file's head, and
instructions lie within 2 %; elsewhere the limits alone count. A drift is
printed and fails; recording anew keeps the limits."""

import argparse
import json
import subprocess
import sys

EXACT = ("flash", "flash_ecdsa", "ram", "app", "core_text", "stack_bound")
WITHIN = ("longest_poll", "longest_poll_rsa", "ticket_reconnect", "event",
          "handshake", "handshake_rsa", "handshake_ticket", "received_byte",
          "stranger", "stranger_poll", "stranger_rsa", "stranger_poll_rsa",
          "stack_measured")
AT_LEAST = ("app",)
SHARE = 0.02


def version_of(path):
    try:
        with open(path, encoding="ascii") as f:
            return f.read().strip()
    except FileNotFoundError:
        return "a tree of the user's own"


def versions(cross):
    """What a size depends on."""
    said = subprocess.run([cross + "gcc", "--version"], check=True,
                          capture_output=True, text=True).stdout
    libc = subprocess.run(
        [cross + "gcc", "-E", "-P", "-include", "_newlib_version.h", "-x", "c",
         "-"], input="_NEWLIB_VERSION", check=True, capture_output=True,
        text=True).stdout
    return {"compiler": said.splitlines()[0], "newlib": libc.split()[-1],
            "mbedtls": version_of("build/src/mbedtls/.version"),
            "lwip": version_of("build/src/lwip/.version")}


def read(path):
    head, figures = {}, {}
    with open(path, encoding="ascii") as f:
        for line in f:
            words = line.split()
            if line.startswith("# ") and len(words) > 2 and \
                    words[1].endswith(":"):
                head[words[1][:-1]] = " ".join(words[2:])
            elif words and not line.startswith("#"):
                figures[words[0]] = (float(words[1]), words[2])
    return head, figures


def beyond(key, value, limit):
    if limit == "-":
        return False
    return value < float(limit) if key in AT_LEAST else value > float(limit)


def wrong(key, is_, recorded, limit, same):
    """What there is to say against this value. A limit that what is recorded
    does not keep is owed; see owed()."""
    if beyond(key, is_, limit) and not beyond(key, recorded, limit):
        yield f"{key} is {is_:,}, the limit is {float(limit):,.0f}"
    if not same:
        return
    difference = f"{key} is {is_:,}, recorded are {recorded:,.10g}: " \
                 f"{is_ - recorded:+,.10g}"
    if key in EXACT and is_ != recorded:
        yield difference
    if key in WITHIN and abs(is_ - recorded) > SHARE * recorded:
        yield f"{difference} ({(is_ - recorded) / recorded:+.1%})"


def check(report, path, cross):
    head, figures = read(path)
    same = head == versions(cross)
    if not same:
        print(f"{path} was recorded with other versions: the limits alone "
              "count")
    found = []
    for key, (recorded, limit) in figures.items():
        if key not in report:
            found.append(f"{key} was not measured")
        else:
            found += wrong(key, report[key], recorded, limit, same)
    return found


def owed(path):
    """Limits that the recorded figures do not keep yet."""
    return [f"{key} is {recorded:,.10g} of {float(limit):,.0f}"
            for key, (recorded, limit) in read(path)[1].items()
            if beyond(key, recorded, limit)]


def record(report, path, cross):
    _, old = read(path)
    lines = ["# What this board costs; see boards/figures.py. Recorded by",
             "# make BOARD=x record, and a commit that says why.", "#"]
    lines += [f"# {k}: {v}" for k, v in versions(cross).items()] + [""]
    for key in EXACT + WITHIN:
        value = report[key]
        limit = old.get(key, (0, "-"))[1]
        lines.append(f"{key:18}{value:>12} {limit:>10}")
        if key in old and old[key][0] != value:
            print(f"{key}: {old[key][0]:,.10g} -> {value:,}")
    with open(path, "w", encoding="ascii") as f:
        f.write("\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("check", "record"))
    parser.add_argument("report")
    parser.add_argument("figures")
    parser.add_argument("--cross", default="arm-none-eabi-")
    options = parser.parse_args()
    with open(options.report, encoding="utf-8") as f:
        report = json.load(f)
    if options.what == "record":
        record(report, options.figures, options.cross)
        return
    for line in owed(options.figures):
        print("still owed: " + line)
    found = check(report, options.figures, options.cross)
    if found:
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()

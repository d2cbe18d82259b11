#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""corpus.py - a corpus is one file, a line an input: its name and, in base64,
its bytes. Inputs that failed once have telling names; the others are found and
minimised ones, seeds among them, and are called by a number.

usage: corpus.py unpack FILE FOLDER
       corpus.py pack FILE FOLDER    replaces the numbered ones
"""

import base64
import os
import sys


def lines(path):
    try:
        with open(path, encoding="ascii") as f:
            return [line.split() for line in f if line.strip()]
    except FileNotFoundError:
        return []


def unpack(path, folder):
    os.makedirs(folder, exist_ok=True)
    for name, *text in lines(path):
        with open(os.path.join(folder, name), "wb") as f:
            f.write(base64.b64decode("".join(text)))


def pack(path, folder):
    kept = [line for line in lines(path) if not line[0].isdigit()]
    named = {"".join(line[1:]) for line in kept}
    found = []
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "rb") as f:
            found.append(base64.b64encode(f.read()).decode())
    fresh = sorted({f for f in found if f not in named},
                   key=lambda text: (len(text), text))
    with open(path, "w", encoding="ascii") as f:
        for line in kept:
            f.write(" ".join(line) + "\n")
        for number, text in enumerate(fresh):
            f.write(f"{number:03} {text}\n")
    size = sum(len(text) * 3 // 4 for text in list(named) + fresh)
    print(f"{os.path.basename(path)}: {len(kept) + len(fresh)} inputs, "
          f"about {size} bytes")


if __name__ == "__main__":
    {"unpack": unpack, "pack": pack}[sys.argv[1]](sys.argv[2], sys.argv[3])

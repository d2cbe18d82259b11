#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run.py - a firmware in QEMU against the tests' API server.

Starts the server, writes its address, token and trust anchor into a header,
builds the firmware with it, and changes ConfigMaps while QEMU runs. The exit
code is the firmware's.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time

SPACE = "board"
FILLED = 8


def header(folder, port, changes):
    with open(os.path.join(folder, "ca.der"), "rb") as file:
        anchor = ", ".join("0x%02x" % byte for byte in file.read())
    with open(os.path.join(folder, "token-admin"), encoding="ascii") as file:
        token = file.read().strip()
    lines = {
        "HOST": '"10.0.2.2"', "PORT": port, "NAME": '"127.0.0.1"',
        "TOKEN": '"%s"' % token, "NAMESPACE": '"%s"' % SPACE,
        "CHANGES": changes, "CA_DER": "{ %s }" % anchor,
    }
    return "/* Made by run.py. */\n" + "".join(
        "#define CREDENTIALS_%s %s\n" % line for line in lines.items())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("make", "board", "out", "machine", "nic", "apiserver",
                 "kload"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--changes", type=int, default=20)
    parser.add_argument("--key", default="ecdsa")
    parser.add_argument("--timeout", type=int, default=120)
    parser.add_argument("more", nargs="*")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="kinformer-board-")
    server = subprocess.Popen(
        [options.apiserver, "--dir", folder, "--key", options.key],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True)
    try:
        return run(options, folder, json.loads(server.stdout.readline()))
    finally:
        server.stdin.close()
        server.wait(15)
        subprocess.run(["rm", "-rf", "--", folder], check=False)


def run(options, folder, ready):
    def load(*arguments):
        subprocess.run([options.kload, *arguments, "--dir", folder],
                       check=True, stdout=subprocess.DEVNULL)

    made = os.path.join(options.out, options.board, "credentials")
    os.makedirs(made, exist_ok=True)
    with open(os.path.join(made, "credentials.h"), "w",
              encoding="ascii") as file:
        file.write(header(folder, ready["port"], options.changes))
    load("fill", "-n", SPACE, "--count", str(FILLED), "--bytes", "512")
    subprocess.run([options.make, "--no-print-directory", "O=" + options.out,
                    "BOARD=" + options.board, "firmware"], check=True)
    elf = os.path.join(options.out, options.board, "firmware.elf")
    board = subprocess.Popen(
        ["qemu-system-arm", "-M", options.machine, "-display", "none",
         "-monitor", "none", "-serial", "null",
         "-semihosting-config", "enable=on,target=native",
         "-nic", "user,model=" + options.nic, "-kernel", elf, *options.more],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    threading.Timer(options.timeout, board.kill).start()
    synced = threading.Event()

    def change():
        synced.wait(options.timeout)
        for number in range(options.changes):
            if board.poll() is not None:
                return
            if number % 5 == 3:
                load("put", "-n", SPACE, "extra", "born=%d" % number)
            elif number % 5 == 4:
                load("delete", "-n", SPACE, "extra")
            else:
                load("patch", "-n", SPACE, "cm-%05d" % (number % FILLED),
                     "changed=%d" % number)
            time.sleep(0.05)

    changer = threading.Thread(target=change, daemon=True)
    changer.start()
    for line in board.stdout:
        sys.stdout.write(line.decode("utf-8", "replace"))
        sys.stdout.flush()
        if line.startswith(b"in sync"):
            synced.set()
    code = board.wait()
    synced.set()
    changer.join(10)
    return code


if __name__ == "__main__":
    os._exit(main())

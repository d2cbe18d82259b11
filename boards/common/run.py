#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run.py - a firmware in QEMU against the tests' API server.

Starts the server, writes its address, token and trust anchor into the image's
page of flash, and changes ConfigMaps while QEMU runs. The exit code is the
firmware's. tests/boards uses page(), flash() and qemu(), too.
"""
import argparse
import json
import os
import shlex
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

SPACE = "board"
FILLED = 8
HOST = "10.0.2.2" # QEMU's user network: this machine


def page(port, token, anchor, changes=0, name="127.0.0.1", space=SPACE):
    """struct board_credentials of credentials.h, as bytes."""
    for text, size in ((HOST, 48), (name, 64), (space, 64), (token, 1280)):
        if len(text) >= size:
            sys.exit(f"too long for the page of credentials: {text[:20]}...")
    if len(anchor) > 1400:
        sys.exit("the trust anchor is too long for the page of credentials")
    return struct.pack("<IIHH48s64s64s1280s1400s", 0x464E494B, changes, port,
                       len(anchor), HOST.encode(), name.encode(),
                       space.encode(), token.encode(), anchor)


# Command lines of the emulator for a processor; NIC stands for the card.
ARM = ("qemu-system-arm", "-nic", "user,model=NIC,id=n0")
RISCV = ("qemu-system-riscv32", "-bios", "none", "-global",
         "virtio-mmio.force-legacy=false", "-netdev", "user,id=n0", "-device",
         "NIC-net-device,netdev=n0")
PROCESSORS = {"arm": (ARM, "arm-none-eabi-objcopy"),
              "riscv": (RISCV, "riscv64-unknown-elf-objcopy")}


def flash(firmware, content, image, objcopy="arm-none-eabi-objcopy", **more):
    """Writes image: the firmware with this page of credentials, and pages of
    other names."""
    with tempfile.TemporaryDirectory() as folder:
        words = []
        for name, page_ in {"credentials": content, **more}.items():
            with open(os.path.join(folder, name), "wb") as file:
                file.write(page_)
            words += ["--update-section", f".rodata.{name}={file.name}"]
        subprocess.run([objcopy, *words, firmware, image], check=True)


def qemu(machine, nic, image, more=(), monitor="none", system=ARM):
    """The command line; "q" on its stdin asks the firmware to end."""
    return [*(word.replace("NIC", nic) for word in system), "-M", machine,
            "-display", "none", "-monitor", monitor, "-serial", "stdio",
            "-semihosting-config", "enable=on,target=native", "-kernel", image,
            *more]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("firmware", "machine", "nic", "apiserver", "kload"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--processor", choices=PROCESSORS, default="arm")
    parser.add_argument("--changes", type=int, default=20)
    parser.add_argument("--key", default="ecdsa")
    parser.add_argument("--timeout", type=int, default=120)
    parser.add_argument("--debugger", help="and its words: attached before "
                        "the first instruction, ends the run")
    parser.add_argument("more", nargs="*")
    options = parser.parse_args()
    if options.debugger:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    with tempfile.TemporaryDirectory(prefix="kinformer-board-") as folder:
        server = subprocess.Popen(
            [options.apiserver, "--dir", folder, "--key", options.key],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        try:
            return run(options, folder, json.loads(server.stdout.readline()))
        finally:
            server.stdin.close()
            server.wait(15)


def debug(words, folder, image, board):
    """The debugger has the terminal; when it ends, so does the board."""
    while not os.path.exists(folder + "/gdb"):
        time.sleep(0.05)
    name, *more = shlex.split(words)
    subprocess.run([name, "-ex", f"target remote {folder}/gdb", *more, image],
                   check=False)
    board.kill()


def run(options, folder, ready):
    def read(name):
        with open(os.path.join(folder, name), "rb") as file:
            return file.read()

    def load(*arguments):
        subprocess.run([options.kload, *arguments, "--dir", folder],
                       check=True, stdout=subprocess.DEVNULL)

    system, objcopy = PROCESSORS[options.processor]
    image = os.path.join(folder, "image.elf")
    flash(options.firmware,
          page(ready["port"], read("token-admin").decode().strip(),
               read("ca.der"), options.changes), image, objcopy)
    load("fill", "-n", SPACE, "--count", str(FILLED), "--bytes", "1100")
    more = list(options.more)
    if options.debugger:
        more += ["-S", "-gdb", f"unix:{folder}/gdb,server=on,wait=off"]
    # In a session of its own: Ctrl-C is the debugger's.
    board = subprocess.Popen(
        qemu(options.machine, options.nic, image, more, system=system),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        start_new_session=options.debugger is not None)
    timer = threading.Timer(options.timeout, board.kill)
    if options.debugger:
        threading.Thread(target=debug, daemon=True, args=(
            options.debugger, folder, image, board)).start()
    else:
        timer.start()
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
    timer.cancel()
    synced.set()
    changer.join(10)
    return 0 if options.debugger else code


if __name__ == "__main__":
    sys.exit(main())

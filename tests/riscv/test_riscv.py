#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Core, port/mbedtls, port/lwip link for a 32-bit RISC-V, nothing missing."""

import os
import subprocess
import sys
import unittest

sys.path.insert(0, "tests")
import tap  # noqa: E402

ELF = os.environ.get("O", "build") + "/riscv-virt/firmware.elf"


def tool(name, *options):
    return subprocess.run(["riscv64-unknown-elf-" + name, *options, ELF],
                          check=True, text=True,
                          stdout=subprocess.PIPE).stdout


class Riscv(unittest.TestCase):
    def test_it_is_a_32_bit_riscv_program(self):
        head = tool("readelf", "-h")
        self.assertIn("ELF32", head)
        self.assertIn("RISC-V", head)

    def test_nothing_is_missing_and_no_heap_came_in(self):
        names = {line.split()[-1] for line in tool("nm").splitlines()}
        self.assertIn("kinf_poll", names)
        self.assertIn("mbedtls_ssl_handshake", names)
        self.assertIn("kinf_lwip_tcp_ops", names)
        self.assertIn("tcp_connect", names)
        self.assertEqual("", tool("nm", "--undefined-only"))
        self.assertEqual(set(), names & {"malloc", "calloc", "free", "printf",
                                         "snprintf", "exit", "errno"})


if __name__ == "__main__":
    tap.main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Configurations of Mbed TLS and lwIP that cannot work do not compile, and the
compiler's words name the symbol; those that can, do."""

import os
import subprocess
import sys
import unittest

sys.path.insert(0, "tests")
import tap  # noqa: E402

MBEDTLS = os.environ.get("MBEDTLS_DIR", "build/src/mbedtls")
LWIP = os.environ.get("LWIP_DIR", "build/src/lwip")
FLAGS = ["cc", "-std=c11", "-fsyntax-only", "-Wall", "-Wextra", "-Werror",
         "-Icore/include", "-Iport"]


def compiled(path, prefix, flags, symbols):
    """What the compiler says to a file with these symbols."""
    return subprocess.run(
        [*FLAGS, *flags, *(f"-DCONFIG_KINF_{prefix}_{k}={v}"
                           for k, v in symbols.items()), path],
        capture_output=True, text=True, check=False).stderr


def tls(**symbols):
    return compiled("port/mbedtls/system.c", "TLS",
                    ["-Iport/mbedtls", "-isystem", MBEDTLS + "/include",
                     '-DMBEDTLS_CONFIG_FILE="config_firmware.h"'], symbols)


def lwip(name="tcp", **symbols):
    contrib = LWIP + "/contrib/ports/freertos/include"
    return compiled(f"port/lwip/{name}.c", "LWIP",
                    ["-Iport/lwip", "-isystem", LWIP + "/src/include",
                     "-isystem", contrib], symbols)


class Tls(unittest.TestCase):
    def test_the_defaults_compile(self):
        self.assertEqual("", tls())

    def test_each_option_compiles(self):
        for symbols in ({"RSA": 0}, {"P384": 1}, {"BIG_TABLES": 1},
                        {"1_3": 1}, {"CHECK_BUILD_TIME": 1},
                        {"IN_BYTES": 4096, "ARENA_BYTES": 16384}):
            with self.subTest(**symbols):
                self.assertEqual("", tls(**symbols))

    def test_more_out_than_in_does_not_compile(self):
        self.assertEqual("", tls(IN_BYTES=4096, OUT_BYTES=4096))
        self.assertIn("CONFIG_KINF_TLS_OUT_BYTES",
                      tls(IN_BYTES=4096, OUT_BYTES=4097))

    def test_an_arena_below_a_handshake_does_not_compile(self):
        for rsa, least in ((1, 8600), (0, 6600)):
            least += 16384 + 2048
            with self.subTest(rsa=rsa):
                self.assertEqual("", tls(RSA=rsa, ARENA_BYTES=least))
                self.assertIn("KINF_TLS_ARENA_BYTES",
                              tls(RSA=rsa, ARENA_BYTES=least - 1))


class Lwip(unittest.TestCase):
    def test_a_pool_below_the_windows_does_not_compile(self):
        for lean, connections, least in ((1, 1, 8), (1, 2, 14), (0, 1, 6),
                                         (0, 2, 10)):
            sizes = {"LEAN": lean, "CONNECTIONS": connections}
            with self.subTest(**sizes):
                self.assertEqual("", lwip(POOL=least, **sizes))
                self.assertIn("CONFIG_KINF_LWIP_POOL",
                              lwip(POOL=least - 1, **sizes))

    def test_each_option_compiles(self):
        for name in ("tcp", "thread", "sntp"):
            for symbols in ({"DNS": 1}, {"DHCP": 1}, {"SNTP": 1},
                            {"THREAD": 1}, {"LEAN": 1},
                            {"DNS": 1, "DHCP": 1, "SNTP": 1, "THREAD": 1}):
                with self.subTest(name, **symbols):
                    self.assertEqual("", lwip(name, **symbols))


if __name__ == "__main__":
    tap.main()

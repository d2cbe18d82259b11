#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""make deps: silent where all is there, clear where something is missing.

apt-get and dpkg-query are stand-ins that say what they were asked; nothing is
installed and nothing fetched."""

import os
import subprocess
import sys
import unittest

sys.path.insert(0, "tests")
import tap  # noqa: E402

HERE = os.environ["TMPDIR"]
SCRIPT = os.path.abspath(".ci/deps.sh")


def stand_in(name, text):
    path = os.path.join(HERE, "bin", name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write("#!/bin/sh\n" + text + "\n")
    os.chmod(path, 0o755)


def deps(*groups, **env):
    """Runs the script in an empty folder; its output and exit code."""
    place = os.path.join(HERE, "place")
    os.makedirs(place, exist_ok=True)
    clean = {k: v for k, v in os.environ.items() if not k.endswith("_DIR")}
    run = subprocess.run(
        ["/bin/sh", SCRIPT, *groups], text=True, cwd=place,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=dict(clean, PATH=HERE + "/bin:" + clean["PATH"], **env))
    return run.stdout, run.returncode


ALL_THERE = 'shift 2\nfor p; do printf "installed=%s " "$p"; done'
NONE_THERE = "exit 1"


class Deps(unittest.TestCase):
    def setUp(self):
        stand_in("apt-get", 'echo "apt-get $*" >&2; exit 100')
        stand_in("sudo", 'exec "$@"')

    def test_nothing_is_asked_where_all_is_there(self):
        stand_in("dpkg-query", ALL_THERE)
        self.assertEqual(("", 0), deps("run", "test", "board"))

    def test_a_failing_archive_is_told(self):
        stand_in("dpkg-query", NONE_THERE)
        said, code = deps("run")
        self.assertNotEqual(0, code)
        self.assertIn("is the archive reachable?", said)

    def test_only_what_is_missing_is_installed(self):
        stand_in("dpkg-query", 'echo "installed=gcc installed=openssl "')
        stand_in("apt-get", f'echo "$*" >>{HERE}/asked')
        said, code = deps("run")
        self.assertEqual(0, code, said)
        with open(HERE + "/asked", encoding="utf-8") as f:
            asked = f.read().splitlines()[-1].split()
        self.assertIn("musl-tools", asked)
        self.assertNotIn("gcc", asked)

    def test_a_tree_of_the_users_own_wins(self):
        stand_in("dpkg-query", ALL_THERE)
        os.makedirs(HERE + "/own/include/mbedtls", exist_ok=True)
        open(HERE + "/own/include/mbedtls/ssl.h", "w").close()
        self.assertEqual(("", 0), deps("mbedtls", MBEDTLS_DIR=HERE + "/own"))

    def test_a_wrong_tree_is_named(self):
        stand_in("dpkg-query", ALL_THERE)
        said, code = deps("lwip", LWIP_DIR="/nowhere")
        self.assertNotEqual(0, code)
        self.assertIn("no lwip source tree in '/nowhere'", said)

    def test_an_unknown_group_is_refused(self):
        said, code = deps("runn")
        self.assertNotEqual(0, code)
        self.assertIn("unknown group 'runn'", said)


if __name__ == "__main__":
    tap.main()

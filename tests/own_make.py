# SPDX-License-Identifier: Apache-2.0
"""own_make.py - a make that a test runs for itself: nothing of the outer one's
job server or settings."""

import os
import subprocess

ENV = {k: v for k, v in os.environ.items()
       if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}


def sh(*command, **more):
    """Its exit code, and what it said."""
    return subprocess.run(command, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env=ENV, **more)


def make(*words, **more):
    return sh("make", "--no-print-directory", *words, **more)

# SPDX-License-Identifier: Apache-2.0
"""apiserver.py - start and command a real kube-apiserver from Python tests

    sys.path.insert(0, "tests/apiserver")
    import apiserver

    with apiserver.Server() as server:          # ready when this returns
        server.kload("fill", "-n", "demo", "--count", "100")
        subprocess.run([program, "watch", "cm", "--kubeconfig",
                        server.file("kubeconfig")])
        server.command("restart")

The server ends with the with-block, and with this process, whatever happens.
`make apiserver` builds what is used here; APISERVER= chooses the version.
"""

import json
import os
import select
import shutil
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ROOT = os.environ.get("BUILD_ROOT", "build")
VERSION = os.environ.get("APISERVER", "1.36.3")
BINARY = os.path.abspath(f"{ROOT}/apiserver-{VERSION}/apiserver")
KLOAD = os.path.abspath(f"{ROOT}/apiserver-tools/kload")


class Failed(Exception):
    """A command or a tool that did not do what it should."""


class Server:
    """One running apiserver and its state directory."""

    def __init__(self, *flags, dir=None, extra=()):
        self.own_dir = dir is None
        self.dir = dir or tempfile.mkdtemp(prefix="apiserver-")
        self.process = subprocess.Popen(
            [BINARY, "--dir", self.dir, *flags, "--", *extra],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        try:
            self.about = self._answer(120)
        except Failed:
            self.close()
            raise
        if not self.about["ready"]:
            self.close()
            raise Failed(self.about["error"])
        self.url, self.port = self.about["server"], self.about["port"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends it; a directory that was not given goes away, too."""
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()
        if self.own_dir:
            shutil.rmtree(self.dir, ignore_errors=True)

    def _answer(self, seconds):
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            raise Failed("no answer from apiserver: " + self.log_end())
        return json.loads(line)

    def command(self, line, seconds=120):
        """One command; its answer as a dictionary. Raises when not ok."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        reply = self._answer(seconds)
        if not reply["ok"]:
            raise Failed(f"{line}: {reply['error']}")
        return reply

    def log_end(self):
        """The last lines of the server's log."""
        try:
            with open(self.file("log"), encoding="utf-8") as f:
                return "".join(f.readlines()[-5:])
        except OSError as error:
            return str(error)

    def file(self, name):
        """Path of a file of the state directory."""
        return os.path.join(self.dir, name)

    def read(self, name):
        """Content of a file of the state directory."""
        with open(self.file(name), encoding="utf-8") as f:
            return f.read().strip()

    def kload(self, *words):
        """Runs kload; its line of JSON, decoded."""
        done = subprocess.run([KLOAD, *words, "--dir", self.dir],
                              capture_output=True, text=True, check=False,
                              timeout=300)
        if done.returncode:
            raise Failed(f"kload {' '.join(words)}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def open(self, path, token="admin", method="GET", body=None, agent="test",
             timeout=30, **headers):
        """A request, verified against ca.crt: the response, HTTPError too."""
        request = urllib.request.Request(
            self.url + path, method=method,
            data=None if body is None else body.encode())
        request.add_header("User-Agent", agent)
        if token:
            request.add_header("Authorization",
                               "Bearer " + self.read("token-" + token))
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        context = ssl.create_default_context(cafile=self.file("ca.crt"))
        try:
            return urllib.request.urlopen(request, context=context,
                                          timeout=timeout)
        except urllib.error.HTTPError as error:
            return error

    def get(self, path, **options):
        """Status and decoded body of a request."""
        with self.open(path, **options) as response:
            return response.status, json.load(response)

    def asked(self, agent=None, stage="RequestReceived"):
        """Requests from audit.log (--audit), newest last."""
        with open(self.file("audit.log"), encoding="utf-8") as f:
            lines = [json.loads(line) for line in f]
        return [one for one in lines if one["stage"] == stage and
                (agent is None or agent in one.get("userAgent", ""))]


def wait_for(what, seconds=20.0):
    """Polls until what() is true; its value."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"nothing within {seconds} s: {what}")
        time.sleep(0.05)

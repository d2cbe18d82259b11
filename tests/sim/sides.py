# SPDX-License-Identifier: Apache-2.0
"""sides.py - the model server and a real one behind one interface, so that a
script can put the same questions to both and compare what came back.

Times are seconds on each side's own clock: the model's is simulated."""

import base64
import json
import os
import re
import select
import socket
import ssl
import subprocess
import sys
import time
import urllib.parse

sys.path[:0] = ["tests", "tests/apiserver"]
import apiserver  # noqa: E402

PROGRAM = os.environ.get("O", "build") + "/sim/sim"
PARTIAL = "as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
PARTIALS = "as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class Failed(Exception):
    """A side that did not do what the script asks of every server."""


# ---- an answer, read from its bytes -----------------------------------------

class Answer:
    """As far as it has come: status, headers, body, how it was framed."""

    def __init__(self, raw, closed):
        self.closed, self.raw = closed, raw
        self.code = self.phrase = self.headers = self.chunks = None
        self.body, self.ended = b"", False
        head, separator, rest = raw.partition(b"\r\n\r\n")
        if not separator:
            return
        lines = head.decode("latin-1").split("\r\n")
        version, code, self.phrase = lines[0].split(" ", 2)
        if version != "HTTP/1.1":
            raise Failed(lines[0])
        self.code = int(code)
        self.headers = [tuple(x.split(": ", 1)) for x in lines[1:]]
        length = self.header("Content-Length")
        if length is not None:
            self.body = rest[:int(length)]
            self.ended = len(rest) >= int(length)
        elif self.header("Transfer-Encoding") == "chunked":
            self._chunked(rest)

    def _chunked(self, rest):
        self.chunks = []
        while True:
            size, separator, rest = rest.partition(b"\r\n")
            if not separator:
                return
            size = int(size, 16)
            if size == 0:
                self.ended = rest.startswith(b"\r\n")
                return
            self.body += rest[:size]
            if len(rest) < size + 2:
                return
            self.chunks.append(rest[:size])
            rest = rest[size + 2:]

    def header(self, name):
        found = [v for n, v in self.headers or () if n == name]
        return found[0] if found else None

    def json(self):
        return json.loads(self.body)

    def lines(self):
        """The whole lines of a watch so far."""
        return self.body.split(b"\n")[:-1]

    def version(self):
        return int(self.json()["metadata"]["resourceVersion"])

    def token(self):
        """The continue token, ready for a query."""
        return urllib.parse.quote(self.json()["metadata"]["continue"], safe="")


class Line:
    """One connection that asks one thing after another."""

    def __init__(self, side, number):
        self.side, self.number = side, number
        self.raw, self.closed = b"", False

    def ask(self, target, accept=None, agent="talk", token=None):
        """token: None the good one, '-' none."""
        self.raw = b""
        self.closed = False
        self.side.ask(self, target, accept, agent, token)

    def read(self, enough, seconds):
        """Reads until enough(answer), its end, or so long; the answer."""
        until = self.side.now() + seconds
        while True:
            answer = Answer(self.raw, self.closed)
            if answer.ended or answer.closed or enough(answer):
                return answer
            if self.side.now() >= until:
                return answer
            self.side.wait(min(0.1, until - self.side.now()), self)


# ---- the model --------------------------------------------------------------

class Model:
    """The program's --talk; see talk.h."""

    name = "model"

    def __init__(self):
        self.process = subprocess.Popen([PROGRAM, "--talk"], text=True,
                                        stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.lines = {}
        self.ms = 0
        self.shown = None

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        if self.process.wait(10):
            raise Failed(f"the model ended with {self.process.returncode}")

    def say(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        while True:
            text = self.process.stdout.readline()
            if not text.startswith("{"):
                raise Failed(text + self.process.stdout.read())
            said = json.loads(text)
            if "now" in said:
                self.ms = said["now"]
                return
            if "object" in said:
                self.shown = json.loads(said["object"])
                continue
            line = self.lines[said["line"]]
            line.raw += said.get("data", "").encode("latin-1")
            line.closed |= said.get("closed", False)

    def line(self, number):
        return self.lines.setdefault(number, Line(self, number))

    def ask(self, line, target, accept, agent, token):
        self.say("ask", line.number, target, accept or "-", agent,
                 token or "")

    def hold(self, line, yes):
        self.say("hold", line.number, int(yes))

    def drop(self, line):
        self.say("drop", line.number)
        del self.lines[line.number]

    def now(self):
        return self.ms / 1000

    def wait(self, seconds, _=None):
        self.say("wait", max(1, round(seconds * 1000)))

    def put(self, res, space, name, size=20, tier="a", salt=1, payload=0,
            hold=0):
        self.say("put", res, space or "-", name, size, tier, salt, payload,
                 hold)

    def show(self, res, space, name):
        self.say("show", res, space or "-", name)
        return self.shown

    def delete(self, res, space, name):
        self.say("delete", res, space or "-", name)

    def noise(self, count=1):
        self.say("noise", count)

    def space(self, name):
        """Namespaces are names here."""

    def token(self, user):
        return "none" if user == "none" else None

    def compact(self):
        self.say("compact")

    def restart(self):
        self.say("restart")

    def leave(self):
        self.say("leave")

    def backup(self, _):
        self.say("backup")

    def restore(self, _):
        self.say("restore")

    def without_streams(self):
        """A server whose WatchList gate is off, from its start."""
        self.restart()
        self.say("set", "stream", 1)

    def one_at_a_time(self):
        self.restart()
        self.say("set", "inflight", 1)

    def as_before(self):
        self.say("set", "stream", 0)
        self.say("set", "inflight", 0)
        self.restart()


# ---- a real server ----------------------------------------------------------

KINDS = {"configmaps": "/api/v1", "nodes": "/api/v1",
         "widgets": "/apis/example.com/v1", "gadgets": "/apis/example.com/v1"}


def crd(plural, kind, scope):
    open_ = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {"apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": plural + ".example.com"},
            "spec": {"group": "example.com", "scope": scope,
                     "names": {"plural": plural, "kind": kind,
                               "singular": kind.lower(),
                               "listKind": kind + "List"},
                     "versions": [{"name": "v1", "served": True,
                                   "storage": True,
                                   "schema": {"openAPIV3Schema": open_}}]}}


class Real:
    """A server of tests/apiserver. What it holds is what the model would hold:
    objects are rendered by a model of its own, and sent by PUT and POST."""

    name = "real"

    def __init__(self, server, lines=None):
        self.server = server
        self.forms = Model()
        self.lines = {} if lines is None else lines
        self.context = ssl.create_default_context(cafile=server.file("ca.crt"))
        self.made = {} # versions, which a custom resource's PUT must name

    def close(self):
        for line in self.lines.values():
            if line.socket is not None:
                line.socket.close()
        self.forms.close()

    def prepare(self):
        """What outlives restarts; once."""
        self.send("POST", "/api/v1/namespaces", {"metadata": {"name": "noise"}})
        for plural, kind, scope in (("widgets", "Widget", "Namespaced"),
                                    ("gadgets", "Gadget", "Cluster")):
            self.send("POST", "/apis/apiextensions.k8s.io/v1/"
                      "customresourcedefinitions", crd(plural, kind, scope))
        for plural in ("widgets", "gadgets"):
            apiserver.wait_for(lambda p=plural: self.server.open(
                "/apis/example.com/v1/" + p).status == 200)

    def send(self, method, path, body=None):
        with self.server.open(path, method=method, agent="sim/1",
                              body=None if body is None else json.dumps(body),
                              Content_Type="application/json") as response:
            text = response.read()
        if response.status >= 300:
            raise Failed(f"{method} {path}: {response.status} {text}")
        return json.loads(text)

    # connections

    def line(self, number):
        if number not in self.lines:
            self.lines[number] = Line(self, number)
            self.lines[number].socket = None
        return self.lines[number]

    def connect(self, line):
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        plain.connect(("127.0.0.1", self.server.port))
        line.socket = self.context.wrap_socket(plain,
                                               server_hostname="127.0.0.1")
        line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, line, target, accept, agent, token):
        if line.socket is None:
            self.connect(line)
        lines = [f"GET {target} HTTP/1.1", f"Host: 127.0.0.1:"
                 f"{self.server.port}", f"User-Agent: {agent}",
                 "Accept: application/json" + (f";{accept}" if accept else "")]
        if token != "-":
            token = token or self.server.read("token-admin")
            lines.append(f"Authorization: Bearer {token}")
        line.socket.sendall("\r\n".join(lines + ["", ""]).encode())

    def hold(self, line, yes):
        """It reads only when it is asked to."""

    def drop(self, line):
        if line.socket is not None:
            line.socket.close()
        del self.lines[line.number]

    def wait(self, seconds, line=None):
        until = time.monotonic() + seconds
        while line is None and time.monotonic() < until:
            time.sleep(min(0.1, max(0, until - time.monotonic())))
        if line is None:
            return
        if not line.socket.pending() and not select.select(
                [line.socket], [], [], seconds)[0]:
            return
        try:
            data = line.socket.recv(65536)
        except (ConnectionError, ssl.SSLEOFError):
            data = b""
        line.raw += data
        if not data:
            line.closed = True
            line.socket.close()
            line.socket = None

    def now(self):
        return time.monotonic()

    # the cluster

    def path(self, res, space, name=None):
        path = KINDS[res]
        if space:
            path += "/namespaces/" + space
        return f"{path}/{res}" + (f"/{name}" if name else "")

    def put(self, res, space, name, **look):
        self.forms.put(res, space, name, **look)
        body = self.forms.show(res, space, name)
        for member in ("uid", "resourceVersion", "creationTimestamp",
                       "managedFields"):
            body["metadata"].pop(member, None)
        key = res, space, name
        if key in self.made:
            body["metadata"]["resourceVersion"] = self.made[key]
            said = self.send("PUT", self.path(*key), body)
        else:
            said = self.send("POST", self.path(res, space), body)
        self.made[key] = said["metadata"]["resourceVersion"]

    def delete(self, res, space, name):
        self.send("DELETE", self.path(res, space, name))
        del self.made[res, space, name]

    def noise(self, count=1):
        for _ in range(count):
            self.server.kload("put", "-n", "noise", "--kind", "secrets",
                              "noise", f"at={time.monotonic_ns()}")

    def space(self, name):
        self.send("POST", "/api/v1/namespaces", {"metadata": {"name": name}})

    def token(self, user):
        return self.server.read("token-" + user)

    def compact(self):
        self.server.command("compact")

    def restart(self):
        self.server.command("restart now")

    def backup(self, name):
        self.server.command("snapshot " + name)

    def restore(self, name):
        self.server.command("restore " + name)

    def without_streams(self):
        self.server.command("stop now")
        self.server.command("start --feature-gates=WatchList=false")

    def one_at_a_time(self):
        self.server.command("stop now")
        self.server.command("start --enable-priority-and-fairness=false "
                            "--max-requests-inflight=1")

    def as_before(self):
        self.server.command("stop now")
        # A word is needed for the former ones to be forgotten.
        self.server.command("start --profiling=true")


# ---- what was said, ready to be compared ------------------------------------

class Transcript:
    """Lines about what came, with versions by rank, uids by number, and no
    dates: what may differ between two servers of one kind."""

    def __init__(self):
        self.said = []
        self.known = set() # versions of objects
        self.uids = {}

    def add(self, text):
        self.said.append(text)

    # Versions are marked while they are gathered and ranked at the end.

    @staticmethod
    def mark(version):
        return f"@{int(version)}@"

    def target(self, target):
        target = re.sub(r"(resourceVersion=)([1-9]\d*)",
                        lambda m: m[1] + self.mark(m[2]), target)
        return re.sub(r"(continue=)[^&]+", r"\1TOKEN", target)

    def message(self, text):
        text = re.sub(r"(too old resource version: )(\d+) \(\d+\)",
                      lambda m: f"{m[1]}{self.mark(m[2])} (N)", text)
        return re.sub(r"(version: )\d+(, current: )\d+", r"\1N\2N", text)

    def metadata(self, m, is_object):
        m = dict(m)
        if "resourceVersion" in m:
            if is_object:
                self.known.add(int(m["resourceVersion"]))
            m["resourceVersion"] = self.mark(m["resourceVersion"])
        if "uid" in m:
            m["uid"] = self.uids.setdefault(m["uid"], f"u{len(self.uids)}")
        if m.get("creationTimestamp") is not None:
            m["creationTimestamp"] = "DATE"
        if "managedFields" in m:
            m["managedFields"] = "MANAGED"
        if m.get("continue"):
            m["continue"] = "TOKEN"
        return m

    def document(self, d, is_object=True):
        """Members stay in their order."""
        d = dict(d)
        if d.get("kind") == "Status":
            d["message"] = self.message(d["message"])
        is_object = is_object and "items" not in d
        if isinstance(d.get("metadata"), dict):
            d["metadata"] = self.metadata(d["metadata"], is_object)
        for part in ("spec", "status"):
            if d.get("kind", "Node") == "Node" and part in d and \
                    isinstance(d[part], dict):
                del d[part] # a Node's is not modelled
        if "items" in d:
            d["items"] = [self.document(i) for i in d["items"] or []]
        return d

    @staticmethod
    def is_extra(line):
        """An ordinary bookmark: more of them than promised may come."""
        d = json.loads(line)
        return d["type"] == "BOOKMARK" and \
            "annotations" not in d["object"]["metadata"]

    def event(self, line):
        d = json.loads(line)
        if d["object"].get("kind") == "Status":
            d["object"] = self.document(d["object"], False)
            return json.dumps(d)
        d["object"] = self.document(
            d["object"], d["type"] not in ("BOOKMARK", "ERROR"))
        return json.dumps(d)

    def text(self):
        ranks = sorted(self.known)

        def rank(m):
            version = int(m[1])
            if version > 10 ** 7:
                return "far"
            return "v" + str(sum(1 for k in ranks if k <= version))
        return [re.sub(r"@(\d+)@", rank, line) for line in self.said]


def headers_of(answer):
    """In their order, in one line; values where they say something."""
    shown = []
    for name, value in answer.headers:
        if name in ("Audit-Id", "Date") or name.startswith("X-Kubernetes-Pf"):
            value = "..."
        if name == "Content-Length":
            value = "N"
        shown.append(f"{name}: {value}")
    return "; ".join(shown)


def framing_of(answer, events=False):
    """How the body was cut, in words."""
    if answer.chunks is None:
        return "of known length"
    sizes = [len(c) for c in answer.chunks]
    if events:
        whole = all(c.endswith(b"\n") and c.count(b"\n") == 1
                    for c in answer.chunks)
        if whole:
            return "a chunk a line"
    shape = ["2048" if s == 2048 else "more" if s > 2048 else "less"
             for s in sizes]
    shape = [s for s, before in zip(shape, [None, *shape])
             if s != before or s != "2048"]
    return "chunks: " + " ".join(shape)

# SPDX-License-Identifier: Apache-2.0
"""harness.py - a scripted API server over TLS, and kinformer before it.

    with harness.Server() as server:
        server.plan("list", harness.raw(b"HTTP/1.0 200 OK\\r\\n\\r\\n"),
                    harness.objects(configmap("a", 5)))
        with harness.watch(server) as k:
            k.fails("HTTP_VERSION")         # told, and counted in the status
            k.line_with("ADDED     default/a")

Each request is of a kind: stream, list, watch, probe, get. The answers planned
for a kind are given in turn, the last one for ever. Without a plan a stream is
refused, a list shows `server.items`, and a watch shows what `server.say` says
and bookmarks.
"""

import concurrent.futures
import functools
import json
import os
import queue
import re
import select
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

import program

# The sanitized program with short deadlines: see e2e.mk.
SHORT = os.path.abspath(f"{program.OUT}/e2e-short/kinformer")
TOKEN = "sesame-0123456789-abcdefghijklmnopqrstuvwxyz"
CRLF = b"\r\n"


def error_texts():
    """Name -> text of each error, from the header."""
    with open("core/include/kinformer.h", encoding="ascii") as f:
        return {name: text for name, text in re.findall(
            r'^    X\((\w+), -\d+, +"([^"]*)"\)', f.read(), re.M)}


ERRORS = error_texts()


def wait_for(what, seconds=20.0, why=""):
    """Polls until what() is true; its value."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(why() if callable(why) else why or
                                 f"nothing within {seconds} s")
        time.sleep(0.02)


# ---- certificates -----------------------------------------------------------

CA_CONFIG = """
[ca]
default_ca = it
[it]
dir = {dir}
database = {dir}/index
new_certs_dir = {dir}
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
"""


def openssl(*words):
    done = subprocess.run(["openssl", *words], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"openssl {words[0]}: {done.stderr}")


def authority(folder, name):
    """An authority: NAME.crt and NAME.key."""
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", f"/CN={name}", "-addext", "keyUsage=keyCertSign",
            "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.crt")
    with open(f"{folder}/{name}.conf", "w", encoding="ascii") as f:
        f.write(CA_CONFIG.format(dir=folder))


P256 = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")


def leaf(folder, name, ca="ca", san="IP:127.0.0.1", begin=-1, end=1,
         usage="serverAuth", key=P256):
    """A certificate signed by an authority, good from day begin to end."""
    def day(n):
        return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(
            time.time() + n * 86400))
    path = f"{folder}/{name}"
    openssl("req", "-new", "-newkey", *key, "-nodes", "-subj", f"/CN={name}",
            "-addext", f"subjectAltName={san}",
            "-addext", f"extendedKeyUsage={usage}",
            "-keyout", path + ".key", "-out", path + ".csr")
    openssl("ca", "-batch", "-notext", "-config", f"{folder}/{ca}.conf",
            "-cert", f"{folder}/{ca}.crt", "-keyfile", f"{folder}/{ca}.key",
            "-startdate", day(begin), "-enddate", day(end),
            "-in", path + ".csr", "-out", path + ".crt")


@functools.lru_cache(maxsize=1)
def certificates():
    """A folder with ca.crt and a certificate of each kind."""
    folder = tempfile.mkdtemp(prefix="kinf-pki-")
    unittest.addModuleCleanup(shutil.rmtree, folder, True)
    with open(f"{folder}/index", "w", encoding="ascii"):
        pass
    authority(folder, "ca")
    authority(folder, "other")
    leaf(folder, "good", san="IP:127.0.0.1,IP:::1")
    leaf(folder, "wronghost", san="DNS:example.org,IP:127.0.0.2")
    leaf(folder, "expired", begin=-3, end=-1)
    leaf(folder, "notyet", begin=2, end=9)
    leaf(folder, "otherca", ca="other")
    leaf(folder, "client", usage="clientAuth", san="DNS:client")
    return folder


# ---- objects ----------------------------------------------------------------

def uid_of(name):
    return f"00000000-0000-4000-8000-{abs(hash(name)) % 10**12:012d}"


def configmap(name, version, data=None, uid=None, namespace="default", **more):
    meta = {"name": name, "namespace": namespace, "uid": uid or uid_of(name),
            "resourceVersion": str(version)}
    meta.update(more.pop("metadata", {}))
    return {"metadata": meta, "data": data or {"k": "v"}, **more}


def text(value):
    """JSON as Go writes it: bytes pass as they are."""
    if isinstance(value, bytes):
        return value
    return json.dumps(value, separators=(",", ":"),
                      ensure_ascii=False).encode()


def list_body(*items, version=100, meta=None):
    return (b'{"kind":"ConfigMapList","apiVersion":"v1","metadata":' +
            text({"resourceVersion": str(version), **(meta or {})}) +
            b',"items":[' + b",".join(text(i) for i in items) + b"]}\n")


def event(kind, item):
    if isinstance(item, dict) and "metadata" in item:
        item = {"kind": "ConfigMap", "apiVersion": "v1", **item}
    return b'{"type":' + text(kind) + b',"object":' + text(item) + b"}\n"


def bookmark(version, **annotations):
    meta = {"resourceVersion": str(version), "creationTimestamp": None}
    if annotations:
        meta["annotations"] = {"k8s.io/initial-events-end": "true"}
    return event("BOOKMARK", {"metadata": meta})


def status_body(code, reason="", message="", **details):
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {},
            "status": "Failure", "message": message, "reason": reason,
            "code": code}
    if details:
        body["details"] = details
    return text(body) + b"\n"


# ---- answers: functions of a connection and a request -----------------------

def head(status=200, kind="application/json", length=None, chunked=False,
         **headers):
    lines = [f"HTTP/1.1 {status} {'OK' if status == 200 else 'No'}"]
    if kind:
        lines.append(f"Content-Type: {kind}")
    if length is not None:
        lines.append(f"Content-Length: {length}")
    if chunked:
        lines.append("Transfer-Encoding: chunked")
    lines += [f"{k.replace('_', '-')}: {v}" for k, v in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def chunk(data):
    return b"%x\r\n" % len(data) + data + CRLF if data else b""


def raw(data, then="close"):
    """These bytes as they stand, then: close, reset, hold, or keep."""
    def answer(connection, _):
        connection.send(data)
        getattr(connection, then)()
    return answer


def whole(data, status=200, kind="application/json", **headers):
    """An answer with a length; the connection goes on."""
    return raw(head(status, kind, len(data), **headers) + data, "keep")


def refusal(code, reason="", message="", **headers):
    return whole(status_body(code, reason, message), code, **headers)


def words(code, body, kind="text/plain", **headers):
    return whole(body, code, kind, **headers)


def objects(*items, version=100, meta=None):
    return whole(list_body(*items, version=version, meta=meta))


def events(*pieces, then="hold", first=b""):
    """A watch that shows these, then: hold, end, close, or reset."""
    def answer(connection, _):
        connection.send(first or head(chunked=True))
        for piece in pieces:
            connection.send(chunk(piece))
        if then == "end":
            connection.send(b"0\r\n\r\n")
        else:
            getattr(connection, then)()
    return answer


def drips(data, drop=b" ", every=0.2, seconds=30, as_chunks=False):
    """These bytes, then one at a time."""
    def answer(connection, _):
        connection.send(data)
        until = time.monotonic() + seconds
        while time.monotonic() < until and not connection.pause(every):
            connection.send(chunk(drop) if as_chunks else drop)
        connection.close()
    return answer


# ---- the server -------------------------------------------------------------

class Gone(Exception):
    """The connection has ended."""


class Request:
    def __init__(self, lines, number, when):
        self.line = lines[0]
        self.method, target, _ = lines[0].split(" ")
        self.path, _, query = target.partition("?")
        self.query = dict(urllib.parse.parse_qsl(query))
        self.headers = {k.lower(): v.strip() for k, v in
                        (line.split(":", 1) for line in lines[1:])}
        self.connection = number
        self.when = when
        self.kind = self._kind()

    def _kind(self):
        q = self.query
        if "sendInitialEvents" in q:
            return "stream"
        if "watch" in q:
            return "watch"
        if "limit" not in q:
            return "get"
        if q["limit"] == "1" and "PartialObject" in self.headers["accept"]:
            return "probe"
        return "list"

    def __repr__(self):
        return f"{self.kind} {self.line.split()[1]}"


class Connection:
    """One of the server's, in a thread of its own."""

    def __init__(self, server, plain, number):
        self.server, self.plain, self.number = server, plain, number
        self.sock = None
        self.buffer = b""

    def run(self):
        try:
            hook = self.server.on_accept
            if hook and hook(self):
                return
            self.sock = self.server.context.wrap_socket(self.plain,
                                                        server_side=True)
            self.server.handshakes += 1
            self.server.tls_version = self.sock.version()
            self.server.resumed += bool(self.sock.session_reused)
            while True:
                self.answer(self.read_request())
        except (Gone, OSError, ValueError) as error:
            self.server.ends.append(error)
        finally:
            self.shut()

    def shut(self):
        for sock in (self.sock, self.plain):
            if sock:
                try:
                    sock.close()
                except OSError:
                    pass

    def pause(self, seconds):
        """Sleeps; true when the server or the peer has ended."""
        try:
            readable, _, _ = select.select([self.sock or self.plain,
                                            self.server.stop_pipe[0]],
                                           [], [], seconds)
        except ValueError:
            raise Gone() from None
        return bool(readable)

    def read_request(self):
        while b"\r\n\r\n" not in self.buffer:
            got = self.sock.recv(65536)
            if not got:
                raise Gone()
            self.server.http_bytes += len(got)
            self.buffer += got
        block, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        request = Request(block.decode().split("\r\n"), self.number,
                          time.monotonic())
        self.server.requests.append(request)
        return request

    def answer(self, request):
        self.server.next_answer(request)(self, request)

    # ---- what answers use ----

    def send(self, data):
        (self.sock or self.plain).sendall(data)

    def keep(self):
        """The connection goes on with the next request."""

    def close(self):
        raise Gone()

    def cut(self):
        """An end of TCP without an end of TLS."""
        self.plain_socket().shutdown(socket.SHUT_RDWR)
        raise Gone()

    def reset(self):
        sock = self.sock or self.plain
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                        struct.pack("ii", 1, 0))
        raise Gone()

    def hold(self):
        """Nothing more until the peer or the server ends."""
        self.pause(120)
        raise Gone()

    def plain_socket(self):
        return socket.socket(fileno=os.dup((self.sock or self.plain)
                                           .fileno()))


class Server:
    """Listens from the start; everything it saw can be read."""

    def __init__(self, certificate="good", context=None, on_accept=None,
                 family=socket.AF_INET):
        self.folder = certificates()
        self.dir = tempfile.mkdtemp(prefix="kinf-server-")
        self.context = context or ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(f"{self.folder}/{certificate}.crt",
                                     f"{self.folder}/{certificate}.key")
        self.on_accept = on_accept
        self.plans, self.given = {}, {}
        self.items, self.version = [], 100
        self.requests, self.ends = [], []
        self.connections = self.handshakes = self.http_bytes = 0
        self.resumed, self.tls_version = 0, None
        self.said, self.watching = [], 0
        self.lock = threading.Lock()
        self.threads = []
        self.stop_pipe = os.pipe()
        self.listener = socket.create_server(
            ("127.0.0.1" if family == socket.AF_INET else "::1", 0),
            family=family)
        self.port = self.listener.getsockname()[1]
        self._start(self._accept)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.write(self.stop_pipe[1], b"x")
        for thread in list(self.threads):
            thread.join(10)
        for end in self.stop_pipe:
            os.close(end)
        shutil.rmtree(self.dir, ignore_errors=True)

    def _start(self, target, *args):
        thread = threading.Thread(target=target, args=args, daemon=True)
        self.threads.append(thread)
        thread.start()

    def _accept(self):
        listener = self.listener
        while True:
            ready, _, _ = select.select([listener, self.stop_pipe[0]], [], [])
            if self.stop_pipe[0] in ready:
                listener.close()
                return
            sock, _ = listener.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(60)
            self.connections += 1
            self._start(Connection(self, sock, self.connections).run)

    def move(self, port):
        """Listens at another port."""
        self.listener = socket.create_server(("127.0.0.1", port))
        self._start(self._accept)

    # ---- the plan ----

    def plan(self, kind, *answers):
        with self.lock:
            self.plans[kind] = list(answers)

    def next_answer(self, request):
        with self.lock:
            plan = self.plans.get(request.kind)
            if not plan:
                return getattr(self, "_" + request.kind)
            return plan.pop(0) if len(plan) > 1 else plan[0]

    def _stream(self, connection, request):
        refusal(400, "BadRequest", "no streams here")(connection, request)

    def _list(self, connection, request):
        objects(*self.items, version=self.version)(connection, request)

    def _probe(self, connection, request):
        objects(*self.items[:1], version=self.version)(connection, request)

    def _get(self, connection, request):
        name = request.path.rsplit("/", 1)[1]
        for item in self.items:
            if item["metadata"]["name"] == name:
                whole(text({"kind": "ConfigMap", "apiVersion": "v1", **item}))(
                    connection, request)
                return
        refusal(404, "NotFound", f'configmaps "{name}" not found')(
            connection, request)

    def _watch(self, connection, request):
        """What was said and is newer than asked; a bookmark each second."""
        newest = int(request.query["resourceVersion"])
        at = 0
        marked = time.monotonic()
        connection.send(head(chunked=True))
        self.watching += 1
        try:
            while not connection.pause(0.02):
                while at < len(self.said):
                    version, piece = self.said[at]
                    at += 1
                    if version > newest:
                        connection.send(chunk(piece))
                        newest = version
                if time.monotonic() - marked > 1:
                    marked = time.monotonic()
                    connection.send(chunk(bookmark(newest)))
        finally:
            self.watching -= 1
        raise Gone()

    def say(self, *pieces):
        """Events for the watch that runs and those to come."""
        for piece in pieces:
            version = re.search(rb'"resourceVersion":"(\d+)"', piece)
            self.said.append((int(version[1]), piece))

    # ---- what it saw ----

    def asked(self, kind=None):
        return [r for r in list(self.requests) if kind in (None, r.kind)]

    def wait_asked(self, kind=None, count=1, seconds=20):
        """The requests of a kind once there are so many."""
        wait_for(lambda: len(self.asked(kind)) >= count, seconds,
                 lambda: f"not {count} {kind}: {self.requests}")
        return self.asked(kind)

    def kubeconfig(self, token=TOKEN, ca="ca", host="127.0.0.1", user=None,
                   name="kubeconfig", prefix=""):
        """Writes one; its path."""
        path = f"{self.dir}/{name}"
        user = user if user is not None else f"token: {token}"
        with open(path, "w", encoding="ascii") as f:
            f.write("current-context: c\n"
                    "contexts: [{name: c, context: {cluster: k, user: u}}]\n"
                    f"clusters: [{{name: k, cluster: {{server: 'https://{host}:"
                    f"{self.port}{prefix}', certificate-authority: "
                    f"{self.folder}/{ca}.crt}}}}]\n"
                    f"users: [{{name: u, user: {{{user}}}}}]\n")
        return path


# ---- kinformer --------------------------------------------------------------

class Watch(program.Kinformer):
    """kinformer watch with a status file: of ConfigMaps everywhere, unless
    the first word names what else."""

    def __init__(self, server, *words, kubeconfig=None, binary=SHORT, **more):
        self.server = server
        self.status_path = f"{server.dir}/status-{time.monotonic_ns()}"
        if not words or words[0].startswith("-"):
            words = ("cm", "-A", *words)
        super().__init__("watch", *words, "--kubeconfig",
                         kubeconfig or server.kubeconfig(),
                         "--status", self.status_path,
                         program=binary, **more)

    def __exit__(self, kind, *_):
        code = self.end(signal.SIGTERM, 20)
        said = "\n".join(self.errors)
        for place in (said, *list(self.lines.queue), self.status_text()):
            assert TOKEN not in place, place
        if kind is None:
            assert "Sanitizer" not in said and "assert" not in said, said
            assert code == 0, f"ended with {code}: {said}"
        elif kind is not None:
            print("# stderr of kinformer:", file=sys.stderr)
            print("\n".join("#   " + e for e in self.errors), file=sys.stderr)
            print("# requests:", getattr(self.server, "requests", ""),
                  file=sys.stderr)

    def status_text(self):
        try:
            with open(self.status_path, encoding="utf-8") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def status(self):
        """The first informer's part, or nothing yet."""
        try:
            with open(self.status_path, encoding="utf-8") as f:
                informers = json.load(f)["informers"]
        except FileNotFoundError:
            return None
        return informers[0] if informers else None

    def wait_status(self, what, seconds=20):
        """Waits until what(status) is true; that status."""
        def look():
            status = self.status()
            return status if status and what(status) else None
        return wait_for(look, seconds,
                        lambda: f"status stays {self.status()}; stderr: "
                        + "\n".join(self.errors))

    def fails(self, code, words="", seconds=20):
        """Waits until an error is told and counted; the line of stderr."""
        line = self.error_with(ERRORS[code], seconds)
        assert words in line, line
        self.wait_status(lambda s: s["errors"].get(code, 0) > 0, seconds)
        return line

    def no_more_lines(self, seconds=0.5):
        """Asserts that nothing more is printed for a while."""
        try:
            line = self.lines.get(timeout=seconds)
        except queue.Empty:
            return
        raise AssertionError(f"printed: {line}")


def watch(server, *words, **more):
    return Watch(server, *words, **more)


def once(server, *words, kubeconfig=None, binary=SHORT, seconds=60):
    """watch --once, to its end: exit code, stdout, stderr."""
    code, out, err = program.run(
        "watch", "cm", "-A", "--once", "--kubeconfig",
        kubeconfig or server.kubeconfig(), *words,
        program=binary, seconds=seconds)
    assert "Sanitizer" not in err and TOKEN not in out + err, err
    return code, out, err


# ---- tests side by side -----------------------------------------------------

WORKERS = 6  # they mostly wait
_pool = concurrent.futures.ThreadPoolExecutor(WORKERS)


def side_by_side(case):
    """Class decorator: its tests run together, and are reported in turn. They
    begin with the first of them, or with case.begin()."""
    bodies = {n: f for n, f in vars(case).items() if n.startswith("test_")}
    running = {}

    def run_one(name):
        self = case(name)
        try:
            self.setUp()
            bodies[name](self)
        finally:
            self.doCleanups()

    def picked(name):
        words_ = sys.argv[1:]
        whole_name = f"__main__.{case.__name__}.{name}"
        return not words_ or any(w in whole_name for w in words_)

    def begin(_=None):
        certificates()
        for name in sorted(bodies):
            if picked(name) and name not in running:
                running[name] = _pool.submit(run_one, name)

    def waiter(name):
        def test(_):
            running[name].result()
        return test

    case.begin = staticmethod(begin)
    case.setUpClass = classmethod(begin)
    for name in bodies:
        setattr(case, name, waiter(name))
    return case

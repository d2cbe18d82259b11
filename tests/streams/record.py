# SPDX-License-Identifier: Apache-2.0
"""record.py - records answers of a real API server, byte by byte, with what
they say beside them: make record-streams, make record-streams APISERVER=1.34.4

NAME.KIND holds a whole answer, head and chunks included; NAME.KIND.txt what a
reader should tell of it, made here by Python's own JSON decoder. KIND is list,
watch, object or status; names begin with what the answer is about. `record.py
texts` writes the texts alone, from what is recorded."""

import email.utils
import glob
import json
import os
import re
import shutil
import sys

sys.path[:0] = ["tests", "tests/apiserver", "tests/sim"]
import apiserver  # noqa: E402
import sides  # noqa: E402
from sides import PARTIAL, PARTIALS  # noqa: E402

FOLDER = "tests/streams/" + apiserver.VERSION
MAPS = "/api/v1/namespaces/shop/configmaps"
WIDGETS = "/apis/example.com/v1/namespaces/shop/widgets"
STREAM = ("?watch=true&sendInitialEvents=true&allowWatchBookmarks=true&"
          "resourceVersionMatch=NotOlderThan&timeoutSeconds=")
MESSAGE = 96 # CONFIG_KINF_MESSAGE_BYTES
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


# ---- what an answer says ----------------------------------------------------

def squeeze(text):
    """JSON without white space, strings as they are."""
    return re.sub(r'("(?:[^"\\]|\\.)*")|\s+', lambda m: m[1] or "", text)


def members(text):
    """The members of an object: their names and their text, in order."""
    decoder, at, found = json.JSONDecoder(), 1, []
    while text[at] != "}":
        begin = at
        name, at = decoder.raw_decode(text, at)
        value, at = at + 1, decoder.raw_decode(text, at + 1)[1]
        found.append((name, text[begin:at], text[value:at]))
        at += text[at] == ","
    return found


def without(text, *names, **inside):
    """The object without these members; inside: what is done to others."""
    parts = []
    for name, whole, value in members(text):
        if name in inside:
            parts.append(f'"{name}":{inside[name](value)}')
        elif name not in names:
            parts.append(whole)
    return "{" + ",".join(parts) + "}"


def kept(text):
    """As kinformer keeps an object."""
    return without(squeeze(text), "kind", "apiVersion", metadata=lambda m:
                   without(m, "managedFields", annotations=lambda a:
                           without(a, LAST_APPLIED)))


def identity(item):
    meta = item["metadata"]
    names = (("name", "name"), ("namespace", "namespace"), ("uid", "uid"),
             ("resourceVersion", "version"))
    return "".join(f" {short}={meta[name]}" for name, short in names
                   if meta.get(name))


def status(item):
    causes = [c.get("reason") for c in item.get("details", {}).get("causes",
                                                                   [])]
    seconds = item.get("details", {}).get("retryAfterSeconds")
    return (f" status={item['code']}"
            + (f" retry={seconds * 1000}" if seconds else "")
            + (" ahead" if "ResourceVersionTooLarge" in causes else "")
            + " message=" + item["message"].encode()[:MESSAGE].decode(
                errors="ignore"))


def event(line):
    said = json.loads(line)
    item, text = said["object"], dict(
        (n, v) for n, _, v in members(squeeze(line)))["object"]
    if said["type"] == "ERROR":
        return "ERROR" + status(item) + "\n"
    if said["type"] == "BOOKMARK":
        end = item["metadata"].get("annotations", {}).get(
            "k8s.io/initial-events-end") == "true"
        return "BOOKMARK" + identity(item) + " initial-end" * end + "\n"
    return f"{said['type']}{identity(item)}\n  {kept(text)}\n"


def items(text):
    """The text of each item of a list."""
    body = dict((n, v) for n, _, v in members(squeeze(text)))["items"]
    decoder, at, found = json.JSONDecoder(), 1, []
    while body[at] != "]":
        end = decoder.raw_decode(body, at)[1]
        found.append(body[at:end])
        at = end + (body[end] == ",")
    return found


def head(answer):
    at = int(email.utils.parsedate_to_datetime(
        answer.header("Date")).timestamp())
    retry = answer.header("Retry-After")
    return (f" head={answer.code} keep"
            + " json" * (answer.header("Content-Type") == "application/json")
            + " chunked" * (answer.chunks is not None)
            + (f" retry={retry}" if retry else "") + f" date={at}\n")


def told(kind, answer):
    """The whole text beside an answer."""
    body = answer.body.decode()
    said = head(answer)
    if answer.header("Content-Type") != "application/json":
        return said + body + "(end)"
    if kind == "watch":
        return said + "".join(map(event, body.splitlines())) + "(end)"
    document = json.loads(body)
    if kind == "status":
        return said + "end" + status(document) + "\n(end)"
    if kind == "object":
        return (said + "LISTED" + identity(document) + "\n  " + kept(body)
                + "\nend\n(end)")
    for text in items(body):
        said += f"LISTED{identity(json.loads(text))}\n  {kept(text)}\n"
    meta = document["metadata"]
    said += f"end version={meta['resourceVersion']}"
    if meta.get("continue"):
        said += f" continue={meta['continue']}"
    return said + "\n(end)"


def write_text(path, answer):
    with open(path + ".txt", "w", encoding="utf-8") as f:
        f.write(told(path.rsplit(".", 1)[1], answer))


# ---- recording --------------------------------------------------------------

class Recorder:
    def __init__(self, server):
        self.side = sides.Real(server)
        self.names = []

    def begin(self, target, line=0, **options):
        self.side.line(line).ask(target, **options)

    def end(self, name, line=0, seconds=60):
        answer = self.side.line(line).read(lambda a: False, seconds)
        if not answer.ended:
            raise apiserver.Failed(f"{name}: no end")
        with open(f"{FOLDER}/{name}", "wb") as f:
            f.write(answer.raw)
        write_text(f"{FOLDER}/{name}", answer)
        print(f"  {len(answer.raw):6} bytes  {name}")
        return answer

    def record(self, name, target, **options):
        self.begin(target, **options)
        return self.end(name)

    def put(self, name, data, **meta):
        """A ConfigMap as a user would write it."""
        path = MAPS + "/" + name
        body = {"metadata": {"name": name, **meta}, "data": data}
        with self.side.server.open(path) as response:
            method = "PUT" if response.status == 200 else "POST"
        self.side.send(method, path if method == "PUT" else MAPS, body)


def lists(r):
    r.record("configmaps-none.list", MAPS)
    r.put("app", {"app.conf": "listen 80;\nroot <srv> & co;\n", "log": "debug",
                  "quote": "\"a\\b\"\t\u0000\u2028"}, labels={"tier": "a"})
    r.put("names", {"green": "grün €\u2003🐧"}, labels={"tier": "b"},
          annotations={LAST_APPLIED: '{"apiVersion":"v1"}\n',
                       "note": "kept"})
    r.record("configmaps.list", MAPS)
    r.record("configmaps-pretty.list", MAPS + "?labelSelector=tier%3Da",
             agent="curl/8")
    page = r.record("configmaps-page.list", MAPS + "?limit=1")
    r.record("configmaps-last.list", MAPS + "?limit=1&continue="
             + page.token())
    r.record("configmaps-selected.list", MAPS
             + "?limit=1&labelSelector=tier%3Da")
    for i in range(3):
        r.put(f"more-{i}", {"k": "v" * 500})
    r.record("configmaps-chunks.list", MAPS)
    r.record("configmap.object", MAPS + "/names")
    r.record("metadata.list", MAPS + "?limit=2", accept=PARTIALS)
    r.record("metadata.object", MAPS + "/app", accept=PARTIAL)
    for i in range(2):
        r.side.put("widgets", "shop", f"w{i}", size=40, salt=2)
    r.record("widgets.list", WIDGETS)
    r.record("widgets-page.list", WIDGETS + "?limit=1")
    r.record("widget.object", WIDGETS + "/w0")
    return page


def watches(r, since):
    r.begin(f"{MAPS}?watch=true&resourceVersion={since}&timeoutSeconds=3"
            "&labelSelector=tier", line=1)
    r.begin(f"{MAPS}?watch=true&resourceVersion={since}&timeoutSeconds=3",
            line=2, accept=PARTIAL)
    r.begin(f"{MAPS}{STREAM}3&labelSelector=tier", line=3)
    r.side.wait(0.5)
    r.put("new", {"a": "1"}, labels={"tier": "c"})
    r.put("new", {"a": "2"}, labels={"tier": "c"})
    r.put("new", {"a": "2"})
    r.side.send("DELETE", MAPS + "/app")
    r.end("configmaps.watch", line=1)
    r.end("metadata.watch", line=2)
    r.end("configmaps-stream.watch", line=3)
    r.record("widgets-stream.watch", WIDGETS + STREAM + "1")
    r.record("metadata-stream.watch", MAPS + STREAM + "1"
             "&labelSelector=tier", accept=PARTIAL)
    r.record("configmaps-silent.watch", f"{MAPS}?watch=true&resourceVersion="
             "99999999&timeoutSeconds=1")
    r.record("configmaps-far.watch", MAPS + STREAM
             + "9&resourceVersion=99999999")
    r.begin(f"{MAPS}?watch=true&resourceVersion={since}&timeoutSeconds=45"
            "&allowWatchBookmarks=true&labelSelector=none", line=1)
    r.end("configmaps-bookmark.watch", line=1)


def refusals(r):
    server = r.side.server
    r.record("missing.status", MAPS + "/nothing")
    r.record("unauthorized.status", MAPS, token="wrong")
    r.record("forbidden.status", MAPS, token=server.read("token-none"))
    r.record("forbidden-watch.status", MAPS + "?watch=true",
             token=server.read("token-none"))
    r.record("unknown.status", "/apis/nothing.example.com/v1/things")
    r.record("unknown-kind.status", "/api/v1/things")
    r.record("too-large.status", MAPS + "?resourceVersion=99999999&"
             "resourceVersionMatch=NotOlderThan&limit=1")
    r.record("invalid.status", MAPS + "?sendInitialEvents=true")
    r.record("bad-continue.status", MAPS + "?continue=abc")


def after_restarts(r, page, since):
    side = r.side
    r.put("names", {"changed": "yes"})
    side.restart()
    side.compact()
    for number in list(side.lines):
        side.drop(side.line(number))
    r.record("expired-page.status", MAPS + "?limit=1&continue="
             + page.token())
    r.record("expired-version.status", MAPS + "?resourceVersionMatch=Exact&"
             f"resourceVersion={since}")
    r.record("expired.watch", f"{MAPS}?watch=true&resourceVersion={since}")
    side.without_streams()
    side.drop(side.line(0))
    r.record("no-streams.status", MAPS + STREAM + "1")
    side.one_at_a_time()
    side.drop(side.line(0))
    token = side.token("reader")
    r.begin(MAPS + "?resourceVersion=99999999", line=1, token=token)
    side.wait(0.5)
    r.record("too-many.status", MAPS, token=token)


def texts():
    """The texts beside what is recorded, once more."""
    for path in sorted(glob.glob("tests/streams/*/*")):
        if not path.endswith(".txt"):
            with open(path, "rb") as f:
                write_text(path, sides.Answer(f.read(), False))


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    os.makedirs(FOLDER)
    with apiserver.Server() as server:
        print(f"kube-apiserver {apiserver.VERSION}")
        r = Recorder(server)
        r.side.prepare()
        r.side.space("shop")
        page = lists(r)
        since = r.side.server.get(MAPS)[1]["metadata"]["resourceVersion"]
        refusals(r)
        watches(r, since)
        after_restarts(r, page, page.version())
        r.side.close()


if sys.argv[1:] == ["texts"]:
    texts()
else:
    main()

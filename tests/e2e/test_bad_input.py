# SPDX-License-Identifier: Apache-2.0
"""test_bad_input.py - what the program does with servers that refuse, lie, or
break off: the lines of the table 'What bad input gets', one after another."""

import json
import os
import signal
import time
import unittest

import harness
import program
import tap
from harness import (bookmark, certificates, configmap, event, events, head,
                     list_body, objects, once, raw, refusal, side_by_side,
                     watch, whole, words)

NOTHING = object()


def gaps(requests):
    """Seconds between each request and the next."""
    times = [r.when for r in requests]
    return [b - a for a, b in zip(times, times[1:])]


@side_by_side
class Refused(unittest.TestCase):
    """401, 403, 404 and their like."""

    def test_wrong_token_is_read_again_once(self):
        with harness.Server() as server:
            path = f"{server.dir}/token"
            with open(path, "w", encoding="ascii") as f:
                f.write("old-token\n")

            def refuse_and_renew(connection, request):
                with open(path, "w", encoding="ascii") as f:
                    f.write("new-token\n")
                refusal(401, "Unauthorized", "Unauthorized")(connection,
                                                             request)
            server.plan("stream", refuse_and_renew, server._stream)
            server.items = [configmap("a", 5)]
            config = server.kubeconfig(user=f"tokenFile: {path}")
            with watch(server, kubeconfig=config) as k:
                k.line_with("ADDED     default/a")
                k.fails("AUTH", "renew the token")
            tokens = [r.headers["authorization"] for r in server.requests]
            self.assertEqual("Bearer old-token", tokens[0])
            self.assertEqual({"Bearer new-token"}, set(tokens[1:]))

    def test_wrong_token_stays_wrong(self):
        """Once more at once, then with growing waits, and it heals."""
        with harness.Server() as server:
            server.plan("stream", refusal(401, "Unauthorized", "who are you"))
            with watch(server) as k:
                line = k.fails("AUTH")
                self.assertIn("(HTTP 401): who are you", line)
                waits = gaps(server.wait_asked(count=6))
                for least, seen in zip((.1, .2, .4, .8), waits[1:]):
                    self.assertGreater(seen, least * 0.98, waits)
                server.plan("stream")
                server.items = [configmap("a", 5)]
                k.line_with("ADDED     default/a")

    def test_wrong_token_is_tried_again_at_once(self):
        """Sooner than after the first wait, unless the machine is busy."""
        waits = []
        for _ in range(8):
            with harness.Server() as server:
                server.plan("stream", refusal(401, "Unauthorized", "no"))
                with watch(server):
                    waits += gaps(server.wait_asked(count=2))[:1]
            if waits[-1] < 0.09:
                return
        self.fail(f"waits of {waits}")

    def test_once_ends_with_5_after_two_401(self):
        with harness.Server() as server:
            server.plan("stream", words(401, b"Unauthorized\n"))
            code, out, err = once(server)
            self.assertEqual((5, ""), (code, out), err)
            self.assertIn("Unauthorized", err)
            self.assertEqual(2, len(server.requests))

    def test_forbidden_is_told_in_the_server_s_words(self):
        said = 'configmaps is forbidden: User "u" cannot list resource'
        with harness.Server() as server:
            server.plan("stream", refusal(403, "Forbidden", said))
            with watch(server) as k:
                line = k.fails("FORBIDDEN", "(HTTP 403)")
                self.assertIn(said, line)
                self.assertIn("grant list and watch", line)
                state = k.wait_status(lambda s: s["phase"] == "denied")
                self.assertEqual("FORBIDDEN", state["last_error"]["code"])
                self.assertEqual(403, state["last_error"]["http_status"])
                self.assertEqual(said, state["last_error"]["message"])
                asked = server.wait_asked(count=3)
                self.assertGreater(min(gaps(asked)), 1.4) # short DENIED_MS
                server.plan("stream")
                server.items = [configmap("a", 5)]
                k.line_with("ADDED     default/a")
                k.wait_status(lambda s: s["last_error"] is None)

    def test_forbidden_watch_after_a_list(self):
        with harness.Server() as server:
            server.items = [configmap("a", 5)]
            server.plan("watch", refusal(403, "Forbidden", "no watch"),
                        server._watch)
            with watch(server) as k:
                k.line_with("ADDED     default/a")
                k.fails("FORBIDDEN", "no watch")
                server.say(event("MODIFIED", configmap("a", 101)))
                k.line_with("MODIFIED  default/a")
            self.assertEqual(1, len(server.asked("list")))

    def test_unknown_resource(self):
        for answer in (refusal(404, "NotFound", "the server could not find "
                               "the requested resource"),
                       words(404, b"404 page not found\n")):
            with harness.Server() as server:
                server.plan("stream", answer)
                code, out, err = once(server)
                self.assertEqual((6, ""), (code, out), err)
                self.assertIn(harness.ERRORS["NO_RESOURCE"], err)
                self.assertIn("not f", err)
                self.assertEqual(1, len(server.requests))

    def test_once_tells_each_refusal_by_its_code(self):
        for status, code, name in ((403, 5, "FORBIDDEN"), (405, 6, "METHOD"),
                                   (404, 6, "NO_RESOURCE")):
            with self.subTest(status=status), harness.Server() as server:
                server.plan("stream", refusal(status, "Reason", "in words"))
                got, _, err = once(server)
                self.assertEqual(code, got, err)
                self.assertIn(harness.ERRORS[name], err)
                self.assertIn("in words", err)

    def test_an_old_server_without_streams_is_no_trouble(self):
        """400 and 422 on sendInitialEvents are an answer, not an error."""
        for status in (400, 422):
            with self.subTest(status=status), harness.Server() as server:
                server.plan("stream", refusal(status, "Invalid", "forbidden "
                                              "for watch"))
                server.items = [configmap("a", 5)]
                code, out, err = once(server)
                self.assertEqual(0, code, err)
                self.assertIn("default/a", out)
                self.assertNotIn("warning", err)

    def test_a_selector_the_server_does_not_take(self):
        with harness.Server() as server:
            server.plan("stream", refusal(400, "BadRequest", "bad selector"))
            server.plan("list", refusal(400, "BadRequest", "bad selector"))
            code, _, err = once(server)
            self.assertEqual(2, code, err)
            self.assertIn("bad selector", err)

    def test_429_with_retry_after_is_obeyed_without_a_list(self):
        with harness.Server() as server:
            server.items = [configmap("a", 5)]
            server.plan("watch", refusal(429, "TooManyRequests", "too many",
                                         Retry_After="2"),
                        refusal(429, "TooManyRequests", "too many",
                                Retry_After="2"), server._watch)
            with watch(server) as k:
                k.line_with("ADDED     default/a")
                asked = server.wait_asked("watch", 3)
                self.assertGreater(min(gaps(asked)), 1.95)
                server.say(event("MODIFIED", configmap("a", 101)))
                k.line_with("MODIFIED  default/a")
                state = k.wait_status(lambda s: s["errors"])
                self.assertEqual(2, state["errors"]["BUSY"])
            self.assertEqual(1, len(server.asked("list")))
            self.assertEqual({"100"}, {r.query["resourceVersion"]
                                       for r in asked})

    def test_500_is_told_with_text_of_the_body(self):
        with harness.Server() as server:
            server.plan("stream", words(503, b"upstream connect error\x1b[31m",
                                        "text/plain"), server._stream)
            server.items = [configmap("a", 5)]
            with watch(server) as k:
                line = k.fails("SERVER", "(HTTP 503): upstream connect error")
                self.assertNotIn("\x1b", line)
                k.line_with("ADDED     default/a")


@side_by_side
class NotTrusted(unittest.TestCase):
    """Refused before a byte of HTTP is sent, and it is said why."""

    def refused(self, kind, code, words_):
        with harness.Server(kind) as server:
            got, out, err = once(server)
            self.assertEqual((4, ""), (got, out), err)
            self.assertIn(harness.ERRORS[code], err)
            self.assertIn(words_, err)
            self.assertNotIn(harness.TOKEN, err)
            self.assertEqual((0, []), (server.http_bytes, server.requests))

    def test_authority_that_did_not_sign(self):
        self.refused("otherca", "NOT_TRUSTED", "certificate-authority")

    def test_wrong_host_name(self):
        self.refused("wronghost", "WRONG_HOST", "127.0.0.1")

    def test_expired(self):
        self.refused("expired", "EXPIRED", "renew the server's certificate")

    def test_not_yet_valid(self):
        self.refused("notyet", "NOT_YET_VALID", "set this machine's clock")

    def test_goes_on_trying_and_heals(self):
        """Without --once: a certificate that is renewed is taken."""
        with harness.Server("expired") as server:
            server.items = [configmap("a", 5)]
            with watch(server) as k:
                k.fails("EXPIRED")
                folder = certificates()
                server.context.load_cert_chain(f"{folder}/good.crt",
                                               f"{folder}/good.key")
                k.line_with("ADDED     default/a")

    def test_server_that_speaks_plain_http(self):
        def answer(connection):
            connection.plain.recv(4096)
            connection.send(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an "
                            b"HTTP request to an HTTPS server.\n")
            return True
        with harness.Server(on_accept=answer) as server:
            with watch(server) as k:
                k.fails("TLS")
            self.assertEqual(0, server.http_bytes)


def body_of(data, *headers):
    lines = [b"HTTP/1.1 200 OK", b"Content-Type: application/json", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + data


LIST = list_body(configmap("a", 5))
LENGTH = b"Content-Length: %d" % len(LIST)
CHUNKED = b"Transfer-Encoding: chunked"
HTML = b"<html><head><title>Captive portal</title></head></html>"
NONSENSE = {
    "header_section_too_long": ("HTTP_HEADERS", body_of(LIST, LENGTH, *[
        b"X-Filler-%d: %s" % (i, b"x" * 80) for i in range(250)])),
    "header_line_too_long": ("HTTP_LINE", body_of(
        LIST, LENGTH, b"Connection: " + b"keep-alive, " * 50 + b"close")),
    "header_line_without_colon": ("HTTP_LINE", body_of(LIST, LENGTH, b"what")),
    "header_line_folded": ("HTTP_LINE", body_of(LIST, LENGTH, b"X-A: b",
                                                b" c")),
    "control_byte_in_header": ("HTTP_LINE", body_of(LIST, LENGTH,
                                                    b"X-A: b\x00c")),
    "length_overflows": ("HTTP_NUMBER", body_of(
        LIST, b"Content-Length: 18446744073709551617")),
    "length_negative": ("HTTP_NUMBER", body_of(LIST, b"Content-Length: -1")),
    "length_not_a_number": ("HTTP_NUMBER", body_of(LIST,
                                                   b"Content-Length: 0x20")),
    "two_lengths": ("HTTP_LENGTH", body_of(LIST, LENGTH,
                                           b"Content-Length: 7")),
    "length_and_chunked": ("HTTP_LENGTH", body_of(
        b"%x\r\n%s\r\n0\r\n\r\n" % (len(LIST), LIST), LENGTH, CHUNKED)),
    "chunk_size_overflows": ("HTTP_CHUNK", body_of(
        b"1000000000000000a\r\n" + LIST, CHUNKED)),
    "chunk_size_too_long": ("HTTP_CHUNK", body_of(
        b"0" * 4000 + b"a\r\n" + LIST, CHUNKED)),
    "chunk_size_not_a_number": ("HTTP_CHUNK", body_of(b"xyz\r\n" + LIST,
                                                      CHUNKED)),
    "chunk_size_negative": ("HTTP_CHUNK", body_of(b"-1\r\n" + LIST, CHUNKED)),
    "chunk_extension_endless": ("HTTP_CHUNK", body_of(
        b"a;" + b"e" * 4000 + b"\r\n" + LIST, CHUNKED)),
    "chunk_end_missing": ("HTTP_CHUNK_END", body_of(
        b"5\r\n" + LIST + b"\r\n", CHUNKED)),
    "chunk_end_half": ("HTTP_CHUNK_END", body_of(
        b"5\r\n" + LIST[:5] + b"\rX" + LIST[5:], CHUNKED)),
    "http_1_0": ("HTTP_VERSION", b"HTTP/1.0 200 OK\r\nContent-Type: "
                 b"application/json\r\n\r\n" + LIST),
    "http_2": ("HTTP_VERSION", b"HTTP/2 200\r\n\r\n"),
    "not_http": ("HTTP_VERSION", b"220 mail.example.org ESMTP ready\r\n"),
    "status_line_without_status": ("HTTP_LINE", b"HTTP/1.1 OK\r\n\r\n"),
    "status_line_endless": ("HTTP_HEADERS", b"HTTP/1.1 200 " + b"O" * 20000),
    "redirect": ("REDIRECT", b"HTTP/1.1 302 Found\r\nLocation: "
                 b"https://127.0.0.1:1/login\r\nContent-Length: 0\r\n\r\n"),
    "html_with_200": ("HTTP_TYPE", head(200, "text/html", len(HTML)) + HTML),
    "html_with_502": ("SERVER", head(502, "text/html", len(HTML)) + HTML),
    "html_as_json": ("JSON", head(200, length=len(HTML)) + HTML),
    "gzip": ("HTTP_ENCODING", body_of(b"\x1f\x8b\x08" + b"x" * 50, LENGTH,
                                      b"Content-Encoding: gzip")),
    "gzip_chunked": ("HTTP_ENCODING", body_of(
        b"x", b"Transfer-Encoding: gzip, chunked")),
    "no_content": ("HTTP_STATUS", b"HTTP/1.1 204 No Content\r\n\r\n"),
    "no_type": ("HTTP_TYPE", head(200, None, len(LIST)) + LIST),
}


class Http(unittest.TestCase):
    """The connection is given up, it is told why, and a wait follows."""


def nonsense(name, code, data):
    def as_list(self):
        with harness.Server() as server:
            server.plan("list", raw(data), raw(data), objects(
                configmap("a", 5)))
            with watch(server) as k:
                line = k.fails(code)
                if data.endswith(HTML) and code != "JSON":
                    self.assertIn("Captive portal", line)
                    self.assertIn("(HTTP ", line)
                k.line_with("ADDED     default/a")
            lists = server.asked("list")
            self.assertEqual(3, len(lists))
            self.assertEqual(3, len({r.connection for r in lists}))
            self.assertGreater(gaps(lists)[1], 0.19) # the second wait
            self.assertLessEqual(server.connections, 4)

    def as_watch(self):
        with harness.Server() as server:
            server.items = [configmap("a", 5)]
            server.plan("watch", raw(data), server._watch)
            with watch(server) as k:
                k.line_with("ADDED     default/a")
                k.fails(code)
                server.say(event("MODIFIED", configmap("a", 101)))
                k.line_with("MODIFIED  default/a")
            self.assertEqual(1, len(server.asked("list")))
            self.assertEqual(["100", "100"], [
                r.query["resourceVersion"] for r in server.asked("watch")])

    setattr(Http, f"test_{name}", as_list)
    if name in ("http_1_0", "html_with_200", "chunk_size_overflows", "gzip",
                "redirect", "two_lengths"):
        setattr(Http, f"test_{name}_for_a_watch", as_watch)


for NAME, (CODE, DATA) in NONSENSE.items():
    nonsense(NAME, CODE, DATA)


def test_unusual_but_legal(self):
    """Interim answers, long unknown headers, odd case, blanks, trailers."""
    parts = [b"%X;ext=\"1\"\r\n%s\r\n" % (len(p), p)
             for p in (LIST[:1], LIST[1:7], LIST[7:])]
    data = (b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
            b"HTTP/1.1 200\r\ncontent-TYPE:Application/JSON ; charset=utf-8\r\n"
            b"X-Long: " + b"y" * 9000 + b"\r\nTRANSFER-encoding:\tChunked \r\n"
            b"Set-Cookie: a=b\r\n\r\n" + b"".join(parts) +
            b"000\r\nTrailer: yes\r\n\r\n")
    with harness.Server() as server:
        server.plan("list", raw(data, "keep"))
        with watch(server) as k:
            k.line_with("ADDED     default/a")
            server.wait_asked("watch")
            self.assertEqual({}, {c: n for c, n in k.wait_status(
                lambda s: s["synced"])["errors"].items() if c != "NO_STREAM"})
        self.assertEqual(1, server.connections)


Http.test_unusual_but_legal = test_unusual_but_legal
side_by_side(Http)

if __name__ == "__main__":
    tap.main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""peer.py - the other end of a connection, told what to do line by line.

Started by peer.c, which writes one command a line and reads one answer a line:
"ok ..." or "error ...". Every wait ends after TIMEOUT seconds, and the program
with its standard input. Bytes sent and awaited are those of pattern(), so
that a lost, doubled or moved byte shows.
"""

import os
import socket
import ssl
import struct
import sys

TIMEOUT = 15
BASE = bytes((i * 7 + (i >> 8) * 13 + (i >> 16)) & 0xFF for i in range(1 << 17))


def pattern(at, size):
    at %= len(BASE)
    whole = BASE[at:] + BASE * (size // len(BASE) + 1)
    return whole[:size]


class Peer:
    def __init__(self, pki):
        self.pki = pki
        self.listeners = {}
        self.waiting = []
        self.conn = None
        self.tls = None
        self.sni = "none"
        self.sent = self.received = 0

    def file(self, name):
        return os.path.join(self.pki, name)

    # ---- listening -------------------------------------------------------

    def do_listen(self, address="127.0.0.1", port="0", backlog="16"):
        """listen ADDRESS PORT BACKLOG: answers with the port."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, int(port)))
        listener.listen(int(backlog))
        listener.settimeout(TIMEOUT)
        self.listeners[address] = listener
        return listener.getsockname()[1]

    def do_unlisten(self, address="127.0.0.1"):
        self.listeners.pop(address).close()

    def do_stall(self, address="127.0.0.1"):
        """Listens where no further connection will be made: nobody accepts,
        and those who may wait are there already."""
        port = self.do_listen(address, "0", "0")
        for _ in range(3):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex((address, port))
            self.waiting.append(one)
        return port

    def do_tls(self, cert, version, *options):
        """tls CERT 1.2|1.3|any [noticket] [client=CA] [weak] [ownorder]
        noticket: no session is resumed, by its number neither."""
        self.forgets = (cert, version, *options) if "noticket" in options \
            else None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        versions = {"1.2": ssl.TLSVersion.TLSv1_2,
                    "1.3": ssl.TLSVersion.TLSv1_3}
        if version in versions:
            context.minimum_version = versions[version]
            context.maximum_version = versions[version]
        context.set_alpn_protocols(["h2", "http/1.1"])
        context.sni_callback = self.saw_sni
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
        for option in options:
            name, _, value = option.partition("=")
            if name == "noticket":
                context.options |= ssl.OP_NO_TICKET
                context.num_tickets = 0
            elif name == "client":
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(self.file(value + ".pem"))
            elif name == "ownorder":
                context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
            elif name == "weak":
                context.set_ciphers("DEFAULT:@SECLEVEL=0")
            else:
                raise ValueError(option)
        context.load_cert_chain(self.file(cert + ".pem"),
                                self.file(cert + ".key"))
        self.tls = context

    def saw_sni(self, sslobj, name, context):
        self.sni = name or "none"

    # ---- one connection --------------------------------------------------

    def do_accept(self, address="127.0.0.1", timeout=TIMEOUT):
        self.accept_raw(address, timeout)
        if self.tls is not None:
            self.sni = "none"
            if self.forgets:
                self.do_tls(*self.forgets)
            self.conn = self.tls.wrap_socket(self.conn, server_side=True)

    def do_accept_raw(self, address="127.0.0.1"):
        """Without the TLS handshake."""
        self.accept_raw(address)

    def accept_raw(self, address, timeout=TIMEOUT):
        self.drop()
        self.sent = self.received = 0
        self.listeners[address].settimeout(float(timeout))
        self.conn = self.listeners[address].accept()[0]
        self.conn.settimeout(TIMEOUT)
        self.conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def do_pending(self, address="127.0.0.1"):
        """Does somebody wait to be accepted?"""
        listener = self.listeners[address]
        listener.settimeout(0.2)
        try:
            listener.accept()[0].close()
            return "yes"
        except (TimeoutError, socket.timeout):
            return "no"

    def do_send(self, size, piece="65536"):
        left = int(size)
        while left > 0:
            now = min(left, int(piece))
            self.conn.sendall(pattern(self.sent, now))
            self.sent += now
            left -= now

    def do_recv(self, size):
        left = int(size)
        while left > 0:
            got = self.conn.recv(min(left, 65536))
            if not got:
                return f"ended {left} short"
            if got != pattern(self.received, len(got)):
                raise ValueError(f"wrong bytes after {self.received}")
            self.received += len(got)
            left -= len(got)
        return None

    def do_recv_raw(self, size):
        """So many bytes of whatever it is."""
        left = int(size)
        while left > 0:
            got = self.conn.recv(left)
            if not got:
                return f"ended {left} short"
            left -= len(got)
        return None

    def do_end(self):
        """Waits for the end of what the other side sends."""
        try:
            while True:
                got = self.conn.recv(65536)
                if not got:
                    return "end"
                self.received += len(got)
        except ConnectionResetError:
            return "reset"
        except ssl.SSLError as error:
            return "error " + type(error).__name__

    def do_shut(self):
        """No more bytes from here: FIN."""
        raw = socket.socket(fileno=os.dup(self.conn.fileno()))
        raw.shutdown(socket.SHUT_WR)
        raw.close()

    def do_reset(self):
        self.conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
        self.drop()

    def do_close(self):
        self.drop()

    def drop(self):
        if self.conn is not None:
            self.conn.close()
        self.conn = None

    def do_info(self):
        """SNI, ALPN, version, cipher, resumed, name of the client."""
        names = dict(x[0] for x in (self.conn.getpeercert() or {}).get(
            "subject", ()))
        return " ".join([self.sni, self.conn.selected_alpn_protocol() or "none",
                         self.conn.version(), self.conn.cipher()[0],
                         "resumed" if self.conn.session_reused else "full",
                         names.get("commonName", "nobody")])


def main():
    peer = Peer(sys.argv[1])
    for line in sys.stdin:
        words = line.split()
        try:
            answer = getattr(peer, "do_" + words[0])(*words[1:])
            print("ok" if answer is None else f"ok {answer}", flush=True)
        except (OSError, ValueError) as error:
            text = str(error).replace("\n", " ")
            print(f"error {type(error).__name__} {text}", flush=True)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""stranger.py - a server that makes a board work for nothing: it shows a long
chain, every signature of it good, and only the last one not by the board's
authority, which has the same name and another key."""

import os
import shutil
import ssl
import subprocess
import tempfile

import board

# Key and number of intermediates of what costs most. Of ECDSA the longest chain
# that is looked at, MBEDTLS_X509_MAX_INTERMEDIATE_CA. Of RSA as many with the
# largest keys that an arena of 32 KB holds to the last signature (2752 bits are
# too many), and the largest key that is looked at, which one of 27 KB holds
# alone.
CHAINS = {"ecdsa": (("P-256", 3),), "rsa": (("rsa2720", 3), ("rsa4096", 0))}
# RSA keys lie here and are not drawn: work (by 6 %) and whether a chain fits an
# arena depend on them. The authority's modulus is the larger one, so that no
# signature is refused for its size alone.
KEYS = "tests/boards/strangers"


class Stranger:
    """Listens until it is closed; anchor is what the board is to trust."""

    def __init__(self, key, length):
        with tempfile.TemporaryDirectory() as folder:
            self.folder = folder
            for name in ("root", "other"):
                self.bring_key(key, name)
            self.anchor = self.root("other", "DER")
            self.root("root", "PEM")
            chain = b""
            above = "root"
            for name in [f"middle{n}" for n in range(length)] + ["leaf"]:
                chain = self.signed(name, above) + chain
                above = name
            with open(self.path("chain"), "wb") as f:
                f.write(chain)
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.maximum_version = ssl.TLSVersion.TLSv1_2
            self.context.load_cert_chain(self.path("chain"),
                                         self.path("root.key"))
        self.listener = board.Listener(self.serve)
        self.port = self.listener.port

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def path(self, name):
        return os.path.join(self.folder, name)

    def openssl(self, *words):
        subprocess.run(["openssl", *words], check=True, capture_output=True)

    def bring_key(self, key, name):
        if key.startswith("rsa"):
            shutil.copy(f"{KEYS}/{key}-{name}.pem", self.path(name + ".key"))
        else:
            self.openssl("genpkey", "-algorithm", "EC", "-pkeyopt",
                         "ec_paramgen_curve:" + key, "-out",
                         self.path(name + ".key"))

    def root(self, name, form):
        self.openssl("req", "-x509", "-key", self.path(name + ".key"),
                     "-set_serial", "1", "-subj", "/CN=root",
                     "-outform", form, "-out", self.path(name + ".crt"))
        with open(self.path(name + ".crt"), "rb") as f:
            return f.read()

    def signed(self, name, above):
        """All have one key, and one serial number, so that a chain has one
        length."""
        with open(self.path("ext"), "w", encoding="ascii") as f:
            f.write("subjectAltName=IP:127.0.0.1\n" if name == "leaf" else
                    "basicConstraints=critical,CA:true\n")
        self.openssl("req", "-new", "-key", self.path("root.key"), "-subj",
                     "/CN=" + name, "-out", self.path("csr"))
        self.openssl("x509", "-req", "-in", self.path("csr"), "-CA",
                     self.path(above + ".crt"), "-CAkey",
                     self.path("root.key"), "-set_serial", "1", "-extfile",
                     self.path("ext"), "-out", self.path(name + ".crt"))
        with open(self.path(name + ".crt"), "rb") as f:
            return f.read()

    def serve(self, plain):
        plain.settimeout(30)
        try:
            self.context.wrap_socket(plain, server_side=True).close()
        except OSError:
            plain.close()

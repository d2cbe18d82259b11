# SPDX-License-Identifier: Apache-2.0
"""test_program_usage.py - the program without a server: help, manual page,
sizes, and what is refused before anything is sent."""

import glob
import os
import re
import subprocess
import tempfile
import unittest

import program
import tap

MANUAL = "boards/linux/kinformer.1"


def exit_codes_of_header():
    with open("boards/linux/program.h", encoding="ascii") as f:
        return [int(n) for n in re.findall(r"EXIT_\w+ = (\d+)", f.read())]


def text_of(manual):
    return manual.replace("\\-", "-").replace("\\fI", "").replace("\\fR", "")


class Words(unittest.TestCase):
    def test_version_and_help(self):
        code, out, _ = program.run("version")
        self.assertEqual(0, code)
        self.assertRegex(out, r"^kinformer \d+\.\d+\.\d+\n$")
        code, out, err = program.run("help")
        self.assertEqual((0, ""), (code, err))
        for word in ("watch", "mirror", "size", "--max-delete", "--status"):
            self.assertIn(word, out)
        self.assertTrue(all(len(x) <= 80 for x in out.splitlines()), out)

    def test_wrong_words_exit_2_with_one_line(self):
        for words in ([], ["nothing"], ["watch"], ["watch", "cm", "--no"],
                      ["mirror"], ["size"]):
            code, out, err = program.run(*words)
            self.assertEqual((2, ""), (code, out), words)
            self.assertEqual(1, err.count("\n"), err)
            self.assertTrue(err.startswith("kinformer: error: "), err)

    def test_log_format_json_is_json(self):
        import json
        code, _, err = program.run("watch", "cm", "--log-format", "json",
                                   "--kubeconfig", "/nonexistent")
        self.assertEqual(3, code)
        line = json.loads(err)
        self.assertEqual("error", line["level"])
        self.assertIn("/nonexistent", line["message"])


class Manual(unittest.TestCase):
    def setUp(self):
        with open(MANUAL, encoding="ascii") as f:
            self.text = text_of(f.read())

    def test_lists_the_exit_codes_of_the_program(self):
        section = self.text.split('.SH "EXIT STATUS"')[1].split(".SH ")[0]
        listed = [int(n) for n in re.findall(r"^\.B (\d+)$", section, re.M)]
        self.assertEqual(exit_codes_of_header(), listed)

    def test_names_every_option_and_no_other(self):
        _, out, _ = program.run("help")
        options = set(re.findall(r"--[a-z][a-z-]+", out))
        named = set(re.findall(r"--[a-z][a-z-]+", self.text))
        self.assertEqual(options, named - {"--verb", "--resource", "--role",
                                           "--serviceaccount"})


class Size(unittest.TestCase):
    def resident(self, *words):
        code, out, err = program.run("size", *words)
        self.assertEqual(0, code, err)
        return int(re.search(r"resident +(\d+) KB  \n", out)[1])

    def test_grows_by_what_the_objects_take(self):
        one = self.resident("--objects", "10000", "--bytes", "2K")
        two = self.resident("--objects", "20000", "--bytes", "2K")
        payload = 10000 * 2048 / 1024
        self.assertGreater(two - one, payload)
        self.assertLess(two - one, payload * 1.2)

    def test_counts_the_holes_that_compaction_leaves(self):
        """An eighth of what lives, and half of the largest object: arena.c's
        worth_it."""
        words = ("--objects", "100", "--bytes", "2K", "--max-object")
        self.assertEqual(2048, self.resident(*words, "5M") -
                         self.resident(*words, "1M"))

    def test_refuses_what_no_machine_holds(self):
        code, _, _ = program.run("size", "--objects", "4294967294",
                                 "--bytes", "1000G")
        self.assertEqual(2, code)


class Refused(unittest.TestCase):
    """Each by name, with the reason, exit code 3, before a byte is sent."""

    def refuse(self, cluster="", user="token: t", server="https://127.0.0.1:1"):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
            f.write("current-context: x\n"
                    "contexts: [{name: x, context: {cluster: c, user: u}}]\n"
                    f"clusters: [{{name: c, cluster: {{server: '{server}'"
                    f"{cluster}}}}}]\n"
                    f"users: [{{name: u, user: {{{user}}}}}]\n")
            f.flush()
            code, out, err = program.run("watch", "cm", "--once",
                                         "--kubeconfig", f.name)
        self.assertEqual((3, ""), (code, out), err)
        self.assertEqual(1, err.count("\n"), err)
        return err

    def test_fields_we_do_not_do(self):
        for user in ("exec: {command: secret-tool}", "auth-provider: {name: x}",
                     "username: admin", "password: hunter2", "as: root",
                     "as-uid: '1'", "as-groups: [a]",
                     "as-user-extra: {a: [b]}", "surprise: 1"):
            err = self.refuse(user=user)
            self.assertIn(user.split(":")[0], err)
            self.assertIn("refused", err)
            self.assertNotIn("hunter2", err)
        for cluster in ("insecure-skip-tls-verify: true", "proxy-url: 'x://p'",
                        "surprise: 1"):
            err = self.refuse(cluster=", " + cluster)
            self.assertIn(cluster.split(":")[0], err)
            self.assertIn("refused", err)

    def test_plain_http_and_missing_authority(self):
        ca = ", certificate-authority-data: QQ=="
        self.assertIn("http://", self.refuse(cluster=ca, server="http://a"))
        self.assertIn("certificate-authority", self.refuse())

    def test_tokens_with_line_breaks_are_not_shown(self):
        ca = ", certificate-authority: tests/e2e/none.pem"
        err = self.refuse(cluster=ca, user='token: "top\\nsecret"')
        self.assertNotIn("secret", err)


class Memory(unittest.TestCase):
    def test_nothing_of_ours_calls_the_heap_or_stdio(self):
        folder = os.path.join(program.OUT, "gateway/obj/boards/linux")
        objects = glob.glob(folder + "/*.o")
        self.assertGreater(len(objects), 10)
        names = subprocess.run(["nm", "-u", *objects], check=True,
                               capture_output=True, text=True).stdout.split()
        found = {"malloc", "calloc", "realloc", "free", "strdup", "printf",
                 "fprintf", "dprintf", "snprintf", "fopen"} & set(names)
        self.assertEqual(set(), found)

    def test_too_small_says_how_much_would_do(self):
        code, _, err = program.run("watch", "cm", "--memory", "1M")
        self.assertEqual(2, code)
        need = int(re.search(r"at least (\d+)", err)[1])
        code, _, err = program.run("watch", "cm", "--memory", str(need),
                                   "--kubeconfig", os.devnull)
        self.assertEqual(3, code, err) # the next thing that is wrong


if __name__ == "__main__":
    tap.main()

#!/usr/bin/env python3
"""A plug-in given as source: what each build of it finds, and how it is told.

    source_test.py WEFT PLANTED_DIR [unittest arguments]

PLANTED_DIR has publish.c, which its compiler's flags make correct or not.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
import unittest
from collections import namedtuple

WEFT = ""
PUBLISH = ""

Answer = namedtuple("Answer", "status out err")


def weft(*args, **env):
    done = subprocess.run([WEFT, *args], stdin=subprocess.DEVNULL, timeout=200,
                          capture_output=True, text=True, env={**os.environ, **env})
    return Answer(done.returncode, done.stdout, done.stderr)


class Orders(unittest.TestCase):
    RELAXED = "-DPUBLISH=weft_store_relaxed"

    #: Ends at the first finding.
    STRESS = ["stress", "chan", "--build=thread", "--seconds=60", "--failures=1"]

    def is_found(self, where, *flags):
        answer = weft(*self.STRESS, "--load=" + PUBLISH, "--", *flags)
        self.assertEqual(answer.status, 1, answer)
        self.assertRegex(answer.out, r"memory order: race in publish\.c:\d+ in " + where)
        return answer

    def test_a_relaxed_link(self):
        answer = self.is_found("pop", self.RELAXED)
        again = shlex.split(re.search(r"again: weft (.*)", answer.out)[1])
        self.assertIn("--load=" + PUBLISH, again)
        self.assertEqual(again[-2:], ["--", self.RELAXED])
        self.assertEqual(weft(*again[:-2], "--seconds=60", "--failures=1",
                              *again[-2:]).status, 1)

    def test_a_relaxed_turn(self):
        self.is_found("pop", "-DHOW=TURN", self.RELAXED)

    def test_a_relaxed_completion(self):
        self.is_found("pop", "-DHOW=COUNT", self.RELAXED)

    def test_a_relaxed_closed_flag(self):
        self.is_found("try_recv", "-DCLOSED=weft_store_relaxed")

    def test_the_right_orders_are_none(self):
        for how in "LINK", "TURN", "COUNT":
            answer = weft("stress", "chan", "--build=thread", "--seconds=0.5",
                          "--load=" + PUBLISH, "--", "-DHOW=" + how)
            self.assertEqual(answer.status, 0, answer)


class Builds(unittest.TestCase):
    def test_all_of_them_pass(self):
        answer = weft("check", "--load=" + PUBLISH, "--only=^only_the_first")
        self.assertEqual(answer.status, 0, answer)
        for build in "plain", "address", "perturb", "thread":
            self.assertRegex(answer.out, r"(?m)^  ok +%s +check +\d+" % build)
        self.assertIn("p < 3/N", answer.out)
        self.assertIn("among atomics alone", answer.out)

    def test_a_leak_is_found_in_one_of_them(self):
        answer = weft("check", "--load=" + PUBLISH, "--only=^a_closed_channel_drains",
                      "--", "-DFORGETS")
        self.assertEqual(answer.status, 1, answer)
        self.assertIn("found by check, build address:", answer.out)
        self.assertIn("detected memory leaks", answer.out)
        self.assertRegex(answer.out, r"again: weft check .*--build=address -- -DFORGETS\n")
        self.assertRegex(answer.out, r"(?m)^  FOUND +address +check ")
        self.assertRegex(answer.out, r"(?m)^  not run +thread +check")

    def test_a_shared_object_has_one(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "publish.so")
            subprocess.run([*shlex.split(os.environ.get("CC", "cc")), "-std=gnu17", "-O1",
                            "-fPIC", "-shared", "-I", os.path.join(
                                os.path.dirname(PUBLISH), "../../../core/include"),
                            "-o", path, PUBLISH], check=True, timeout=60)
            answer = weft("check", "--load=" + path, "--tier=fast", "--only=^only_the_first")
        self.assertEqual(answer.status, 0, answer)
        self.assertNotRegex(answer.out, r"(?m)^  ok +thread")
        self.assertIn("Give the source", answer.out)

    def test_nothing_is_left_behind(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(weft("list", "--load=" + PUBLISH, TMPDIR=folder).status, 0)
            self.assertEqual(os.listdir(folder), [])


class BadInput(unittest.TestCase):
    def is_refused(self, args, *words, **env):
        answer = weft(*args, **env)
        self.assertEqual((answer.status, answer.out), (2, ""), answer)
        for word in words:
            self.assertIn(word, answer.err)

    def test_table(self):
        load = "--load=" + PUBLISH
        self.is_refused(["check", load, "--", "-DHOW="], "does not compile", "cc")
        self.is_refused(["list", "--load=/nonexistent/x.c"], "/nonexistent/x.c", "No such file")
        self.is_refused(["check", load, "--build=odd"], "'odd'", "perturb")
        self.is_refused(["check", load, "--tier=odd"], "odd", "fast, full")
        self.is_refused(["check", load, "--tier=fast", "--json"], "JSON")
        self.is_refused(["check", "--chan=handoff", "--build=thread"], "--load=FILE.c")
        self.is_refused(["check", "--chan=handoff", "--", "-O3"], "--load=FILE.c")
        self.is_refused(["check", "--chan=handoff", "--tier=fast"], "--load=FILE")
        self.is_refused(["check", load], "does not compile", CC="false")


if __name__ == "__main__":
    WEFT, PLANTED = sys.argv[1:3]
    PUBLISH = os.path.join(os.path.abspath(PLANTED), "publish.c")
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=1)

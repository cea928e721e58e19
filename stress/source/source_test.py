#!/usr/bin/env python3
"""A plug-in given as source: what each build of it finds, and how it is told.

    source_test.py WEFT PLANTED_DIR [unittest arguments]

PLANTED_DIR has publish.c, which its compiler's flags make correct or not.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest
from collections import namedtuple

WEFT = ""
PUBLISH = ""

Answer = namedtuple("Answer", "status out err")


def weft(*args, **env):
    done = subprocess.run([WEFT, *args], stdin=subprocess.DEVNULL, timeout=300,
                          capture_output=True, text=True, env={**os.environ, **env})
    return Answer(done.returncode, done.stdout, done.stderr)


class Orders(unittest.TestCase):
    RELAXED = "-DPUBLISH=weft_store_relaxed"

    #: Ends at the first finding.
    STRESS = ["stress", "chan", "--build=thread", "--seconds=60", "--failures=1"]

    #: After that report, or it takes seconds to name what is in all that follow.
    ENDS = {"TSAN_OPTIONS": "halt_on_error=1"}

    def is_found(self, where, *flags, **env):
        answer = weft(*self.STRESS, "--load=" + PUBLISH, "--", *flags, **env)
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
        self.is_found("pop", "-DHOW=TURN", self.RELAXED, **self.ENDS)

    def test_a_relaxed_completion(self):
        self.is_found("pop", "-DHOW=COUNT", self.RELAXED, **self.ENDS)

    def test_a_relaxed_closed_flag(self):
        self.is_found("try_recv", "-DCLOSED=weft_store_relaxed", **self.ENDS)

    def test_the_right_orders_are_none(self):
        for how in "LINK", "TURN", "COUNT":
            answer = weft("stress", "chan", "--build=thread", "--seconds=0.5",
                          "--load=" + PUBLISH, "--", "-DHOW=" + how)
            self.assertEqual(answer.status, 0, answer)


class Delays(unittest.TestCase):
    def test_a_window_of_a_few_instructions(self):
        """A send that comes between a look at the closed flag and the lock."""
        args = ["stress", "history", "--build=perturb", "--seconds=60", "--failures=1",
                "--load=" + PUBLISH, "--", "-DEARLY", "-DHOW=TURN"]
        answer = weft(*args)
        self.assertEqual(answer.status, 1, answer)
        self.assertRegex(answer.out, r"(?m)^publish: (FAIL|HUNG) in the episode with seed")
        self.assertRegex(answer.out, r"again: weft stress history .*--build=perturb -- -DEARLY")

    def test_a_wait_that_ends_for_no_reason(self):
        args = ["stress", "history", "--build=perturb", "--seconds=60", "--failures=1",
                "--load=" + PUBLISH, "--", "-DHOW=TURN", "-DWAITS"]
        answer = weft(*args, "-DONCE")
        self.assertEqual(answer.status, 1, answer)
        self.assertRegex(answer.out, r"(?m)^publish: FAIL in the episode with seed")
        args[3] = "--seconds=1"
        answer = weft(*args)
        self.assertEqual(answer.status, 0, answer)

    def test_a_loop_that_lets_no_other_run(self):
        args = ["check", "--build=perturb", "--load=" + PUBLISH,
                "--only=^no_call_spins_while_a_peer_is_held_up$", "--"]
        answer = weft(*args, "-DSPINS")
        self.assertEqual(answer.status, 1, answer)
        self.assertIn("loops that wait for a peer call weft_relent()", answer.out)
        answer = weft(*args)
        self.assertEqual(answer.status, 0, answer)

    def test_the_same_by_a_header_alone(self):
        args = ["stress", "history", "--seconds=60", "--failures=1", "--load=" + PUBLISH, "--",
                "-include", "weft/perturb.h", "-DHOW=TURN"]
        self.assertEqual(weft(*args, "-DEARLY").status, 1)
        args[2] = "--seconds=1"
        answer = weft(*args)
        self.assertEqual(answer.status, 0, answer)


class Allocations(unittest.TestCase):
    """The preload that fails allocations of whatever program."""

    PROGRAM = """
        #include <stdio.h>
        #include <stdlib.h>
        int main(void) {
            setvbuf(stdout, NULL, _IONBF, 0);
            for (int i = 1; i <= 4; i++) {
                void *volatile p = i % 2 ? malloc(8) : calloc(1, 8);
                putchar(p ? 'y' : 'n');
                free(p);
            }
            return 0;
        }"""

    def test_each_fails_in_turn(self):
        preload = os.path.join(os.path.dirname(WEFT), "weft_oom.so")
        with tempfile.TemporaryDirectory() as folder:
            program = os.path.join(folder, "program")
            subprocess.run([*shlex.split(os.environ.get("CC", "cc")), "-x", "c", "-", "-o",
                            program], input=self.PROGRAM, text=True, check=True, timeout=300)
            for wish, printed in (("1", "nyyy"), ("2", "ynyy"), ("4", "yyyn"),
                                  ("3+", "yynn"), ("5", "yyyy"), ("1+", "nnnn")):
                done = subprocess.run([program], capture_output=True, text=True, timeout=300,
                                      env={**os.environ, "WEFT_OOM": wish,
                                           "LD_PRELOAD": preload})
                self.assertEqual((done.returncode, done.stdout), (0, printed), wish)
                self.assertEqual(done.stderr, "weft_oom: " + (
                    "nothing failed, allocations: 4\n" if wish == "5" else
                    "fails: allocation %s\n" % wish.rstrip("+")))


class Memory(unittest.TestCase):
    """Running out of it, which the plain build meets."""

    ONLY = "--only=^a_send_without_memory_changes_nothing$"
    MISSING = "weft_oom.so is missing"

    def test_a_send_that_shrugs_is_found(self):
        answer = weft("check", "--load=" + PUBLISH, self.ONLY, "--", "-DSHRUGS")
        self.assertEqual(answer.status, 1, answer)
        self.assertIn("found by check, build plain:", answer.out)
        again = shlex.split(re.search(r"again: weft (.*)", answer.out)[1])
        self.assertEqual(weft(*again).status, 1, again)

    def test_of_a_right_one_only_the_plain_build_is_asked(self):
        answer = weft("check", "--load=" + PUBLISH, self.ONLY)
        self.assertEqual(answer.status, 0, answer)
        self.assertRegex(answer.out, r"(?m)^  ok +plain +check .* 1 of 1 checks$")
        self.assertRegex(answer.out, r"(?m)^  N/A +address +check *$")
        self.assertNotIn(self.MISSING, answer.out)

    def test_the_preload_is_where_it_was_installed_or_missed(self):
        with tempfile.TemporaryDirectory() as folder:
            bin_folder = os.path.join(folder, "bin")
            os.mkdir(bin_folder)
            args = [shutil.copy(WEFT, bin_folder), "check", "--load=" + PUBLISH, self.ONLY]
            done = subprocess.run(args, capture_output=True, text=True, timeout=300)
            self.assertRegex(done.stdout, r"(?m)^  N/A +plain +check *$")
            self.assertIn(self.MISSING, done.stdout)
            for lib in "lib", "lib64", "lib/" + getattr(sys.implementation, "_multiarch", "lib"):
                at = os.path.join(folder, lib, "weft")
                os.makedirs(at)
                shutil.copy(os.path.join(os.path.dirname(WEFT), "weft_oom.so"), at)
            done = subprocess.run(args, capture_output=True, text=True, timeout=300)
            self.assertRegex(done.stdout, r"(?m)^  ok +plain +check .* 1 of 1 checks$")
            self.assertNotIn(self.MISSING, done.stdout)


class Builds(unittest.TestCase):
    def test_all_of_them_pass(self):
        answer = weft("check", "--load=" + PUBLISH, "--only=^only_the_first")
        self.assertEqual(answer.status, 0, answer)
        for build in "plain", "address", "perturb", "thread":
            self.assertRegex(answer.out, r"(?m)^  ok +%s +check +\d+" % build)
        self.assertIn("p < 3/N", answer.out)
        self.assertIn("among atomics alone", answer.out)

    def test_memory_that_a_sanitizer_keeps_is_not_held_against_it(self):
        mychan = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                              "../../docs/examples/mychan.c")
        answer = weft("check", "--load=" + mychan, "--build=address",
                      "--only=^many_selects_do_not_grow_memory$")
        self.assertEqual(answer.status, 0, answer)

    def test_a_leak_is_found_in_one_of_them(self):
        answer = weft("check", "--load=" + PUBLISH, "--only=^a_closed_channel_drains",
                      "--", "-DFORGETS")
        self.assertEqual(answer.status, 1, answer)
        self.assertIn("found by check, build address:", answer.out)
        self.assertIn("detected memory leaks", answer.out)
        self.assertRegex(answer.out, r"again: weft check .*--build=address -- -DFORGETS\n")
        self.assertRegex(answer.out, r"(?m)^  FOUND +address +check ")
        self.assertRegex(answer.out, r"(?m)^  not run +thread +check")

    #: Of a row of checks: how many ran, of how many, and how many do not apply.
    COVERED = r"(?m)^  %s +%s +check .* (\d+) of (\d+) checks(?:, (\d+) N/A)?$"

    def test_the_plain_checks_run_to_their_end(self):
        answer = weft("check", "--load=" + PUBLISH, "--seconds=0.01", "--only=^a_")
        self.assertEqual(answer.status, 0, answer)
        ran, of, absent = map(int, re.search(self.COVERED % ("ok", "plain"), answer.out).groups())
        self.assertEqual(ran + absent, of, answer.out)
        for number in ran, absent:
            self.assertGreater(number, 1, answer.out)
        for build in "address", "perturb", "thread":
            ran, of, absent = re.search(self.COVERED % ("part", build), answer.out).groups()
            self.assertLess(int(ran) + int(absent or 0), int(of), answer.out)
        self.assertIn("part: ", answer.out)

    def test_a_shared_object_has_one(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "publish.so")
            subprocess.run([*shlex.split(os.environ.get("CC", "cc")), "-std=gnu17", "-O1",
                            "-fPIC", "-shared", "-I", os.path.join(
                                os.path.dirname(PUBLISH), "../../../core/include"),
                            "-o", path, PUBLISH], check=True, timeout=300)
            answer = weft("check", "--load=" + path, "--tier=fast", "--only=^only_the_first")
        self.assertEqual(answer.status, 0, answer)
        self.assertNotRegex(answer.out, r"(?m)^  ok +thread")
        self.assertIn("Give the source", answer.out)

    def test_nothing_is_left_behind(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(weft("list", "--load=" + PUBLISH, TMPDIR=folder).status, 0)
            self.assertEqual(os.listdir(folder), [])


class Run(unittest.TestCase):
    """`make stress`: what is run, and that one failure among it counts."""

    SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../run.sh")

    def run_script(self, time, fails="nothing"):
        with tempfile.TemporaryDirectory() as folder:
            fake = os.path.join(folder, "weft")
            with open(fake, "w") as file:
                file.write('#!/bin/sh\n[ "$*" != stress ] || { echo "weft: stress what? '
                           '(there are: one, two)" >&2; exit 2; }\n'
                           'echo "ran $*"; case "$*" in *"%s"*) exit 1;; esac\n' % fails)
            os.chmod(fake, 0o755)
            done = subprocess.run([self.SCRIPT, time, fake, fake], capture_output=True,
                                  text=True, timeout=300)
        return Answer(done.returncode, done.stdout, done.stderr)

    def test_all_is_run(self):
        answer = self.run_script("2m")
        self.assertEqual(answer.status, 0, answer)
        for line in (r"check --all --quiet --budget=14\.4", r"check .*--percent=5 .*=21\.6",
                     r"stress one --seconds=18\.0", r"stress two --time-limit=100 --seconds=24"):
            self.assertRegex(answer.out, "(?m)^ran " + line)
        self.assertIn("nothing was found in 120 s", answer.out)

    def test_a_failure_counts_and_does_not_end_it(self):
        answer = self.run_script("10s", "stress one")
        self.assertEqual(answer.status, 1)
        self.assertIn("ran stress two", answer.out)
        self.assertIn("found by: stress one; stress one with delays; see above", answer.out)

    def test_bad_times(self):
        for time in "x", "", "5d", "0", "-1", "1.5m":
            answer = self.run_script(time or "m")
            self.assertEqual((answer.status, answer.out), (2, ""), time)


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

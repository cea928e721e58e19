#!/usr/bin/env python3
"""Tests of mutants.py, with planted bugs that are made up.

    python3 scripts/test_mutants.py
"""

import json
import os
import stat
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent


def script(path, text):
    path.write_text("#!/bin/sh\n" + text, encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


class Mutants(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dir = Path(folder.name)
        for name in ("bin", "build/release", "build/tsan"):
            os.makedirs(self.dir / name)
        for name in ("release", "tsan"):
            (self.dir / "build" / name / "CTestTestfile.cmake").write_text("")
        script(self.dir / "bin/ctest", 'cat "$2/tests.json"\n')
        self.tests = {"release": [], "tsan": []}

    def plant(self, name, *argv, build="release"):
        self.tests[build].append({"name": name, "command": list(argv), "properties": [
            {"name": "ENVIRONMENT", "value": ["COLOUR=red"]}]})

    def mutants(self, *options):
        for name, tests in self.tests.items():
            (self.dir / "build" / name / "tests.json").write_text(json.dumps({"tests": tests}))
        env = dict(os.environ, PATH="%s:%s" % (self.dir / "bin", os.environ["PATH"]))
        done = subprocess.run(
            [sys.executable, str(SCRIPTS / "mutants.py"), "--build=%s" % (self.dir / "build"),
             "--results=%s" % (self.dir / "out"), *options], env=env, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
        return done.returncode, done.stdout + done.stderr

    def matrix(self):
        return (self.dir / "out/matrix.md").read_text(encoding="utf-8")

    def program(self, name, text):
        return script(self.dir / name, text)

    def test_the_tier_that_finds_it_ends_the_search(self):
        good, bad = self.program("good", "exit 0\n"), self.program("bad", "exit 1\n")
        wrapper = "x/stress/mutants/mutant_test.sh"
        self.plant("mutant.ring.x.conform", wrapper, "conform", good)
        self.plant("mutant.ring.x.stress", wrapper, "stress", bad)
        self.plant("mutant.ring.x.conform", wrapper, "conform", bad, build="tsan")
        self.plant("core.await.y", "x/cmake/mutant_test.sh", good, bad)
        self.plant("patterns.fan.mutant.z", good)
        status, said = self.mutants("--seeds=1")
        self.assertEqual(status, 0, said)
        self.assertIn("3 of 3 found", said)
        rows = [line for line in self.matrix().split("\n") if line.startswith("| `")]
        self.assertEqual([row.count("**") for row in rows], [2, 2, 2])
        self.assertRegex(rows[0], r"^\| `await.y` \| \*\*1 run, [0-9.]+ s\*\* \|  \|  \|  \|  \|$")
        self.assertRegex(rows[2], r"^\| `ring.x` \|  \|  \| survives 4 runs, [0-9.]+ s "
                                  r"\| \*\*1 run, [0-9.]+ s\*\* \|  \|$")

    def test_a_survivor_is_named_and_makes_the_status_1(self):
        self.plant("mutant.ring.x.conform", "mutants/mutant_test.sh", "conform",
                   self.program("good", "exit 0\n"))
        status, said = self.mutants("--seeds=2")
        self.assertEqual(status, 1, said)
        self.assertIn("SURVIVES  ring.x", said)
        self.assertIn("- `ring.x`: not explained", self.matrix())

    def test_only_a_finding_counts_and_each_seed_has_its_own(self):
        # Finds with an even seed, crashes with an odd one.
        self.plant("mutant.ring.x.conform", "mutants/mutant_test.sh", "conform", self.program(
            "odd", 'test "$COLOUR" = red || exit 0\ncase "$*" in *[02468]) exit 1;; esac\nexit 9\n'))
        status, said = self.mutants("--seeds=2")
        self.assertEqual(status, 0, said)
        self.assertIn("(1 of 2 seeds)", self.matrix())

    def test_what_is_done_is_not_done_again(self):
        count = self.dir / "count"
        self.plant("core.a.b", "cmake/mutant_test.sh", self.program("good", "exit 0\n"),
                   self.program("bad", 'echo >>"%s"\nexit 1\n' % count))
        self.assertEqual(self.mutants("--seeds=1")[0], 0)
        self.assertEqual(self.mutants("--seeds=1")[0], 0)
        self.assertEqual(len(count.read_text()), 1)
        self.assertEqual(self.mutants("--seeds=1", "--again")[0], 0)
        self.assertEqual(len(count.read_text()), 2)

    def test_a_test_that_fails_without_its_bug_is_no_evidence(self):
        bad = self.program("bad", "exit 1\n")
        self.plant("core.a.b", "cmake/mutant_test.sh", bad, bad)
        status, said = self.mutants()
        self.assertEqual(status, 2)
        self.assertIn("fails without a bug", said)

    def test_nothing_to_run_is_bad_input(self):
        status, said = self.mutants()
        self.assertEqual(status, 2)
        self.assertIn("no planted bugs are built", said)
        self.assertEqual(self.mutants("--seeds=0")[0], 2)


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""Bugs planted in the gate, each of which its own tests must find.

As in cmake/WeftMutant.cmake: the text of one place is changed, which must be there
exactly once, and the tests are run over a copy in which it is.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent
#: Those of the tests that ask about the rule; the statistics have none of its mutants.
CLASSES = ["Plan", "Verdict", "Looks", "Runs", "Evidence", "Live", "Turns", "Loops",
           "Benchmarks", "Exact"]
#: name: (file in weftlib/gate, what it reads, what it reads then)
MUTANTS = {
    "arms_swapped": ("rounds.py", "[slices[arm][cell] for arm in trio]",
                     "[slices[arm][cell] for arm in (trio[1], trio[0], trio[2])]"),
    "turns_compared_with_no_other": ("rounds.py", "len(one.turns) != len(first.turns) or",
                                     "True or"),
    "each_arm_for_itself": ("rounds.py", "self.order(turn * TURNS + part, start, cells)",
                            "self.order(0, 0, cells)"),
    "turns_as_long_as_slices": ("rounds.py", "(1 + share) / TURNS", "(1 + share)"),
    "decided_head_unbalances_the_order": (
        "rounds.py", "arm_order(turn, start, self.arms(cells))",
        "arm_order(turn, start, tuple(sorted(needed)))"),
    "slower_head_is_not": ("loop.py", 'else "head", share', 'else "head", 0.0'),
    "slower_head_is_in_no_run": ("loop.py", "self.instead.get(cell, cell)", "cell"),
    "slower_head_of_another": ("loop.py", "self.variants[key].kind == arm]",
                               "True]"),
    "arms_always_in_the_same_order": (
        "plan.py", "(digit_sum(turn, len(arms)) + start) % len(arms)", "0"),
    "never_the_other_way_round": ("plan.py", "digit_sum(turn // len(arms), 2) % 2",
                                  "False"),
    "one_link_only": ("plan.py", '"head": (turn + lap) % count', '"head": 0'),
    "least_effect_dropped": ("verdict.py", "max(limits.effect, stored,", "max(stored,"),
    "absolute_floor_dropped": ("verdict.py", ", limits.floor_ns / base)", ")"),
    "stored_floor_ignored": ("verdict.py", "max(limits.effect, stored,",
                             "max(limits.effect,"),
    "control_ignored": ("verdict.py", "max(least, spread(controls))", "least"),
    "control_never_flags": ("trial.py", "if one.control_flags]", "if False]"),
    "at_the_threshold_is_beyond": ("verdict.py", "low > log1p(threshold)",
                                   "low >= log1p(threshold)"),
    "at_the_threshold_is_beyond_below": ("verdict.py", "high < -log1p(threshold)",
                                         "high <= -log1p(threshold)"),
    "at_the_threshold_is_not_equivalent": (
        "verdict.py", "low >= -log1p(found.threshold) and high <= log1p(found.threshold)",
        "low > -log1p(found.threshold) and high < log1p(found.threshold)"),
    "cell_skipped": ("trial.py", "list(self.source.cells), self.looks",
                     "list(self.source.cells)[1:], self.looks"),
    "cells_not_expected": ("trial.py", "outcome.expected = len(self.source.cells)",
                           "outcome.expected = 0"),
    "cell_skipped_in_silence": ("trial.py", "if self.executed < self.expected:",
                                "if False:"),
    "vanished_cell_counts": ("trial.py", "if cell in cells or one.verdict != INCONCLUSIVE}",
                             "}"),
    "flag_without_confirmation": ("trial.py", "again is None or again.verdict != one.verdict",
                                  "again is None"),
    "confirmed_on_the_same_links": ("trial.py", "        self.source.relink()\n", ""),
    "decided_cells_go_on": ("trial.py", "if found[cell].verdict == INCONCLUSIVE]", "]"),
    "disturbed_rounds_count": ("rounds.py", "if found is None:", "if True:"),
    "rejections_without_a_cap": ("evidence.py", "rejected > max(CAP, accepted)", "False"),
    "failed_check_is_no_failure": ("trial.py", "if self.failures:", "if False:"),
    "strict_is_not": ("trial.py", "if left and self.strict:", "if False:"),
    "instructions_within_a_tenth": ("exact.py", "INSTRUCTIONS = 0.02", "INSTRUCTIONS = 0.1"),
    "counts_without_a_ceiling": ("exact.py", "row[key] > limit", "row[key] > limit + 1"),
}


class Mutants(unittest.TestCase):
    def setUp(self):
        self.dir = Path(tempfile.mkdtemp(prefix="weft-gate-mutant-"))
        self.addCleanup(shutil.rmtree, self.dir)
        shutil.copytree(SCRIPTS / "weftlib", self.dir / "scripts" / "weftlib",
                        ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(SCRIPTS / "test_gate.py", self.dir / "scripts")
        (self.dir / "bench" / "sweeps").mkdir(parents=True)
        for name in ("gate.ceilings", "sweeps/gate"):
            shutil.copy(SCRIPTS.parent / "bench" / name, self.dir / "bench" / name)

    def run_tests(self):
        return subprocess.run(
            [sys.executable, "-S", "-B", str(self.dir / "scripts" / "test_gate.py"),
             "--failfast", *CLASSES], capture_output=True, text=True, timeout=200,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})

    def test_without_a_bug_they_pass(self):
        done = self.run_tests()
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_each_bug_is_found(self):
        for name, (file, old, new) in MUTANTS.items():
            with self.subTest(name):
                path = self.dir / "scripts" / "weftlib" / "gate" / file
                text = path.read_text()
                self.assertEqual(text.count(old), 1, "%s: '%s' must be there once" % (
                    file, old))
                path.write_text(text.replace(old, new))
                done = self.run_tests()
                path.write_text(text)
                self.assertEqual(done.returncode, 1, "nothing fails with '%s'" % name)
                # A mutant that cannot even be imported would prove nothing.
                self.assertIn("FAILED (", done.stderr)
                self.assertNotIn("SyntaxError", done.stderr)


if __name__ == "__main__":
    unittest.main()

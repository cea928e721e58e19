#!/usr/bin/env python3
"""What the sweep files choose of what this command has.

    weft_sweeps_test.py WEFT BROKEN_DIR [unittest arguments]
"""

import re
import subprocess
import sys
import unittest
from pathlib import Path

import weft_command
from weft_command import PATIENCE, sanitizer, strict, weft


class Sweeps(unittest.TestCase):
    """What the sweep files choose of what this command has."""

    SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "sweep.py"

    def setUp(self):
        if sanitizer():
            self.skipTest("what there is to choose from is the same in every build")

    def cells(self, sweep):
        done = subprocess.run(
            [sys.executable, "-S", str(self.SCRIPT), "--weft", weft_command.WEFT,
             "--sweep", sweep, "--list"],
            capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.splitlines()

    def test_every_sweep_goes_with_this_command(self):
        for file in (self.SCRIPT.parent.parent / "bench" / "sweeps").iterdir():
            with self.subTest(sweep=file.name):
                self.assertIn("sweep %s: " % file.name, self.cells(file.name)[-1])

    def test_every_sweep_goes_with_any_number_of_cpus(self):
        patterns, channels = (strict(weft("list", what, "--json").out)
                              for what in ("patterns", "channels"))
        sys.path.insert(0, str(self.SCRIPT.parent))
        from weftlib import cells, sweepfile
        for file in (self.SCRIPT.parent.parent / "bench" / "sweeps").iterdir():
            for cpus in (1, 8, 64, 1024):
                with self.subTest(sweep=file.name, cpus=cpus):
                    self.assertTrue(cells.build(sweepfile.load(file), patterns, channels,
                                                cpus=cpus))

    def test_the_default_draws_a_line_of_every_pattern_in_its_time(self):
        *names, last = self.cells("default")
        self.assertIn(" slices of 50 ms", last)
        self.assertRegex(last, r"within 4 min")
        lines = {}
        for name in names:
            pattern, *knobs = name.split("/")
            for knob in knobs:
                key, _, value = knob.partition(":")
                if key in ("workers", "producers", "depth", "beaters", "pairs",
                           "subscribers", "writers"):
                    lines.setdefault(pattern, set()).add(value)
        patterns = [entry["name"] for entry in
                    strict(weft("list", "patterns", "--json").out)]
        self.assertEqual(sorted(lines), patterns)
        for pattern, values in lines.items():
            self.assertGreaterEqual(len(values), 2, pattern)

    def test_the_quick_one_has_every_pattern_and_takes_half_a_minute(self):
        *names, last = self.cells("quick")
        self.assertEqual(sorted({name.split("/")[0] for name in names}), [
            entry["name"] for entry in strict(weft("list", "patterns", "--json").out)])
        # Slices below 10 ms say more of the machine.
        found = re.search(r" slices of (\d+) ms; about (\d+) s$", last)
        self.assertTrue(found, last)
        self.assertGreaterEqual(int(found[1]), 10)
        self.assertLess(int(found[2]), 30)

    def test_every_one_of_many_pairs_has_its_turn(self):
        pairs = {}
        for name in self.cells("pairs"):
            knobs = dict(part.split(":") for part in name.split("/")[1:] if ":" in part)
            if int(knobs.get("pairs", 0)) > 1000:
                pairs[int(knobs["pairs"])] = int(knobs.get("items", 0))
        self.assertIn(10000, pairs)
        for count, items in pairs.items():
            self.assertGreaterEqual(items, 2 * count)

    def test_floor_and_ceiling_are_in_every_row_of_one_channel(self):
        for sweep in ("quick", "default", "full"):
            names = self.cells(sweep)
            rows = {re.sub("chan:[a-z]+", "", name): set() for name in names
                    if name.startswith("producer_consumer/chan:null/")}
            self.assertGreater(len(rows), 1)
            for name in names:
                row = re.sub("chan:[a-z]+", "", name)
                if row in rows:
                    rows[row].add(re.search("chan:([a-z]+)", name).group(1))
            for row, chans in rows.items():
                self.assertLessEqual({"null", "faa", "condvar"}, chans, row)


if __name__ == "__main__":
    weft_command.main()

#!/usr/bin/env python3
"""Tests of what is said of runs: their environment, what moved between two, and
the formats that they are written in.

    python3 scripts/test_runs.py
"""

import csv
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent
sys.path.insert(0, str(SCRIPTS))
sys.dont_write_bytecode = True

import ratios  # noqa: E402
import terminal  # noqa: E402
from fixture import FakeRuns  # noqa: E402
from weftlib import (bars, cgroup, compare, context, environment, exports, figures,  # noqa: E402
                     hgrm, stats, summary)
from weftlib.report import facts  # noqa: E402

#: A context of which everything is as it should be.
QUIET = {
    "cpu": "CPU", "cpus_online": 4, "cpus_allowed": 4, "hypervisor": "none",
    "kernel": "Linux 6", "os": "Debian", "libc": "glibc", "compiler": "gcc",
    "topology": {"packages": 1, "cores": 4, "threads_per_core": 1, "nodes": 1},
    "mitigations": {"spectre_v1": "Mitigation: x", "meltdown": "Not affected"},
    "governor": "performance", "turbo": "off", "aslr": "2",
    "cpu_quotas": [{"level": 0, "version": 2, "cpus": None}], "cpu_quota": None,
    "flags": "-O2 -DNDEBUG", "build_type": "Release", "sanitize": "", "seed": 1,
    "git": {"commit": "1a2b3c4", "dirty": False}, "load_before": [0.1, 1, 2],
    "steal": {"share_of_busy": 0.001}, "cpu_foreign": {"share": 0.001},
    "throttled": 0, "rejected": 0, "spin_ns": {"n": 10, "p10": 1000, "p90": 1050}}
#: The item, what makes it warn, and a part of what is said then.
DISTURBED = [
    ("CPUs", {"cpus_allowed": 1}, "no two tasks"),
    ("topology", {"topology": {**QUIET["topology"], "threads_per_core": 2}}, "share it"),
    ("hypervisor", {"hypervisor": "KVM"}, "neighbours"),
    ("governor", {"governor": "powersave"}, "load"), ("turbo", {"turbo": "on"}, "heat"),
    ("ASLR", {"aslr": "0"}, "layout"),
    ("CPU quota", {"cpu_quotas": [{"level": 0, "cpus": None}, {"level": 1, "cpus": 1.5}]},
     "stopped"),
    ("flags", {"flags": "-O0 -g"}, "optimised"), ("build", {"build_type": "Debug"}, "not"),
    ("sanitizers", {"sanitize": "thread"}, "times"),
    ("source tree", {"git": {"commit": "1", "dirty": True}}, "commit"),
    ("load", {"load_before": [3.0]}, "else"), ("steal", {"steal": {"share_of_busy": 0.1}},
                                               "hypervisor"),
    ("foreign CPU", {"cpu_foreign": {"share": 0.5}}, "other"),
    ("CPU speed", {"spin_ns": {"n": 10, "p10": 1000, "p90": 1500}}, "slower at times"),
    ("throttled", {"throttled": 3}, "quota"), ("rejected samples", {"rejected": 2},
                                               "others had")]


def by_name(info):
    return {item.name: item for item in environment.items(info)}


class Speeds(unittest.TestCase):
    def test_a_tenth_of_the_spins_is_left_out_on_either_side(self):
        self.assertEqual(context.speed([1] + [10] * 18 + [500]),
                         {"n": 20, "p10": 10, "p90": 10})
        self.assertEqual(context.speed([10] * 15 + [50] * 5)["p90"], 50)

    def test_few_spins_say_nothing(self):
        self.assertEqual(context.speed([10] * 9), "unknown")

    def test_those_of_rejected_samples_count(self):
        record = {"samples": [{"spin_ns": 3}, {}], "rejected": {"samples": [{"spin_ns": 4}]}}
        self.assertEqual(figures.spins([record, {"samples": None}]), [3, 4])


class Environments(unittest.TestCase):
    def test_all_is_ok_where_all_is_known_and_good(self):
        self.assertEqual([item for item in environment.items(QUIET) if item.state != "ok"
                          or item.why], [])

    def test_nothing_is_ok_of_which_nothing_is_known(self):
        for info in ({}, dict.fromkeys(QUIET, "unknown"), dict.fromkeys(QUIET),
                     {**dict.fromkeys(QUIET, "unknown"), "git": {
                         "commit": "unknown", "dirty": "unknown"}}):
            if info.get("git") == "unknown":
                info["git"] = None
            # No quota and no sanitizer are what is written as null and "".
            found = [item for item in environment.items(info) if item.state != "unknown"
                     and not (item.name == "CPU quota" and info.get("cpu_quota", 0) is None)]
            self.assertEqual(found, [], info)

    def test_each_disturbance_is_a_warning_of_its_own(self):
        for name, change, why in DISTURBED:
            found = by_name({**QUIET, **change})
            self.assertEqual(found[name].state, "warn", name)
            self.assertIn(why, found[name].why)
            self.assertEqual([item.name for item in found.values() if item.state != "ok"],
                             [name])

    def test_every_item_that_can_warn_is_tried(self):
        told = {"CPU", "kernel", "mitigations", "system", "libc", "compiler", "commit",
                "seed"}
        self.assertEqual({name for name, _, _ in DISTURBED} | told, set(by_name(QUIET)))

    def test_the_quota_of_each_level_is_told(self):
        info = {**QUIET, "cpu_quotas": [{"level": 0, "cpus": 2.0}, {"level": 1, "cpus": None},
                                        {"level": 2, "cpus": 0.5}]}
        self.assertEqual(by_name(info)["CPU quota"].value,
                         "2.00 CPUs at level 0, 0.500 CPUs at level 2")

    def test_runs_of_before_have_one_quota(self):
        info = {key: value for key, value in QUIET.items() if key != "cpu_quotas"}
        self.assertEqual(by_name(info)["CPU quota"].state, "ok")
        self.assertEqual(by_name({**info, "cpu_quota": 1.5})["CPU quota"].state, "warn")


class Machine(unittest.TestCase):
    """What the context reads, from a made-up system."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="weft-test-")
        self.addCleanup(folder.cleanup)
        self.dir = Path(folder.name)

    def put(self, path, text):
        path = self.dir / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def test_topology_counts_cores_and_their_threads(self):
        self.assertEqual(context.topology(self.dir), "unknown")
        for cpu in range(8):
            place = "cpu/cpu%d/topology/" % cpu
            self.put(place + "physical_package_id", "%d\n" % (cpu // 4))
            self.put(place + "core_id", "%d\n" % (cpu // 2 % 2))
        self.put("node/node0/cpulist", "0-7\n")
        self.assertEqual(context.topology(self.dir), {
            "packages": 2, "cores": 4, "threads_per_core": 2, "nodes": 1})

    def test_mitigations_and_turbo(self):
        self.assertEqual((context.mitigations(self.dir), context.turbo(self.dir)),
                         ("unknown", "unknown"))
        self.put("cpu/vulnerabilities/meltdown", "Mitigation: PTI\n")
        self.put("cpu/cpufreq/boost", "1\n")
        self.assertEqual(context.mitigations(self.dir), {"meltdown": "Mitigation: PTI"})
        self.assertEqual(context.turbo(self.dir), "on")
        self.put("cpu/intel_pstate/no_turbo", "1\n")
        self.assertEqual(context.turbo(self.dir), "off")

    def test_quotas_of_all_levels(self):
        self.put("proc/self/mountinfo", "1 2 0:1 / /cg rw - cgroup2 cgroup rw\n")
        self.put("proc/self/cgroup", "0::/a/b\n")
        self.put("cg/a/b/cpu.max", "max 100000\n")
        self.put("cg/a/cpu.max", "150000 100000\n")
        self.put("cg/cpu.max", "400000 100000\n")
        self.assertEqual([level["cpus"] for level in cgroup.levels(str(self.dir))],
                         [None, 1.5, 4.0])
        self.assertEqual(cgroup.quota(str(self.dir)), 1.5)

    def test_foreign_cpu_is_what_was_busy_and_not_ours(self):
        before = {"busy": 100, "idle": 100, "steal": 0, "own": 10}
        after = {"busy": 300, "idle": 280, "steal": 20, "own": 110}
        self.assertEqual(context.foreign(before, after), {"jiffies": 100, "share": 0.25})
        # Both are rounded: ours may seem more than all.
        self.assertEqual(context.foreign(before, {**after, "own": 215})["share"], 0)
        self.assertEqual(context.foreign(None, after), "unknown")


class Doctor(FakeRuns):
    def doctor(self, *args, status=0):
        done = subprocess.run(
            [sys.executable, "-S", str(SCRIPTS / "doctor.py"), "--weft", str(self.weft),
             "--seconds=0", *args], text=True, capture_output=True, timeout=220,
            env=self.env())
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        return done

    def test_it_says_all_items_and_how_many_are_what(self):
        lines = self.doctor().stdout.split("\n")
        self.assertIn("ok       CPU          Fake CPU (R) 9000 @ 1GHz", lines)
        self.assertIn("unknown  governor     unknown: the kernel does not say", lines)
        self.assertRegex(lines[-2], r"\A\d+ ok, \d+ warn, \d+ unknown\Z")

    def test_it_times_the_cpu(self):
        item = [item for item in json.loads(self.doctor("--json", "--seconds=1").stdout)[
            "environment"] if item["name"] == "CPU speed"][0]
        self.assertNotEqual(item["state"], "unknown")
        self.assertRegex(item["value"], r"\Athe same work took [\d.]+ to [\d.]+ us\Z")

    def test_json_is_the_context_with_its_environment(self):
        found = json.loads(self.doctor("--json").stdout)
        states = {item["name"]: item["state"] for item in found["environment"]}
        self.assertEqual((states["CPU"], states["governor"]), ("ok", "unknown"))
        self.assertNotIn("seed", states)

    def test_bad_input(self):
        self.assertIn("nope", self.doctor("--weft=nope", status=2).stderr)

    def test_a_sweep_stores_it(self):
        self.sweep("time=1\nrounds=1\nlatency=0\npattern=ping_pong chan=alpha\n")
        found = self.read()["context"]["environment"]
        self.assertEqual([item["name"] for item in found],
                         [name for name, _ in environment.RULES])


def slices(chan, times, verdict="VERIFIED", **knobs):
    """One record for each of the times, in ns a message."""
    name = "/".join(["pipeline", "chan:" + chan] + ["%s:%s" % knob for knob in knobs.items()])
    return [{"cell": name, "pattern": "pipeline", "chan": chan, "knobs": knobs,
             "verdict": verdict, "why": "", "round": turn, "cpus": 2, "tasks": 2,
             "samples": [{"ns": int(1000 * time), "messages": 1000}]}
            for turn, time in enumerate(times)]


def run_of(*cells, **more):
    info = {"schema": 1, "started": "2026-01-01T00:00:00Z", "partial": False, "cpu": "CPU",
            "cpus_online": 2, "cpus_allowed": 2, "hypervisor": "none", "rounds": 9,
            "git": {"commit": "1a2b3c4", "dirty": False}, **more}
    return info, [entry for cell in cells for entry in cell]


def as_run(*cells):
    info, records = run_of(*cells)
    return facts.of(summary.build(info, records), records)


STEADY = [100, 101, 99, 100, 102, 98, 100, 104, 96]


def times(factor):
    return [factor * time for time in STEADY]


class RatioIntervals(unittest.TestCase):
    def test_counts_are_those_of_all_orders(self):
        self.assertEqual(stats.rank_sum_counts(3, 4),
                         (1, 1, 2, 3, 4, 4, 5, 4, 4, 3, 2, 1, 1))
        self.assertEqual(sum(stats.rank_sum_counts(7, 9)), 11440)

    def test_the_table_of_mann_and_whitney(self):
        """7 and 7 values: two sides of 5 % leave U = 8 out."""
        found = stats.ratio_ci([1.0] * 7, [float(n) for n in range(1, 8)])
        ratios = sorted([float(n) for n in range(1, 8)] * 7)
        self.assertEqual(found[1:3], (ratios[8], ratios[-9]))
        self.assertGreaterEqual(found[3], 0.95)

    def test_too_few_values_have_none(self):
        self.assertIsNone(stats.ratio_ci([1, 2, 3], [1, 2, 3]))

    def test_it_holds_the_factor_as_often_as_it_says(self):
        rng = random.Random(4)
        held = 0
        for _ in range(1000):
            old = [rng.lognormvariate(0, 0.3) for _ in range(7)]
            new = [1.5 * rng.lognormvariate(0, 0.3) for _ in range(7)]
            _, low, high, level = stats.ratio_ci(old, new)
            held += low <= 1.5 <= high
        self.assertGreater(held, 945)
        self.assertLess(held, 980)


class Comparisons(unittest.TestCase):
    def compare(self, before, now, threshold=0.1):
        return compare.compare(as_run(*before), as_run(*now), threshold)

    def verdicts(self, *args):
        return {change.name.split("/")[1]: change.verdict
                for change in self.compare(*args).changes}

    def test_slower_faster_and_the_same(self):
        before = [slices("a", times(1)), slices("b", times(1)), slices("c", times(1))]
        now = [slices("a", times(1.3)), slices("b", times(0.7)), slices("c", times(1.02))]
        self.assertEqual(self.verdicts(before, now), {
            "chan:a": "slower", "chan:b": "faster", "chan:c": "same"})

    def test_less_than_the_threshold_is_not_moved_however_sure(self):
        before, now = [slices("a", times(1))], [slices("a", times(1.07))]
        self.assertEqual(self.verdicts(before, now), {"chan:a": "same"})
        self.assertEqual(self.verdicts(before, now, 0.02), {"chan:a": "slower"})

    def test_what_scatters_is_undecided(self):
        noisy = [60, 70, 100, 130, 150, 90, 200]
        self.assertEqual(self.verdicts([slices("a", noisy)], [slices("a", times(1.3))]),
                         {"chan:a": "undecided"})
        found = self.compare([slices("a", [100] * 3)], [slices("a", [200] * 3)]).changes
        self.assertEqual((found[0].verdict, found[0].why), ("undecided", "too few rounds"))

    def test_what_slows_all_cells_down_alike_is_not_in_the_ratio(self):
        before = [slices("condvar", times(2)), slices("a", times(1))]
        now = [slices("condvar", times(4)), slices("a", times(2))]
        self.assertEqual(self.verdicts(before, now),
                         {"chan:a": "same", "chan:condvar": "slower"})
        found = {change.name: change.basis for change in self.compare(before, now).changes}
        self.assertEqual(found, {"pipeline/chan:a": "condvar",
                                 "pipeline/chan:condvar": "speed"})

    def test_ratios_are_of_the_same_round(self):
        """The machine gets slower and slower, in both runs."""
        drift = [100, 150, 200, 300, 400, 600, 800]
        before = [slices("condvar", drift), slices("a", drift)]
        now = [slices("condvar", drift), slices("a", [1.3 * time for time in drift])]
        self.assertEqual(self.verdicts(before, now)["chan:a"], "slower")

    def test_cells_are_told_against_the_same_knobs(self):
        before = [slices("condvar", times(1), cap=0), slices("a", times(1), cap=1)]
        self.assertEqual(self.compare(before, before).changes[0].basis, "speed")

    def test_two_modes_have_no_median_to_compare(self):
        runs = [as_run(slices("a", times(f))) for f in (1, 2)]
        runs[1].cells[0]["modes"] = [{}, {}]
        found = compare.compare(*runs, 0.1).changes[0]
        self.assertEqual((found.verdict, found.why), ("undecided", "two modes"))

    def test_what_was_placed_otherwise_is_not_compared(self):
        runs = [as_run(slices("a", times(f))) for f in (1, 2)]
        for run, placement in zip(runs, ("free", "apart")):
            run.cells[0]["placement"] = placement
        found = compare.compare(*runs, 0.1).changes[0]
        self.assertEqual((found.verdict, found.why), ("undecided", "placed otherwise"))

    def test_verdicts_that_turned_and_cells_of_one_run(self):
        before = [slices("a", times(1)), slices("b", times(1), "FAILED"),
                  slices("c", times(1)), slices("gone", times(1))]
        now = [slices("a", times(1), "HUNG"), slices("b", times(1)),
               slices("c", [1], "N/A"), slices("new", times(1))]
        found = self.compare(before, now)
        self.assertEqual(found.broken, [("pipeline/chan:a", "HUNG", "")])
        self.assertEqual(found.turned, [("pipeline/chan:b", "FAILED", "VERIFIED"),
                                        ("pipeline/chan:c", "VERIFIED", "N/A")])
        self.assertEqual(found.only, (["pipeline/chan:gone"], ["pipeline/chan:new"]))

    def test_unknown_is_no_other_machine_but_another_name_is(self):
        one = run_of()[0]
        self.assertEqual(compare.machine_differs(one, dict(one)), [])
        self.assertEqual(compare.machine_differs(one, {**one, "cpu": "other"}),
                         ["cpu: CPU, other"])
        self.assertEqual(compare.circumstances(one, {**one, "kernel": "2"}),
                         ["kernel: unknown, 2"])


class Bars(unittest.TestCase):
    def change(self, ratio, low, high):
        return compare.Change("cell", "speed", "slower", ratio, low, high, 0.95)

    def test_slower_is_left_of_the_centre_and_faster_right(self):
        left, right = (bars.bar(self.change(*ends), 10, 1.0) for ends in (
            (0.6, 0.5, 0.71), (1.7, 1.41, 2.0)))
        self.assertEqual(left, "\u2591" * 5 + "\u2588" * 5 + "\u2502" + " " * 10)
        self.assertEqual(right, " " * 10 + "\u2502" + "\u2588" * 5 + "\u2591" * 5)

    def test_no_bar_is_longer_than_its_side(self):
        for ends in ((0.001, 0.0001, 0.01), (900.0, 100.0, 5000.0), (1.2, 1.11, 1.3)):
            self.assertEqual(len(bars.bar(self.change(*ends), 10, 3.0)), 21)

    def test_numbers(self):
        self.assertEqual([bars.percent(x) for x in (0.771, 0.966, 1.05, 1.5, 3)],
                         ["-23 %", "-3.4 %", "+5.0 %", "+50 %", "x 3.0"])


class StoredRuns(FakeRuns):
    """A command over stored runs."""

    SCRIPT = ""

    def put(self, name, *cells, **more):
        info, records = run_of(*cells, **more)
        folder = self.results / name
        folder.mkdir(parents=True)
        (folder / "samples.jsonl").write_text("".join(
            json.dumps(line) + "\n" for line in [info, *records]))

    def setUp(self):
        super().setUp()
        self.put("old", slices("a", times(1)), slices("b", times(1)))
        self.put("new", slices("a", times(2)), slices("b", times(1)))

    def words(self, *args):
        return [sys.executable, "-S", str(SCRIPTS / self.SCRIPT), "--results",
                str(self.results), *args]

    def start(self, *args, status=0):
        done = subprocess.run(self.words(*args), text=True, capture_output=True,
                              timeout=220)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        return done


class Compare(StoredRuns):
    SCRIPT = "compare.py"

    def test_only_what_moved_is_shown_and_slower_is_2(self):
        done = self.start("old", "new", status=2)
        self.assertRegex(done.stdout, r"\nslower +-50 %  \(-5\d % to -4\d %\)  "
                                      r"pipeline/chan:a\n")
        self.assertNotIn("chan:b", done.stdout)
        self.assertIn("2 cells: 1 slower, 0 faster, 1 the same within 10 %, 0 undecided",
                      done.stdout)
        self.assertNotIn("\x1b", done.stdout)
        self.assertIn("faster  ", self.start("new", str(self.results / "old")).stdout)

    def test_a_terminal_gets_bars(self):
        status, text = terminal.run(self.words("old", "new"), 100, env={
            **os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"})
        self.assertEqual(status, 2)
        self.assertRegex(text, "-50 % \x1b\\[33m *\u2591*\u2588+\u2502 +\x1b\\[0m "
                               "pipeline/chan:a\r\n")

    def test_undecided_is_3_where_that_is_asked_for(self):
        self.put("few", slices("a", [100]), slices("b", [100]))
        self.assertIn("2 undecided", self.start("old", "few").stdout)
        self.start("old", "few", "--strict", status=3)

    def test_a_failed_cell_is_1_whatever_else(self):
        self.put("bad", slices("a", times(9)), slices("b", times(1), "FAILED"))
        self.assertIn("BROKEN    FAILED pipeline/chan:b",
                      self.start("old", "bad", status=1).stdout)

    def test_another_machine_is_4_unless_it_is_asked_for(self):
        self.put("far", slices("a", times(1)), cpu="Other CPU")
        done = self.start("old", "far", status=4)
        self.assertEqual(done.stdout, "")
        self.assertIn("cpu: CPU, Other CPU", done.stderr)
        done = self.start("old", "far", "--other-machine")
        self.assertIn("machine   cpu: CPU, Other CPU", done.stdout)

    def test_bad_input_is_1_and_one_line(self):
        (self.results / "empty").mkdir()
        for args, text in (
                (["old", "nope"], "no run 'nope': neither a folder nor a name"),
                (["old"], "RUN2"), (["old", "empty"], "holds no run"),
                (["old", "new", "--threshold=0"], "from 1 to 1000"),
                (["old", "new", "--filter=zzz"], "no measured cell in common that")):
            done = self.start(*args, status=1)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
            self.assertIn(text, done.stderr)

    def test_a_sweep_can_be_saved_and_compared_with(self):
        text = "time=1\nrounds=5\nlatency=0\npattern=pipeline chan=alpha cap=0\n"
        self.sweep(text, "--save=base", "--quiet")
        self.assertTrue((self.results / "base").is_symlink())
        self.assertEqual([path.name for path in ratios.folders(self.results)
                          if path.name == "base"], [])
        done = self.sweep(text, "--against=base", "--quiet", status=2,
                          FAKE_NS='{"alpha": 130}')
        self.assertRegex(done.stdout, r"\nslower +-23 % .*chan:alpha")
        self.sweep(text, "--against=base", "--save=base", "--quiet")
        # Only the last is saved, and what was is still there.
        self.assertEqual(len([path for path in self.results.iterdir()
                              if path.is_symlink()]), 1)

    def test_what_cannot_be_compared_is_refused_before_anything_is_measured(self):
        text = "time=1\nrounds=1\nlatency=0\npattern=ping_pong chan=alpha\n"
        for args, status, part in (
                (["--against=nope"], 1, "no run 'nope'"),
                (["--against=old"], 4, "different machines (cpu: CPU, Fake CPU"),
                (["--against", "old", "--rounds=x"], 1, "--rounds"),
                (["--save=a/b"], 2, "--save=a/b: a name is at most"),
                (["--save=old"], 2, "--save=old: ")):
            done = self.sweep(text, *args, status=status)
            self.assertIn(part, done.stderr)
        self.assertFalse((self.dir / "log").exists() and
                         "run " in (self.dir / "log").read_text())

    def test_json(self):
        found = json.loads(self.start("old", "new", "--json", status=2).stdout)
        self.assertEqual(found["schema"], 1)
        self.assertEqual({change["name"]: change["verdict"] for change in found["changes"]},
                         {"pipeline/chan:a": "slower", "pipeline/chan:b": "same"})


class Exports(unittest.TestCase):
    """Of a run with a cell of each kind."""

    def setUp(self):
        cells = [slices("a", times(1), cap=1), slices("b", [1], "N/A", cap=1),
                 slices("c", [1], "FAILED", cap=1), slices("null", times(0.1), "FLOOR")]
        cells[0][0]["latency_ns"] = {"p50": 500.0, "p99": 2000, "kept_up": True}
        cells[0][0]["samples"][0]["cpu_seconds"] = 2e-4
        cells[2][0]["why"] = 'one, "lost"'
        self.run_ = as_run(*cells)

    def json(self, word):
        def refuse(text):
            raise ValueError("%s is not JSON" % text)
        return json.loads(exports.FORMATS[word](self.run_), parse_constant=refuse)

    def test_results_have_all_cells_and_their_samples(self):
        found = self.json("results")
        self.assertEqual(list(found), ["schema", "context", "environment", "cells"])
        cells = {cell["chan"]: cell for cell in found["cells"]}
        self.assertEqual({chan: cell["verdict"] for chan, cell in cells.items()}, {
            "a": "VERIFIED", "b": "N/A", "c": "FAILED", "null": "FLOOR"})
        self.assertEqual([sample["ns"] / sample["messages"] for sample in
                          cells["a"]["samples"]], STEADY)
        self.assertEqual(cells["a"]["ns_per_message"]["median"], 100)
        self.assertEqual(cells["a"]["ns_per_message"]["low"], 98)
        self.assertIsNone(cells["c"]["ns_per_message"])
        for cell in cells.values():
            self.assertEqual(set(cell), {*exports.HEAD, "messages_per_second", "cost",
                                         "ns_per_message", "samples", "rejected_samples"})
        self.assertEqual([item["name"] for item in found["environment"]],
                         [name for name, _ in environment.RULES])

    def test_every_key_of_results_is_documented(self):
        text = (SCRIPTS.parent / "docs/results.md").read_text()
        for key in (*exports.HEAD, "cost", *exports.COSTS, "samples", "rejected_samples",
                    *exports.QUANTITY):
            self.assertIn("`%s`" % key, text)
        for word in (*exports.FORMATS, "hgrm"):
            self.assertIn("`%s`" % word, text)

    def test_rejected_samples_are_told_apart(self):
        cell = slices("a", times(1))
        watched = cell[3]
        watched.update(rejected={"why": "x", "samples": watched["samples"]}, samples=[])
        self.run_ = as_run(cell)
        found, = self.json("results")["cells"]
        self.assertEqual((len(found["samples"]), found["rounds"]), (8, 8))
        self.assertEqual(found["rejected_samples"], [
            {"round": 3, "ns": 100000, "messages": 1000, "why": "x"}])

    def test_csv_has_a_line_for_each_cell(self):
        lines = list(csv.DictReader(exports.comma_separated(self.run_).split("\n")))
        found = {line["chan"]: line for line in lines}
        self.assertEqual(list(found), ["null", "a", "b", "c"])
        self.assertEqual((found["a"]["ns_per_message"], found["a"]["p99_ns"],
                          found["a"]["knob_cap"]), ("100.0", "2000.0", "1"))
        self.assertEqual((found["c"]["verdict"], found["c"]["ns_per_message"],
                          found["null"]["knob_cap"]), ("FAILED", "", ""))

    def test_github_action_benchmark(self):
        bigger, smaller = (self.json("custom%sIsBetter" % word)
                           for word in ("Bigger", "Smaller"))
        self.assertEqual([entry["name"] for entry in bigger],
                         ["pipeline/chan:null", "pipeline/chan:a/cap:1"])
        self.assertEqual((bigger[1]["value"], bigger[1]["unit"]), (1e7, "messages/s"))
        self.assertEqual((smaller[1]["value"], smaller[1]["unit"]), (100, "ns/message"))
        self.assertEqual(smaller[1]["range"], "\u00b1 1")
        for entry in bigger + smaller:
            self.assertEqual([type(value) for value in entry.values()],
                             [str, str, float, str, str])

    def test_bencher(self):
        found = self.json("bmf")
        self.assertEqual(set(found), {"pipeline/chan:null", "pipeline/chan:a/cap:1"})
        self.assertEqual(found["pipeline/chan:a/cap:1"], {
            "throughput": {"value": 1e7, "lower_value": 1e9 / 102, "upper_value": 1e9 / 98},
            "latency": {"value": 100, "lower_value": 98, "upper_value": 102},
            "sojourn-p50": {"value": 500.0}, "sojourn-p99": {"value": 2000}})

    def test_go(self):
        lines = exports.go(self.run_).split("\n")
        self.assertEqual(lines[:4], ["goos: linux", "pkg: weft", "cpu: CPU",
                                     "commit: 1a2b3c4"])
        self.assertIn("--- FAIL: BenchmarkPipeline/chan=c/cap=1-2", lines)
        found = [line for line in lines if line.startswith("BenchmarkPipeline/chan=a")]
        self.assertEqual(len(found), len(STEADY))
        self.assertEqual(found[0], "BenchmarkPipeline/chan=a/cap=1-2\t1000\t100 ns/op\t"
                                   "1e+07 msg/s\t200 cpu-ns/op")
        for line in lines[4:-1]:  # as its specification has it
            self.assertRegex(line, r"\A(Benchmark[A-Z]\S*\t\d+(\t\S+ \S+)+|--- FAIL: .*)\Z")

    def test_google_benchmark(self):
        found = self.json("google-benchmark")
        rows = {}
        for row in found["benchmarks"]:
            rows.setdefault(row["run_name"], []).append(row)
        self.assertEqual(len(rows["pipeline/chan:a/cap:1"]), len(STEADY) + 1)
        self.assertTrue(rows["pipeline/chan:c/cap:1"][0]["error_occurred"])
        self.assertNotIn("pipeline/chan:b/cap:1", rows)


class Histograms(unittest.TestCase):
    """As HdrHistogram's outputPercentileDistribution() prints them."""

    def test_a_known_table(self):
        """One of 2 and ten of 4, worked out by hand: 1 of 11 is 9 %, so the next line,
        of 10 %, has the other value, and with it all are counted."""
        self.assertEqual(hgrm.table({2: 1, 4: 10}, 4), """\
       Value     Percentile TotalCount 1/(1-Percentile)

       0.002 0.000000000000          1           1.00
       0.004 0.100000000000         11           1.11
       0.004 1.000000000000         11
#[Mean    =        0.004, StdDeviation   =        0.001]
#[Max     =        0.004, Total count    =           11]
#[Buckets =           57, SubBuckets     =          256]
""")

    def test_lines_come_closer_towards_the_end(self):
        rows = list(hgrm.rows([(value, 1) for value in range(1, 101)], 100))
        self.assertEqual([round(row[1], 4) for row in rows[:13]],
                         [0, 10, 20, 30, 40, 50, 55, 60, 65, 70, 75, 77.5, 80])
        for value, percentile, count in rows:
            self.assertEqual(value, count)
            self.assertGreaterEqual(count, percentile)
            self.assertTrue(percentile == 100 or count - percentile <= 1)
        self.assertEqual(rows[-1], (100, 100.0, 100))

    def test_buckets_end_where_the_next_begins(self):
        for low, end in ((0, 0), (255, 255), (256, 257), (510, 511), (512, 515),
                         (1 << 20, (1 << 20) + (1 << 13) - 1)):
            self.assertEqual(hgrm.highest(low, 1 << 30), end)
        self.assertEqual(hgrm.highest(512, 513), 513)

    def test_rounds_are_counted_together(self):
        cell = slices("a", times(1))
        for entry, counts in zip(cell, ([[5, 1]], None, [[5, 2], [9, 1]])):
            entry["latency_ns"] = counts and {"max": 9, "histogram": counts}
        (name, text), = hgrm.files(as_run(cell)).items()
        self.assertEqual(name, "pipeline.chan-a.hgrm")
        self.assertIn("0.005 0.000000000000          3", text)
        self.assertIn("Total count    =            4]", text)

    def test_every_cell_has_a_file_name_of_its_own(self):
        taken = {}
        for cell in ("p/chan:a", "p/chan:\xe4/x:1", "p/chan:\xf6/x:1", "p/chan:../x:1"):
            taken[hgrm.file_name(cell, taken)] = cell
        self.assertEqual(list(taken), ["p.chan-a.hgrm", "p.chan-.x-1.hgrm",
                                       "p.chan-.x-1-2.hgrm", "p.chan-...x-1.hgrm"])


class Export(StoredRuns):
    SCRIPT = "export.py"

    def test_it_prints_or_writes_a_file(self):
        done = self.start("old", "--format=go")
        self.assertEqual((done.stdout.count("ns/op"), done.stderr), (18, ""))
        self.start(str(self.results / "old"), "--format", "go", "--out",
                   str(self.dir / "out"))
        self.assertEqual((self.dir / "out").read_text(), done.stdout)

    def test_histograms_go_into_a_folder_or_one_is_printed(self):
        cells = [slices(chan, times(1)) for chan in "abc"]
        for cell in cells[:2]:
            cell[0]["latency_ns"] = {"max": 9, "histogram": [[9, 3]]}
        self.put("timed", *cells)
        self.start("timed", "--format=hgrm", "--out", str(self.dir / "h"))
        self.assertEqual(sorted(os.listdir(self.dir / "h")),
                         ["pipeline.chan-a.hgrm", "pipeline.chan-b.hgrm"])
        one = self.start("timed", "--format=hgrm", "--filter=chan:b")
        self.assertEqual(one.stdout, (self.dir / "h/pipeline.chan-b.hgrm").read_text())
        for args, text in ((["timed"], "2 cells have latencies"),
                           (["timed", "--filter=chan:c"], "'chan:c'"),
                           (["old"], "no cell of 'old'"),
                           (["timed", "--filter=("], "--filter")):
            done = self.start(*args, "--format=hgrm", status=2)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
            self.assertIn(text, done.stderr)
        self.assertIn("only --format=hgrm", self.start(
            "timed", "--format=go", "--filter=a", status=2).stderr)

    def test_a_failed_cell_is_told_by_the_status(self):
        self.put("bad", slices("a", times(1)), slices("b", times(1), "FAILED"))
        done = self.start("bad", "--format=bmf", status=1)
        self.assertEqual(list(json.loads(done.stdout)), ["pipeline/chan:a"])
        self.assertIn("1 cell without a value: FAILED pipeline/chan:b", done.stderr)

    def test_bad_input_is_one_line(self):
        (self.results / "old" / "summary.json").write_text(json.dumps(summary.build(
            *run_of(slices("a", times(1))))))
        (self.results / "old" / "samples.jsonl").unlink()
        for args, text in ((["nope", "--format=go"], "no run 'nope'"),
                           (["new", "--format=xml"], "'customBiggerIsBetter'"),
                           (["new"], "--format"),
                           (["old", "--format=go"], "has no samples.jsonl")):
            done = self.start(*args, status=2)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
            self.assertIn(text, done.stderr)

    def test_a_sweep_writes_results_and_csv(self):
        shutil.rmtree(self.results)
        self.sweep("time=1\nrounds=1\nlatency=0\npattern=ping_pong chan=alpha\n")
        self.assertEqual(self.read("results.json")["cells"][0]["chan"], "alpha")
        self.assertIn("ping_pong,alpha,VERIFIED",
                      (self.run_folder() / "results.csv").read_text())


if __name__ == "__main__":
    unittest.main()

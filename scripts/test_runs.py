#!/usr/bin/env python3
"""Tests of what is said of runs: their environment.

    python3 scripts/test_runs.py
"""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent
sys.path.insert(0, str(SCRIPTS))
sys.dont_write_bytecode = True

from fixture import FakeRuns  # noqa: E402
from weftlib import cgroup, context, environment  # noqa: E402

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
    "throttled": 0, "rejected": 0}
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
    ("throttled", {"throttled": 3}, "quota"), ("rejected samples", {"rejected": 2},
                                               "disturbed")]


def by_name(info):
    return {item.name: item for item in environment.items(info)}


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


if __name__ == "__main__":
    unittest.main()

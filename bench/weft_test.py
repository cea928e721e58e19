#!/usr/bin/env python3
"""The weft command from outside: verdicts, exit statuses, and what it prints.

    weft_test.py WEFT BROKEN_DIR [unittest arguments]

BROKEN_DIR holds the broken channels of stress/broken as shared objects.
"""

import functools
import hashlib
import itertools
import json
import os
import re
import select
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from collections import namedtuple
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))
sys.dont_write_bytecode = True

import terminal  # noqa: E402

WEFT = ""
BROKEN = ""

Answer = namedtuple("Answer", "status out err")

#: Commands that are scripts.
SCRIPTS = ("advise", "compare", "doctor", "export")

#: Seconds for a command that ends by itself, on a machine that has other work too.
PATIENCE = 300

#: As short as a run can be and still be one.
SHORT = ["--reps=1", "--time=1", "--latency=0", "--timeout=%d" % (PATIENCE // 2)]


def weft(*args, **env):
    done = subprocess.run([WEFT, *args], stdin=subprocess.DEVNULL, timeout=PATIENCE,
                          capture_output=True, text=True,
                          env={**os.environ, **env})
    return Answer(done.returncode, done.stdout, done.stderr)


def strict(text):
    """JSON without the NaN and Infinity that Python lets pass."""
    def refuse(word):
        raise ValueError("%s is not JSON" % word)
    return json.loads(text, parse_constant=refuse)


@functools.cache
def sanitizer():
    """What this build was made with: address,undefined or thread; "" for none."""
    return strict(weft("context", "--json").out)["sanitize"]


def broken(name):
    return "--load=%s/%s.so" % (BROKEN, name)


class Command(unittest.TestCase):
    def test_usage_without_arguments_is_a_failure(self):
        answer = weft()
        self.assertEqual(answer.status, 1)
        self.assertEqual(answer.out, "")
        self.assertIn("usage: weft COMMAND", answer.err)

    def test_help_is_not(self):
        for args in (["--help"], ["help"]):
            answer = weft(*args)
            self.assertEqual((answer.status, answer.err), (0, ""))
            for name in ("list", "run", "bench", "context", *SCRIPTS):
                self.assertIn("\n  %s " % name, answer.out)

    def test_every_command_has_help(self):
        for name in ("list", "run", "bench", "context", *SCRIPTS):
            answer = weft("help", name)
            self.assertEqual((answer.status, answer.err), (0, ""))
            self.assertTrue(answer.out.startswith("usage: weft " + name))
            self.assertEqual(weft(name, "--help"), answer)

    def test_help_on_a_pattern_has_its_keys(self):
        general = weft("run", "--help").out
        for pattern in strict(weft("list", "patterns", "--json").out):
            answer = weft("run", pattern["name"], "--help")
            self.assertEqual((answer.status, answer.err), (0, ""))
            self.assertEqual(weft("help", "run", pattern["name"]), answer)
            self.assertTrue(answer.out.startswith(general))
            lines = answer.out[len(general):].splitlines()
            self.assertIn(pattern["summary"], lines[1])
            self.assertEqual([line.split("=")[0] for line in lines[3:]],
                             ["    --" + knob["name"] for knob in pattern["knobs"]])
            for line, knob in zip(lines[3:], pattern["knobs"]):
                allowed = "%s..%s" % (knob["min"], knob["max"])
                if knob["choices"] is not None:
                    allowed = ", ".join(knob["choices"])
                default = "default %s)" % (knob["default"] if knob["choices"] != [] else "none")
                self.assertIn(knob["help"] + " (" + allowed, line)
                self.assertTrue(line.endswith(default), line)

    def test_help_on_what_is_no_pattern_is_bad_input(self):
        for args in (["run", "pipelin", "--help"], ["help", "run", "pipelin"]):
            answer = weft(*args)
            self.assertEqual((answer.status, answer.out), (2, ""))
            self.assertIn("did you mean 'pipeline'", answer.err)

    def test_scripts_that_cannot_be_started_are_one_line(self):
        for name in SCRIPTS:
            for env, part in ((dict(WEFT_SCRIPTS="/nowhere"), "WEFT_SCRIPTS"),
                              (dict(PATH="/nowhere"), "needs python3: No such file")):
                answer = weft(name, "--help", **env)
                self.assertEqual((answer.status, answer.out), (1, ""))
                self.assertIn(part, answer.err)
                self.assertRegex(answer.err, r"\Aweft: %s .*\n\Z" % name)

    def test_a_script_asks_the_command_that_started_it(self):
        with tempfile.TemporaryDirectory() as folder:
            os.symlink(os.path.abspath(WEFT), folder + "/linked")
            done = subprocess.run([folder + "/linked", "doctor", "--json", "--seconds=0"],
                                  capture_output=True, text=True, timeout=PATIENCE)
        digest = hashlib.sha256(Path(WEFT).read_bytes()).hexdigest()
        self.assertEqual(strict(done.stdout)["weft_sha256"], digest, done.stderr)

    def test_version(self):
        self.assertRegex(weft("--version").out, r"\Aweft \d+\.\d+\.\d+\n\Z")

    def test_a_result_nobody_can_read_is_a_failure(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([WEFT, "list"], stdout=full, text=True,
                                  stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 2)
        self.assertIn("cannot write", done.stderr)


class List(unittest.TestCase):
    def test_patterns(self):
        patterns = strict(weft("list", "patterns", "--json").out)
        names = [p["name"] for p in patterns]
        self.assertEqual(names, sorted(names))
        self.assertIn("pipeline", names)
        for pattern in patterns:
            self.assertTrue(pattern["summary"])
            for knob in pattern["knobs"]:
                self.check_knob(knob)

    def check_knob(self, knob):
        self.assertEqual(list(knob), ["name", "unit", "default", "min", "max",
                                      "choices", "help", "sweep"])
        options = {"chan", "load", "reps", "time", "latency", "arrivals",
                   "utilization", "timeout", "seed", "json", "latency-time",
                   "latency-items", "warmup", "cost", "turns", "work-rate"}
        self.assertNotIn(knob["name"], options, "hidden behind an option")
        if knob["choices"] == []:
            allowed = [""]  # any text; none by default, and none to sweep
        elif knob["choices"] is None:
            allowed = range(knob["min"], knob["max"] + 1)
        else:
            allowed = knob["choices"]
        for value in knob["sweep"] + [knob["default"]]:
            self.assertIn(value, allowed)

    def test_channels(self):
        channels = strict(weft("list", "channels", "--json").out)
        by_name = {c["name"]: c for c in channels}
        self.assertIn("rendezvous", by_name["handoff"]["caps"])
        self.assertEqual(by_name["handoff"]["min_cap"], 0)
        self.assertEqual(by_name["condvar"]["min_cap"], 1)
        self.assertEqual(by_name["list"]["min_cap"], 1)
        self.assertIsNone(by_name["condvar"]["max_senders"])

    def test_a_loaded_channel_comes_last(self):
        channels = strict(weft("list", "channels", "--json",
                               broken("dropping")).out)
        self.assertEqual(channels[-1]["name"], "dropping")

    def test_both_at_once(self):
        both = strict(weft("list", "--json").out)
        self.assertEqual(list(both), ["patterns", "channels", "peers"])
        text = weft("list").out
        for entry in both["patterns"] + both["channels"]:
            self.assertRegex(text, r"(?m)^  %s " % entry["name"])


class Context(unittest.TestCase):
    def test_says_what_it_knows(self):
        context = strict(weft("context", "--json").out)
        self.assertEqual(list(context), [
            "cpu", "cpus_online", "cpus_allowed", "cpu_quota", "kernel", "os",
            "compiler", "flags", "build_type", "sanitize", "libc", "governor",
            "hypervisor", "membarrier", "clock_overhead_ns", "steal",
            "work_rate", "weft_version"])
        self.assertGreaterEqual(context["cpus_allowed"], 1)
        if context["cpu_quota"] is not None:
            self.assertGreater(context["cpu_quota"], 0)
        self.assertGreater(context["clock_overhead_ns"], 0)
        self.assertNotIn("", (context["cpu"], context["governor"]))
        self.assertEqual(weft("context").status, 0)


class Run(unittest.TestCase):
    FIELDS = [
        "schema", "pattern", "chan", "peer", "params", "actual_cap", "tasks", "cpus",
        "oversubscribed", "placement", "verdict", "why", "messages_per_second",
        "ns_per_message", "samples", "warmup", "latency_ns", "cpu_seconds",
        "voluntary_switches", "involuntary_switches", "peak_rss_bytes",
        "harness_ns_per_message", "bytes_per_channel", "idle_cpu_share",
        "fairness", "figures", "seed"]
    SAMPLE = [
        "ns", "messages", "start_skew_ns", "spin_ns", "cpu_seconds",
        "voluntary_switches", "involuntary_switches", "parks", "wakes",
        "futex_calls"]

    def cell(self, *args):
        answer = weft("run", "producer_consumer", "--json", *SHORT, *args)
        self.assertEqual(answer.status, 0, answer.err)
        return strict(answer.out)

    def test_tasks_are_placed(self):
        cpus = len(os.sched_getaffinity(0))
        same = self.cell("--placement=same")
        self.assertEqual((same["placement"], same["cpus"], same["oversubscribed"]),
                         ("same", 1, True))
        self.assertEqual(self.cell("--placement=free")["placement"], "free")
        auto = self.cell()
        self.assertEqual((auto["params"]["placement"], auto["placement"]),
                         ("auto", "apart" if auto["cpus"] > 1 else "free"))
        crowd = self.cell("--producers=%d" % (cpus + 1))
        self.assertEqual(crowd["placement"], "free")
        if cpus > 1:
            crowd = self.cell("--producers=%d" % (cpus + 1), "--placement=apart")
            self.assertEqual(crowd["placement"], "apart")

    def by_turns(self, *told, chan="--chan=ring", reps=3):
        """What it says to each of these words: 'ready' again, or its result."""
        with subprocess.Popen(
                [WEFT, "run", "producer_consumer", chan, *SHORT[1:], "--reps=%d" % reps,
                 "--items=100", "--turns", "--json"], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, text=True) as child:
            said = [child.stdout.readline()]
            for word in told:
                child.stdin.write(word + "\n")
                child.stdin.flush()
                said.append(child.stdout.readline())
            child.stdin.close()
            said[-1] += child.stdout.read()
        self.assertEqual(child.returncode, 0)
        self.assertEqual(said[:-1], ["ready\n"] * len(told))
        return strict(said[-1])

    def test_it_waits_for_its_turns(self):
        for chan in ("--chan=ring", broken("timed")):  # the second in a child
            self.assertEqual(len(self.by_turns(*[""] * 4, chan=chan)["samples"]), 3)
            self.assertEqual(len(self.by_turns("", "", "end", chan=chan)["samples"]), 2)
        self.assertEqual(len(self.by_turns("repeat it", "the end", "end")["samples"]), 2)
        # The first is made in any case.
        self.assertEqual(len(self.by_turns("end", "end")["samples"]), 1)

    def test_work_goes_by_the_rate_that_is_given(self):
        self.assertGreater(strict(weft("context", "--json").out)["work_rate"], 0)
        took = [strict(weft("run", "pipeline", "--variant=fused", "--work=10000", "--json",
                            "--items=500", "--work-rate=%d" % rate, *SHORT).out)
                ["samples"][0]["cpu_seconds"] for rate in (1, 5000)]
        self.assertGreater(took[1], 5 * took[0])

    def test_at_the_end_of_the_input_all_turns_are_its_own(self):
        answer = weft("run", "producer_consumer", *SHORT[1:], "--reps=2", "--items=100",
                      "--turns", "--json")
        self.assertEqual(answer.out.count("ready\n"), 3)
        self.assertEqual(len(strict(answer.out.replace("ready\n", ""))["samples"]), 2)

    def test_one_cpu_has_no_room_for_tasks_apart(self):
        cpu = min(os.sched_getaffinity(0))
        done = subprocess.run(
            [WEFT, "run", "producer_consumer", "--placement=apart", *SHORT],
            preexec_fn=lambda: os.sched_setaffinity(0, [cpu]), timeout=PATIENCE,
            capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertEqual(done.stderr, "weft: placement=apart: 2 tasks cannot be apart on "
                         "the 1 CPU that is allowed (allowed: auto, free, same)\n")

    def test_a_run_warms_up_when_told_to(self):
        self.assertIsNone(self.cell()["warmup"])
        warm = self.cell("--warmup=20000")["warmup"]
        self.assertGreaterEqual(warm["runs"], 3)
        self.assertTrue(warm["reached"])

    def test_what_a_channel_costs_beside_its_runs(self):
        for key in ("harness_ns_per_message", "bytes_per_channel", "idle_cpu_share"):
            self.assertIsNone(self.cell()[key])
        # One that spins has a CPU, if the machine has one to give at that moment.
        for _ in range(20):
            park, spin = (self.cell("--cost=1", "--wait=" + wait)
                          for wait in ("park", "spin"))
            self.assertGreater(park["harness_ns_per_message"], 0)
            if park["idle_cpu_share"] < spin["idle_cpu_share"]:
                break
        self.assertLess(park["idle_cpu_share"], spin["idle_cpu_share"])
        small, large = (self.cell("--cost=1", "--chan=condvar", "--cap=%d" % cap)
                        for cap in (1, 1024))
        if small["bytes_per_channel"] is not None:  # a sanitizer does not tell
            self.assertGreater(
                large["bytes_per_channel"] - small["bytes_per_channel"], 1023 * 8 / 2)

    def test_futex_calls_are_known_where_our_own_waits_make_them(self):
        sample, = self.cell("--wait=park", "--cap=1")["samples"]
        self.assertEqual(sample["futex_calls"], sample["parks"] + sample["wakes"])
        self.assertIsNone(self.cell("--chan=condvar")["samples"][0]["futex_calls"])

    def test_the_longest_gap_of_a_consumer_is_within_the_run(self):
        cell = self.cell("--consumers=2", "--latency=1")
        self.assertGreater(cell["fairness"]["longest_gap_ns"], 0)
        self.assertIsNone(self.cell("--consumers=2")["fairness"]["longest_gap_ns"])

    def test_a_knob_that_is_a_text_is_told_as_it_was_given(self):
        with tempfile.NamedTemporaryFile("w", suffix=" \"1\"") as text:
            text.write("one two, one\n" * 7)
            text.flush()
            args = ["run", "mapreduce", "--input=%s" % text.name, "--reps=1"]
            answer = weft(*args, "--json")
            self.assertEqual(answer.status, 0, answer.err)
            found = strict(answer.out)
            self.assertEqual(found["params"]["input"], text.name)
            self.assertEqual(found["params"]["items"], 21)
            self.assertEqual(found["figures"]["words"]["value"], 2)
            self.assertIn(" input=%s " % text.name, weft(*args).out)
            answer = weft(*args, "--items=4", "--json")
            self.assertEqual(strict(answer.out)["params"]["items"], 4)
        answer = weft(*args)
        self.assertEqual((answer.status, answer.out), (2, ""))
        self.assertEqual(answer.err, "weft: input=%s: No such file or directory\n"
                         % text.name)
        answer = weft("run", "mapreduce", "--input=")
        self.assertEqual((answer.status, answer.err),
                         (2, "weft: --input=: allowed 1..1023 bytes\n"))
        answer = weft("run", "mapreduce", "--json", "--reps=1", "--items=10")
        self.assertEqual(strict(answer.out)["params"]["input"], "")
        self.assertNotIn("input", weft("run", "mapreduce", "--reps=1").out)

    def test_a_pipeline_without_buffers_is_verified(self):
        answer = weft("run", "pipeline", "--chan=handoff", "--workers=2",
                      "--cap=0", "--seed=7")
        self.assertEqual((answer.status, answer.err), (0, ""))
        self.assertIn("\nVERIFIED: ", answer.out)
        self.assertIn("seed 7\n", answer.out)
        for word in ("throughput", "latency", "cost", "memory", "tasks"):
            self.assertIn("\n  %s " % word, answer.out)

    def test_by_turns_it_waits_before_each_repetition_and_after_the_last(self):
        for chan in ("--chan=ring", broken("duplicating")):
            with self.subTest(chan), subprocess.Popen(
                    [WEFT, "run", "pipeline", chan, "--items=50000", "--reps=3", "--cost=0",
                     "--latency=0", "--turns", "--json"], stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
                turns = 0
                while process.stdout.readline() == "ready\n":
                    # What does not wait would have said more by then.
                    time.sleep(0.05)
                    self.assertFalse(select.select([process.stdout], [], [], 0)[0])
                    print("go", file=process.stdin, flush=True)
                    turns += 1
                process.communicate(timeout=PATIENCE)
                # What fails its check has no further turn.
                self.assertEqual((turns, process.returncode),
                                 (4, 0) if chan == "--chan=ring" else (1, 1))

    def test_every_pattern_over_every_channel(self):
        both = strict(weft("list", "--json").out)
        patterns, channels = ([entry["name"] for entry in both[what]]
                              for what in ("patterns", "channels"))
        cells = itertools.product(patterns, channels)
        if sanitizer():  # patterns.common has seen to them all: each once
            cells = zip(patterns, itertools.cycle(channels))
            self.assertGreaterEqual(len(patterns), len(channels))
        for pattern, chan in cells:
            with self.subTest(pattern=pattern, chan=chan):
                answer = weft("run", pattern, "--json", "--chan=" + chan, *SHORT)
                cell = strict(answer.out)
                self.assertIn((answer.status, cell["verdict"]),
                              [(0, "VERIFIED"), (0, "FLOOR"), (2, "N/A")], cell["why"])

    def test_the_object_is_complete(self):
        cell = strict(weft("run", "pipeline", "--cap=64", "--reps=3",
                           "--time=5", "--seed=9", "--json").out)
        self.assertEqual(list(cell), self.FIELDS)
        self.assertEqual((cell["schema"], cell["seed"]), (1, 9))
        self.assertEqual((cell["pattern"], cell["chan"]),
                         ("pipeline", "handoff"))
        self.assertEqual(cell["params"]["cap"], 64)
        self.assertEqual(len(cell["samples"]), 3)
        for sample in cell["samples"]:
            self.assertEqual(list(sample), self.SAMPLE)
            self.assertEqual(sample["messages"], cell["params"]["items"])
        ns = sorted(s["ns"] / s["messages"] for s in cell["samples"])
        self.assertAlmostEqual(cell["ns_per_message"], ns[1])
        self.assertAlmostEqual(cell["messages_per_second"], 1e9 / ns[1], 3)
        self.assertEqual(cell["oversubscribed"], cell["tasks"] > cell["cpus"])
        self.assertGreater(cell["peak_rss_bytes"], 0)
        latency = cell["latency_ns"]
        self.assertEqual(list(latency), ["kind", "load", "arrivals",
                                         "capacity_per_second",
                                         "offered_per_second",
                                         "achieved_per_second", "kept_up",
                                         "count", "p50", "p90", "p99", "p999",
                                         "max", "histogram"])
        self.assertGreater(latency["count"], 0)
        self.check_histogram(latency)
        self.assertLessEqual(latency["p50"], latency["max"])

    def check_histogram(self, latency):
        lows = [low for low, _ in latency["histogram"]]
        self.assertEqual(lows, sorted(set(lows)))
        self.assertEqual(sum(n for _, n in latency["histogram"]), latency["count"])
        self.assertLessEqual(lows[-1], latency["max"])
        below = sum(n for low, n in latency["histogram"] if low <= latency["p50"])
        self.assertGreaterEqual(2 * below, latency["count"])

    def test_latency_takes_as_long_as_asked(self):
        cell = ["pipeline", "--items=100", "--reps=1", "--work=1000", "--json",
                "--latency-time=5", "--latency-items=2000"]
        latency = strict(weft("run", *cell).out)["latency_ns"]
        # Two thousand, unless that takes ten times as long.
        long = 0.045 * latency["offered_per_second"]
        self.assertGreaterEqual(latency["count"], min(2000, long))

    def test_latency_of_a_closed_loop_says_so(self):
        cell = ["ping_pong", "--items=200", "--reps=1"]
        latency = strict(weft("run", *cell, "--json").out)["latency_ns"]
        self.assertEqual(latency["kind"], "closed-loop round trip")
        self.assertIsNone(latency["load"])
        self.assertIsNone(latency["kept_up"])
        self.assertEqual(latency["count"], 200)
        self.assertIn("(closed-loop round trip, 200 messages)",
                      weft("run", *cell).out)
        paced = strict(weft("run", "pipeline", "--items=200", "--reps=1",
                            "--json").out)["latency_ns"]
        self.assertEqual((paced["kind"], paced["load"]),
                         ("open-loop sojourn", 0.5))

    def test_arrivals_are_as_asked(self):
        cell = ["pipeline", "--items=3000", "--reps=1"]
        usual = strict(weft("run", *cell, "--json").out)
        latency = usual["latency_ns"]
        self.assertEqual(latency["arrivals"], "fixed")
        asked = ["--arrivals=poisson", "--utilization=20"]
        cell = strict(weft("run", *cell, *asked, "--json").out)
        latency = cell["latency_ns"]
        self.assertEqual((latency["arrivals"], latency["load"]),
                         ("poisson", 0.2))
        self.assertLessEqual(latency["capacity_per_second"],
                             cell["messages_per_second"] * 1.001)
        self.assertAlmostEqual(latency["offered_per_second"] /
                               latency["capacity_per_second"], 0.2, 1)
        self.assertGreater(latency["achieved_per_second"], 0)

    def test_a_load_that_is_too_much_is_reported(self):
        # With work that takes its time, ten times is too much on any machine,
        # however badly the first run went.
        cell = ["pipeline", "--items=2000", "--reps=3", "--work=20000",
                "--utilization=1000"]
        out = weft("run", *cell).out
        self.assertIn("at 1000 % of that throughput, fixed arrivals", out)
        self.assertIn("could not keep up: ", out)
        latency = strict(weft("run", *cell, "--json").out)["latency_ns"]
        self.assertIs(latency["kept_up"], False)
        self.assertLess(latency["achieved_per_second"],
                        latency["offered_per_second"])

    def test_what_waits_for_long_is_asked_for_little(self):
        # Two thousand of them would take from ten seconds to years.
        for cell in (["supervisor", "--variant=hung"],
                     ["supervisor", "--backoff=50", "--strategy=one_for_all"],
                     ["singleflight", "--sleep=50000000"],
                     ["resource_pool", "--broken=1000", "--create=20000000"],
                     ["producer_consumer", "--variant=bare", "--pause=20000000"],
                     ["rate_limiting", "--rate=100", "--mode=wait"],
                     ["timeout_cancellation", "--pause=1000000000"],
                     ["event_loop", "--timers=30000"],
                     ["producer_consumer", "--prod_work=100000000"],
                     ["fan", "--work=100000000"]):
            answer = weft("run", *cell, "--reps=1", "--latency=0", "--time=10", "--json",
                          "--timeout=%d" % (PATIENCE // 2))
            found = strict(answer.out)
            self.assertEqual((answer.status, found["verdict"]), (0, "VERIFIED"), cell)
            self.assertLess(found["samples"][0]["messages"], 500, cell)

    def test_items_and_latency_as_asked(self):
        cell = strict(weft("run", "pipeline", "--items=500", "--reps=2",
                           "--latency=0", "--json").out)
        self.assertEqual([s["messages"] for s in cell["samples"]], [500, 500])
        self.assertIsNone(cell["latency_ns"])

    def test_rates_and_times_say_the_same(self):
        # Of an even number of samples no one stands in the middle.
        for reps in (2, 3, 4):
            cell = strict(weft("run", "producer_consumer", "--items=1",
                               "--reps=%d" % reps, "--latency=0",
                               "--json").out)
            self.assertAlmostEqual(
                cell["messages_per_second"] * cell["ns_per_message"] / 1e9, 1)

    def test_figures_come_with_their_units(self):
        args = ["producer_consumer", "--stats=1", *SHORT]
        figures = strict(weft("run", *args, "--json").out)["figures"]
        self.assertEqual(list(figures)[:3],
                         ["put_blocked", "take_blocked", "fill_mean"])
        for name, figure in figures.items():
            self.assertEqual(list(figure), ["value", "unit", "help"])
            self.assertIn(figure["unit"], ("%", "items"), name)
        self.assertEqual(figures["put_blocked"]["help"],
                         "of the producers' time")
        self.assertRegex(weft("run", *args).out,
                         r"\n  fill_mean   \S+ items after a put\n")

    def test_what_a_channel_turns_out_not_to_hold_is_said_in_words(self):
        answer = weft("run", "producer_consumer", "--variant=preproduced",
                      "--chan=socketpair", "--latency=0", "--json")
        result = strict(answer.out)
        self.assertEqual((answer.status, result["verdict"]), (2, "N/A"))
        self.assertRegex(result["why"],
                         "^channel socketpair cannot have capacity [0-9]+ ")

    def test_fairness_needs_somebody_to_compare_with(self):
        def fairness(*args):
            return strict(weft("run", "producer_consumer", "--json", *SHORT,
                               *args).out)["fairness"]
        self.assertIsNone(fairness("--consumers=1"))
        two = fairness("--consumers=2")
        self.assertGreater(two["jain"], 0)
        self.assertLessEqual(two["least_share"], 1)


class Broken(unittest.TestCase):
    """A check that cannot fail is no check."""

    CELLS = [
        ["fan", "--workers=1", "--cap=64", "--items=20000"],
        ["generator", "--cap=64", "--items=20000"],
        ["mapreduce", "--variant=stream", "--workers=1", "--chunk=2", "--cap=64",
         "--items=20000"],
        ["pipeline", "--workers=1", "--cap=64", "--items=20000"],
        ["producer_consumer", "--producers=1", "--consumers=1", "--cap=64",
         "--items=20000"],
        ["pub_sub", "--subscribers=1", "--cap=64", "--items=20000"],
        ["select", "--writers=1", "--cap=64", "--items=20000"],
        ["supervisor", "--workers=1", "--cap=64", "--items=2500"],
    ]

    def test_every_pattern_is_among_them(self):
        # But for those below: ping_pong has one message at a time, and so has
        # what waits to be cancelled; a semaphore's are all alike and so are a limiter's, pools look at
        # what comes out, and an event loop is woken otherwise. Of single flight
        # it is the answers that are looked at. Pulses may be dropped.
        patterns = strict(weft("list", "patterns", "--json").out)
        self.assertEqual(sorted([p["name"] for p in patterns]),
                         sorted([cell[0] for cell in self.CELLS] +
                                ["event_loop", "heartbeat", "ping_pong",
                                 "rate_limiting", "resource_pool", "semaphore",
                                 "singleflight", "timeout_cancellation",
                                 "worker_pool"]))

    def fails(self, channel, words):
        for cell in self.CELLS:
            with self.subTest(cell=cell[0]):
                answer = weft("run", *cell, broken(channel), "--json",
                              "--timeout=%d" % (PATIENCE // 2))
                result = strict(answer.out)
                self.assertEqual(answer.status, 1)
                self.assertEqual(result["verdict"], "FAILED")
                self.assertEqual(result["chan"], channel)
                self.assertRegex(result["why"], words)
                self.assertIsNone(result["messages_per_second"])
                self.assertIn("FAILED", answer.err)

    def test_dropping(self):
        self.fails("dropping", "lost")

    def test_duplicating(self):
        self.fails("duplicating", "twice")

    def test_swapping(self):
        self.fails("swapping", "order")

    def test_corrupting(self):
        self.fails("corrupting", "never sent")

    def ends(self, cell, channel, verdict, words, timeout=PATIENCE // 2):
        """A run of the cell over that broken channel; why matches the words."""
        with self.subTest(channel=channel):
            answer = weft("run", *cell, broken(channel), "--reps=1", "--latency=0",
                          "--timeout=%d" % timeout)
            result = strict(answer.out)
            self.assertEqual(result["verdict"], verdict)
            self.assertRegex(result["why"], words)

    def test_a_round_trip_that_is_not_one(self):
        # One message at a time: there is nothing that could be swapped.
        cell = ["ping_pong", "--cap=64", "--items=3000", "--json"]
        for channel, verdict, words in (
                ("duplicating", "FAILED", "requests out of turn"),
                ("corrupting", "FAILED", "corrupt|Protocol"),
                # Long before its limit: nobody is left to wake them.
                ("dropping", "HUNG", "2 of 2 drivers .* all tasks were asleep"),
                ("swapping", "VERIFIED", "^$")):
            self.ends(cell, channel, verdict, words)

    def test_events_of_a_queue(self):
        # The tag of its source stands behind an event, and is what gets corrupted. A
        # channel that wakes nobody does not matter to a wait in the kernel.
        cell = ["event_loop", "--variant=queue", "--producers=1", "--sources=1",
                "--cap=64", "--items=20000", "--json"]
        for channel, verdict, words in (
                ("dropping", "FAILED", "lost"),
                ("duplicating", "FAILED", "twice"),
                ("swapping", "FAILED", "order"),
                ("corrupting", "FAILED", "lost .* events were discarded"),
                ("deaf", "VERIFIED", "^$")):
            self.ends(cell, channel, verdict, words)

    def test_permits_that_are_tokens_in_a_channel(self):
        # Every one of them is at stake, and none comes before another.
        cell = ["semaphore", "--variant=channel", "--workers=4", "--permits=2",
                "--items=20000", "--json"]
        for channel, verdict, words in (
                ("dropping", "FAILED", "lost"),
                ("duplicating", "FAILED", "permits|tokens"),
                ("corrupting", "FAILED", "corrupt"),
                ("swapping", "VERIFIED", "^$")):
            self.ends(cell, channel, verdict, words)

    def test_answers_that_come_through_channels(self):
        # One at a time: there is nothing that could be swapped. Every second call gets
        # its answer in this way, whatever else the machine does, since they gather.
        cell = ["singleflight", "--variant=channel", "--workers=2", "--cap=64",
                "--items=20000", "--gather=1", "--json"]
        for channel, verdict, words in (
                ("duplicating", "FAILED", "had ended before the call"),
                ("corrupting", "FAILED", "corrupt"),
                ("swapping", "VERIFIED", "^$")):
            self.ends(cell, channel, verdict, words)
        self.ends(cell, "dropping", "HUNG", "of 2 drivers", timeout=10)

    def test_jobs_that_a_channel_has_mislaid(self):
        # Whatever does not come out as it went in fails the pool.
        cell = ["worker_pool", "--workers=1", "--items=20000", "--json"]
        for channel, verdict, words in (
                ("dropping", "FAILED", "lost|error"),
                ("duplicating", "FAILED", "lost|error"),
                ("corrupting", "FAILED", "lost|error"),
                # They are run in any order.
                ("swapping", "VERIFIED", "^$")):
            self.ends(cell, channel, verdict, words)

    def test_the_verdict_is_printed_for_people_too(self):
        answer = weft("run", *self.CELLS[0], broken("dropping"))
        self.assertEqual(answer.status, 1)
        self.assertRegex(answer.out, r"\nFAILED: .*lost")
        self.assertNotIn("throughput", answer.out)

    def test_the_base_of_them_all_is_sound(self):
        # With fewer items than the fault needs to strike.
        answer = weft("run", "pipeline", "--workers=1", "--cap=64",
                      "--items=900", broken("dropping"))
        self.assertEqual(answer.status, 0, answer.out)

    def test_a_process_that_the_channel_ends_is_no_success(self):
        for command in (["run", *self.CELLS[0]], ["run", *self.CELLS[0], "--json"]):
            answer = weft(*command, broken("leaving"), WEFT_LEAVES="create")
            self.assertEqual(answer.status, 1, answer)
            self.assertEqual(answer.out, "")
            self.assertRegex(answer.err, r"\Aweft: .*leaving.so: CRASHED: exit status 0\n\Z")
        answer = weft("bench", broken("leaving"), "--benchmark_filter=^fan/.*leaving",
                      WEFT_LEAVES="create")
        self.assertEqual(answer.status, 1, answer)
        self.assertIn("leaving", answer.out)

    def test_deaf_is_ended_by_the_watchdog(self):
        for cell in self.CELLS:
            if cell[0] == "select":
                continue  # it does not wait in the channel, deaf or not
            with self.subTest(cell=cell[0]):
                answer = weft("run", *cell, broken("deaf"), "--timeout=2",
                              "--seed=5", "--json")
                result = strict(answer.out)
                self.assertEqual(answer.status, 1)
                self.assertEqual(result["verdict"], "HUNG")
                self.assertEqual(list(result), Run.FIELDS)
                self.assertRegex(answer.err,
                                 r"HUNG: %s/chan:deaf/.*seed 5" % cell[0])
                self.assertRegex(answer.err, r"task driver 0 ")
                self.assertRegex(answer.err, r"task \S.*parked on")

    def test_deaf_for_people(self):
        answer = weft("run", *self.CELLS[0], broken("deaf"), "--timeout=1")
        self.assertEqual(answer.status, 1)
        self.assertRegex(answer.out, r"\nHUNG: ")


class Wicked(unittest.TestCase):
    """A plug-in that does harm to its process harms no command: a finding with a name,
    exit status 1."""

    #: A crash in these is nothing to the C library's own, or to a sanitizer's, order of
    #: ending a process.
    CALLS = ("create", "destroy", "try_send", "try_recv", "close", "len", "cap", "poll")

    #: A check that makes all these calls.
    CHECK = ["check", "--percent=10", "--only=^len_and_cap_are_exact|"
             "^a_closed_channel_drains|^a_select_gives_up"]

    def commands(self):
        return (["run", "pipeline", *SHORT[:-1], "--timeout=2"], ["list"],
                ["bench", "--benchmark_filter=^ping_pong/chan:wicked/pairs:1/cap:1/payload:8/"
                 "work:0/wait:adaptive/",
                 "--time=1", "--timeout=2", "--benchmark_repetitions=1"],
                ["check", "--only=^len_and_cap_are"],
                ["stress", "chan", "--seconds=0.1"])

    def test_while_it_is_loaded(self):
        moments = [("load", "crash"), ("load", "_exit"), ("unload", "_exit"),
                   ("load", "exit"), ("load", "divide")]
        if sanitizer() == "thread":
            moments.remove(("unload", "_exit"))  # there, a process ends without it
        for command in self.commands():
            for call, deed in moments:
                with self.subTest(command=command[0], call=call, deed=deed):
                    answer = weft(*command, broken("wicked"),
                                  WEFT_WICKED="%s:%s" % (call, deed))
                    self.assertEqual(answer.status, 1, answer)
                    self.assertEqual(answer.out, "")
                    self.assertRegex(answer.err, r"\Aweft: .*wicked.so: it_can_be_loaded: "
                                                 r"(FAILED|CRASHED): [^\n]+\n\Z")

    def test_in_its_calls(self):
        for call in self.CALLS:
            for deed in ("crash", "wild", "_exit") if call == "create" else ("crash",):
                with self.subTest(call=call, deed=deed):
                    answer = weft(*self.CHECK, broken("wicked"),
                                  WEFT_WICKED="%s:%s" % (call, deed))
                    self.assertEqual(answer.status, 1, answer)
                    self.assertRegex(answer.out, r"(?m)^  (CRASHED|FAIL) +\w+ ")
                    self.assertRegex(answer.out, r"\n  \d+ passed, ")

    def test_a_call_that_does_not_return(self):
        for command in ([*self.CHECK, "--time-limit=1"],
                        ["stress", "chan", "--seconds=1", "--time-limit=1", "--failures=1"],
                        self.commands()[0]):
            answer = weft(*command, broken("wicked"), WEFT_WICKED="create:loop")
            self.assertEqual(answer.status, 1, answer)
            self.assertIn("HUNG", answer.out + answer.err)

    def test_a_thread_of_its_own(self):
        for command in self.commands():
            answer = weft(*command, broken("wicked"), WEFT_WICKED="thread:_exit")
            # Whatever has ended before the thread acts is well.
            self.assertIn(answer.status, (0, 1), answer)
            # (On a slow machine it may act while the channel is being loaded.)
            if command[0] == "list" and answer.status == 0:
                self.assertIn("wicked", answer.out)
        # The command itself goes on to its end, once the channel is loaded.
        answer = weft(*self.CHECK, "--percent=1000", broken("wicked"),
                      WEFT_WICKED="worker:_exit")
        self.assertRegex(answer.out, r"\n  \d+ passed, ")


class KnownAnswers(unittest.TestCase):
    """What is measured of a channel whose speed is known. Its times are those of a
    clock that it sleeps by, so that other load on the machine hardly shows."""

    def setUp(self):
        if sanitizer():
            self.skipTest("what is measured is for the builds that measure")

    def run_timed(self, *args, pattern="producer_consumer", chan="timed", **env):
        answer = weft("run", pattern, broken(chan), "--json", *args,
                      **{"WEFT_TIMED_" + key.upper(): str(value)
                         for key, value in env.items()})
        self.assertEqual(answer.status, 0, answer.err)
        return strict(answer.out)

    def best(self, **env):
        """The fastest of three: the machine can only add to it."""
        found = self.run_timed("--items=1000", "--reps=3", "--latency=0", **env)
        return min(s["ns"] / s["messages"] for s in found["samples"])

    def test_a_delay_of_each_message_is_measured_as_that(self):
        delay = 1000000
        for _ in range(5):
            found = self.best(delay=delay)
            self.assertGreater(found, 0.95 * delay)
            if found < 1.05 * delay:
                return
        self.fail("measured %.0f ns of %d" % (found, delay))

    def test_a_stall_shows_in_the_open_loop(self):
        opened = self.run_timed("--items=8000", "--time=1600", "--reps=1",
                                delay=100000, stall=1)["latency_ns"]
        self.assertEqual(opened["kind"], "open-loop sojourn")
        # One in eight of the messages is due while it stands still or catches up.
        self.assertGreater(opened["p99"], self.LATE)
        self.assertGreater(opened["p999"], 40e6)

    #: Half of a stall, in nanoseconds.
    LATE = 25e6

    def test_a_stall_does_not_show_in_the_closed_loop(self):
        # Two round trips of 10,000, and one more in each second that it takes; a
        # hundred would make the p99. Other load makes more of them late, and nothing
        # makes fewer.
        for _ in range(3):
            closed = self.round_trips(stall=1)
            if closed["p99"] < self.LATE:
                self.assertEqual(closed["kind"], "closed-loop round trip")
                self.assertGreater(closed["max"], 50e6 * 0.99)  # it was there
                return
        if self.round_trips()["p99"] > self.LATE / 10:
            self.skipTest("this machine makes round trips late by itself")
        self.fail("p99 is that of the stall: %s" % closed)

    def round_trips(self, **env):
        return self.run_timed("--reps=1", "--cap=1", "--items=10000", pattern="ping_pong",
                              **env)["latency_ns"]

    def test_an_unfair_channel_gets_the_index_worked_out_by_hand(self):
        # Three of four messages, and one: (3 + 1)^2 / (2 * (3^2 + 1^2)).
        fair = self.run_timed("--consumers=2", "--items=4000", "--reps=1", "--latency=0",
                              chan="unfair")["fairness"]
        self.assertAlmostEqual(fair["jain"], 0.8)
        self.assertAlmostEqual(fair["least_share"], 0.5)


class Sweeps(unittest.TestCase):
    """What the sweep files choose of what this command has."""

    SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "sweep.py"

    def setUp(self):
        if sanitizer():
            self.skipTest("what there is to choose from is the same in every build")

    def cells(self, sweep):
        done = subprocess.run(
            [sys.executable, "-S", str(self.SCRIPT), "--weft", WEFT, "--sweep", sweep, "--list"],
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


class BadInput(unittest.TestCase):
    #: Arguments, and what the one line must name: the value, what is allowed.
    TABLE = [
        (["rnu"], ["'rnu'", "did you mean 'run'", "bench"]),
        (["help", "lsit"], ["'lsit'", "did you mean 'list'"]),
        (["list", "paterns"], ["'paterns'", "did you mean 'patterns'"]),
        (["list", "--jsn"], ["'--jsn'", "--json"]),
        (["context", "now"], ["'now'", "--json"]),
        (["check", "--chan=rnig"],
         ["'rnig'", "did you mean 'ring'", "condvar"]),
        (["stress", "chan", "--chan=rnig"],
         ["'rnig'", "did you mean 'ring'", "condvar"]),
        (["check", "--all", "--onyl=x"],
         ["'--onyl'", "did you mean '--only'", "--time-limit"]),
        (["check", "ring"], ["'ring'", "--KEY"]),
        (["check", "--all", "--only="], ["--only", "needs a value"]),
        (["check", "--all", "--time-limit=0"], ["--time-limit=0", "0.001"]),
        (["stress", "slect"], ["'slect'", "did you mean 'select'", "chan"]),
        (["stress", "chan", "--second=1"],
         ["'--second'", "did you mean '--seconds'"]),
        (["run"], ["pattern"]),
        (["run", "pipelin"], ["'pipelin'", "did you mean 'pipeline'",
                              "producer_consumer"]),
        (["run", "zzzz"], ["'zzzz'", "pipeline"]),
        (["run", "pipeline", "2"], ["'2'", "--KEY=VALUE"]),
        (["run", "pipeline", "--chan=handof"],
         ["'handof'", "did you mean 'handoff'", "condvar"]),
        (["run", "pipeline", "--chan=handoff", "--chan=condvar"],
         ["--chan=condvar", "one channel"]),
        (["run", "pipeline", "--wrokers=2"],
         ["'wrokers'", "did you mean 'workers'", "cap", "timeout"]),
        (["run", "pipeline", "--workers", "2"], ["'2'", "--KEY=VALUE"]),
        (["run", "pipeline", "--workers"], ["--workers=VALUE"]),
        (["run", "pipeline", "--json=1"], ["--json=1", "no value"]),
        (["run", "pipeline", "--workers=0"], ["workers=0", "1.."]),
        (["run", "pipeline", "--workers=99999999"],
         ["workers=99999999", "1.."]),
        (["run", "pipeline", "--workers=two"], ["workers=two", "1.."]),
        (["run", "pipeline", "--workers="], ["workers=", "1.."]),
        (["run", "pipeline", "--cap=-1"], ["cap=-1", "0.."]),
        (["run", "pipeline", "--reps=0"], ["--reps=0", "1 to"]),
        (["run", "pipeline", "--time=0"], ["--time=0", "1 to"]),
        (["run", "pipeline", "--time=+5"], ["--time=+5", "1 to"]),
        (["run", "pipeline", "--timeout=1.5"], ["--timeout=1.5", "1 to"]),
        (["run", "pipeline", "--time=2000", "--timeout=2"],
         ["--timeout=2", "--time=2000"]),
        (["run", "pipeline", "--latency=2"], ["--latency=2", "0 to 1"]),
        (["run", "pipeline", "--latency-time=0"], ["--latency-time=0", "1 to"]),
        (["run", "pipeline", "--latency-items=0"], ["--latency-items=0", "1 to"]),
        (["run", "pipeline", "--latency-time=2000", "--timeout=2"],
         ["--timeout=2", "--latency-time=2000"]),
        (["run", "pipeline", "--arrivals=bursts"],
         ["--arrivals=bursts", "fixed, poisson"]),
        (["run", "pipeline", "--arrivals"], ["--arrivals=VALUE"]),
        (["run", "pipeline", "--utilization=0"],
         ["--utilization=0", "1 to"]),
        (["run", "ping_pong", "--utilization=80"],
         ["--utilization", "ping_pong"]),
        (["run", "pipeline", "--seed=x"], ["--seed=x", "0 to"]),
        (["run", "pipeline", "--seed=18446744073709551616"],
         ["--seed=18446744073709551616", "0 to"]),
        (["run", "pipeline", "--chan=condvar", "--cap=0"],
         ["condvar", "capacity 0", "1 or more"]),
        (["run", "pipeline", "--load=/no/such/file.so"],
         ["/no/such/file.so"]),
        (["run", "pipeline", "--load=/dev/null"], ["--load=/dev/null"]),
        (["bench", "--benchmark_format=xml"], ["'xml'", "json"]),
        (["bench", "--no_such_flag"], ["--no_such_flag"]),
        (["bench", "--time=0"], ["--time=0", "1 to"]),
        (["bench", "--time=60000", "--timeout=60"],
         ["--timeout=60", "--time=60000"]),
        (["bench", "--benchmark_filter=nothing_is_called_that"],
         ["nothing_is_called_that"]),
    ]

    def is_refused(self, args, words, **env):
        with self.subTest(args=args, **env):
            answer = weft(*args, **env)
            self.assertEqual(answer.status, 2, answer)
            self.assertEqual(answer.out, "")
            self.assertRegex(answer.err, r"\A[^\n]+\n\Z")
            for word in words:
                self.assertIn(word, answer.err)

    def test_table(self):
        for args, words in self.TABLE:
            self.is_refused(args, words)

    def test_a_plug_in_of_another_abi(self):
        self.is_refused(["run", "pipeline", broken("old_abi")],
                        ["old_abi.so", "ABI 0", "takes 1"])
        self.is_refused(["list", broken("old_abi")], ["ABI 0"])

    def test_a_plug_in_that_contradicts_itself(self):
        self.is_refused(["run", "pipeline", broken("contradicting")],
                        ["contradicting.so", "batch", "try_send_many"])
        self.is_refused(["run", "pipeline", broken("reserving")],
                        ["reserving.so", "reserved"])

    def test_an_impossible_cell_is_an_object_with_json(self):
        answer = weft("run", "pipeline", "--chan=condvar", "--cap=0", "--json")
        cell = strict(answer.out)
        self.assertEqual(answer.status, 2)
        self.assertEqual(list(cell), Run.FIELDS)
        self.assertEqual((cell["verdict"], cell["samples"]), ("N/A", []))
        self.assertIn("capacity 0", cell["why"])
        self.assertIn("capacity 0", answer.err)


class Peers(unittest.TestCase):
    """A copy of the command with peers beside it: one that loses messages, one whose
    library is missing, one that is right, one that is no shared object, and one that
    is another."""

    LIST = ("dropping\tready\ngone\tlibgone\nlumpy\tready\n"
            "odd\tready\nother\tready\n")

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        peers = os.path.join(cls.folder.name, "peers")
        os.mkdir(peers)
        cls.weft = os.path.join(cls.folder.name, "weft")
        shutil.copy(WEFT, cls.weft)
        for source, name in (("../correct/lumpy", "lumpy"), ("dropping", "dropping"),
                             ("../correct/lumpy", "other")):
            shutil.copy(os.path.join(BROKEN, source + ".so"),
                        os.path.join(peers, name + ".so"))
        with open(os.path.join(peers, "odd.so"), "w") as file:
            file.write("nothing")
        with open(os.path.join(peers, "peers.list"), "w") as file:
            file.write(cls.LIST)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def ask(self, *args):
        done = subprocess.run([self.weft, *args], stdin=subprocess.DEVNULL,
                              timeout=PATIENCE, capture_output=True, text=True)
        return Answer(done.returncode, done.stdout, done.stderr)

    def test_they_are_listed_with_what_is_missing(self):
        text = self.ask("list", "channels").out
        self.assertRegex(text, r"(?m)^  lumpy ")
        self.assertRegex(text, r"(?m)^  gone +not built: libgone$")
        self.assertRegex(text, r"(?m)^  odd ")
        self.assertEqual(self.ask("list", "peers").out, text[text.index("peers:"):])

    def test_json_has_them_by_themselves(self):
        names = [c["name"] for c in strict(self.ask("list", "channels", "--json").out)]
        self.assertNotIn("lumpy", names)
        peers = strict(self.ask("list", "peers", "--json").out)
        self.assertEqual([p["name"] for p in peers], ["dropping", "gone", "lumpy", "odd", "other"])
        self.assertEqual([p["name"] for p in peers if not p["why_not"]],
                         ["dropping", "lumpy"])
        self.assertIn("bounded", peers[2]["caps"])
        self.assertEqual(strict(self.ask("list", "--json").out)["peers"], peers)

    def test_they_are_taken_by_name(self):
        answer = self.ask("run", "producer_consumer", "--chan=lumpy", "--json", *SHORT)
        self.assertEqual(answer.status, 0, answer.err)
        self.assertEqual(strict(answer.out)["verdict"], "VERIFIED")
        only = "--only=^len_is_never_more_than_cap$"
        self.assertEqual(self.ask("check", "--chan=lumpy", only).status, 0)
        answer = self.ask("stress", "chan", "--chan=lumpy", "--seconds=0.1")
        self.assertEqual(answer.status, 0, answer.out)

    def test_a_peer_that_loses_messages_fails(self):
        answer = self.ask("run", "producer_consumer", "--chan=dropping", "--json",
                          "--items=100000", *SHORT)
        self.assertEqual(answer.status, 1, answer.err)
        self.assertEqual(strict(answer.out)["verdict"], "FAILED")

    def test_what_cannot_be_taken_says_why(self):
        for name, words in (("gone", "libgone"), ("odd", "odd.so"),
                            ("other", "calls itself lumpy"),
                            ("lumpi", "did you mean 'lumpy'")):
            answer = self.ask("run", "pipeline", "--chan=" + name)
            self.assertEqual((answer.status, answer.out), (2, ""))
            self.assertIn(words, answer.err)

    def test_all_channels_are_those_of_its_own(self):
        answer = self.ask("check", "--all", "--only=^len_is_never_more_than_cap$")
        self.assertNotIn("lumpy", answer.out)
        self.assertNotIn("lumpy", self.ask("bench", "--benchmark_list_tests").out)


class Bench(unittest.TestCase):
    #: One cell of each channel, the quickest, whatever else the machine does.
    FILTER = "--benchmark_filter=^pipeline/chan:%s/.*/batch:256/"

    def names(self, *args):
        answer = weft("bench", "--benchmark_list_tests", *args)
        self.assertEqual(answer.status, 0, answer.err)
        return answer.out.split()

    def test_the_cells(self):
        names = self.names()
        self.assertEqual(len(names), len(set(names)))
        for name in names:
            self.assertRegex(name, r"^[a-z_]+/chan:[a-z0-9_-]+(/[a-z_]+:\w+)*/"
                                   r"iterations:1/repeats:3/manual_time$")
        self.assertTrue(any(re.match("pipeline/chan:handoff/.*cap:0/", n)
                            for n in names))
        self.assertFalse(any(re.match("pipeline/chan:condvar/.*cap:0/", n)
                             for n in names))

    def test_json(self):
        answer = weft("bench", self.FILTER % "handoff", "--time=1",
                      "--benchmark_format=json", "--benchmark_repetitions=2")
        self.assertEqual(answer.status, 0, answer.err)
        document = strict(answer.out)
        self.assertIn("weft_version", document["context"])
        rows = [row for row in document["benchmarks"]
                if row["run_type"] == "iteration"]
        self.assertTrue(rows)
        for row in rows:
            self.assertEqual(row["repetitions"], 2)
            self.assertAlmostEqual(row["real_time"], row["ns_per_message"], 3)
            self.assertGreater(row["messages_per_second"], 0)
            self.assertGreater(row["latency_p50_ns"], 0)

    def test_one_that_fails_is_an_error_and_the_rest_is_measured(self):
        answer = weft("bench", broken("deaf"), "--timeout=5", "--time=1",
                      self.FILTER % "(deaf|handoff)",
                      "--benchmark_repetitions=1", "--benchmark_format=json")
        rows = strict(answer.out)["benchmarks"]
        self.assertEqual(answer.status, 1)
        failed = [row for row in rows if row.get("error_occurred")]
        self.assertTrue(failed)
        self.assertLess(len(failed), len(rows))
        for row in failed:
            self.assertIn("chan:deaf", row["name"])
            self.assertRegex(row["error_message"], "^HUNG: ")


class Terminal(unittest.TestCase):
    """What `weft check` and `weft stress` show on a terminal, and for a shell."""

    def shown(self, columns, term, *args):
        return terminal.run([WEFT, *args], columns, env={**os.environ, "TERM": term})[1]

    CHECK = ["check", "--chan=ring", "--only=^(a_deadline_in|len_is_never)"]
    STRESS = ["stress", "chan", "--chan=ring", "--seconds=1"]

    def test_a_line_that_is_drawn_over_is_one_line(self):
        for args in self.CHECK, self.STRESS:
            shown = self.shown(30, "xterm", *args)
            drawn = [line for line in re.split("[\r\n]+|\x1b\\[K", shown)
                     if line.startswith("  ...") or " s of " in line]
            self.assertTrue(drawn, shown)
            for line in drawn:
                self.assertLess(len(line), 30, line)

    def test_a_dumb_terminal_is_sent_no_escapes(self):
        for args in self.CHECK, self.STRESS:
            for term in "dumb", "":
                self.assertNotIn("\x1b", self.shown(80, term, *args))

    def test_how_to_repeat_a_failure_can_be_given_to_a_shell(self):
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "it's my channel.so")
            shutil.copy("%s/corrupting.so" % BROKEN, file)
            # Enough of them for a fault in every thousandth, sanitizer or not.
            for args in (["check", "--only=every_element_arrives_exactly", "--percent=1000"],
                         ["stress", "chan", "--seconds=30", "--failures=1"]):
                answer = weft(*args, "--load=" + file)
                self.assertEqual(answer.status, 1, answer.err)
                again = re.search(r"again: (.*)", answer.out)
                self.assertIn("--load=" + file, shlex.split(again[1]))


if __name__ == "__main__":
    WEFT, BROKEN = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])

#!/usr/bin/env python3
"""What the weft command says of itself and of what it is told: help, lists, what it
refuses, and what a terminal is shown.

    weft_test.py WEFT BROKEN_DIR [unittest arguments]
"""

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

import terminal  # noqa: E402
import weft_command  # noqa: E402
from weft_command import FIELDS, PATIENCE, broken, strict, weft  # noqa: E402

#: Commands that are scripts.
SCRIPTS = ("advise", "compare", "doctor", "export")


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
            os.symlink(os.path.abspath(weft_command.WEFT), folder + "/linked")
            done = subprocess.run([folder + "/linked", "doctor", "--json", "--seconds=0"],
                                  capture_output=True, text=True, timeout=PATIENCE)
        digest = hashlib.sha256(Path(weft_command.WEFT).read_bytes()).hexdigest()
        self.assertEqual(strict(done.stdout)["weft_sha256"], digest, done.stderr)

    def test_version(self):
        self.assertRegex(weft("--version").out, r"\Aweft \d+\.\d+\.\d+\n\Z")

    def test_a_result_nobody_can_read_is_a_failure(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([weft_command.WEFT, "list"], stdout=full, text=True,
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
        self.assertEqual(list(cell), FIELDS)
        self.assertEqual((cell["verdict"], cell["samples"]), ("N/A", []))
        self.assertIn("capacity 0", cell["why"])
        self.assertIn("capacity 0", answer.err)


class Terminal(unittest.TestCase):
    """What `weft check` and `weft stress` show on a terminal, and for a shell."""

    def shown(self, columns, term, *args):
        return terminal.run([weft_command.WEFT, *args], columns,
                            env={**os.environ, "TERM": term})[1]

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
            shutil.copy("%s/corrupting.so" % weft_command.BROKEN, file)
            # Enough of them for a fault in every thousandth, sanitizer or not.
            for args in (["check", "--only=every_element_arrives_exactly", "--percent=1000"],
                         ["stress", "chan", "--seconds=30", "--failures=1"]):
                answer = weft(*args, "--load=" + file)
                self.assertEqual(answer.status, 1, answer.err)
                again = re.search(r"again: (.*)", answer.out)
                self.assertIn("--load=" + file, shlex.split(again[1]))


if __name__ == "__main__":
    weft_command.main()

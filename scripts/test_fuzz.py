#!/usr/bin/env python3
"""Odd arguments, surroundings and descriptors for `weft` and for every script.

    test_fuzz.py WEFT [--seed=N] [--case=N] [--seconds=S] [--slowdown=N]

What must not happen, whatever comes in: death by a signal, a traceback, a
sanitizer's report, an exit status that is not 0, 1 or 2, a success although what
was asked for is not there, and no end.

A seed gives the same cases everywhere; how many of them fit in the time differs.
A case depends on its seed and number alone, so that --seed and --case together
run that one again.
"""

import argparse
import gzip
import json
import os
import random
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = next(ROOT.glob("results/reference/*/"))

SEED = 1
CASES = 400
SECONDS = 10
#: Far beyond what any case takes, on a machine that has other work.
CASE_SECONDS = 240

#: Values for options. Numbers are small, or no numbers: a case is to be short.
VALUES = ("", "0", "1", "2", "-1", "+1", " 1", "1 ", "0x1", "1.5", "1e3", "nan", "two",
          "18446744073709551615", "18446744073709551616", "9" * 5000, "\u0663", "*",
          "x", "x" * 5000, "%s%n", "a\nb", "\x1b[2J", "\u2028", "\udcff", "\ud7a3",
          "(", "[", "a{2,1}", ".*", "^", "ring", "condvar", "spsc,ring", "pipeline",
          "/", ".", "/dev/null", "/dev/full", "/no/such", "/proc/self/mem", "--", "=",
          "true", "json", "csv")
ENVIRONMENT = {
    "LC_ALL": ("C", "POSIX", "C.UTF-8", "de_DE.UTF-8", "nonsense", "\udcff", ""),
    "LANGUAGE": ("de", "\udcff"), "TZ": ("nonsense", "UTC"), "HOME": ("/no/such", ""),
    "TERM": ("dumb", "", "xterm", "\udcff"), "COLUMNS": ("1", "-1", "x", "40"),
    "TMPDIR": ("/no/such", ""), "PYTHONSAFEPATH": ("1",), "PYTHONOPTIMIZE": ("2",),
    "PYTHONWARNINGS": ("error", "ignore"), "PYTHONUTF8": ("0", "1"),
    "PYTHONCOERCECLOCALE": ("0",), "PYTHONIOENCODING": ("ascii", "latin-1", "utf-16"),
    "PYTHONUNBUFFERED": ("1",), "PYTHONDEVMODE": ("1",),
    "PYTHONWARNDEFAULTENCODING": ("1",), "PYTHONINTMAXSTRDIGITS": ("640", "0"),
    "GIT_DIR": ("/no/such", "."), "GIT_WORK_TREE": ("/",), "GIT_INDEX_FILE": ("x",),
    "BENCHMARK_COUNTERS_TABULAR": ("true", "nonsense"),
    "BENCHMARK_FORMAT": ("json", "csv", "xml"), "BENCHMARK_OUT_FORMAT": ("json", "foo"),
    "BENCHMARK_REPETITIONS": ("0", "-1", "x"), "BENCHMARK_TIME_UNIT": ("xx", "ms"),
    "BENCHMARK_OUT": ("/dev/full", "/no/such/file", ""), "BENCHMARK_COLOR": ("x",),
    "SHELL": ("/no/such",)}
#: Of the lines of sweep.py --help and the like, and of every command's.
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z_-]*")

GATED = "cat gated.json"
GATE_ENDS = (0, 1, 2, 3, 4)

CLOSED, FULL, GONE, NOWHERE, PIPE = "closed", "full", "gone", "nowhere", "pipe"


#: Keeps what Python would say of an exception, for where nobody can hear it.
HOOK = """
import sys, traceback
def keep(kind, value, trace, *_):
    with open(%r, "a", encoding="utf-8", errors="replace") as file:
        traceback.print_exception(kind, value, trace, file=file)
sys.excepthook = keep
sys.unraisablehook = lambda what: keep(what.exc_type, what.exc_value, what.exc_traceback)
"""


class Target:
    """One kind of call: its words, what must stay among them (or it would last),
    what has to be there when it succeeds, and how it may end."""

    def __init__(self, name, words, keep=(), there=None, weight=1, ends=(0, 1, 2)):
        self.name, self.words, self.keep = name, list(words), list(keep)
        self.there, self.weight, self.ends = there, weight, ends


def gate_files(folder):
    """What a gate compares (GATED prints it), and a record of one."""
    (folder / "gated.json").write_text(json.dumps({"benchmarks": [
        {"name": "a", "real_time": 2.0}, {"name": "b", "real_time": 3.0}]}))
    lines = [{"schema": 1, "kind": "relinked", "number": 0, "commit": "c", "cells": ["a"],
              "host": {"cpu": "x", "cpus": 2},
              "runs": [{"kind": "relinked", "slower": {}, "instead": {}}]}]
    lines += [{"phase": "look", "turn": turn, "rejected": None,
               "cells": {"a": ["bhc", 1.0, 1.0, 1.0]}} for turn in range(11)]
    lines += [{"seconds": 1.0, "runs": [
        {"verdict": "OK", "why": "", "flags": {}, "failures": [], "disturbed": ""}]}]
    (folder / "records").mkdir()
    (folder / "records/relinked-000.jsonl.gz").write_bytes(gzip.compress(
        "".join(json.dumps(line) + "\n" for line in lines).encode()))
    (folder / "gate.md").write_text("<!-- what gate-selftest.py writes -->\n"
                                    "<!-- its end -->\n")


def is_json(case):
    json.loads(case.out.decode("utf-8"))


def has_files(*names):
    def check(case):
        for name in names:
            assert (case.folder / name).stat().st_size, "%s is empty" % name
            if name.endswith(".json"):
                json.loads((case.folder / name).read_bytes())
    return check


def has_run(case):
    run, = (case.folder / "results").iterdir()
    assert not run.name.endswith(".partial"), "%s is partial" % run
    for name in ("summary.json", "benchmark.json", "summary.md", "samples.jsonl"):
        assert (run / name).stat().st_size, "%s is empty" % name


def has_pictures(case):
    pictures = list((case.folder / "pictures").iterdir())
    assert len(pictures) > 4 and all(p.stat().st_size for p in pictures), pictures


def says_something(case):
    assert case.out.strip(), "said nothing"


class Fuzz:
    def __init__(self, weft, options):
        self.weft, self.seed = str(Path(weft).resolve()), options.seed
        self.slowdown = options.slowdown
        patterns = json.loads(self.ask("list", "patterns", "--json"))
        channels = json.loads(self.ask("list", "channels", "--json"))
        self.patterns = [entry["name"] for entry in patterns]
        self.channels = [entry["name"] for entry in channels]
        self.checks = re.findall(r"^  \S+ +(\w+)$", self.ask("check", "--list"), re.M)
        knobs = {"--" + knob["name"] for entry in patterns for knob in entry["knobs"]}
        text = "".join(self.ask("help", name) for name in (
            "list", "run", "check", "stress", "bench", "context"))
        self.options = {"weft": sorted(knobs | set(OPTION.findall(text)))}
        for script in ("sweep.py", "plot.py", "report.py", "ratios.py", "peers.py",
                       "gate.py", "gate-selftest.py"):
            text = subprocess.run([sys.executable, str(ROOT / "scripts" / script), "--help"],
                                  capture_output=True, text=True).stdout
            self.options[script] = sorted(set(OPTION.findall(text)))
        self.options["setup.sh"] = ["--check", "--dev", "--help"]

    def ask(self, *args):
        return subprocess.run([self.weft, *args], capture_output=True, check=True,
                              text=True).stdout

    def targets(self, rng):
        """One of each kind, with words that are right."""
        pattern, chan = rng.choice(self.patterns), rng.choice(self.channels)
        chan_of = "--chan=" + chan
        measure = ["--time=1", "--reps=1"]
        cell = "^%s/chan:%s/[^,]*iterations" % (pattern, chan)
        out = "--benchmark_out=bench.json"
        sweep = ["--weft", self.weft, "--sweep", "tiny", "--rounds", "1", "--time", "1",
                 "--results", "results"]
        run = str(REFERENCE)
        return [
            Target("weft", ["list", rng.choice(["patterns", "channels"]), "--json"],
                   there=is_json),
            Target("weft", ["list"], there=says_something),
            Target("weft", [rng.choice(["help", "--help", "--version", "", "nonsense"])]),
            Target("weft", ["help", rng.choice(["run", "bench", "nonsense"])]),
            Target("weft", ["context", "--json"], there=is_json),
            Target("weft", ["context"], there=says_something),
            Target("weft", ["run", pattern, chan_of, "--json"], measure, weight=4),
            Target("weft", ["run", pattern], measure, says_something, weight=4),
            Target("weft", ["check", chan_of, "--json"],
                   ["--only=^%s$" % rng.choice(self.checks)], is_json, weight=2),
            Target("weft", ["check", chan_of], ["--only=^%s$" % rng.choice(self.checks)],
                   says_something),
            Target("weft", ["stress", rng.choice(["chan", "select"]), chan_of],
                   ["--seconds=1"], says_something),
            Target("weft", ["bench", out], ["--benchmark_filter=" + cell,
                                            "--benchmark_repetitions=1", "--time=1"],
                   has_files("bench.json"), weight=2),
            Target("weft", ["bench", "--benchmark_list_tests"],
                   ["--benchmark_filter=" + cell]),
            Target("sweep.py", ["--no-plot"] + rng.choice([[], ["--quiet"]]), sweep,
                   has_run, weight=4),
            Target("sweep.py", ["--list"], sweep, says_something),
            Target("plot.py", [], [run, "--out", "pictures"], has_pictures, weight=2,
                   ends=(0, 2)),
            Target("report.py", [], [run, "--out", "report.html"],
                   has_files("report.html"), ends=(0, 2)),
            Target("ratios.py", [], ["--results", "."], ends=(0, 2)),
            Target("peers.py", [], ["--list", "--weft", self.weft, "--peers", ".",
                                    "--rounds", "1", "--results", "results"],
                   says_something, weight=2),
            Target("gate.py", ["--base-cmd=" + GATED, "--head-cmd=" + GATED],
                   ["--no-plot", "--out", "gate"],
                   has_files("gate/gate.json", "gate/gate.md"), ends=GATE_ENDS),
            # A base that cannot be built: a case is to be short.
            Target("gate-selftest.py", ["record", "--kinds=loop=1"],
                   ["--base", "/no/such", "--cache", "cache"], ends=GATE_ENDS),
            Target("gate-selftest.py", ["report"], ["--replays", "1", "--records", "records",
                                                    "--document", "gate.md"],
                   has_files("gate.md"), ends=GATE_ENDS),
            Target("setup.sh", [], [rng.choice(["--check", "--help"])])]

    def case(self, number):
        return Case(self, number, random.Random("%d/%d" % (self.seed, number)))


class Case:
    """One call: everything about it is decided here, by `rng`."""

    def __init__(self, fuzz, number, rng):
        self.fuzz, self.number = fuzz, number
        targets = fuzz.targets(rng)
        self.target = rng.choices(targets, [t.weight for t in targets])[0]
        self.words, self.changed = self.target.words, False
        if rng.random() < 0.6:
            self.change(rng)
        self.streams = [rng.choice([NOWHERE, PIPE, CLOSED])] + [
            rng.choice([PIPE] * 4 + [CLOSED, FULL, GONE]) for _ in range(2)]
        self.env = {}
        for name in rng.sample(sorted(ENVIRONMENT), rng.choice([0, 0, 1, 2, 4])):
            self.env[name] = rng.choice(ENVIRONMENT[name])
        self.ignore = rng.choice([None] * 4 + [signal.SIGCHLD, signal.SIGPIPE,
                                               signal.SIGINT])
        self.descriptors = rng.choice([None] * 6 + [24])
        self.file_size = rng.choice([None] * 4 + [200, 3000, 20000])
        if not self.target.name.endswith(".py"):
            self.file_size = None  # the signal that then comes may end it

    def change(self, rng):
        """A few words that are not right, or not where they should be."""
        words = list(self.words)
        options = self.fuzz.options[self.target.name]
        for _ in range(rng.choice([1, 1, 2, 3])):
            option, value = rng.choice(options), rng.choice(VALUES)
            place = rng.randint(0, len(words))
            what = rng.randrange(6)
            if what == 0 and words:
                del words[rng.randrange(len(words))]
            elif what == 1:
                words.insert(place, value)
            elif what == 2:
                words.insert(place, option)
            elif what == 3 and words:
                where = rng.randrange(len(words))
                words[where] = words[where].partition("=")[0] + "=" + value
            else:
                words.insert(place, option + "=" + value)
        self.changed = words != self.words
        self.words = words

    def command(self):
        if self.target.name == "weft":
            # what must stay comes last, where it is the last word
            return [self.fuzz.weft, *self.words, *self.target.keep]
        program = ["sh"] if self.target.name.endswith(".sh") else [sys.executable]
        return program + [str(ROOT / "scripts" / self.target.name), *self.words,
                          *self.target.keep]

    def describe(self):
        env = ["%s=%s" % (key, shlex.quote(value)) for key, value in self.env.items()]
        words = [shlex.quote(word if len(word) < 100 else word[:20] + "...")
                 for word in self.command()]
        more = ["stdin %s, stdout %s, stderr %s" % tuple(self.streams)]
        more += ["%s ignored" % self.ignore.name] if self.ignore else []
        more += ["%s descriptors" % self.descriptors] if self.descriptors else []
        more += ["files of %s bytes" % self.file_size] if self.file_size else []
        return ascii(" ".join(env + words))[1:-1] + "\n    " + ", ".join(more)

    def prepare(self):
        """In the child, before the command."""
        if self.ignore is not None:
            signal.signal(self.ignore, signal.SIG_IGN)
        for limit, value in ((resource.RLIMIT_NOFILE, self.descriptors),
                             (resource.RLIMIT_FSIZE, self.file_size)):
            if value is not None:
                resource.setrlimit(limit, (value, value))
        for number, stream in enumerate(self.streams):
            if stream == CLOSED:
                os.close(number)

    def stream(self, number, opened):
        """What subprocess is to make of one of the first three descriptors."""
        what = self.streams[number]
        if what == PIPE:
            return subprocess.PIPE
        if what == FULL:
            opened.append(os.open("/dev/full", os.O_WRONLY))
        elif what == GONE:
            read, write = os.pipe()
            os.close(read)
            opened.append(write)
        else:
            return subprocess.DEVNULL
        return opened[-1]

    def run(self):
        """What is wrong with it, or None."""
        self.folder = Path(tempfile.mkdtemp(prefix="weft-fuzz-"))
        self.traces, opened = self.folder / "traces", []
        try:
            (self.folder / "tiny").write_text(
                "latency=0\npattern=producer_consumer chan=ring,pipe cap=0,4\n")
            gate_files(self.folder)
            (self.folder / "hook").mkdir()
            (self.folder / "hook/sitecustomize.py").write_text(
                HOOK % str(self.traces))
            child = subprocess.Popen(
                [os.fsencode(word) for word in self.command()], cwd=self.folder,
                preexec_fn=self.prepare,
                start_new_session=True, env={
                    **os.environ, "PYTHONPATH": str(self.folder / "hook"), **self.env},
                **{
                    name: self.stream(number, opened)
                    for number, name in enumerate(("stdin", "stdout", "stderr"))})
            return self.wait(child)
        finally:
            for descriptor in opened:
                os.close(descriptor)
            shutil.rmtree(self.folder, ignore_errors=True)

    def wait(self, child):
        with child:
            try:
                out, err = child.communicate(timeout=CASE_SECONDS * self.fuzz.slowdown)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                out, err = child.communicate()
                self.out, self.err = out or b"", err or b""
                return "does not end"
        self.out, self.err = out or b"", err or b""
        return self.judge(child.returncode)

    def judge(self, status):
        said = (self.out + self.err).decode("utf-8", "replace")
        if self.traces.exists():
            self.err += self.traces.read_bytes()
            return "a traceback"
        for sign in ("Traceback (most", "Exception ignored", "Sanitizer:",
                     "runtime error: ", "CHECK failed"):
            if sign in said:
                return "says '%s'" % sign
        gone = GONE in self.streams[1:]
        if gone and status in (-signal.SIGPIPE, 128 + signal.SIGPIPE):
            return None
        if status < 0:
            return "killed by %s" % signal.Signals(-status).name
        if status not in self.target.ends:
            return "exit status %d" % status
        if status == 0 and not self.changed and self.target.there:
            return self.missing()
        return None

    def missing(self):
        """What was asked for and is not there, though it says so."""
        if self.streams[1] in (FULL, GONE):
            return "success, though nothing could be written"
        if self.streams[1] != PIPE and self.target.there in (is_json, says_something):
            return None
        try:
            self.target.there(self)
        except (AssertionError, OSError, ValueError) as error:
            return "success, but %s" % (error or type(error).__name__)
        return None


class Planted(Case):
    """A program with a known fault: none may pass for good."""

    FAULTS = (("raise ValueError", "a traceback"), ("raise SystemExit(3)", "exit status 3"),
              ("import os; os.abort()", "killed by SIGABRT"),
              ("", "success, but said nothing"),
              ("import os; os.closerange(0, 3); import nonsense", "a traceback"))

    def __init__(self, fuzz, program):
        self.fuzz, self.program, self.changed = fuzz, program, False
        self.target = Target("planted", [], there=says_something)
        self.words, self.streams, self.env = [], [NOWHERE, PIPE, PIPE], {}
        self.ignore = self.descriptors = self.file_size = None

    def command(self):
        return [sys.executable, "-c", self.program]


def blind_to(fuzz):
    """The planted faults that are not found."""
    return ["%s: %s instead of %s" % (program, found, wrong)
            for program, wrong in Planted.FAULTS
            for found in [Planted(fuzz, program).run()] if found != wrong]


def parse(argv):
    parser = argparse.ArgumentParser()
    parser.add_argument("weft")
    parser.add_argument("--seed", type=int, default=int(os.environ.get(
        "WEFT_FUZZ_SEED", SEED)))
    parser.add_argument("--case", type=int)
    parser.add_argument("--cases", type=int, default=CASES)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--slowdown", type=int, default=1)
    return parser.parse_args(argv)


def main(argv):
    options = parse(argv)
    fuzz = Fuzz(options.weft, options)
    print("seed %d (--seed=N or WEFT_FUZZ_SEED for another)" % options.seed, flush=True)
    for fault in blind_to(fuzz):
        print("a planted fault is not found: " + fault)
        return 1
    begun, done, bad = time.monotonic(), 0, 0
    numbers = range(options.cases) if options.case is None else [options.case]
    for number in numbers:
        if time.monotonic() - begun > options.seconds:
            break
        case, done = fuzz.case(number), done + 1
        wrong = case.run()
        if wrong or options.case is not None:
            print("case %d: %s\n    %s" % (number, wrong or "fine", case.describe()))
        if wrong:
            bad += 1
            tail = (case.out + case.err).decode("utf-8", "replace").strip().split("\n")
            print("\n".join("    | " + ascii(line)[1:-1][:160] for line in tail[-6:]),
                  flush=True)
    print("%d cases in %.0f s, %d bad" % (done, time.monotonic() - begun, bad))
    return 1 if bad or not done else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

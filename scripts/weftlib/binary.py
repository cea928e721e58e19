"""Talking to the `weft` command: lists, context, one measured slice.

A slice is one process. It gets a session of its own, so that a Ctrl-C at the
terminal reaches the sweep alone, and so that nothing it started outlives it.
"""

import hashlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from . import Problem, shape
from .child import talk
from .command import reason
from .files import loads

VERDICTS = ("VERIFIED", "FLOOR", "N/A", "FAILED", "HUNG", "CRASHED")
#: Verdicts under which a cell's numbers mean something.
MEASURED = ("VERIFIED", "FLOOR")
#: Verdicts that make the whole sweep exit 1.
BAD = ("FAILED", "HUNG", "CRASHED")
SAMPLES = shape.each(shape.has(
    ns=shape.maybe(shape.count), messages=shape.maybe(shape.count),
    **{key: shape.maybe(shape.number) for key in (
        "start_skew_ns", "spin_ns", "cpu_seconds", "voluntary_switches",
        "involuntary_switches", "parks", "wakes", "futex_calls")}))
#: What the sweep uses of a result, and where it may be missing.
RESULT_FIELDS = dict(
    chan=shape.maybe(shape.text), why=shape.maybe(shape.text),
    params=shape.maybe(shape.all_values(shape.knob)), tasks=shape.maybe(shape.count),
    cpus=shape.maybe(shape.count), items_searched=shape.maybe(shape.flag),
    samples=shape.maybe(SAMPLES),
    placement=shape.maybe(shape.text), round=shape.maybe(shape.count),
    disturbed=shape.maybe(shape.has(why=shape.text, foreign=shape.number,
                                    steal=shape.number)),
    rejected=shape.maybe(shape.has(why=shape.text, samples=shape.maybe(SAMPLES))),
    warmup=shape.maybe(shape.has(runs=shape.maybe(shape.count),
                                 ns=shape.maybe(shape.number),
                                 reached=shape.maybe(shape.flag))),
    **{key: shape.maybe(shape.number) for key in (
        "harness_ns_per_message", "bytes_per_channel", "idle_cpu_share")},
    latency_ns=shape.maybe(shape.has(
        kind=shape.maybe(shape.text), arrivals=shape.maybe(shape.text),
        kept_up=shape.maybe(shape.flag), count=shape.maybe(shape.count),
        **{key: shape.maybe(shape.number) for key in (
            "load", "capacity_per_second", "offered_per_second",
            "achieved_per_second", "p50", "p90", "p99", "p999", "max")},
        histogram=shape.maybe(shape.each(shape.pair(shape.count))))),
    peak_rss_bytes=shape.maybe(shape.count),
    figures=shape.maybe(shape.all_values(shape.has(value=shape.maybe(shape.number)))),
    fairness=shape.maybe(shape.has(jain=shape.maybe(shape.number),
                                   least_share=shape.maybe(shape.number),
                                   longest_gap_ns=shape.maybe(shape.number))))
RESULT = shape.has(verdict=shape.one_of(VERDICTS), **RESULT_FIELDS)
#: What `weft list --json` says of each pattern and channel.
KNOB = shape.has(name=shape.text)
ENTRIES = shape.each(shape.has(name=shape.text, knobs=shape.maybe(shape.each(KNOB))))
PEERS = shape.each(shape.has(name=shape.text, why_not=shape.text,
                             library=shape.maybe(shape.text),
                             adapter=shape.maybe(shape.text)))
#: How many last lines of a failed slice's stderr are kept.
STDERR_LINES = 12


@dataclass
class Answer:
    """What one process said."""

    status: int
    stdout: str
    stderr: str
    seconds: float
    timed_out: bool

    @property
    def result(self):
        """The result that stdout was, or None; then `flaw` says why."""
        return self.parsed[0]

    @property
    def flaw(self):
        return self.parsed[1]

    @cached_property
    def parsed(self):
        try:
            value = loads(self.stdout)
        except ValueError:
            return None, "without a result"
        try:
            RESULT(value, "it")
        except ValueError as error:
            return None, "with a result that is none: %s" % error
        return value, ""


class Weft:
    """The measuring binary at `path`."""

    def __init__(self, path):
        self.path = absolute(path)
        self.children = []  # that run
        self.stopped = False
        self.asleep = 0.0  # seconds that went by while nothing here could run
        if not os.path.isfile(self.path) or not os.access(self.path, os.X_OK):
            raise Problem("no weft command at '%s'; build it with `make`, or "
                          "name another with --weft PATH" % path)

    def sha256(self):
        """Says which binary was measured, whatever the source tree says."""
        try:
            return hashlib.sha256(self.path.read_bytes()).hexdigest()
        except OSError as error:
            raise Problem("cannot read '%s': %s" % (self.path, reason(error)))

    def ask(self, check, *args):
        """The JSON of a command that must succeed (list, context), of the shape
        `check`."""
        answer = self.run(args, 60)
        why = last_lines(answer.stderr, 1)
        if answer.timed_out:
            why = "no answer within 60 s"
        elif answer.status < 0:
            why = "killed by %s" % signal_name(-answer.status)
        elif answer.status == 0:
            try:
                found = loads(answer.stdout)
                check(found, "its answer")
                return found
            except ValueError as error:
                why = str(error)
        raise Problem("`weft %s` failed: %s" % (
            " ".join(args), why or "exit %d" % answer.status))

    def entries(self, what, *args):
        """What `weft list` lists, which cannot be nothing."""
        found = self.ask(ENTRIES, "list", what, "--json", *args)
        if not found:
            raise Problem("`weft list %s` lists nothing" % what)
        return found

    def run(self, args, timeout, cpus=None):
        """Runs it once, on these CPUs alone if any are given; kills it with all it
        started after `timeout` s."""
        begun = time.monotonic()
        timed_out = False
        try:
            child = self.start(args, cpus)
        except OSError as error:
            return Answer(127, "", reason(error), 0.0, False)
        with child:
            try:
                out, err, asleep = talk(child, timeout)
                self.asleep += asleep
            except subprocess.TimeoutExpired:
                timed_out = True
                self.kill(child)
                out, err = child.communicate()
            except BaseException:
                self.kill(child)
                raise
            finally:
                self.forget(child)
        return Answer(child.returncode, as_text(out), as_text(err),
                      time.monotonic() - begun, timed_out)

    def start(self, args, cpus=None, stdin=subprocess.DEVNULL):
        """A process; forget() is called when it has ended."""
        child = subprocess.Popen(
            [str(self.path), *args], start_new_session=True,
            preexec_fn=(lambda: os.sched_setaffinity(0, cpus)) if cpus else None,
            stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.children.append(child)
        if self.stopped:
            self.kill(child)
        return child

    def forget(self, child):
        self.children.remove(child)

    def stop(self):
        """Ends what runs and whatever is started later; for signal handlers."""
        self.stopped = True
        for child in list(self.children):
            self.kill(child)

    def kill(self, child):
        """Ends this process, if it runs, and all it started."""
        if child.returncode is None:
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def absolute(path):
    """The path from the root; as it is where the current folder is gone."""
    try:
        return Path(path).absolute()
    except OSError:
        return Path(path)


def as_text(data):
    return data.decode("utf-8", "replace")


def last_lines(text, count):
    return "\n".join(text.strip().splitlines()[-count:])


def judge(answer, timeout):
    """(verdict, why) of a slice; None for bad input, which is no verdict."""
    if answer.timed_out:
        return "HUNG", "no answer within %d s" % timeout
    if answer.status < 0:
        return "CRASHED", "killed by %s" % signal_name(-answer.status)
    if answer.result is None:
        if answer.status == 2:
            return None
        return "CRASHED", "exit status %d %s" % (answer.status, answer.flaw)
    verdict = answer.result["verdict"]
    if answer.status not in (0, 1, 2):
        return "CRASHED", "exit status %d after its result" % answer.status
    if answer.status != 0 and verdict in MEASURED:
        return "CRASHED", "exit status %d but %s" % (answer.status, verdict)
    return verdict, answer.result.get("why") or ""


def signal_name(number):
    try:
        return signal.Signals(number).name
    except ValueError:
        return "signal %d" % number


def refuse_sanitized(machine, allowed):
    """Sanitizers cost several times the channel: such numbers mislead."""
    sanitize = str(machine.get("sanitize") or "none")
    if sanitize.lower() not in ("none", "unknown", "off") and not allowed:
        raise Problem("this weft is built with sanitizers (%s); build the release "
                      "preset with `make`, or say --allow-sanitized" % sanitize)


def load_channels(weft, files, builtin, pattern):
    """(name, file) of each shared object; Problem if one cannot be used."""
    taken = {entry["name"] for entry in builtin}
    loaded = []
    for file in files:
        if not os.path.isfile(file):
            raise Problem("--load=%s: no such file" % file)
        path = str(absolute(file))
        name = channel_name(weft, path, taken, pattern)
        if name in taken:
            raise Problem("--load=%s: a channel named '%s' is there already"
                          % (file, name))
        taken.add(name)
        loaded.append((name, path))
    return loaded


def choose_peers(weft, wanted):
    """What the binary says of the peers that are wanted: "all" that there are, or
    names with commas between them. Problem for one that cannot take part."""
    if not wanted:
        return []
    known = {peer["name"]: peer for peer in weft.ask(PEERS, "list", "peers", "--json")}
    if wanted == "all":
        found = [peer for peer in known.values() if not peer["why_not"]]
        if not found:
            raise Problem("--peers=all: this weft has none; scripts/setup.sh --peers "
                          "installs what there is")
        return found
    names = list(dict.fromkeys(wanted.split(",")))
    for name in names:
        if name not in known:
            raise Problem("--peers=%s: no peer '%s'; there are %s"
                          % (wanted, name, ", ".join(known) or "none"))
        if known[name]["why_not"]:
            raise Problem("--peers=%s: %s: %s" % (wanted, name, known[name]["why_not"]))
    return [known[name] for name in names]


def channel_name(weft, file, taken, pattern):
    """What the channel in `file` calls itself.

    The list of channels says it when it accepts --load; otherwise one short
    run does, whatever its verdict.
    """
    try:
        entries = weft.entries("channels", "--load=" + file)
        new = [entry["name"] for entry in entries if entry["name"] not in taken]
        if new:
            return new[0]
    except Problem:
        pass
    answer = weft.run(["run", pattern, "--load=" + file, "--reps=1", "--json",
                       "--time=1", "--latency=0"], 60)
    if answer.result and answer.result.get("chan"):
        return answer.result["chan"]
    raise Problem("--load=%s: %s" % (
        Path(file).name, last_lines(answer.stderr, 1) or "cannot be loaded"))

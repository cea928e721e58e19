"""Talking to the `weft` command: lists, context, one measured slice.

A slice is one process. It gets a session of its own, so that a Ctrl-C at the
terminal reaches the sweep alone, and so that nothing it started outlives it.
"""

import hashlib
import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from . import Problem

VERDICTS = ("VERIFIED", "FLOOR", "N/A", "FAILED", "HUNG", "CRASHED")
#: Verdicts under which a cell's numbers mean something.
MEASURED = ("VERIFIED", "FLOOR")
#: Verdicts that make the whole sweep exit 1.
BAD = ("FAILED", "HUNG", "CRASHED")
#: How many last lines of a failed slice's stderr are kept.
STDERR_LINES = 12


@dataclass
class Answer:
    """What one process said. `json` is None unless stdout was one object."""

    status: int
    json: dict
    stderr: str
    seconds: float
    timed_out: bool


class Weft:
    """The measuring binary at `path`."""

    def __init__(self, path):
        self.path = Path(path).absolute()
        self.child = None
        self.stopped = False
        if not self.path.is_file() or not os.access(self.path, os.X_OK):
            raise Problem("no weft command at '%s'; build it with `make`, or "
                          "name another with --weft PATH"
                          % os.path.relpath(path))

    def sha256(self):
        """Says which binary was measured, whatever the source tree says."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    def ask(self, *args):
        """The JSON of a command that must succeed (list, context)."""
        try:
            done = subprocess.run([str(self.path), *args], timeout=60,
                                  stdin=subprocess.DEVNULL, capture_output=True,
                                  text=True, errors="replace")
            if done.returncode == 0:
                return json.loads(done.stdout)
            reason = last_lines(done.stderr, 1) or "exit %d" % done.returncode
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            reason = str(error)
        raise Problem("`weft %s` failed: %s" % (" ".join(args), reason))

    def run(self, args, timeout):
        """Runs one slice; kills it with all it started after `timeout` s."""
        begun = time.monotonic()
        timed_out = False
        try:
            child = self.start(args)
        except OSError as error:
            return Answer(127, None, str(error), 0.0, False)
        with child:
            try:
                out, err = child.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                timed_out = True
                self.kill()
                out, err = child.communicate()
            finally:
                self.child = None
        return Answer(child.returncode, parse_object(out), err,
                      time.monotonic() - begun, timed_out)

    def start(self, args):
        self.child = subprocess.Popen(
            [str(self.path), *args], start_new_session=True, text=True,
            errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        if self.stopped:
            self.kill()
        return self.child

    def stop(self):
        """Ends the running slice and any later one; for signal handlers."""
        self.stopped = True
        self.kill()

    def kill(self):
        """Ends the running slice, if any, and all it started."""
        child = self.child
        if child is not None and child.returncode is None:
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def parse_object(text):
    """The JSON object that `text` is, or None; NaN and Infinity become null."""
    try:
        value = json.loads(text, parse_constant=lambda _: None)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def last_lines(text, count):
    return "\n".join(text.strip().splitlines()[-count:])


def judge(answer, timeout):
    """(verdict, why) of a slice; None for bad input, which is no verdict."""
    if answer.timed_out:
        return "HUNG", "no answer within %d s" % timeout
    if answer.status < 0:
        return "CRASHED", "killed by %s" % signal_name(-answer.status)
    if answer.json is None:
        if answer.status == 2:
            return None
        return "CRASHED", "exit status %d without a result" % answer.status
    verdict = answer.json.get("verdict")
    if verdict not in VERDICTS:
        return "CRASHED", "a result with the unknown verdict %r" % (verdict,)
    if answer.status not in (0, 1, 2):
        return "CRASHED", "exit status %d after its result" % answer.status
    if answer.status != 0 and verdict in MEASURED:
        return "CRASHED", "exit status %d but %s" % (answer.status, verdict)
    return verdict, answer.json.get("why") or ""


def signal_name(number):
    try:
        return signal.Signals(number).name
    except ValueError:
        return "signal %d" % number


def load_channels(weft, files, builtin, pattern):
    """(name, file) of each shared object; Problem if one cannot be used."""
    taken = {entry["name"] for entry in builtin}
    loaded = []
    for file in files:
        if not Path(file).is_file():
            raise Problem("--load=%s: no such file" % file)
        name = channel_name(weft, str(Path(file).absolute()), taken, pattern)
        if name in taken:
            raise Problem("--load=%s: a channel named '%s' is there already"
                          % (file, name))
        taken.add(name)
        loaded.append((name, str(Path(file).absolute())))
    return loaded


def channel_name(weft, file, taken, pattern):
    """What the channel in `file` calls itself.

    The list of channels says it when it accepts --load; otherwise one short
    run does, whatever its verdict.
    """
    try:
        entries = weft.ask("list", "channels", "--json", "--load=" + file)
        new = [entry["name"] for entry in entries if entry["name"] not in taken]
        if new:
            return new[0]
    except Problem:
        pass
    answer = weft.run(["run", pattern, "--load=" + file, "--reps=1", "--json",
                       "--time=1", "--latency=0"], 60)
    if answer.json and answer.json.get("chan"):
        return answer.json["chan"]
    raise Problem("--load=%s: %s" % (
        Path(file).name, last_lines(answer.stderr, 1) or "cannot be loaded"))

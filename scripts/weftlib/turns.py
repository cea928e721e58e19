"""Several `weft run --turns` that measure by turns: one repetition of one at a time.

A virtual CPU that others share is twice as fast in one moment as in another, and a moment
lasts some tens of milliseconds. What is to be compared is run in repetitions that are much
shorter, those of all processes by turns: then both sides have a part of each moment.
"""

import os
import selectors
import subprocess
import time
from dataclasses import dataclass, field

from .binary import Answer, Weft, as_text
from .child import LOOK_SECONDS
from .command import reason

READY = b"ready\n"
#: What a process is told: one repetition, or no more of them.
GO, END = b"\n", b"end\n"
CHUNK = 1 << 16
#: Turns that a process has even if they take longer than they should, while those before
#: took less than so many times as long.
FEWEST, LONGER = 3, 2


@dataclass
class Member:
    """A process to be: `limit` is how many seconds it may run, waiting not counted."""

    weft: Weft
    args: list
    limit: float
    cpus: object = None  #: the CPUs that it may use, if not all
    enough: float = float("inf")  #: seconds of repetitions after which it has no more


@dataclass
class Process:
    """A member that was started."""

    member: Member
    child: object
    streams: object
    said: dict = field(default_factory=lambda: {"out": bytearray(), "err": bytearray()})
    used: float = 0.0
    timed_out: bool = False
    turns: int = 0
    measured: float = 0.0  #: of `used`, what its turns took

    @classmethod
    def start(cls, member):
        child = member.weft.start(member.args, member.cpus, subprocess.PIPE)
        streams = selectors.DefaultSelector()
        for name, stream in (("out", child.stdout), ("err", child.stderr)):
            os.set_blocking(stream.fileno(), False)
            streams.register(stream, selectors.EVENT_READ, name)
        return cls(member, child, streams)

    @property
    def runs(self):
        return bool(self.streams.get_map())

    @property
    def wants_more(self):
        """Whether it has another turn, going by the time that it has had."""
        enough = self.member.enough
        return self.runs and (self.measured < enough or (
            self.turns < FEWEST and self.measured < LONGER * enough))

    def go(self):
        """One repetition, until it is ready for the next or has ended."""
        before = self.used
        self.tell(GO)
        self.turns += 1
        self.measured += self.used - before

    def finish(self):
        """On to its end, without more repetitions. What does not know that word makes
        them."""
        while self.runs:
            self.tell(END)

    def tell(self, word):
        begun = len(self.said["out"])
        try:
            os.write(self.child.stdin.fileno(), word)
        except OSError:  # it has ended: what it said will tell
            pass
        self.follow(begun)

    def follow(self, begun=0):
        """Reads until it is ready, having said more than `begun` bytes, or has ended.
        What it did not use of its time because we were stopped does not count."""
        while self.runs and not self.is_ready(begun):
            left = self.member.limit - self.used
            if left <= 0:
                self.timed_out = True
                self.end()
                return
            since = time.monotonic()
            for key, _ in self.streams.select(min(LOOK_SECONDS, left)):
                self.read(key)
            took = time.monotonic() - since
            counted = took if took <= 2 * LOOK_SECONDS else LOOK_SECONDS
            self.used += counted
            self.member.weft.asleep += took - counted

    def is_ready(self, begun):
        out = self.said["out"]
        return len(out) > begun and (out == READY or out.endswith(b"\n" + READY))

    def read(self, key):
        try:
            data = os.read(key.fd, CHUNK)
        except BlockingIOError:
            return
        self.said[key.data] += data
        if not data:
            self.streams.unregister(key.fileobj)
            if not self.runs:
                self.leave()

    def leave(self):
        """It says no more, so it should end now."""
        try:
            self.child.wait(max(0.0, self.member.limit - self.used))
        except subprocess.TimeoutExpired:
            self.timed_out = True
        self.end()

    def end(self):
        """Ends it, if it has not ended, with all it started."""
        if self.timed_out or self.runs:
            self.member.weft.kill(self.child)
        for key in list(self.streams.get_map().values()):
            self.streams.unregister(key.fileobj)
        self.child.stdin.close()
        self.child.wait()
        self.member.weft.forget(self.child)
        self.child.stdout.close()
        self.child.stderr.close()
        self.streams.close()

    def answer(self):
        out = bytes(self.said["out"])
        while out.startswith(READY):
            out = out[len(READY):]
        return Answer(self.child.returncode, as_text(out), as_text(bytes(self.said["err"])),
                      self.used, self.timed_out)


def start(member):
    """A process that is ready, or has ended; or the answer of one that does not start."""
    try:
        process = Process.start(member)
    except OSError as error:
        return Answer(127, "", reason(error), 0.0, False)
    try:
        process.follow()
    except BaseException:
        process.end()
        raise
    return process


def run(members, turns, order):
    """What each of the members says in the end: [Answer]. `order(turn)` is in which order
    they have that turn, as places in `members`. After the last turn each runs on to its
    end, one after the other."""
    found, places = [], list(range(len(members)))
    try:
        for member in members:
            found.append(start(member))
        for turn in range(turns):
            places = order(turn)
            for place in places:
                if isinstance(found[place], Process) and found[place].wants_more:
                    found[place].go()
        for place in places:
            if isinstance(found[place], Process):
                found[place].finish()
    finally:
        for one in found:
            if isinstance(one, Process) and one.runs:
                one.end()
    return [one.answer() if isinstance(one, Process) else one for one in found]

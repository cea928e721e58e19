"""What else the machine did while a slice ran, and when that spoils it."""

import os
import time
from typing import NamedTuple

from .context import TICKS, jiffies, own_seconds

#: A slice is spoilt when more than this share of its CPUs' time went to other
#: processes, or was kept by the hypervisor.
FOREIGN_MOST, STEAL_MOST = 0.10, 0.05
#: By so many ticks for each CPU it may seem so: what is busy, most kernels see at their
#: ticks alone, and half of the time each of 20 ticks is right by chance.
FOREIGN_OFF, STEAL_OFF = 2, 1


class Times(NamedTuple):
    """CPU time in ticks, of the CPUs that are allowed."""

    busy: float  #: without interrupts, of which our own wake-ups make many
    steal: float
    own: float  #: of this process and of the children that have ended
    all: float  #: that has passed for them


class Disturbance(NamedTuple):
    """Shares of the CPU time that there was."""

    foreign: float
    steal: float
    why: str  #: what spoils the slice, or nothing


def now():
    """The times until now, or None where the kernel does not tell them."""
    told, cpus = jiffies(), ["cpu%d" % cpu for cpu in os.sched_getaffinity(0)]
    if not all(cpu in told for cpu in cpus):
        return None
    busy = sum(sum(told[cpu][:3]) for cpu in cpus)
    steal = sum(told[cpu][7] for cpu in cpus)
    if not busy:
        return None
    return Times(busy, steal, own_seconds() * TICKS, time.monotonic() * TICKS * len(cpus))


class Watch:
    """Looks before a slice and after it."""

    def __init__(self, look=now, cpus=None):
        self.look = look
        self.cpus = cpus or len(os.sched_getaffinity(0))
        self.before = None

    def begin(self):
        self.before = self.look()

    def end(self):
        """The Disturbance since `begin`, or None if nobody knows."""
        before, after = self.before, self.look()
        if not before or not after or after.all <= before.all:
            return None
        passed = Times(*(max(0.0, new - old) for old, new in zip(before, after)))
        foreign = max(0.0, passed.busy - passed.own)
        words = [text % (100 * ticks / passed.all) for ticks, most, off, text in (
            (foreign, FOREIGN_MOST, FOREIGN_OFF,
             "other processes had %.0f %% of the CPU time"),
            (passed.steal, STEAL_MOST, STEAL_OFF,
             "the hypervisor kept %.0f %% of the CPU time"))
            if ticks > off * self.cpus + most * passed.all]
        return Disturbance(round(foreign / passed.all, 4),
                           round(passed.steal / passed.all, 4), ", ".join(words))


#: What a slice that is rejected has measured: it stays in its record, but where nothing
#: takes it for a result.
SET_ASIDE = ("samples", "latency_ns", "messages_per_second", "ns_per_message", "fairness",
             "figures")


def reject(record, why):
    """Sets aside what the record has measured."""
    aside = {key: record[key] for key in SET_ASIDE if record.get(key) is not None}
    record.update(dict.fromkeys(aside), samples=[], rejected={"why": why, **aside})

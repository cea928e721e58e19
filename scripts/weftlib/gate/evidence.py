"""What else the machine did during a round, as the operating system tells it.

Nothing here sees a time that was measured: a round is rejected for what others took,
never for what came out of it.
"""

import os
import resource
from dataclasses import dataclass

from .. import context

#: Of what all CPUs could have given, in a round.
FOREIGN, STOLEN = 0.02, 0.01
#: Below these the tick with which CPU time is counted is seen, not the neighbours.
FOREIGN_SECONDS, STOLEN_SECONDS = 0.05, 0.03
#: So many rounds may be rejected, or as many as were accepted.
CAP = 10


@dataclass
class Snapshot:
    """Counters of the machine and of this process with its children, in seconds."""

    busy: float
    idle: float
    stolen: float
    own: float
    throttled: int


def now():
    """A snapshot, or None where the system does not say."""
    times = context.cpu_time()
    if times is None:
        return None
    tick = os.sysconf("SC_CLK_TCK")
    used = [resource.getrusage(who) for who in
            (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    throttled = context.throttled()
    return Snapshot(times["busy"] / tick, times["idle"] / tick, times["steal"] / tick,
                    sum(one.ru_utime + one.ru_stime for one in used),
                    throttled if isinstance(throttled, int) else 0)


def disturbance(before, after):
    """(kind, words) of what disturbed the time between, or None."""
    if before is None or after is None:
        return None
    foreign = (after.busy - before.busy) - (after.own - before.own)
    stolen = after.stolen - before.stolen
    whole = max(1e-9, foreign + (after.own - before.own) + stolen
                + after.idle - before.idle)
    if after.throttled > before.throttled:
        return "throttled", "a CPU quota stopped us"
    if stolen > max(STOLEN_SECONDS, STOLEN * whole):
        return "steal", "%.1f %% of the CPUs were stolen" % (100 * stolen / whole)
    if foreign > max(FOREIGN_SECONDS, FOREIGN * whole):
        return "foreign", "others used %.1f %% of the CPUs" % (100 * foreign / whole)
    return None


def too_many(rejected, accepted):
    return rejected > max(CAP, accepted)

"""The environment of a run, item by item: `ok`, `warn` or `unknown`.

Everything here follows from the context alone, so that a stored run, the one that has
just ended and the machine as it is now are judged by the same rules. What the context
does not know is `unknown`, never `ok`.
"""

from typing import NamedTuple

from .stats import three_digits

OK, WARN, UNKNOWN = "ok", "warn", "unknown"

#: Shares above which what others did is worth a warning: of the busy time that the
#: hypervisor kept, and of all CPU time that went to other processes.
STEAL_MOST, FOREIGN_MOST = 0.02, 0.02
#: How much longer the same work may take than at other times; a tenth of the samples
#: to either side is not looked at.
SPEED_MOST = 1.1
#: Load per CPU before the run.
LOAD_MOST = 0.5


class Item(NamedTuple):
    name: str
    value: str
    state: str
    why: str  #: what is wrong with it, or why it is not known; "" where ok


def items(context):
    """All items, the machine first, then the build, then what happened meanwhile."""
    return [judged(name, *rule(context)) for name, rule in RULES]


def as_data(context):
    """The same for results."""
    return [item._asdict() for item in items(context)]


def counts(found):
    """"12 ok, 3 warn, 4 unknown"."""
    return ", ".join("%d %s" % (sum(item.state == state for item in found), state)
                     for state in (OK, WARN, UNKNOWN))


def judged(name, value, good, why=""):
    """`good` is True, False, or None for what nobody knows."""
    if is_unknown(value):
        return Item(name, UNKNOWN, UNKNOWN, why if good is None else "")
    state = UNKNOWN if good is None else OK if good else WARN
    return Item(name, text(value), state, "" if state == OK else why)


def is_unknown(value):
    return value in (None, "", UNKNOWN)


def text(value):
    return three_digits(value) if isinstance(value, float) else str(value)


def plain(key):
    """What is only told: ok when it is known."""
    return lambda context: (context.get(key), True)


def percent(share):
    return "%s %%" % three_digits(100 * share)


def number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def cpus(context):
    online, allowed = context.get("cpus_online"), context.get("cpus_allowed")
    if not number(online):
        return None, None
    if not number(allowed):
        return "%d online" % online, None, "how many of them are allowed is not known"
    return ("%d online, %d allowed" % (online, allowed), allowed >= 2,
            "on one CPU no two tasks run at once")


def topology(context):
    found = context.get("topology")
    if not isinstance(found, dict):
        return None, None
    smt = found.get("threads_per_core")
    return ("%s package%s, %s cores, %s threads per core, %s NUMA node%s" % (
        found.get("packages"), "s" * (found.get("packages") != 1), found.get("cores"),
        smt, found.get("nodes"), "s" * (found.get("nodes") != 1)),
        smt == 1 if number(smt) else None,
        "two threads of one core share it: where tasks land decides their speed")


def hypervisor(context):
    found = context.get("hypervisor")
    return found, found == "none", "a virtual machine: its neighbours are not seen"


def mitigations(context):
    """These slow down each change into the kernel, which is what a wake-up is."""
    found = context.get("mitigations")
    if not isinstance(found, dict) or not found:
        return None, None
    active = sorted(name for name, state in found.items()
                    if str(state).startswith("Mitigation"))
    exposed = sorted(name for name, state in found.items()
                     if str(state).startswith("Vulnerable"))
    words = ["against " + ", ".join(active) if active else "none active"]
    if exposed:
        words.append("vulnerable: " + ", ".join(exposed))
    return "; ".join(words), True


def governor(context):
    found = context.get("governor")
    return (found, found == "performance", "the clock follows the load") \
        if not is_unknown(found) else (None, None, hidden(context))


def turbo(context):
    found = context.get("turbo")
    if is_unknown(found):
        return None, None, hidden(context)
    return (found, found == "off",
            "the clock depends on how many CPUs are busy, and on heat")


def hidden(context):
    """Why frequencies are not known."""
    found = context.get("hypervisor")
    return ("the hypervisor does not say" if found not in ("none", None, UNKNOWN)
            else "the kernel does not say")


def aslr(context):
    """Each slice is a process: with it on, their layouts are a sample, without it one
    layout is measured again and again."""
    found = context.get("aslr")
    if is_unknown(found):
        return None, None
    return ({"0": "off", "1": "partly on", "2": "on"}.get(str(found), found),
            str(found) == "2", "all slices have one memory layout")


def quotas(context):
    """Of every level: any of them stops all below it."""
    levels = context.get("cpu_quotas")
    if isinstance(levels, list):
        limits = [level for level in levels if number(level.get("cpus"))]
        if not levels:
            return "no cgroup with CPU quotas in sight", None, \
                "a quota from outside the container cannot be seen"
        if not limits:
            return "none at %d level%s" % (len(levels), "s" * (len(levels) != 1)), True
        return ", ".join("%s CPUs at level %s" % (three_digits(float(level["cpus"])),
                                                  level.get("level"))
                         for level in limits), False, "the run is stopped when it is used up"
    if "cpu_quota" not in context:
        return None, None
    quota = context["cpu_quota"]
    if number(quota):
        return "%s CPUs" % three_digits(float(quota)), False, \
            "the run is stopped when it is used up"
    return ("none", True) if quota is None else (None, None)


def throttled(context):
    found = context.get("throttled")
    if not number(found):
        return None, None, "nothing counts it" if found == UNKNOWN else ""
    return "%d times" % found, found == 0, "a quota stopped the run"


def steal(context):
    found = context.get("steal")
    share = found.get("share_of_busy") if isinstance(found, dict) else None
    if not number(share):
        return None, None
    return ("%s of busy time" % percent(share), share <= STEAL_MOST,
            "the hypervisor ran others in our time")


def foreign(context):
    found = context.get("cpu_foreign")
    share = found.get("share") if isinstance(found, dict) else None
    if not number(share):
        return None, None
    return ("%s of all CPU time" % percent(share), share <= FOREIGN_MOST,
            "other processes ran beside the run")


def load(context):
    found, count = context.get("load_before"), context.get("cpus_online")
    if not isinstance(found, list) or not found or not number(count) or not count:
        return None, None
    return ("%s before" % three_digits(float(found[0])), found[0] <= LOAD_MOST * count,
            "something else was running")


def flags(context):
    found = context.get("flags")
    if is_unknown(found):
        return None, None
    return (found, any(flag in found.split() for flag in ("-O1", "-O2", "-O3", "-Os")),
            "not optimised")


def build(context):
    found = context.get("build_type")
    return found, found in ("Release", "RelWithDebInfo"), "not a release build"


def sanitize(context):
    """Only an answer that says so is a no."""
    found = context.get("sanitize")
    if found is None or found == UNKNOWN:
        return None, None
    return found or "none", not found, "it costs several times the channel"


def commit(context):
    return (context.get("git") or {}).get("commit"), True


def tree(context):
    dirty = (context.get("git") or {}).get("dirty")
    if not isinstance(dirty, bool):
        return None, None
    return ("with changes" if dirty else "as committed", not dirty,
            "the commit does not say what was measured")


def speed(context):
    found = context.get("spin_ns")
    quick, slow = ((found.get("p10"), found.get("p90")) if isinstance(found, dict)
                   else (None, None))
    if not (number(quick) and number(slow) and quick > 0):
        return None, None, "nothing timed it"
    return ("the same work took %s to %s us" % (three_digits(quick / 1e3),
                                                three_digits(slow / 1e3)),
            slow <= SPEED_MOST * quick, "slower at times: other processes, or, if there "
            "were none, a throttled CPU or neighbours that cannot be seen")


def rejected(context):
    found = context.get("rejected")
    if not number(found):
        return None, None, "none was looked for"
    return "%d" % found, found == 0, "others had the CPUs while they were taken"


RULES = (
    ("CPU", plain("cpu")), ("CPUs", cpus), ("topology", topology),
    ("hypervisor", hypervisor), ("kernel", plain("kernel")),
    ("mitigations", mitigations), ("governor", governor), ("turbo", turbo),
    ("ASLR", aslr), ("CPU quota", quotas), ("system", plain("os")),
    ("libc", plain("libc")), ("compiler", plain("compiler")), ("flags", flags),
    ("build", build), ("sanitizers", sanitize), ("commit", commit),
    ("source tree", tree), ("seed", plain("seed")), ("load", load), ("steal", steal),
    ("foreign CPU", foreign), ("CPU speed", speed), ("throttled", throttled), ("rejected samples", rejected))

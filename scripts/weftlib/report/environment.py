"""The environment of a run, item by item: ok, warn, or unknown. What is not known is
never ok."""

from ..context import UNKNOWN
from ..stats import three_digits
from ..tables import quota_text

OK, WARN = "ok", "warn"
STATES = (OK, WARN, UNKNOWN)
STEAL_LIMIT, LOAD_LIMIT = 0.02, 0.5
DIRTY = {True: "with changes", False: "as committed"}


def items(context):
    """[(name, value, state, why)], as the run says it, else by what it recorded."""
    found = context.get("environment")
    if isinstance(found, list):
        return [stated(entry) for entry in found if isinstance(entry, dict)]
    return [(name, UNKNOWN if is_unknown(value) else text(value), state(value, good), why)
            for name, value, good, why in recorded(context)]


def stated(entry):
    """An item that the run has judged itself; a state that is none is unknown."""
    value = entry.get("value")
    word = entry.get("state")
    return (str(entry.get("name") or entry.get("item") or "?"),
            UNKNOWN if is_unknown(value) else text(value),
            word if word in STATES and not (word == OK and value == UNKNOWN) else UNKNOWN,
            str(entry.get("why") or entry.get("advice") or ""))


def is_unknown(value):
    return value in (None, "", UNKNOWN)


def text(value):
    if isinstance(value, float):
        return three_digits(value)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)


def state(value, good):
    if is_unknown(value):
        return UNKNOWN
    try:
        return OK if good(value) else WARN
    except (TypeError, ValueError):
        return UNKNOWN


def recorded(context):
    """(name, value, when it is good, why it may not be)."""
    def known(_):
        return True
    git = context.get("git") or {}
    quota = context.get("cpu_quota", UNKNOWN)
    return [
        ("CPU", context.get("cpu"), known, ""),
        ("CPUs", context.get("cpus_online"), lambda n: n >= 2,
         "one CPU runs no two tasks at once"),
        ("CPU quota", quota_text(context), lambda _: quota is None,
         "a quota stops the run now and then"),
        ("governor", context.get("governor"), lambda name: name == "performance",
         "the clock changes with the load"),
        ("hypervisor", context.get("hypervisor"), lambda name: name in ("none", "no"),
         "a virtual machine: neighbours are not seen"),
        ("CPU time stolen, % of busy", steal(context), lambda x: x < 100 * STEAL_LIMIT,
         "others ran in our time"),
        ("load before", first(context.get("load_before")),
         lambda x: x < LOAD_LIMIT, "something else was running"),
        ("kernel", context.get("kernel"), known, ""),
        ("system", context.get("os"), known, ""),
        ("libc", context.get("libc"), known, ""),
        ("compiler", context.get("compiler"), known, ""),
        ("flags", context.get("flags"), lambda flags: "-O" in flags and
         "-O0" not in flags, "not optimised"),
        ("build", context.get("build_type"), lambda name: name == "Release",
         "not a release build"),
        ("commit", git.get("commit"), known, ""),
        ("source tree", DIRTY.get(git.get("dirty"), UNKNOWN),
         lambda text: text == DIRTY[False], "the commit does not say what was measured"),
        ("seed", context.get("seed"), known, "")]


def steal(context):
    found = context.get("steal")
    return 100 * found["share_of_busy"] if isinstance(found, dict) else UNKNOWN


def first(values):
    return values[0] if isinstance(values, list) and values else UNKNOWN

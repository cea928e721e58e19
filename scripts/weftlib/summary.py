"""From raw slices to one entry per cell: summary.json.

Times are medians over the rounds of a cell, each of which has one figure
(figures.py), and rates follow from them; latency
percentiles are medians over the rounds that measured latency. A cell that failed its
check, hung or crashed has no numbers: a wrong channel has no speed.
"""

import os
import shlex
from pathlib import Path

from . import SCHEMA, Problem, figures, shape
from .binary import MEASURED, RESULT_FIELDS, VERDICTS
from .command import reason
from .files import loads
from .rundir import SAMPLES, read_samples
from .cells import REFERENCE
from .stats import describe, interval, inverse, median

PERCENTILES = ("p50", "p90", "p99", "p999", "max")
#: What is measured of a cell beside its runs, in some of the rounds.
COSTS = ("harness_ns_per_message", "bytes_per_channel", "idle_cpu_share")
#: The channel that shows what a run costs without one, and how many times as long a cell
#: has to take to say anything of its channel.
FLOOR, WELL_ABOVE = "null", 2
RATES = ("capacity_per_second", "offered_per_second", "achieved_per_second")


CONTEXT = shape.has(
    git=shape.has(commit=shape.text), started=shape.text,
    sweep=shape.maybe(shape.has(name=shape.maybe(shape.text))),
    cpus_allowed=shape.maybe(shape.number),
    peers=shape.maybe(shape.each(shape.has(
        name=shape.text, library=shape.maybe(shape.text),
        adapter=shape.maybe(shape.text)))))
RECORD = shape.has(**{**RESULT_FIELDS, "cell": shape.text, "pattern": shape.text,
                      "chan": shape.text, "knobs": shape.all_values(shape.knob),
                      "verdict": shape.one_of(VERDICTS)})
RATE = shape.has(median=shape.positive, min=shape.positive, max=shape.positive,
                 ci_low=shape.maybe(shape.positive),
                 ci_high=shape.maybe(shape.positive), n=shape.maybe(shape.count),
                 spread=shape.maybe(shape.number))
#: What else a reader uses of a cell. An older run lacks some of it, which is as if
#: nobody knew.
TOLD = {
    "messages_per_second": shape.maybe(RATE),
    "oversubscribed": shape.maybe(shape.flag), "command": shape.maybe(shape.text),
    "steady": shape.maybe(shape.flag), "near_floor": shape.maybe(shape.flag),
    "rejected": shape.maybe(shape.count), "disturbed": shape.maybe(shape.count),
    "modes": shape.maybe(shape.each(shape.has(messages_per_second=shape.positive,
                                              share=shape.number))),
    "ratio": shape.maybe(shape.has(to=shape.text, median=shape.positive,
                                   low=shape.maybe(shape.positive),
                                   high=shape.maybe(shape.positive))),
    **{key: RESULT_FIELDS[key] for key in (
        "why", "params", "tasks", "cpus", "latency_ns", "fairness", "peak_rss_bytes")},
    **{key: shape.maybe(shape.number) for key in (
        "cpu_seconds_per_million_messages", "voluntary_switches_per_message",
        "futex_calls_per_message", "parks_per_message", "wakes_per_message",
        "harness_ns_per_message", "bytes_per_channel", "idle_cpu_share")}}
SUMMARY = shape.has(
    schema=shape.count, context=CONTEXT,
    verdicts=shape.maybe(shape.all_values(shape.count)), cells=shape.each(shape.has(
        name=shape.text, pattern=shape.text, chan=shape.text,
        knobs=shape.all_values(shape.knob), verdict=shape.one_of(VERDICTS), **TOLD)))


def read(directory):
    """The summary of a run folder, from its raw samples if it has no other."""
    directory = Path(directory)
    for name in ("summary.json", SAMPLES):
        path = directory / name
        if not os.path.isfile(path):
            continue
        try:
            return read_raw(path) if name == SAMPLES else read_summary(path)
        except (OSError, ValueError) as error:
            raise Problem("cannot read '%s': %s" % (path, reason(error)))
    raise Problem("'%s' holds no run: neither summary.json nor %s"
                  % (directory, SAMPLES))


def read_raw(path):
    context, records = read_samples(path)
    CONTEXT(context, "the first line")
    shape.each(RECORD)(records, "lines")
    return build(context, records)


def read_summary(path):
    found = loads(path.read_bytes().decode("utf-8"))
    if isinstance(found, dict) and found.get("schema") != SCHEMA:
        raise Problem("'%s' has schema %s; this version reads %d"
                      % (path, found.get("schema"), SCHEMA))
    SUMMARY(found, "it")
    for cell in found["cells"]:
        for key in TOLD:
            cell.setdefault(key, None)
    return found


def build(context, records):
    """The whole summary: context, counts by verdict, one entry per cell."""
    groups = {}
    for entry in records:
        groups.setdefault(entry["cell"], []).append(entry)
    cells = [cell_summary(slices) for slices in groups.values()]
    compare(cells, groups)
    cells.sort(key=cell_order)
    counts = {verdict: sum(cell["verdict"] == verdict for cell in cells)
              for verdict in VERDICTS}
    return {"schema": SCHEMA, "context": context,
            "verdicts": {v: n for v, n in counts.items() if n}, "cells": cells}


def compare(cells, groups):
    """Adds what a cell is against others of the same run: `ratio`, its speed over that
    of the reference channel in the same rounds, and `floor`, the same cell over a
    channel that moves nothing."""
    places = {place(cell): cell for cell in cells}
    for cell in cells:
        reference, floor = (places.get(place(cell, chan)) for chan in (REFERENCE, FLOOR))
        cell["ratio"] = ratio(cell, reference, groups)
        if cell["ratio"]:
            cell["steady"] = figures.is_steady(groups[cell["name"]],
                                               groups[reference["name"]])
        cell["floor"] = floor_of(floor)
        cell["near_floor"] = is_near_floor(cell)


def place(cell, chan=None):
    """What a cell has in common with the same cell over another channel."""
    return (cell["pattern"], tuple(cell["knobs"].items()), cell.get("cpu"),
            chan or cell["chan"])


def ratio(cell, reference, groups):
    if (not reference or reference is cell
            or not (cell["ns_per_message"] and reference["ns_per_message"])):
        return None
    found = list(figures.ratios(*(groups[one["name"]] for one in (cell, reference))).values())
    if not found:
        return None
    low, high, level = interval(found)
    return {"to": reference["chan"], "n": len(found), "median": median(found),
            "low": low, "high": high, "level": level}


def floor_of(cell):
    if not cell or not cell["ns_per_message"]:
        return None
    return {"chan": cell["chan"], "ns_per_message": cell["ns_per_message"]["median"]}


def is_near_floor(cell):
    """Whether its time says more of what measures than of what is measured."""
    times, floor = cell["ns_per_message"], cell["floor"]
    if not times or cell["verdict"] == "FLOOR":
        return False
    if floor and times["median"] < WELL_ABOVE * floor["ns_per_message"]:
        return True
    return (cell["harness_share"] or 0) > 1 / WELL_ABOVE


def is_disturbed(entry):
    """Whether it was measured while others had the CPUs, and is used all the same."""
    return bool((entry.get("disturbed") or {}).get("why")) and not entry.get("rejected")


def by_value(values):
    """A sort key for knob values: numbers by value and before words."""
    return [(0, value, "") if isinstance(value, (int, float)) else (1, 0, value)
            for value in values]


def cell_order(cell):
    return (cell["pattern"], list(cell["knobs"]),
            by_value(cell["knobs"].values()), cell["chan"])


def cell_summary(slices):
    """One cell: its verdict is the worst of its slices, which are in order."""
    worst = max(slices, key=lambda entry: VERDICTS.index(entry["verdict"]))
    head = {key: worst.get(key) for key in
            ("pattern", "chan", "knobs", "params", "tasks", "cpus",
             "oversubscribed", "placement", "verdict", "why")}
    if worst.get("cpu") is not None:
        head["cpu"] = worst["cpu"]  # the only one it had
    cell = {"name": worst["cell"], **head, "slices": len(slices),
            "command": command(worst)}
    good = slices if worst["verdict"] in MEASURED else []
    times = describe([value for value in map(figures.figure, good) if value])
    cell.update(
        messages_per_second=inverse(times, 1e9), ns_per_message=times,
        rounds=len({entry.get("round") for entry in good if not entry.get("rejected")}),
        rejected=sum(map(figures.count_rejected, good)), disturbed=sum(map(is_disturbed, good)),
        steady=figures.is_steady(good), modes=told_modes(good), warmup=warmup(good),
        latency_ns=latency([entry["latency_ns"] for entry in good
                            if entry.get("latency_ns")]),
        cpu_seconds_per_million_messages=per_message(good, "cpu_seconds", 1e6),
        voluntary_switches_per_message=per_message(good, "voluntary_switches"),
        involuntary_switches_per_message=per_message(good, "involuntary_switches"),
        parks_per_message=per_message(good, "parks"),
        wakes_per_message=per_message(good, "wakes"),
        futex_calls_per_message=per_message(good, "futex_calls"),
        **{key: middle(entry.get(key) for entry in good) for key in COSTS},
        start_skew_ns=middle(s.get("start_skew_ns") for entry in good
                             for s in figures.usable_samples(entry)),
        peak_rss_bytes=max((entry.get("peak_rss_bytes") or 0 for entry in good),
                           default=0) or None,
        fairness=fairness([entry["fairness"] for entry in good
                           if entry.get("fairness")]))
    cell["harness_share"] = harness_share(cell)
    return cell


def told_modes(slices):
    found = figures.modes(slices)
    return found and [{"ns_per_message": mode["median"],
                       "messages_per_second": 1e9 / mode["median"],
                       "share": mode["share"], "n": mode["n"]} for mode in found]


def warmup(slices):
    """Whether all slices were warm when they were measured, and how many were."""
    known = [entry["warmup"] for entry in slices if entry.get("warmup")]
    if not known:
        return None
    reached = [bool(entry.get("reached")) for entry in known]
    return {"reached": all(reached), "share_reached": sum(reached) / len(reached),
            "runs": middle(entry.get("runs") for entry in known)}


def harness_share(cell):
    """Of the CPU time for a message, the part that makes, checks and counts it."""
    seconds, own = (cell["cpu_seconds_per_million_messages"],
                    cell["harness_ns_per_message"])
    if not seconds or own is None:
        return None
    return min(1.0, own / (seconds * 1e3))


def middle(values):
    """The median of what is known, or None."""
    known = [value for value in values if value is not None]
    return median(known) if known else None


def per_message(slices, key, scale=1):
    """The median over the rounds of what a message costs of something that the samples
    count."""
    values = [figures.cost(entry, key) for entry in slices]
    return middle(None if value is None else value * scale for value in values)


def latency(measured):
    """Percentiles as medians over the rounds; `max` is the largest of all.

    `kept_up` is false when the queue of any round outgrew its load: then these
    are the latencies of an overloaded queue, longer the longer it ran.
    """
    if not measured:
        return None
    result = {"kind": measured[0].get("kind"), "load": measured[0].get("load"),
              "arrivals": measured[0].get("arrivals"),
              "rounds": len(measured),
              "count": sum(entry.get("count") or 0 for entry in measured)}
    known = [entry["kept_up"] for entry in measured
             if entry.get("kept_up") is not None]
    result["kept_up"] = all(known) if known else None
    for key in RATES + PERCENTILES:
        result[key] = middle(entry.get(key) for entry in measured)
    result["max"] = max((entry["max"] for entry in measured
                         if entry.get("max") is not None), default=None)
    return result


def fairness(measured):
    if not measured:
        return None
    return {key: middle(entry.get(key) for entry in measured)
            for key in ("jain", "least_share", "longest_gap_ns")}


def command(entry):
    """How to run this cell alone; a user's own channel needs --load instead."""
    words = ["taskset", "-c", str(entry["cpu"])] if "cpu" in entry else []
    words += [entry.get("binary", "weft"), "run", entry["pattern"],
              "--chan=" + entry["chan"]]
    words += ["--%s=%s" % knob for knob in entry["knobs"].items()]
    items = (entry.get("params") or {}).get("items")
    if items and "items" not in entry["knobs"]:
        words.append("--items=%d" % items)
    if entry.get("seed") is not None:
        words.append("--seed=%s" % entry["seed"])
    return shlex.join(words)

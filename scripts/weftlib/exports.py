"""A run in the formats of other tools: one function each, from the run as it was read.

A cell that is impossible (N/A) or went wrong has no number. Where a format has no word
for that, the cell is left out; results.json and CSV have all of them.
"""

import csv
import io
import re

from . import environment, figures, gbench, shown
from .binary import BAD
from .files import dumps
from .report.facts import is_measured

SCHEMA = 1
COSTS = ("cpu_seconds_per_million_messages", "voluntary_switches_per_message",
         "involuntary_switches_per_message", "parks_per_message", "wakes_per_message",
         "futex_calls_per_message", "peak_rss_bytes", "bytes_per_channel",
         "idle_cpu_share", "harness_ns_per_message")
#: What a cell of results.json has as the summary has it; null where a run has not.
HEAD = ("name", "pattern", "chan", "knobs", "params", "tasks", "cpus", "oversubscribed",
        "placement", "verdict", "why", "rounds", "disturbed", "steady", "modes", "ratio",
        "near_floor", "latency_ns", "fairness", "command")
QUANTITY = {"n": "n", "median": "median", "low": "ci_low", "high": "ci_high",
            "level": "ci_level", "min": "min", "max": "max", "spread": "spread"}
CSV_HEAD = ("name", "pattern", "chan", "verdict", "tasks", "oversubscribed", "rounds",
            "messages_per_second", "messages_per_second_low", "messages_per_second_high",
            "ns_per_message", "ns_per_message_low", "ns_per_message_high", "ratio_to_condvar",
            "p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns", "kept_up", *COSTS, "jain",
            "least_share")


def results(run):
    """results.json: everything, with a documented shape."""
    info = {key: value for key, value in run.context.items() if key != "environment"}
    return dumps({"schema": SCHEMA, "context": info,
                  "environment": environment.as_data(run.context),
                  "cells": [result(run, cell) for cell in run.cells]}, indent=1) + "\n"


def result(run, cell):
    return {**{key: cell.get(key) for key in HEAD},
            "messages_per_second": quantity(cell["messages_per_second"]),
            "ns_per_message": quantity(cell.get("ns_per_message")),
            "cost": {key: cell.get(key) for key in COSTS},
            "samples": [{"round": record.get("round"), "ns": sample["ns"],
                         "messages": sample["messages"]} for record in rounds(run, cell)
                        for sample in figures.usable_samples(record)],
            "rejected_samples": [
                {"round": record.get("round"), "ns": sample["ns"],
                 "messages": sample["messages"], "why": why}
                for record, why in run.rejected(cell)
                for sample in figures.usable_samples(record)]}


def quantity(found):
    return found and {key: found.get(source) for key, source in QUANTITY.items()}


def rounds(run, cell):
    """Its slices with a figure, in the order they were taken."""
    return [record for record in run.records.get(cell["name"], [])
            if figures.figure(record)]


def google_benchmark(run):
    records = [record for slices in run.records.values() for record in slices]
    return dumps(gbench.build(run.summary, records, shown("weft")), indent=1) + "\n"


def bigger(run):
    """github-action-benchmark's customBiggerIsBetter."""
    return custom(run, "messages_per_second", "messages/s")


def smaller(run):
    """Its customSmallerIsBetter."""
    return custom(run, "ns_per_message", "ns/message")


def custom(run, key, unit):
    return dumps([{"name": cell["name"], "unit": unit, "value": cell[key]["median"],
                   "range": half_range(cell[key]),
                   "extra": "%d rounds\n%s" % (cell[key]["n"], cell.get("command") or "")}
                  for cell in run.cells if is_measured(cell)], indent=1) + "\n"


def half_range(found):
    """As its readers show it: plus or minus half of what the middle half of the rounds
    spans."""
    return "\u00b1 %.4g" % (found["spread"] * found["median"])


def bencher(run):
    """Bencher Metric Format."""
    return dumps({cell["name"]: metrics(cell) for cell in run.cells if is_measured(cell)},
                 indent=1) + "\n"


def metrics(cell):
    """`latency` is its word for the time that one takes."""
    found = {"throughput": metric(cell["messages_per_second"]),
             "latency": metric(cell["ns_per_message"])}
    for key in ("p50", "p99", "p999"):
        value = (cell.get("latency_ns") or {}).get(key)
        if value is not None:
            found["sojourn-" + key] = {"value": value}
    return found


def metric(found):
    bounds = {"lower_value": found.get("ci_low"), "upper_value": found.get("ci_high")}
    return {"value": found["median"],
            **{key: value for key, value in bounds.items() if value is not None}}


def go(run):
    """Go's benchmark text, a line for each round, so that benchstat sees the spread."""
    info = run.context
    lines = ["goos: linux", "pkg: weft", "cpu: %s" % one_line(info.get("cpu")),
             "commit: %s" % info["git"]["commit"]]
    for cell in run.cells:
        name = go_name(cell)
        if cell["verdict"] in BAD:
            lines.append("--- FAIL: " + name)
        if not is_measured(cell):
            continue
        for record in rounds(run, cell):
            time, cpu = figures.figure(record), figures.cost(record, "cpu_seconds")
            words = [name, "%d" % figures.messages(record), "%.6g ns/op" % time,
                     "%.6g msg/s" % (1e9 / time)]
            if cpu is not None:
                words.append("%.6g cpu-ns/op" % (1e9 * cpu))
            lines.append("\t".join(words))
    return "\n".join(lines) + "\n"


def go_name(cell):
    """BenchmarkProducerConsumer/chan=ring/cap=64-2: benchstat can group by the keys. The
    number is that of the CPUs, as in Go."""
    camel = "".join(word[:1].upper() + word[1:] for word in cell["pattern"].split("_"))
    parts = ["Benchmark" + camel, "chan=" + cell["chan"]]
    parts += ["%s=%s" % knob for knob in cell["knobs"].items()]
    name = "/".join(re.sub(r"[\s/]", "_", part) for part in parts)
    return name + ("-%d" % cell["cpus"] if cell.get("cpus") else "")


def one_line(text):
    return re.sub(r"\s+", " ", str(text))


def comma_separated(run):
    """A line for each cell, whatever became of it; all knobs have a column."""
    knobs = list(dict.fromkeys(key for cell in run.cells for key in cell["knobs"]))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*CSV_HEAD, *("knob_" + key for key in knobs)])
    for cell in run.cells:
        found = columns(cell)
        writer.writerow([found.get(key) for key in CSV_HEAD]
                        + [cell["knobs"].get(key) for key in knobs])
    return out.getvalue()


def columns(cell):
    found = {key: cell.get(key) for key in ("name", "pattern", "chan", "verdict", "tasks",
                                            "oversubscribed", "rounds", *COSTS)}
    for key in ("messages_per_second", "ns_per_message"):
        value = cell.get(key) or {}
        found.update({key: value.get("median"), key + "_low": value.get("ci_low"),
                      key + "_high": value.get("ci_high")})
    latency = cell.get("latency_ns") or {}
    found.update({key + "_ns": latency.get(key) for key in ("p50", "p90", "p99", "p999",
                                                            "max")})
    found.update(kept_up=latency.get("kept_up"),
                 ratio_to_condvar=(cell.get("ratio") or {}).get("median"),
                 **{key: (cell.get("fairness") or {}).get(key)
                    for key in ("jain", "least_share")})
    return found


#: By the word for each.
FORMATS = {"results": results, "google-benchmark": google_benchmark,
           "customBiggerIsBetter": bigger, "customSmallerIsBetter": smaller,
           "bmf": bencher, "go": go, "csv": comma_separated}
#: What every sweep writes.
FILES = {"results.json": results, "results.csv": comma_separated}

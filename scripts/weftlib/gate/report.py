"""What a gate says: to the terminal, to a pull request, to a program."""

from math import expm1, isfinite

from ..stats import duration, three_digits
from ..tables import Table, escape, render_markdown
from .exact import COUNTS
from .trial import OK
from .verdict import EQUIVALENT

SCHEMA = 1


def percent(logarithm):
    """+15.2 %; a bound that is none is a dash."""
    return "%+.1f %%" % (100 * expm1(logarithm)) if isfinite(logarithm) else "-"


def row(one, outcome):
    again = outcome.confirmed.get(one.cell)
    return [one.verdict, one.cell, percent(one.effect),
            "%s to %s" % (percent(one.low), percent(one.high)),
            "%.1f %%" % (100 * one.threshold) if isfinite(one.threshold) else "-",
            "%s to %s" % (three_digits(one.base_ns), three_digits(one.head_ns)),
            one.agreement(), percent(again.effect) if again else "-", one.why]


HEADER = ["verdict", "cell", "change", "interval", "threshold", "ns", "pairs",
          "fresh rounds", ""]


def changed(outcome):
    """Those cells alone that are not as they were."""
    return Table("cells that changed", HEADER, [
        row(one, outcome) for one in outcome.findings
        if one.verdict != EQUIVALENT and (one.verdict != "INCONCLUSIVE"
                                          or one.cell in outcome.confirmed)], 2)


def everything(outcome):
    return Table("all cells", HEADER, [row(one, outcome) for one in outcome.findings], 2)


def counted(info):
    """What the exact gates saw: instructions of both sides, and calls of the head."""
    calls, executed = info.get("calls") or {}, info.get("instructions") or {}
    rows = []
    for path in sorted({*calls, *executed}):
        base, head = executed.get(path, (None, None))
        rows.append([path] + (["-", "-", "-"] if head is None else [
            "%.1f" % base, "%.1f" % head, "%+.2f %%" % (100 * (head / base - 1))]) + [
            "%g" % calls.get(path, {}).get(key, 0) for key in COUNTS])
    return Table("fast paths", ["path", "instructions per operation, base", "head", "change"] + [
        key.replace("_", " ") for key in COUNTS], rows, 1)


def lines(outcome):
    """What else there is to say, a line each."""
    said = ["FAILED: " + line for line in outcome.failures]
    said += ["not executed: " + line for line in outcome.missing]
    said += ["exact: " + line for line in outcome.exact]
    said += ["not looked at: " + line for line in outcome.unseen]
    return said


def executed(outcome):
    counts = ["%d %s" % (number, verdict) for verdict, number in outcome.counts().items()
              if number]
    return "%d of %d cells executed%s" % (outcome.executed, outcome.expected,
                                          ": " + ", ".join(counts) if counts else "")


def rounds(info):
    rejected = info["rejected"]
    why = ", ".join("%d %s" % (number, kind) for kind, number in sorted(rejected.items()))
    return "%d rounds accepted, %d rejected%s; it took %s" % (
        info["accepted"], sum(rejected.values()), " (%s)" % why if why else "",
        duration(info["seconds"]))


def headline(outcome):
    _, word, why = outcome.conclude()
    return "gate: %s: %s" % (word, why)


def terminal(outcome, info):
    """The changed cells, a line each with what belongs to it below, and the verdict."""
    said = []
    for found in changed(outcome).rows:
        verdict, cell, change, interval, threshold, ns, pairs, fresh, why = found
        said.append("%-12s %s" % (verdict, cell))
        said.append("    %s (%s), threshold %s, %s ns; %s; fresh rounds %s%s" % (
            change, interval, threshold, ns, pairs, fresh, "; " + why if why else ""))
    said += lines(outcome)
    said += ["%s; %s" % (executed(outcome), rounds(info)), headline(outcome)]
    return "\n".join(said)


def markdown(outcome, info, picture=None):
    status, word, why = outcome.conclude()
    parts = ["## Performance gate: %s" % word, escape(why), "%s; %s. Base `%s`, head `%s`, "
             "seed %d." % (executed(outcome), rounds(info), info["base"], info["head"],
                           info["seed"])]
    parts += ["\n".join("- " + escape(line) for line in lines(outcome))]
    table = changed(outcome)
    if table.rows:
        parts.append(render_markdown(table))
    if outcome.findings:
        parts.append("<details><summary>All cells</summary>\n\n%s\n\n</details>"
                     % render_markdown(everything(outcome)))
    if counted(info).rows:
        parts.append("<details><summary>Fast paths, counted exactly</summary>\n\n%s\n\n"
                     "</details>" % render_markdown(counted(info)))
    if picture:
        parts.append("![the ratios of all cells](%s)" % picture)
    parts.append("Measured on %s, %s CPUs, exit status %d." % (
        escape(str(info["cpu"])), info["cpus"], status))
    return "\n\n".join(part for part in parts if part) + "\n"


def finite(value):
    return value if not isinstance(value, float) or isfinite(value) else None


def as_data(outcome, info):
    """gate.json: effects and bounds are shares, 0.15 for 15 % slower."""
    status, word, why = outcome.conclude()
    return {"schema": SCHEMA, "verdict": word, "why": why, "exit_status": status,
            "ok": word == OK, "executed": outcome.executed, "expected": outcome.expected,
            "strict": outcome.strict, **info, "counts": outcome.counts(),
            "failures": outcome.failures, "missing": outcome.missing,
            "exact": outcome.exact, "unseen": outcome.unseen,
            "cells": [cell_data(one, outcome) for one in outcome.findings]}


def cell_data(one, outcome):
    again = outcome.confirmed.get(one.cell)
    return {**finding_data(one), "fresh": finding_data(again) if again else None}


def finding_data(one):
    shares = {key: finite(expm1(getattr(one, key))) if isfinite(getattr(one, key)) else None
              for key in ("effect", "low", "high", "control", "control_low", "control_high")}
    return {"cell": one.cell, "verdict": one.verdict, "why": one.why,
            "rounds": one.rounds, "agree": one.agree, "base_ns": one.base_ns,
            "head_ns": one.head_ns, **shares, "level": one.level,
            "threshold": finite(one.threshold), "control_flags": one.control_flags}

#!/usr/bin/env python3
"""Draws the pictures of a measured run with gnuplot.

    scripts/plot.py RESULT_DIR [--out DIR]

Per pattern: throughput against the number of tasks, and latency percentiles,
one panel per capacity (and per value of whatever else varies), one line per
channel; each as SVG and PNG.
"""

import math
import os
import sys
from dataclasses import dataclass

# Python itself does this, unless it is told not to (-P, PYTHONSAFEPATH).
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from weftlib import Problem, command, gnuplot, summary as summaries
from weftlib.binary import BAD, MEASURED
from weftlib.command import output
from weftlib.gnuplot import quote
from weftlib.sheet import Sheet
from weftlib.summary import by_value
from weftlib.tables import (by_pattern, is_saturated, knob, latency_kinds,
                            varying)

NAME = "plot.py"
#: Knobs that set the number of tasks make the axis, the other ones panels. A
#: line must not join different shapes (many to one, one to many), so the shape
#: makes panels too; where one number of tasks still has several points, fewer
#: knobs make the axis.
SHAPE = "producers:consumers"
AXES = (("workers", "producers", "consumers", "pairs"), ("workers", "pairs", SHAPE),
        (SHAPE,))
PANELS_PER_SHEET = 9
LOG_FROM = 20  # a range above this factor gets a logarithmic axis
NOTE_WIDTH = 0.146  # characters per pixel of the notes' font
NOTE_LINES = 3
NAMED_CELLS = 3  # failed cells of one channel that a note names one by one
PERCENTILES = (("p50", "p50"), ("p90", "p90"), ("p99", "p99"),
               ("p999", "p99.9"), ("max", "max"))

@dataclass
class Chart:
    """What one kind of picture says and how its lines are made."""

    title: str
    note: str
    frame: list  #: gnuplot lines that hold for every panel
    x: str
    y: str
    series: object  #: function (cells, chan, style) -> (kind, rows, dash)
    tasks_in_titles: bool = False


def draw_run(directory, out=None):
    """Draws every picture of the run; returns the file names, sorted."""
    summary = summaries.read(directory)
    out = out or directory
    try:
        os.makedirs(out, exist_ok=True)
    except OSError as error:
        raise Problem("cannot write '%s': %s" % (out, error.strerror))
    written = []
    for pattern, cells in by_pattern(summary).items():
        for draw in (draw_throughput, draw_latency):
            written += draw(out, summary["context"], pattern, cells)
    return sorted(written)


def panels_of(cells):
    """[(title, cells)]: one panel per combination of what is not the axis."""
    moving, _ = varying(cells)
    for axis in AXES:
        keys = [key for key in moving if key not in axis]
        if SHAPE not in axis and len({shape(cell) for cell in cells}) > 1:
            keys.append(SHAPE)
        keys = keys or (["cap"] if knob(cells[0], "cap") != "-" else [])
        groups = {}
        for cell in cells:
            value = tuple(shape(cell) if key == SHAPE else knob(cell, key)
                          for key in keys)
            groups.setdefault(value, []).append(cell)
        if all(one_point_per_task_count(group) for group in groups.values()):
            break
    return [(panel_title(keys, value), groups[value])
            for value in sorted(groups, key=by_value)]


def shape(cell):
    """`N:N`, `N:1`, `1:N` or `4:2`: the two sides of a cell that has two."""
    sides = knob(cell, "producers"), knob(cell, "consumers")
    if not all(isinstance(side, int) for side in sides):
        return "-"
    if sides[0] == sides[1]:
        return "N:N"
    return "%s:%s" % ((sides[0], "N") if sides[0] == 1 else
                      ("N", sides[1]) if sides[1] == 1 else sides)


def one_point_per_task_count(cells):
    points = [(cell["chan"], cell["tasks"]) for cell in cells if cell["tasks"]]
    return len(set(points)) == len(points)


def panel_title(keys, values):
    """`cap 0 (rendezvous), payload 64`, or nothing for a single panel."""
    parts = []
    for key, value in zip(keys, values):
        meaning = " (rendezvous)" if key == "cap" and value == 0 else ""
        parts.append("%s %s%s" % (key, value, meaning))
    return ", ".join(parts)


def measured(cells):
    return [cell for cell in cells if cell["verdict"] in MEASURED
            and cell["messages_per_second"] and cell["tasks"]]


def error_bar(rate):
    """(low, high): the confidence interval if there is one, else the range."""
    if rate["ci_low"] is None:
        return rate["min"], rate["max"]
    return rate["ci_low"], rate["ci_high"]


def draw_throughput(out, context, pattern, cells):
    drawn = measured(cells)
    if not drawn:
        return []
    rates = [value / 1e6 for cell in drawn
             for value in error_bar(cell["messages_per_second"])]
    few = any(cell["messages_per_second"]["ci_low"] is None for cell in drawn)
    counts = sorted({cell["tasks"] for cell in drawn})
    return draw_sheets(out, "throughput-" + pattern, context, cells, drawn, Chart(
        title="%s: throughput" % pattern,
        note="Points: median over the rounds; bars: " + (
            "smallest and largest round." if few else
            "95 % confidence interval of the median."),
        frame=FRAME + y_throughput(rates) + x_tasks(counts)
        + shading(drawn, counts),
        x="tasks (threads)", y="million messages / s  (higher is better)",
        series=throughput_series))


def draw_latency(out, context, pattern, cells):
    """The smallest task count of each panel: where latency is the channel's."""
    drawn = []
    for _, group in panels_of(cells):
        group = [cell for cell in measured(group) if cell["latency_ns"]]
        least = min((cell["tasks"] for cell in group), default=0)
        drawn += [cell for cell in group if cell["tasks"] == least]
    values = [cell["latency_ns"][key] for cell in drawn for key, _ in PERCENTILES
              if cell["latency_ns"].get(key)]
    if not values:
        return []
    counts = {cell["tasks"] for cell in drawn}
    number = "the fewest" if len(counts) > 1 else max(counts)
    kinds = latency_kinds(drawn)
    saturated = any(is_saturated(cell) for cell in drawn)
    return draw_sheets(out, "latency-" + pattern, context, cells, drawn, Chart(
        title="%s: latency with %s tasks" % (pattern, number),
        note=kinds[:1].upper() + kinds[1:] + "; medians over the rounds, but max is the "
             "largest of all." + saturated * (
                 "  Dotted: saturated, the latency of an overloaded queue."),
        frame=FRAME + y_latency(values) + x_percentiles(),
        x="percentile of the messages", y="latency  (lower is better)",
        series=latency_series, tasks_in_titles=len(counts) > 1))


def draw_sheets(out, name, context, cells, drawn, chart):
    """One picture, or several numbered ones when there are many panels."""
    panels = panels_of(drawn)
    styles = gnuplot.styles({cell["chan"] for cell in drawn})
    style = {chan: styles[chan] for chan in sorted(styles)}
    written = []
    for start in range(0, len(panels), PANELS_PER_SHEET):
        number = start // PANELS_PER_SHEET
        script, size = sheet_script(
            context, panels[start:start + PANELS_PER_SHEET], style, cells, chart)
        file = name if number == 0 else "%s-%d" % (name, number + 1)
        written += gnuplot.draw(out, file, size, script)
    return written


def sheet_script(context, panels, style, cells, chart):
    """The gnuplot script of one picture, and its size."""
    subtitle = provenance(context)
    width = Sheet(len(panels), style, subtitle, []).width
    sheet = Sheet(len(panels), style, subtitle,
                  notes(cells, chart.note, int(width * NOTE_WIDTH)))
    partial = "PARTIAL: " if context.get("partial") else ""
    lines = sheet.begin(partial + chart.title) + chart.frame
    for index, (title, group) in enumerate(panels):
        lines += sheet.panel(index)
        if chart.tasks_in_titles:
            title += "%s%d tasks" % (title and ", ", group[0]["tasks"])
        lines.append("set title %s offset 0,-0.6" % quote(title))
        lines.append("set ylabel %s offset -0.5,0" % quote(
            chart.y if sheet.is_left(index) else ""))
        lines.append("set xlabel %s offset 0,0.3" % quote(
            chart.x if sheet.is_lowest(index) else ""))
        lines += panel_lines(group, style, chart.series)
    lines += sheet.end(["NaN with linespoints %s title %s" % (
        look(chan, style), quote(chan)) for chan in style])
    return "\n".join(lines), sheet.size


def provenance(context):
    """The machine, commit and day under the title."""
    git = context["git"]
    commit = git["commit"] + (" with changes" if git["dirty"] is True else "")
    parts = [str(context.get("cpu", "unknown CPU")),
             "%s CPUs" % context.get("cpus_online", "?"), "commit " + commit,
             "%s rounds" % context.get("rounds_done", "?"), context["started"][:10]]
    return "  ·  ".join(parts)


def notes(cells, text, width):
    """What the picture says in words: its bars, and what is missing from it."""
    groups = {}
    for cell in cells:
        groups.setdefault((cell["verdict"], cell["chan"]), []).append(cell)
    missing, skipped = [], []
    for (verdict, chan), group in sorted(groups.items()):
        if verdict == "N/A":
            skipped.append((chan, len(group), sum(c["chan"] == chan for c in cells)))
        elif verdict in BAD and len(group) > NAMED_CELLS:
            missing.append("%s %s in %d cells" % (chan, verdict, len(group)))
        elif verdict in BAD:
            missing += ["%s\u00a0%s" % (short_name(cell), verdict) for cell in group]
    if missing:
        text += "  Not drawn: " + ", ".join(missing) + "."
    if skipped:
        text += "  N/A: " + ", ".join(
            "%s\u00a0in\u00a0%d\u00a0of\u00a0%d\u00a0cells" % one
            for one in skipped) + "."
    return wrap(text, width)


def short_name(cell):
    """The cell in words that stay on one line."""
    knobs = ["%s\u00a0%s" % knob for knob in cell["knobs"].items()]
    return "\u00a0".join([cell["chan"]] + knobs)


def wrap(text, width):
    """At most NOTE_LINES lines of `width` characters; the rest is in the table."""
    lines = [""]
    for word in text.split(" "):
        if len(lines[-1]) + 1 + len(word) > width and lines[-1]:
            lines.append("")
        lines[-1] = (lines[-1] + " " + word) if lines[-1] else word
    if len(lines) > NOTE_LINES:
        more = " ... (all in summary.md)"
        lines = lines[:NOTE_LINES]
        lines[-1] = lines[-1][:width - len(more)] + more
    return lines


DASHED, DOTTED = 2, 3


def look(chan, style, dash=None):
    colour, mark = style[chan]
    dash = dash or (DASHED if chan in ("null", "faa") else None)
    return "lc rgb '%s' pt %d ps 0.8 lw 1.6%s" % (
        colour, mark, " dt %d" % dash if dash else "")


def throughput_series(cells, chan, style):
    """(kind, rows, dash): medians with bars; an empty row interrupts the line where
    this channel has no number but others have.

    Channels stand a little apart: bars on top of each other cannot be read.
    """
    shift = 1 + 0.011 * (list(style).index(chan) - (len(style) - 1) / 2)
    own = {cell["tasks"]: cell["messages_per_second"] for cell in cells
           if cell["chan"] == chan}
    rows = []
    for count in sorted({cell["tasks"] for cell in cells}):
        rate = own.get(count)
        values = (rate["median"],) + error_bar(rate) if rate else ()
        rows.append([count * shift] + [v / 1e6 for v in values] if rate else [])
    return "yerrorlines", rows, None


def latency_series(cells, chan, _style):
    """(kind, rows, dash): one point per percentile of the channel's only cell."""
    rows, dash = [], None
    for cell in (cell for cell in cells if cell["chan"] == chan):
        dash = DOTTED if is_saturated(cell) else None
        for place, (key, _) in enumerate(PERCENTILES):
            if cell["latency_ns"].get(key) is not None:
                rows.append([place, max(1, cell["latency_ns"][key])])
    return "linespoints", rows, dash


def panel_lines(group, style, series):
    """The data of one panel and the plot command that draws it."""
    lines, plots = [], []
    for place, chan in enumerate(style):
        kind, rows, dash = series(group, chan, style)
        if not any(rows):
            continue
        lines.append("$d%d << EOD" % place)
        lines += [" ".join("%.6g" % value for value in row) for row in rows]
        lines.append("EOD")
        plots.append("$d%d with %s %s notitle"
                     % (place, kind, look(chan, style, dash)))
    return lines + ["plot " + ", ".join(plots)]


def y_throughput(rates):
    """Linear from 0, or logarithmic when channels lie far apart."""
    low, high = min(rates), max(rates)
    if high <= LOG_FROM * low:
        return ["set yrange [0:%g]" % (high * 1.14), "set format y '%g'"]
    ticks = [(m * 10.0**e, e) for e in range(-6, 6) for m in (1,)]
    labels = ["'%g' %g" % (value, value) for value, _ in ticks]
    return ["set logscale y", "set yrange [%g:%g]" % (low / 1.4, high * 2),
            "set ytics (%s)" % ", ".join(labels), "set mytics 10"]


def x_tasks(counts):
    """Doubling steps are as wide as each other; only what was run is a tick."""
    ticks, last = [], 0
    for count in counts:
        label = count if count >= last * 1.12 else ""
        last = count if label else last
        ticks.append("'%s' %d" % (label, count))
    return ["set logscale x 2", "set mxtics 1", "set xtics (%s)" % ", ".join(ticks),
            "set xrange [%g:%g]" % (counts[0] / 1.3, counts[-1] * 1.3)]


def shading(cells, counts):
    """Grey where there are more tasks than CPUs, and a word about it."""
    cpus = next((cell["cpus"] for cell in cells if cell.get("cpus")), 0)
    crowded = [count for count in counts if cpus and count > cpus]
    if not crowded:
        return ["unset object 1", "unset label 99"]
    calm = [count for count in counts if count <= cpus]
    edge = math.sqrt(crowded[0] * calm[-1]) if calm else counts[0] / 1.3
    return ["set object 1 rectangle from first %g, graph 0 to graph 1, graph 1 "
            "behind fillcolor rgb '#efefef' fillstyle solid noborder" % edge,
            "set label 99 'more tasks than CPUs (%d)' at graph 0.98, graph 0.95 "
            "right textcolor rgb '#777777'" % cpus]


def y_latency(values):
    """Decades with their units; a reader should not count zeros."""
    units = ((1, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s"))
    ticks = ["'%d %s' %g" % (digits, unit, digits * scale)
             for scale, unit in units for digits in (1, 10, 100)]
    return ["set logscale y", "set mytics 10", "set ytics (%s)" % ", ".join(ticks),
            "set yrange [%g:%g]" % (min(values) / 1.6, max(values) * 1.6)]


def x_percentiles():
    ticks = ["'%s' %d" % (label, place)
             for place, (_, label) in enumerate(PERCENTILES)]
    return ["set xrange [-0.3:%g]" % (len(PERCENTILES) - 0.7),
            "set xtics (%s)" % ", ".join(ticks)]


FRAME = ["set border 3 linecolor rgb '#444444'", "set tics nomirror out",
         "set grid ytics linetype 1 linecolor rgb '#d4d4d4' linewidth 0.5", "unset key"]


def main():
    parser = command.Parser(NAME, "Draws the pictures of a measured run.")
    parser.add_argument("run", metavar="RESULT_DIR", help="a folder in results/")
    parser.add_argument("--out", metavar="DIR",
                        help="where the pictures go (default: RESULT_DIR)")
    options = parser.parse_args()
    gnuplot.check()
    files = draw_run(options.run, options.out)
    for name in files:
        output.say(os.path.join(options.out or options.run, name))
    if not files:
        command.complain(NAME, "nothing to draw: no cell was measured")
    return 0


if __name__ == "__main__":
    command.run(NAME, main)

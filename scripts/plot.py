#!/usr/bin/env python3
"""Draws the pictures of a measured run with gnuplot.

    scripts/plot.py RESULT_DIR [--out DIR]

Per pattern: throughput against the number of tasks and by capacity, and latency
percentiles, one panel for each value of whatever else varies, one line per
channel; each as SVG and PNG. scripts/report.py has more of them.
"""

import os
import sys

# Python itself does this, unless it is told not to (-P, PYTHONSAFEPATH).
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from weftlib import charts, command, files, gnuplot, summary as summaries
from weftlib.command import output
from weftlib.gnuplot import quote
from weftlib.sheet import Sheet
from weftlib.tables import by_pattern

NAME = "plot.py"
PANELS_PER_SHEET = 9
NOTE_WIDTH = 0.146  # characters per pixel of the notes' font
NOTE_LINES = 3
#: The kinds of charts that are kept as pictures; the report has all.
PICTURES = ("throughput", "capacity", "latency")


def draw_run(directory, out=None):
    """Draws every picture of the run; returns the file names, sorted."""
    summary = summaries.read(directory)
    out = out or directory
    files.make_folder(out)
    written, names = [], {}
    for pattern, cells in by_pattern(summary).items():
        for chart in charts.of_pattern(pattern, cells):
            if chart.name.startswith(PICTURES):
                number = names[chart.name] = names.get(chart.name, 0) + 1
                chart.name += "-kind%d" % number if number > 1 else ""
                written += draw_sheets(out, summary["context"], chart)
    return sorted(written)


def draw_sheets(out, context, chart):
    """One picture, or several numbered ones when there are many panels."""
    written = []
    for start in range(0, len(chart.panels), PANELS_PER_SHEET):
        number = start // PANELS_PER_SHEET
        script, size = sheet_script(
            context, chart, chart.panels[start:start + PANELS_PER_SHEET])
        file = chart.name if number == 0 else "%s-%d" % (chart.name, number + 1)
        written += gnuplot.draw(out, file, size, script)
    return written


def sheet_script(context, chart, panels):
    """The gnuplot script of one picture, and its size."""
    subtitle = provenance(context)
    height = max(panel.height for panel in panels)
    width = Sheet(len(panels), chart.styles, subtitle, [], height).width
    sheet = Sheet(len(panels), chart.styles, subtitle,
                  wrap(charts.full_note(chart), int(width * NOTE_WIDTH)), height)
    partial = "PARTIAL: " if context.get("partial") else ""
    lines = sheet.begin(partial + chart.title)
    for index, panel in enumerate(panels):
        lines += sheet.panel(index) + panel.frame
        lines.append("set title %s offset 0,-0.6" % quote(panel.title))
        lines.append("set ylabel %s offset -0.5,0" % quote(
            panel.y if sheet.is_left(index) else ""))
        lines.append("set xlabel %s offset 0,0.3" % quote(
            panel.x if sheet.is_lowest(index) else ""))
        lines += panel.lines
    lines += sheet.end(["NaN with linespoints %s title %s" % (
        charts.look(style), quote(name)) for name, style in chart.styles.items()])
    return "\n".join(lines), sheet.size


def provenance(context):
    """The machine, commit and day under the title."""
    git = context["git"]
    commit = git["commit"] + (" with changes" if git["dirty"] is True else "")
    parts = [str(context.get("cpu", "unknown CPU")),
             "%s CPUs" % context.get("cpus_online", "?"), "commit " + commit,
             rounds_text(context), context["started"][:10]]
    return "  ·  ".join(parts)


def rounds_text(context):
    done, most = context.get("rounds_done", "?"), context.get("rounds_most") or 0
    if isinstance(done, int) and most > done:
        return "%d rounds, up to %d where needed" % (done, most)
    return "%s rounds" % done


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

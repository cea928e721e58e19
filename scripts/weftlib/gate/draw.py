"""The forest plot: each cell's ratio with its interval, and the control's in grey."""

from math import expm1, isfinite

from .. import gnuplot
from .verdict import EQUIVALENT, IMPROVED, INCONCLUSIVE, REGRESSED

NAME = "gate"
COLOURS = {REGRESSED: "#d55e00", IMPROVED: "#009e73", EQUIVALENT: "#0072b2",
           INCONCLUSIVE: "#999999"}
ROW, MARGIN = 22, 110


def share(logarithm, edge):
    """In per cent, and no further out than the edge of the picture."""
    value = 100 * expm1(logarithm) if isfinite(logarithm) else edge * (
        1 if logarithm > 0 else -1)
    return max(-edge, min(edge, value))


def edge_of(findings):
    """As far as the farthest bound that is one, from 10 to 100 per cent."""
    bounds = [abs(100 * expm1(value)) for one in findings
              for value in (one.low, one.high, one.control_low, one.control_high)
              if isfinite(value)]
    bounds += [120 * one.threshold for one in findings if isfinite(one.threshold)]
    return min(100.0, max([10.0] + bounds) * 1.05)


def script(findings):
    edge = edge_of(findings)
    order = sorted(findings, key=lambda one: one.effect)
    plots, blocks = [], []
    tics = ", ".join("%s %d" % (gnuplot.quote(one.cell), place)
                     for place, one in enumerate(order))
    blocks.append("$threshold << EOD\n%s\nEOD" % "\n".join(
        "%g %g %d" % (0, min(edge, 100 * one.threshold), place)
        for place, one in enumerate(order)))
    plots.append("$threshold using 1:3:($1-$2):($1+$2):($3-0.45):($3+0.45) with boxxyerror "
                 "lc rgb '#eeeeee' fs solid noborder title 'within the threshold'")
    blocks.append(block("control", [(one.control, one.control_low, one.control_high, place)
                                    for place, one in enumerate(order)], edge, -0.22))
    plots.append("$control using 1:4:2:3 with xerrorbars lc rgb '#bbbbbb' pt 7 ps 0.4 "
                 "title 'control: the same code'")
    for verdict, colour in COLOURS.items():
        rows = [(one.effect, one.low, one.high, place)
                for place, one in enumerate(order) if one.verdict == verdict]
        if rows:
            blocks.append(block(verdict, rows, edge, 0.12))
            plots.append("$%s using 1:4:2:3 with xerrorbars lc rgb '%s' pt 7 ps 0.8 "
                         "title '%s'" % (verdict, colour, verdict))
    return "\n".join(blocks + [
        "set ytics (%s)" % tics, "set yrange [-0.6:%g]" % (len(order) - 0.4),
        "set xrange [-%g:%g]" % (edge, edge), "set grid x lc rgb '#dddddd'",
        "set xlabel 'time per message, head against base, in per cent (right: slower)'",
        "set key outside top center horizontal", "set style line 1 lc rgb '#000000'",
        "set arrow from 0, graph 0 to 0, graph 1 nohead lc rgb '#888888'",
        "plot " + ", \\\n  ".join(plots)])


def block(name, rows, edge, shift):
    return "$%s << EOD\n%s\nEOD" % (name, "\n".join(
        "%g %g %g %g" % (share(mid, edge), share(low, edge), share(high, edge),
                         place + shift) for mid, low, high, place in rows))


def draw(directory, findings):
    """The names of the pictures."""
    return gnuplot.draw(directory, NAME, (1000, MARGIN + ROW * len(findings)),
                        script(findings))

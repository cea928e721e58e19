"""The power curve: how often the gate confirms a slowdown, by its size."""

from .. import gnuplot
from ..stats import binomial_interval

SIZE = (800, 420)
REAL, AGAIN = "#d55e00", "#0072b2"


def block(name, points):
    """Per cent slower, and in per cent: the share that was found and its interval."""
    lines = []
    for percent, hits, n in points:
        low, high = binomial_interval(hits, n)
        lines.append("%g %.2f %.2f %.2f %d" % (percent, 100 * hits / n, 100 * low,
                                               100 * high, n))
    return "$%s << EOD\n%s\nEOD" % (name, "\n".join(lines))


def script(points, again, replays):
    """`points` is power.curve's, `again` power.replayed's."""
    blocks, plots = [block("real", points)], []
    if again:
        blocks.append(block("again", [(percent, false if not percent else hit, replays)
                                      for percent, hit, false, _ in again]))
        plots.append("$again using 1:2 with linespoints lc rgb '%s' dt 2 pt 6 ps 0.6 "
                     "title 'resampled from the recorded rounds'" % AGAIN)
    plots += ["$real using 1:2:3:4 with yerrorbars lc rgb '%s' lw 2 pt 7 ps 1 "
              "title 'runs that were made, 95 %% interval'" % REAL,
              "$real using 1:(($3 + $4) / 2):(sprintf('%%d runs', $5)) with labels left "
              "offset 0.8,0 tc rgb '%s' notitle" % REAL]
    return "\n".join(blocks + [
        "set xlabel 'how much slower one cell is, in per cent (0: the same code)'",
        "set ylabel 'runs in which it is found and confirmed, in per cent'",
        "set xrange [-1.5:33]", "set yrange [-4:104]", "set ytics 20",
        "set xtics (0, 2, 5, 10, 15, 20, 25, 30)", "set grid lc rgb '#dddddd'",
        "set key bottom right", "plot " + ", \\\n  ".join(plots)])


def draw(points, again, replays):
    """The picture, as SVG."""
    terminal = gnuplot.TERMINALS["svg"].format(w=SIZE[0], h=SIZE[1], name="power")
    picture = gnuplot.run("set encoding utf8\nset terminal %s\n%s\nunset output\n"
                          % (terminal, script(points, again, replays)))
    return gnuplot.whole(picture, "svg", "power.svg")

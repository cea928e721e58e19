"""Charts as SVG inside a page: one gnuplot draws all, and the page's own colours
replace those of gnuplot, so that they follow a dark background."""

import re
from dataclasses import dataclass

from .. import Problem, gnuplot
from ..charts import DIM, GREY, GRID, SHADE, WRONG, look
from ..gnuplot import quote
from .html import esc

WIDTH = 420
LEFT, RIGHT, TOP, BOTTOM = 62, 12, 40, 30
TITLE_LENGTH = 58  #: of a line of it
STRIP_WIDTH, STRIP_HEIGHT = 300, 56
TERMINAL = ("set terminal svg noenhanced size %d,%d name 'w' font 'sans-serif,12' "
            "background '#ffffff'")
#: Colours of gnuplot's that are not a channel's, and the page's names for them.
INKS = {"#000000": "ink", GREY: "axis", GRID: "grid", SHADE: "shade", DIM: "dim",
        WRONG: "bad"}
COLOUR = re.compile(r"rgb\(\s*(\d+),\s*(\d+),\s*(\d+)\)")
SYMBOLS = re.compile(r"<(?:path|rect|circle|use)[^>]*id='gpPt\d+'[^>]*/>")
EMPTY = re.compile(r"<g\b[^>]*>\s*</g>\s*")
PLOT_TITLE = re.compile(r"<title>[^<]*</title>")
IDS = re.compile(r' id="[^"]*"')


@dataclass
class Picture:
    """A gnuplot script of its own, its size, and what it says to who cannot see it."""

    size: tuple
    lines: list
    title: str
    kind: str = "panel"


def panel_picture(panel, title):
    """One panel of a chart, standing alone. What its axes are, the page says: there is
    room for words."""
    height = panel.height + TOP + BOTTOM
    left = LEFT if panel.y else RIGHT

    def place(x, y):
        return x / WIDTH, 1 - y / height
    (l, t), (r, b) = place(left, TOP), place(WIDTH - RIGHT, TOP + panel.height)
    margins = ["set %smargin at screen %.5f" % side for side in
               (("l", l), ("r", r), ("t", t), ("b", b))]
    return Picture((WIDTH, height), margins + panel.frame + [
        "set title %s offset 0,-0.5" % folded(panel.title),
        "set xtics offset 0,0.3"] + panel.lines,
        ", ".join(part for part in (title, panel.title) if part))


def folded(title):
    """As gnuplot takes it: in two lines, where one is too short for it."""
    if len(title) <= TITLE_LENGTH:
        return quote(title)
    first, second = title[:TITLE_LENGTH], ""
    if ", " in first:
        first = first[:first.rindex(", ") + 1]
        second = title[len(first):].strip()
    lines = (gnuplot.plain(line)[:TITLE_LENGTH].replace("\\", "/").replace('"', "''")
             for line in (first, second))
    return '"%s"' % "\\n".join(lines)


def strip_picture(rounds, style, title):
    """Rounds in run order, from 0 to the largest."""
    rows = ["%d %.6g" % (place, value) for place, (_, value) in enumerate(rounds)]
    most = max(value for _, value in rounds)
    return Picture((STRIP_WIDTH, STRIP_HEIGHT), [
        "set lmargin 1", "set rmargin 1", "set tmargin 0.4", "set bmargin 0.4",
        "unset tics", "unset key", "set border 1 linecolor rgb '%s'" % GREY,
        "set xrange [-0.5:%g]" % (len(rounds) - 0.5), "set yrange [0:%g]" % (most * 1.1),
        "$d << EOD", *rows, "EOD", "plot $d with linespoints %s notitle" % look(style)],
        title, "strip")


def draw(pictures):
    """(the symbols that all share, [SVG of each]); gnuplot is run once."""
    if not pictures:
        return "", []
    script = ["set encoding utf8"]
    for picture in pictures:
        script += ["reset session", "set encoding utf8", TERMINAL % picture.size]
        script += picture.lines
    drawn = gnuplot.run("\n".join(script) + "\nunset output\n").decode("utf-8", "replace")
    parts = [part for part in drawn.split("</svg>") if "<svg" in part]
    if len(parts) != len(pictures):
        raise Problem("gnuplot drew %d of %d pictures" % (len(parts), len(pictures)))
    symbols = "".join(SYMBOLS.findall(parts[0])).replace("xlink:href", "href")
    return symbols, [inline(part, picture) for part, picture in zip(parts, pictures)]


def inline(svg, picture):
    """What stands between gnuplot's head and the end, as part of a page."""
    body = svg.partition("</defs>")[2]
    body = PLOT_TITLE.sub("", body).replace("xlink:href", "href")
    body = IDS.sub("", body)
    body = COLOUR.sub(ink, body).replace('color="black"', 'color="var(--ink)"')
    body = body.replace('fill="black"', 'fill="var(--ink)"')
    before = None
    while before != body:
        before, body = body, EMPTY.sub("", body)
    # The canvas was opened in the head that is gone.
    body = body.rstrip().removesuffix("</g>")
    return ('<svg class="%s" viewBox="0 0 %d %d" role="img" aria-label="%s">%s</svg>'
            % (picture.kind, *picture.size, esc(picture.title), shorter(body)))


def shorter(body):
    return re.sub(r"\s*\n\s*", "\n", body)


def ink(found):
    return "var(--%s)" % variable("#%02x%02x%02x" % tuple(map(int, found.groups())))


def variable(colour):
    """The page's name for a colour; of a channel's, its digits."""
    return INKS.get(colour) or "c" + colour[1:]

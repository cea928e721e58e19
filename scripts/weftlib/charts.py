"""What the pictures of a run show, and the lines with which gnuplot draws it.

A chart takes the form of what varies: a line over the number of tasks where that
varies, a row for each variant where only the variant does. A panel with a single
point would say less than the table and is not drawn. plot.py puts the panels of a
chart on one sheet, the report stands them side by side.
"""

import math
from dataclasses import dataclass, field

from . import gnuplot
from .binary import BAD, MEASURED
from .summary import by_value
from .tables import MARK, is_saturated, knob, latency_kinds, varying

#: Knobs that set the number of tasks make the axis, the other ones panels. A
#: line must not join different shapes (many to one, one to many), so the shape
#: makes panels too; where one number of tasks still has several points, fewer
#: knobs make the axis.
SHAPE = "producers:consumers"
TASKS = ("workers", "pairs", "beaters", "writers", "publishers", "subscribers",
         "submitters")
AXES = (TASKS + ("producers", "consumers", "depth"), TASKS + ("producers", "consumers"),
        TASKS + (SHAPE,), (SHAPE,))
#: Values that need no mention beside others.
ORDINARY = {"payload": (8,), "work": (0,), "prod_work": (0,), "batch": (1,),
            "variant": ("plain",), "pause": (0,), "placement": ("auto",),
            "arrivals": ("fixed",), "utilization": (50,)}
LOG_FROM = 20  # a range above this factor gets a logarithmic axis
PERCENTILES = (("p50", "p50"), ("p90", "p90"), ("p99", "p99"),
               ("p999", "p99.9"), ("max", "max"))
LOADS = ("arrivals", "utilization")
TWO_DECADES = 100
FEWEST_CAPS = 3  # of a curve over capacities
PANEL_H = 230
#: Characters of a row's title that fit over a panel.
ROW_TITLE_MOST = 48
#: Of a panel with rows: a line of text, and one for each of its points.
ROW_TEXT, ROW_POINT, ROWS_PER_PANEL = 20, 10, 14
DASHED, DOTTED = 2, 3
FAIR = 0.995  # Jain's index above which there is nothing to see
#: What stands in pictures in grey; the report has other colours in the dark.
GREY, GRID, SHADE, DIM = "#444444", "#d4d4d4", "#efefef", "#777777"
#: And in the colour of what went wrong.
WRONG = "#a01414"
FRAME = ["set border 3 linecolor rgb '%s'" % GREY, "set tics nomirror out",
         "set grid ytics linetype 1 linecolor rgb '%s' linewidth 0.5" % GRID,
         "unset key"]


@dataclass
class Metric:
    """One quantity of a cell: its middle and its interval."""

    name: str
    axis: str
    note: str
    value: object  #: function cell -> (middle, low, high), or None
    modes: object = None  #: function cell -> [(value, share)], where it has two
    highest: float = None  #: where the axis ends, if that is known beforehand
    only_log: bool = False


@dataclass
class Panel:
    title: str
    frame: list  #: gnuplot lines: axes and ranges
    lines: list  #: data and the plot command
    x: str
    y: str
    shows: list  #: labels of what is drawn
    height: int = PANEL_H


@dataclass
class Chart:
    """One picture: its panels, and how what they draw looks."""

    name: str
    title: str
    note: str
    panels: list
    styles: dict  #: {label: (colour, mark, dash)}
    cells: list = field(default_factory=list)  #: all it is about, undrawn ones too


def measured(cells):
    return [cell for cell in cells if cell["verdict"] in MEASURED
            and cell["messages_per_second"] and cell["tasks"]]


def error_bar(rate):
    """(low, high): the confidence interval if there is one, else the range."""
    if not has_interval(rate):
        return rate["min"], rate["max"]
    return rate["ci_low"], rate["ci_high"]


def has_interval(rate):
    return rate.get("ci_low") is not None and rate.get("ci_high") is not None


def rate(cell):
    found = cell["messages_per_second"]
    return found and tuple(v / 1e6 for v in (found["median"], *error_bar(found)))


def rate_modes(cell):
    return [(mode["messages_per_second"] / 1e6, mode["share"])
            for mode in cell.get("modes") or []]


def plain_value(key, inner=None):
    """The metric's function for a number without an interval."""
    def value(cell):
        found = cell.get(key)
        found = found.get(inner) if inner and found else found
        return None if found is None else (found, found, found)
    return value


THROUGHPUT = Metric("throughput", "million messages / s  (higher is better)", "",
                    rate, rate_modes)
CPU_COST = Metric("cost", "CPU s per million messages  (lower is better)",
                  "CPU time of all tasks together, medians.",
                  plain_value("cpu_seconds_per_million_messages"), only_log=True)
FAIRNESS = Metric("fairness", "Jain's index  (1 is fair)",
                  "1: every consumer got as much; 1/n: one of n got all.",
                  plain_value("fairness", "jain"), highest=1)


def shape(cell):
    """`N:N`, `N:1`, `1:N` or `4:2`: the two sides of a cell that has two."""
    sides = knob(cell, "producers"), knob(cell, "consumers")
    if not all(isinstance(side, int) for side in sides):
        return "-"
    if sides[0] == sides[1]:
        return "N:N"
    return "%s:%s" % ((sides[0], "N") if sides[0] == 1 else
                      ("N", sides[1]) if sides[1] == 1 else sides)


def value_of(cell, key):
    return shape(cell) if key == SHAPE else knob(cell, key)


def panels_of(cells):
    """[(keys, values, cells)]: one group per combination of what is not the axis."""
    moving, _ = varying(cells)
    for axis in AXES:
        keys = [key for key in moving if key not in axis]
        if SHAPE not in axis and len({shape(cell) for cell in cells}) > 1:
            keys.append(SHAPE)
        keys = keys or (["cap"] if knob(cells[0], "cap") != "-" else [])
        groups = grouped(cells, keys)
        if all(one_point_per_task_count(group) for group in groups.values()):
            break
    return [(keys, value, groups[value]) for value in sorted(groups, key=by_value)]


def grouped(cells, keys):
    groups = {}
    for cell in cells:
        groups.setdefault(tuple(value_of(cell, key) for key in keys), []).append(cell)
    return groups


def one_point_per_task_count(cells):
    points = [(cell["chan"], cell["tasks"]) for cell in cells if cell["tasks"]]
    return len(set(points)) == len(points)


def panel_title(keys, values):
    """`cap 0 (rendezvous), payload 64`, or nothing for a single panel. What a cell
    does not have is not named, and what is ordinary only where there is nothing else."""
    told = [(key, value) for key, value in zip(keys, values) if value != "-"]
    special = [(key, value) for key, value in told if value not in ORDINARY.get(key, ())]
    return ", ".join("%s %s%s" % (
        key, value, " (rendezvous)" if (key, value) == ("cap", 0) else "")
        for key, value in special or told)


def of_one_load(cells):
    """What differs only in how latency is measured has one throughput."""
    found = {}
    for cell in cells:
        rest = tuple(knob for knob in cell["knobs"].items() if knob[0] not in LOADS)
        found.setdefault((cell["chan"], rest), cell)
    return list(found.values())


def has_line(group):
    """Whether some channel has points at several numbers of tasks."""
    counts = {}
    for cell in group:
        counts.setdefault(cell["chan"], set()).add(cell["tasks"])
    return any(len(tasks) > 1 for tasks in counts.values())


def by_channel(cell):
    return cell["chan"]


def by_variant(cell):
    """No channel is called that, so no variant looks like one."""
    return "variant %s" % knob(cell, "variant")


def looks(cells, label):
    """{label: (colour, mark, dash)} of all that these cells are drawn as."""
    dashes = {label(cell): DASHED for cell in cells if cell["verdict"] == "FLOOR"}
    styles = gnuplot.styles({label(cell) for cell in cells})
    return {name: (*styles[name], dashes.get(name)) for name in sorted(styles)}


def by_tasks(pattern, cells, metric):
    """The chart of a metric over the number of tasks, or None if nothing varies."""
    drawn = [cell for cell in of_one_load(measured(cells)) if metric.value(cell)]
    if not drawn:
        return None
    lines, rows = [], []
    for group in panels_of(drawn):
        (lines if has_line(group[2]) else rows).append(group)
    lines = with_labels(lines)
    styles = {}
    for _, group, label in lines:
        styles.update(looks(group, label))
    panels = line_panels(lines, metric, cells)
    panels += row_panels(rows, metric, styles, cells)
    if not panels:
        return None
    crowded = any(group[0].get("oversubscribed") for _, _, group in rows)
    return Chart("%s-%s" % (metric.name, pattern), "%s: %s" % (pattern, metric.name),
                 note(drawn, metric) + crowded * ("  %s more tasks than CPUs." % MARK),
                 panels,
                 {name: styles[name] for name in sorted(styles)}, cells)


def with_labels(groups):
    """[(title, cells, label)]: panels of one channel that differ in nothing but the
    variant are one panel, whose lines are the variants."""
    alike, result = {}, []
    for keys, values, group in groups:
        chans = {cell["chan"] for cell in group}
        rest = tuple((k, v) for k, v in zip(keys, values) if k != "variant")
        key = (rest, *chans) if len(chans) == 1 and "variant" in keys else len(alike)
        alike.setdefault(key, []).append((keys, values, group))
    for key, same in alike.items():
        if len(same) == 1:
            keys, values, group = same[0]
            result.append((panel_title(keys, values), group, by_channel))
            continue
        rest, chan = key
        title = panel_title(*zip(*rest)) if rest else ""
        result.append((", ".join(part for part in (title, "over " + chan) if part),
                       [cell for _, _, group in same for cell in group], by_variant))
    return result


def note(cells, metric):
    """What the points and bars are."""
    if metric is not THROUGHPUT:
        return metric.note
    few = not all(has_interval(cell["messages_per_second"]) for cell in cells)
    text = "Points: median over the rounds; bars: " + (
        "smallest and largest round." if few else
        "95 % confidence interval of the median.")
    if any(metric.modes(cell) for cell in cells):
        text += "  Two marks joined by dots: two modes, each with its share."
    if any(cell.get("near_floor") for cell in cells):
        text += "  Ringed: not well above the floor, what the harness itself costs."
    return text


def line_panels(groups, metric, cells):
    """Panels over the number of tasks, all of one scale."""
    drawn = [cell for _, group, _ in groups for cell in group]
    if not drawn:
        return []
    values = spread(drawn, metric)
    counts = sorted({cell["tasks"] for cell in drawn})
    frame = FRAME + y_axis(values, metric) + x_tasks(counts) + shading(drawn, counts)
    panels = []
    for title, group, label in groups:
        styles = looks(group, label)
        lines, shows = [], []
        for place, name in enumerate(styles):
            own = [cell for cell in group if label(cell) == name]
            lines += series(place, own, group, metric, styles, name)
            shows.append(name)
        lines += marks(failed_near(group, cells), metric, values)
        panels.append(Panel(title, frame, plotted(lines), "tasks (threads)",
                            metric.axis, shows))
    return panels


def spread(cells, metric):
    """Every number that has to be inside the axis."""
    values = [value for cell in cells for value in metric.value(cell)]
    if metric.modes:
        values += [value for cell in cells for value, _ in metric.modes(cell)]
    return values


def plotted(lines):
    """Data blocks first, then one plot command of all; `lines` is pairs of both."""
    blocks = [line for data, _ in lines for line in data]
    return blocks + ["plot " + ", ".join(plot for _, plot in lines)]


def block(name, rows):
    """A data block; an empty row interrupts a line."""
    return ["$%s << EOD" % name] + [" ".join(map(text, row)) for row in rows] + ["EOD"]


def text(value):
    if isinstance(value, str):
        return '"%s"' % gnuplot.plain(value).replace("\\", "/").replace('"', "''")
    return "%.6g" % value


def look(style, dash=None):
    colour, mark, own = style
    dash = dash or own
    return "lc rgb '%s' pt %d ps 0.8 lw 1.6%s" % (
        colour, mark, " dt %d" % dash if dash else "")


def series(place, own, group, metric, styles, name):
    """[(data, plot)] of one line: middles with bars; an empty row interrupts it where
    it has no number but others have, and where it has two modes.

    Lines stand a little apart: bars on top of each other cannot be read.
    """
    shift = 1 + 0.011 * (place - (len(styles) - 1) / 2)
    own = {cell["tasks"]: cell for cell in own}
    rows, pairs, shares, near = [], [], [], []
    for count in sorted({cell["tasks"] for cell in group}):
        cell = own.get(count)
        modes = metric.modes(cell) if cell and metric.modes else []
        rows.append([count * shift, *metric.value(cell)] if cell and not modes else [])
        if rows[-1] and cell.get("near_floor") and metric is THROUGHPUT:
            near.append(rows[-1][:2])
        pairs += [[count * shift, value] for value, _ in modes] + [[]] * bool(modes)
        shares += [[count * shift, value, percent(share)] for value, share in modes]
    result = []
    if any(rows):
        result.append((block("d%d" % place, rows), "$d%d with %s %s notitle" % (
            place, "yerrorlines" if metric is THROUGHPUT else "linespoints",
            look(styles[name]))))
    if pairs:
        result += two_modes(place, pairs, shares, styles[name])
    if near:
        result.append((block("n%d" % place, near), "$n%d with points pt 6 ps 1.7 lw 1 "
                       "lc rgb '%s' notitle" % (place, DIM)))
    return result


def percent(share):
    return "%.0f %%" % (100 * share)


def two_modes(place, pairs, shares, style):
    """Two marks, what joins them, and the share of each beside it."""
    return [(block("m%d" % place, pairs), "$m%d with linespoints %s notitle"
             % (place, look(style, DOTTED))),
            (block("s%d" % place, shares), "$s%d with labels left offset 0.7,0 "
             "font ',9' textcolor rgb '%s' notitle" % (place, style[0]))]


def failed_near(group, cells):
    """Cells without numbers that belong into the panel of this group."""
    keys = [key for key in varying(cells)[0] if key not in AXES[0]]
    places = {tuple(value_of(cell, key) for key in keys) for cell in group}
    return [cell for cell in cells if cell["verdict"] in BAD and cell["tasks"] and
            tuple(value_of(cell, key) for key in keys) in places]


def marks(failed, metric, values):
    """[(data, plot)]: the names of what failed, where it would stand."""
    if not failed:
        return []
    return [(block("bad", failed_rows(failed, bottom(values, metric))),
             "$bad with labels rotate left offset 0.8,0.4 font ',10' textcolor rgb '%s' "
             "notitle" % WRONG)]


def failed_rows(failed, low):
    """Their names and verdicts, beside each other where they would stand."""
    rows, seen = [], {}
    for cell in failed:
        step = seen[cell["tasks"]] = seen.get(cell["tasks"], -1) + 1
        rows.append([cell["tasks"] * (1 + 0.08 * step), low,
                     "%s %s" % (cell["chan"], cell["verdict"])])
    return rows


def bottom(values, metric):
    """Just above the axis, see `y_axis`."""
    return min(values) / 1.36 if is_log(values, metric) else 0


def is_log(values, metric):
    low, high = min(values), max(values)
    return low > 0 and metric.highest is None and (
        metric.only_log or high > LOG_FROM * low)


def y_axis(values, metric):
    """Linear from 0, or logarithmic when values lie far apart."""
    if not is_log(values, metric):
        return ["unset logscale y", "set yrange [0:%g]" % (
            (metric.highest or max(values) or 1) * 1.14), "set format y '%g'",
            "set ytics autofreq", "set mytics default"]
    return ["set logscale y", "set yrange [%g:%g]" % (min(values) / 1.4,
                                                      max(values) * 2),
            "set ytics (%s)" % decades(values), "set mytics 10"]


def decades(values):
    ticks = [step * 10.0**e for e in range(-6, 7) for step in steps(values)]
    return ", ".join("'%g' %g" % (tick, tick) for tick in ticks)


def steps(values):
    """Where there are few decades, there are ticks within them too."""
    return (1, 2, 5) if max(values) < TWO_DECADES * min(values) else (1,)


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
        return NO_SHADING
    calm = [count for count in counts if count <= cpus]
    edge = math.sqrt(crowded[0] * calm[-1]) if calm else counts[0] / 1.3
    return ["set object 1 rectangle from first %g, graph 0 to graph 1, graph 1 "
            "behind fillcolor rgb '%s' fillstyle solid noborder" % (edge, SHADE),
            "set label 99 'more tasks than CPUs (%d)' at graph 0.98, graph 0.95 "
            "right textcolor rgb '%s'" % (cpus, DIM)]


NO_SHADING = ["unset object 1", "unset label 99"]


@dataclass
class Row:
    """One line of a panel with rows: a title and the cells that stand on it."""

    title: str
    cells: list

    @property
    def height(self):
        return ROW_TEXT + ROW_POINT * len(self.cells)


def row_panels(groups, metric, styles, cells):
    """Panels with a row for each group; `styles` learns what they draw. What of `cells`
    failed there is named in its title."""
    rows = [Row(row_title(*telling(keys, values, groups), group) + failed_words(
        group, cells), sorted(group, key=by_channel)) for keys, values, group in groups]
    if sum(len(row.cells) for row in rows) < 2:
        return []
    drawn = [cell for row in rows for cell in row.cells]
    styles.update(looks(drawn, by_channel))
    values = spread(drawn, metric)
    count = -(-len(rows) // ROWS_PER_PANEL)
    size = -(-len(rows) // count)
    parts = [rows[start:start + size] for start in range(0, len(rows), size)]
    return [row_panel(part, metric, values, styles) for part in parts]


def telling(keys, values, groups):
    """The keys and values of a row that are not the same in all rows; but one always."""
    told = [place for place, key in enumerate(keys)
            if len({row[place] for _, row, _ in groups}) > 1] or range(min(1, len(keys)))
    return [keys[place] for place in told], [values[place] for place in told]


def row_title(keys, values, group):
    """The row's knobs, and how many tasks it has."""
    crowded = MARK * bool(group[0].get("oversubscribed"))
    title = ", ".join(part for part in (
        panel_title(keys, values), counted_tasks(group[0]) + crowded) if part)
    # A longer one would run into the key; N:N says the same without its name.
    return title if len(title) <= ROW_TITLE_MOST else title.replace(SHAPE + " ", "")


def failed_words(group, cells):
    tasks = {cell["tasks"] for cell in group}
    return "".join("; %s %s" % (cell["chan"], cell["verdict"]) for cell in sorted(
        failed_near(group, cells), key=by_channel) if cell["tasks"] in tasks)


def counted_tasks(cell):
    return "%d task%s" % (cell["tasks"], "s" * (cell["tasks"] != 1))


def row_panel(rows, metric, values, styles):
    """Rows from the top, each below its title; y counts pixels from below."""
    height = sum(row.height for row in rows) + 8
    y, titles, points, shares = height - 4, [], {}, {"left": [], "right": []}
    for row in rows:
        titles.append([y - ROW_TEXT / 2, row.title])
        y -= ROW_TEXT
        for cell in row.cells:
            y -= ROW_POINT
            found = row_points(cell, metric)
            least = min(value[0] for value, _ in found)
            for value, share in found:
                points.setdefault(cell["chan"], []).append(
                    [value[0], y + ROW_POINT / 2, *value[1:]])
                if share:  # on the side where the other mode is not
                    shares["right" if value[0] == least else "left"].append(
                        [value[0], y + ROW_POINT / 2, share])
    low = x_start(values, metric)
    lines = [(block("titles", [[low, *title] for title in titles]),
              "$titles with labels left offset 0.3,0 notitle")]
    for place, (chan, some) in enumerate(sorted(points.items())):
        lines.append((block("d%d" % place, some), "$d%d with xerrorbars %s notitle" % (
            place, look(styles[chan]))))
    for align, some in shares.items():
        if some:
            lines.append((block("s_" + align, some), "$s_%s with labels %s offset %s,0 "
                          "font ',9' notitle" % (
                              align, align, "-0.8" if align == "right" else "0.8")))
    return Panel("", ROW_FRAME + x_values(values, metric) + [
        "set yrange [0:%d]" % height], plotted(lines), metric.axis, "",
        sorted(points), height)


ROW_FRAME = ["set border 1 linecolor rgb '%s'" % GREY, "set tics nomirror out",
             "unset grid", "set grid xtics linetype 1 linecolor rgb '%s' linewidth 0.5"
             % GRID, "unset key", "unset ytics", "unset logscale y"] + NO_SHADING


def row_points(cell, metric):
    """[((middle, low, high), share)]: one, or two where the cell has two modes."""
    modes = metric.modes(cell) if metric.modes else []
    if modes:
        return [((value, value, value), percent(share)) for value, share in modes]
    return [(metric.value(cell), None)]


def x_start(values, metric):
    return min(values) / 1.4 if is_log(values, metric) else 0


def x_values(values, metric):
    """As `y_axis`, lying."""
    if not is_log(values, metric):
        return ["unset logscale x", "set xrange [0:%g]" % (
            (metric.highest or max(values) or 1) * 1.08), "set format x '%g'",
            "set xtics autofreq", "set mxtics default"]
    return ["set logscale x 10", "set xrange [%g:%g]" % (
        x_start(values, metric), max(values) * 1.6),
        "set xtics (%s)" % decades(values), "set mxtics 10"]


def capacity(pattern, cells):
    """Throughput over the capacity, a panel for whatever else varies; or None where
    fewer than FEWEST_CAPS capacities were measured."""
    drawn = of_one_load(measured(cells))
    caps = sorted({(knob(cell, "cap"),) for cell in drawn} - {("-",)}, key=by_value)
    places = {cap: place for place, (cap,) in enumerate(caps)}
    keys = [key for key in varying(drawn)[0] if key != "cap"] if drawn else []
    groups = grouped(drawn, keys)
    curves = [(value, groups[value]) for value in sorted(groups, key=by_value)
              if most_caps(groups[value]) >= FEWEST_CAPS]
    if not curves:
        return None
    shown = [cell for _, group in curves for cell in group]
    frame = FRAME + y_axis(spread(shown, THROUGHPUT), THROUGHPUT) + x_caps(
        places) + NO_SHADING
    styles = looks(shown, by_channel)
    return Chart("capacity-" + pattern, "%s: throughput by capacity" % pattern,
                 note(shown, THROUGHPUT),
                 [capacity_panel(keys, value, group, places, frame)
                  for value, group in curves], styles, cells)


def most_caps(group):
    chans = {}
    for cell in group:
        chans.setdefault(cell["chan"], set()).add(knob(cell, "cap"))
    return max(map(len, chans.values()))


def capacity_panel(keys, value, group, places, frame):
    """The series of a line panel, with the place of the capacity for the tasks."""
    styles = looks(group, by_channel)
    group = [dict(cell, tasks=places[knob(cell, "cap")] + 1) for cell in group]
    lines = []
    for place, name in enumerate(styles):
        own = [cell for cell in group if cell["chan"] == name]
        lines += series(place, own, group, THROUGHPUT, styles, name)
    return Panel(panel_title(keys, value), frame, plotted(lines), "capacity",
                 THROUGHPUT.axis, list(styles))


def x_caps(places):
    ticks = ["'%s' %d" % (cap, place + 1) for cap, place in places.items()]
    return ["unset logscale x", "set xtics (%s)" % ", ".join(ticks), "set mxtics 1",
            "set xrange [0.6:%g]" % (len(places) + 0.4)]


def latency(pattern, cells):
    """[chart]: one for each kind of latency and load, which are not to be compared."""
    kinds = {}
    for cell in measured(cells):
        if cell["latency_ns"]:
            kinds.setdefault(latency_kinds([cell]), []).append(cell)
    charts = [latency_chart(pattern, some, kind, cells) for kind, some in kinds.items()]
    return [chart for chart in charts if chart]


def latency_chart(pattern, cells, kind, everything):
    """The smallest task count of each panel: where latency is the channel's."""
    panels = with_labels([(keys, value, fewest_tasks(group))
                          for keys, value, group in panels_of(cells)])
    drawn = [cell for _, group, _ in panels for cell in group]
    values = [cell["latency_ns"][key] for cell in drawn for key, _ in PERCENTILES
              if cell["latency_ns"].get(key)]
    if not values:
        return None
    counts = {cell["tasks"] for cell in drawn}
    number = "the fewest" if len(counts) > 1 else max(counts)
    styles = {}
    for _, group, label in panels:
        styles.update(looks(group, label))
    saturated = any(is_saturated(cell) for cell in drawn)
    text = kind[:1].upper() + kind[1:] + rounds_told(drawn) + saturated * (
        "  Dotted: saturated, the latency of an overloaded queue.")
    frame = FRAME + y_latency(values) + x_percentiles() + NO_SHADING
    made = [latency_panel(title, group, label, frame, len(counts) > 1)
            for title, group, label in panels]
    return Chart("latency-" + pattern, "%s: latency with %s tasks" % (pattern, number),
                 text, made, {name: styles[name] for name in sorted(styles)}, everything)


def rounds_told(cells):
    """What the percentiles are of, where the run knows."""
    if all(cell["latency_ns"].get("rounds") == 1 for cell in cells):
        return "; of one round."
    return "; medians over the rounds, but max is the largest of all."


def fewest_tasks(group):
    least = min(cell["tasks"] for cell in group)
    return [cell for cell in group if cell["tasks"] == least]


def latency_panel(title, group, label, frame, tasks_in_title):
    styles, lines, shows = looks(group, label), [], []
    if tasks_in_title and len({cell["tasks"] for cell in group}) == 1:
        title += (title and ", ") + counted_tasks(group[0])
    for cell in sorted(group, key=label):
        found = cell["latency_ns"]
        rows = [[place, max(1, found[key])] for place, (key, _) in
                enumerate(PERCENTILES) if found.get(key) is not None]
        dash = DOTTED if is_saturated(cell) else None
        name = "d%d" % len(lines)
        lines.append((block(name, rows), "$%s with linespoints %s notitle" % (
            name, look(styles[label(cell)], dash))))
        shows.append(label(cell))
    return Panel(title, frame, plotted(lines), "percentile of the messages",
                 "latency  (lower is better)", sorted(set(shows)))


def y_latency(values):
    """Decades with their units; a reader should not count zeros."""
    units = ((1, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s"))
    ticks = ["'%d %s' %g" % (step * digits, unit, step * digits * scale)
             for scale, unit in units for digits in (1, 10, 100)
             for step in steps(values)]
    return ["set logscale y", "set mytics 10", "set ytics (%s)" % ", ".join(ticks),
            "set yrange [%g:%g]" % (min(values) / 1.6, max(values) * 1.6)]


def x_percentiles():
    ticks = ["'%s' %d" % (label, place)
             for place, (_, label) in enumerate(PERCENTILES)]
    return ["unset logscale x", "set xrange [-0.3:%g]" % (len(PERCENTILES) - 0.7),
            "set xtics (%s)" % ", ".join(ticks)]


NAMED_CELLS = 3  # failed cells of one channel that a note names one by one


def missing(cells):
    """(what failed, what cannot be) of these cells: lists of words for a note."""
    groups = {}
    for cell in cells:
        groups.setdefault((cell["verdict"], cell["chan"]), []).append(cell)
    failed, skipped = [], []
    for (verdict, chan), group in sorted(groups.items()):
        if verdict == "N/A":
            skipped.append("%s\u00a0in\u00a0%d\u00a0of\u00a0%d\u00a0cells" % (
                chan, len(group), sum(c["chan"] == chan for c in cells)))
        elif verdict in BAD and len(group) > NAMED_CELLS:
            failed.append("%s %s in %d cells" % (chan, verdict, len(group)))
        elif verdict in BAD:
            failed += ["%s\u00a0%s" % (short_name(cell), verdict) for cell in group]
    return failed, skipped


def short_name(cell):
    """The cell in words that stay on one line."""
    knobs = ["%s\u00a0%s" % knob for knob in cell["knobs"].items()]
    return "\u00a0".join([cell["chan"]] + knobs)


def full_note(chart):
    """What the picture says in words: its bars, and what is missing from it."""
    return chart.note + not_drawn(chart) + not_possible(chart.cells)


def not_drawn(chart):
    failed, _ = missing(chart.cells)
    return "  Not drawn: %s." % ", ".join(failed) if failed else ""


def not_possible(cells):
    _, skipped = missing(cells)
    return "  N/A: %s." % ", ".join(skipped) if skipped else ""


def of_pattern(pattern, cells):
    """Every chart of a pattern that has something to show."""
    charts = [by_tasks(pattern, cells, THROUGHPUT), capacity(pattern, cells)]
    charts += latency(pattern, cells)
    charts.append(by_tasks(pattern, cells, CPU_COST))
    if not all_fair(cells):
        charts.append(by_tasks(pattern, cells, FAIRNESS))
    return [chart for chart in charts if chart]


def all_fair(cells):
    found = [FAIRNESS.value(cell) for cell in measured(cells)]
    return all(value[0] > FAIR for value in found if value)

"""Tables of a run: rows are knobs, columns are channels, cells say medians.

The same grid is printed to the terminal and written as Markdown. Knobs that
do not vary stand in the heading, not in a column.
"""

from dataclasses import dataclass

from .binary import BAD, MEASURED
from .context import UNKNOWN
from .stats import duration, three_digits

WIDTH = 100
MARK = "*"
SATURATED = "†"
UNSTEADY, NEAR_FLOOR = "~", "≈"


@dataclass
class Table:
    """A titled grid; the first `keys` columns say which row it is."""

    title: str
    header: list
    rows: list
    keys: int


def by_pattern(summary):
    """{pattern: its cells}, in the summary's order."""
    patterns = {}
    for cell in summary["cells"]:
        patterns.setdefault(cell["pattern"], []).append(cell)
    return patterns


def columns_of(cells):
    return sorted({cell["chan"] for cell in cells})


def knob(cell, key):
    """The knob's value: what the sweep gave, else the default that was used."""
    return cell["knobs"].get(key, (cell["params"] or {}).get(key, "-"))


def varying(cells):
    """The knobs of these cells that take more than one value, and the others."""
    keys = dict.fromkeys(key for cell in cells for key in cell["knobs"])
    split = {True: [], False: []}
    for key in keys:
        split[len({knob(cell, key) for cell in cells} - {"-"}) > 1].append(key)
    return split[True], split[False]


def grid(cells, title, text):
    """One table; `text(cell)` says what stands in a place."""
    moving, fixed = varying(cells)
    moving = moving or fixed
    chans = columns_of(cells)
    rows = {}
    for cell in cells:
        key = tuple(str(knob(cell, name)) for name in moving)
        rows.setdefault(key, {})[cell["chan"]] = cell
    if fixed and moving != fixed:
        title += " (%s)" % ", ".join(
            "%s %s" % (name, knob(cells[0], name)) for name in fixed)
    lines = [list(key) + [tasks_text(row.values())]
             + [text(row[chan]) if chan in row else "" for chan in chans]
             for key, row in rows.items()]
    return Table(title, moving + ["tasks"] + chans, lines, len(moving) + 1)


def tasks_text(cells):
    """The number of tasks, marked when there are more of them than CPUs."""
    for cell in cells:
        if cell.get("tasks"):
            return "%d%s" % (cell["tasks"], MARK if cell["oversubscribed"] else "")
    return "-"


def throughput_text(cell, spread=True):
    """`12.3 ±4%` in million messages a second, or the verdict in words; of a cell with
    two modes `12.3 (60%) | 4.1 (40%)`, since no median says what it does."""
    rate = cell["messages_per_second"]
    if cell["verdict"] not in MEASURED or not rate:
        return cell["verdict"]
    if cell.get("modes"):
        text = " | ".join("%s (%.0f%%)" % (three_digits(mode["messages_per_second"] / 1e6),
                                           100 * mode["share"])
                          for mode in cell["modes"])
        return text + quality_marks(cell)
    text = three_digits(rate["median"] / 1e6)
    if spread and (rate.get("n") or 0) > 1:
        text += " ±%.0f%%" % (100 * (rate.get("spread") or 0))
    return text + quality_marks(cell)


def quality_marks(cell):
    """Of what is not steady, and of what says more of the harness than of the channel."""
    return (UNSTEADY * (cell.get("steady") is False and not cell.get("modes"))
            + NEAR_FLOOR * bool(cell.get("near_floor")))


def latency_text(cell, percentiles=("p50", "p99")):
    """`p50 / p99` in microseconds, marked when the queue was overloaded."""
    found = cell["latency_ns"]
    if cell["verdict"] not in MEASURED:
        return cell["verdict"]
    if not found:
        return "-"
    return " / ".join(three_digits(None if found.get(key) is None else found[key] / 1e3)
                      for key in percentiles) + SATURATED * is_saturated(cell)


def tail_text(cell):
    """The same of the last in a thousand, and of the very last."""
    return latency_text(cell, ("p999", "max"))


def is_saturated(cell):
    """Whether an open loop was offered more than came through.

    What it then waited in is a queue that grew as long as the run lasted.
    """
    return bool(cell["latency_ns"]) and cell["latency_ns"].get("kept_up") is False


def latency_kinds(cells):
    """What was timed, said once per kind: `open-loop sojourn at load 0.5`.

    The load is a share of what that very cell can do while both sides read the clock for
    each message, which a fast channel's throughput is several times: a slow channel is
    asked for less than a fast one.
    """
    kinds = []
    for found in (cell["latency_ns"] for cell in cells if cell["latency_ns"]):
        kind = found.get("kind") or "latency"
        if found.get("load") is not None:
            kind += " at load %g of what each cell does with every message timed" % found["load"]
        if found.get("arrivals") not in (None, "fixed"):
            kind += ", %s arrivals" % found["arrivals"]
        if kind not in kinds:
            kinds.append(kind)
    return "; ".join(kinds)


def cost_text(cell):
    """CPU seconds per million messages / voluntary switches per message."""
    if cell["verdict"] not in MEASURED:
        return cell["verdict"]
    return " / ".join(three_digits(cell[key]) for key in (
        "cpu_seconds_per_million_messages", "voluntary_switches_per_message"))


def fairness_text(cell):
    """Jain's index / the least share of a consumer, of an equal one."""
    if cell["verdict"] not in MEASURED:
        return cell["verdict"]
    found = cell["fairness"] or {}
    return " / ".join(three_digits(found.get(key)) for key in ("jain", "least_share"))


def widths(table):
    return [max(map(len, column)) for column in zip(table.header, *table.rows)]


def fits(table):
    sizes = widths(table)
    return sum(sizes) + 2 * (len(sizes) - 1) <= WIDTH


def narrow(table):
    """The table in as many blocks as it takes to stay within WIDTH columns."""
    if fits(table):
        return [table]
    sizes, blocks = widths(table), [[]]
    keys = sum(size + 2 for size in sizes[:table.keys])
    used = keys
    for column in range(table.keys, len(table.header)):
        if used + sizes[column] > WIDTH and blocks[-1]:
            blocks.append([])
            used = keys
        blocks[-1].append(column)
        used += sizes[column] + 2
    return [pick(table, list(range(table.keys)) + block) for block in blocks]


def pick(table, columns):
    return Table(table.title, [table.header[c] for c in columns],
                 [[row[c] for c in columns] for row in table.rows], table.keys)


def render_text(table, left=()):
    """Aligned columns for a terminal, those with a name in `left` to the left."""
    sizes = widths(table)
    lines = [table.title]
    for row in [table.header] + table.rows:
        lines.append("  ".join(
            text.ljust(size) if name in left else text.rjust(size)
            for text, size, name in zip(row, sizes, table.header)).rstrip())
    return "\n".join(lines)


def render_markdown(table):
    def line(row):
        return "| " + " | ".join(escape(text) for text in row) + " |"
    rule = "|" + "--:|" * len(table.header)
    return "\n".join([line(table.header), rule] + [line(row) for row in table.rows])


def escape(text):
    """What a channel or a message calls itself must not become Markdown."""
    for char in "\\`*_|<>[]":
        text = text.replace(char, "\\" + char)
    return text


def throughput_tables(cells, pattern):
    """For the terminal: with spread if that fits, in blocks if need be."""
    title = "%s, million messages/s" % pattern
    table = grid(cells, title, throughput_text)
    if not fits(table):
        table = grid(cells, title, lambda cell: throughput_text(cell, False))
    return narrow(table)


def peer_lines(summary, escape=str):
    """What each peer is, and what its adapter adds to the library."""
    return [escape("%s: %s%s" % (peer["name"], peer.get("library") or UNKNOWN,
                                 "; added: " + peer["adapter"]
                                 if peer.get("adapter") else ""))
            for peer in summary["context"].get("peers") or []]


def terminal(summary):
    """Everything the sweep prints about the numbers at its end."""
    parts = ["\n\n".join(render_text(table)
                         for table in throughput_tables(cells, pattern))
             for pattern, cells in by_pattern(summary).items()]
    notes = []
    if any("±" in part for part in parts):
        notes.append("± half the interquartile range over the rounds.")
    crowded = [cell for cell in summary["cells"] if cell.get("oversubscribed")]
    if crowded:
        notes.append("%s more tasks than the %d CPUs: the scheduler is measured too."
                     % (MARK, crowded[0]["cpus"]))
    notes += marks_explained(summary["cells"])
    notes += peer_lines(summary)
    return "\n\n".join(parts + (["\n".join(notes)] if notes else []))


def bad_cells(summary):
    """One line for each cell that failed, hung or crashed."""
    return ["%s %s%s" % (cell["verdict"], cell["name"],
                         ": " + cell["why"] if cell["why"] else "")
            for cell in summary["cells"] if cell["verdict"] in BAD]


def reasons(summary):
    """{why: the channels of N/A cells}: said once, not once per cell."""
    found = {}
    for cell in summary["cells"]:
        if cell["verdict"] == "N/A":
            found.setdefault(cell["why"] or "no reason given", set()).add(cell["chan"])
    return found


def markdown(summary, pictures, answers=""):
    """summary.md: what was measured, where, and what came out; `answers` is Markdown
    that says what follows from it."""
    run = summary["context"]
    parts = ["# weft %s" % run["sweep"]["name"], banner(summary)]
    parts += [answers] if answers else []
    parts.append(trust(run))
    for pattern, cells in by_pattern(summary).items():
        parts.append("## %s" % escape(pattern))
        parts += ["![%s](%s)" % (name.rsplit(".", 1)[0], name) for name in pictures
                  if name.endswith(".svg") and name.split(".")[0].split("-")[1] == pattern]
        kinds = latency_kinds(cells)
        for what, text in (
                ("Throughput, million messages/s (higher is better)", throughput_text),
                ("Latency%s, µs, p50 / p99 (lower is better)"
                 % (" (%s)" % kinds if kinds else ""), latency_text),
                ("Cost, CPU seconds per million messages / voluntary context "
                 "switches per message (lower is better)", cost_text)):
            table = grid(cells, what, text)
            parts += ["**%s**" % escape(table.title), render_markdown(table)]
    parts.append("%s more tasks than CPUs. ± half the interquartile range over the "
                 "rounds." % escape(MARK))
    parts += marks_explained(summary["cells"], escape)
    if any(is_saturated(cell) for cell in summary["cells"]):
        parts.append("%s saturated: more was offered than came through. The latency "
                     "is that of an overloaded queue and grows with the run."
                     % SATURATED)
    if run.get("left_out"):
        parts.append("%d cells were left out to fit the budget." % len(run["left_out"]))
    parts += peer_lines(summary, escape)
    parts += ["N/A %s: %s" % (escape(", ".join(sorted(chans))), escape(why))
              for why, chans in reasons(summary).items()]
    return "\n\n".join(parts) + "\n"


def marks_explained(cells, escape=str):
    """A line for each mark of `throughput_text` that these cells have."""
    found = []
    if any(UNSTEADY in quality_marks(cell) for cell in cells):
        found.append(escape(
            "%s not steady: its ratio to condvar, or its rate where it has none, is known "
            "to within more than 10 %%." % UNSTEADY))
    if any(cell.get("near_floor") for cell in cells):
        found.append("%s not well above the floor, what the harness costs by itself."
                     % NEAR_FLOOR)
    if any(cell.get("modes") for cell in cells):
        found.append(escape("a | b: two modes, each with its share of the samples."))
    cold = sum(bool(cell.get("warmup")) and not cell["warmup"]["reached"]
               for cell in cells)
    if cold:
        found.append("%d of %d cells were still getting faster in some round when the "
                     "time for warming up was over." % (cold, len(cells)))
    return found


def banner(summary):
    """The first thing to know: is it whole, is it right."""
    run = summary["context"]
    counts = ", ".join("%d %s" % (n, v) for v, n in summary["verdicts"].items())
    lines = ["%d cells: %s." % (len(summary["cells"]), counts or "nothing measured")]
    if run["partial"]:
        lines.insert(0, "**PARTIAL: this run was interrupted after %d of %d rounds.**"
                     % (run["rounds_done"], run["rounds"]))
    lines += ["- " + escape(line) for line in bad_cells(summary)]
    return "\n".join(lines)


def trust(run):
    """Where the numbers come from, and what may have disturbed them."""
    steal = run.get("steal")
    share = ("%.2f %% of busy time" % (100 * steal["share_of_busy"])
             if isinstance(steal, dict) else UNKNOWN)
    dirty = {True: ", with changes", False: ""}.get(run["git"]["dirty"], "")
    rows = [("CPU", "%s, %s online" % (run.get("cpu"), run.get("cpus_online"))),
            ("CPU quota", quota_text(run)),
            ("kernel", run.get("kernel")), ("system", run.get("os")),
            ("compiler", run.get("compiler")), ("flags", run.get("flags")),
            ("build", run.get("build_type")), ("libc", run.get("libc")),
            ("commit", run["git"]["commit"] + dirty),
            ("governor", run.get("governor")), ("hypervisor", run.get("hypervisor")),
            ("steal", share), ("load before, after",
                               "%s, %s" % (run["load_before"], run["load_after"])),
            ("started", run["started"]), ("seed", run["seed"]),
            ("rounds", rounds_text(run)),
            ("resumed", ", ".join(run.get("resumed") or []) or "no")]
    return "\n".join(["| | |", "|---|---|"] + [
        "| %s | %s |" % (key, escape(str(UNKNOWN if value in (None, "") else value)))
        for key, value in rows])


def rounds_text(run):
    text = "%s of %s" % (run["rounds_done"], run["rounds"])
    if (run.get("rounds_most") or 0) > run["rounds"]:
        text += ", and up to %d of what was not steady" % run["rounds_most"]
    return text


def quota_text(run):
    quota = run.get("cpu_quota", UNKNOWN)
    if not isinstance(quota, float):
        return quota or "none"
    return "%s CPUs, which stopped the run %s times" % (
        three_digits(quota), run.get("throttled"))


def estimate_line(name, cells, seconds, left_out=(), budget=None):
    slices = sum(cell.rounds for cell in cells)
    times = sorted({cell.time_ms for cell in cells})
    spans = "%d" % times[0] if len(times) == 1 else "%d to %d" % (times[0], times[-1])
    line = ("sweep %s: %d cells, %d rounds, %d slices of %s ms; about %s"
            % (name, len(cells), max(cell.rounds for cell in cells), slices, spans,
               duration(seconds)))
    most = max(cell.limit for cell in cells)
    if most > max(cell.rounds for cell in cells):
        line += ", and up to %d rounds of what is not steady" % most
        line += " within %s" % duration(budget) if budget else ""
    if left_out:
        line += "; %d cells left out to fit" % len(left_out)
    return line

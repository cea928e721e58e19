"""The page: one file with everything in it, which asks nothing of a network."""

from dataclasses import dataclass, field
from pathlib import Path

from .. import charts, environment, figures, gnuplot
from ..binary import MEASURED, VERDICTS
from ..stats import three_digits
from ..tables import (MARK, SATURATED, bad_cells, cost_text, fairness_text, grid,
                      latency_kinds, latency_text, peer_lines, reasons, tail_text,
                      throughput_text)
from . import heat, words
from .facts import is_measured, rate
from .html import (Html, details, join, link, listing, paragraphs, section, slug,
                   table, tag)
from .pictures import draw, panel_picture, strip_picture, variable

STYLE = Path(__file__).with_name("style.css")
#: Below it, no picture shows how the rounds lie.
FEWEST_ROUNDS = 2
#: Of more cells than that, the rounds are told and not drawn: the page would be
#: too large to be opened.
MOST_STRIPS = 2000

#: Of a run that was measured so.
BY_TURNS = (" In a round the channels of a cell take turns. A round has one figure, the "
            "median of its turns, and one ratio to condvar, the median of theirs.")


@dataclass
class Gallery:
    """Collects what gnuplot shall draw while the page is put together: until then, a
    word stands in its place that is found nowhere else."""

    wanted: bool = True
    pictures: list = field(default_factory=list)

    def put(self, picture):
        self.pictures.append(picture)
        return Html("\x00%d\x00" % (len(self.pictures) - 1))

    def hang(self, page):
        """(symbols, the page with the pictures in their places)."""
        symbols, drawn = draw(self.pictures)
        parts = page.split("\x00")
        for place in range(1, len(parts), 2):
            parts[place] = drawn[int(parts[place])]
        return symbols, "".join(parts)


def build(run, with_pictures=True):
    """The whole page as text."""
    gallery = Gallery(with_pictures)
    answers = words.answers(run)
    styles = gnuplot.styles({cell["chan"] for cell in run.cells})
    body = join([header(run), tag("main", summary(run, answers, styles),
                                  surroundings(run), heat.part(run),
                                  *(pattern(run, name, cells, styles, gallery)
                                    for name, cells in run.patterns.items()),
                                  reading(run), id="main"), footer(run)])
    symbols, body = gallery.hang(body)
    return "<!DOCTYPE html>\n" + tag("html", head(run), tag(
        "body", tag("a", "Skip to the summary", href="#main", class_="skip"),
        Html('<svg class="symbols" aria-hidden="true"><defs>%s</defs></svg>' % symbols),
        Html(body)), lang="en") + "\n"


def title(run):
    sweep = (run.context.get("sweep") or {}).get("name") or "run"
    return "weft: sweep %s" % sweep


def head(run):
    return tag("head", Html('<meta charset="utf-8"><meta name="viewport" '
                            'content="width=device-width, initial-scale=1">'
                            '<meta name="color-scheme" content="light dark">'
                            '<link rel="icon" href="data:,">'),
               tag("title", title(run)),
               tag("style", Html(STYLE.read_text(encoding="utf-8") + palette())))


def palette():
    """The channels' colours, and lighter ones of the same hue for the dark."""
    known = [colour for colour, _ in list(gnuplot.STYLES.values()) + gnuplot.OTHERS]
    known = [colour for colour in known if variable(colour).startswith("c")]

    def rules(shade):
        return ":root { %s }" % " ".join("--%s: %s;" % (variable(colour), shade(colour))
                                         for colour in known)
    return "%s\n@media (prefers-color-scheme: dark) { %s }\n" % (
        rules(str), rules(lighter))


def lighter(colour):
    """Towards white, the more the darker it is."""
    parts = [int(colour[place:place + 2], 16) for place in (1, 3, 5)]
    brightness = (2 * parts[0] + 5 * parts[1] + parts[2]) / 8 / 255
    mix = max(0.0, min(0.65, 1.05 * (0.62 - brightness)))
    return "#%02x%02x%02x" % tuple(round(part + (255 - part) * mix) for part in parts)


def header(run):
    context = run.context
    dirty = " with changes" if context["git"].get("dirty") is True else ""
    line = "  ·  ".join([
        str(context.get("cpu", "unknown CPU")), "%s CPUs" % context.get("cpus_online", "?"),
        "commit %s%s" % (context["git"]["commit"], dirty), str(context["started"]),
        "%s rounds" % context.get("rounds_done", "?")])
    parts = [("main", "Summary"), ("environment", "Environment"), ("heat", "Channels by topology")]
    parts += [("pattern-" + slug(name), name) for name in run.patterns]
    parts.append(("reading", "How to read it"))
    if not heat.part(run):
        del parts[2]
    return tag("header", tag("h1", title(run)), tag("p", line, class_="dim"),
               banner(run), tag("nav", listing(link(*part) for part in parts),
                                aria_label="Contents"))


def banner(run):
    """What is wrong with the run, before anything else."""
    bad = bad_cells(run.summary)
    partial = ["PARTIAL: this run was interrupted."] if run.context.get("partial") else []
    counts = ", ".join("%d %s" % (n, v)
                       for v, n in (run.summary.get("verdicts") or {}).items())
    text = tag("p", "%d cells: %s." % (len(run.cells), counts or "nothing measured"))
    if not bad and not partial:
        return text
    return join([text, tag("div", listing(partial + bad), class_="banner", role="note",
                           aria_label="Not all is well")])


def summary(run, answers, styles):
    cards = tag("div", *(card(one, styles) for one in answers), class_="cards")
    return section("summary", "Which channel to use on this machine", cards,
                   paragraphs([" ".join(words.quality(run))]) if words.quality(run)
                   else "", tag("p", "All of this is computed from the cells of "
                                "producer_consumer; everything measured is below.",
                                class_="dim"))


def card(answer, styles):
    use = tag("p", named(styles, answer.use) if answer.use else "–", *(
        tag("small", " or ", named(styles, name)) for name in answer.rivals),
        class_="use")
    costs = [tag("p", "What it costs there:"), listing(answer.costs)]
    return tag("div", tag("h3", answer.question), use, paragraphs(answer.sentences),
               *(costs if answer.costs else []),
               places(answer) if any(one.ranking for one in answer.places) else "",
               class_="card")


def named(styles, name):
    """With its mark, in one piece."""
    return tag("span", mark(styles[name]), name, class_="name")


def places(answer):
    return details("Every place, in million messages/s", listing(
        place(one) for one in answer.places if one.ranking))


def place(one):
    """Who is fastest there, or level with that; then the others."""
    slower = [cell for cell in one.ranking if cell not in one.level]
    parts = [tag("b", one.title), ": ", words.listed(rates(one.level), "or")]
    if len(one.level) > 1:
        parts.append(", nobody can tell")
    if slower:
        parts.append("; then " + ", ".join(rates(slower)))
    return join(parts)


def rates(cells):
    return ["%s %s" % (cell["chan"], three_digits(rate(cell))) for cell in cells]


def mark(style):
    """A channel's mark in its colour."""
    colour, point = style[:2]
    return Html('<svg viewBox="0 0 30 18" fill="none" aria-hidden="true"><path d="M0,9 h30" '
                'stroke="var(--%s)" stroke-width="2"/><use href="#gpPt%d" '
                'transform="translate(15,9) scale(5.5)" color="var(--%s)"/></svg>'
                % (variable(colour), (point - 1) % 15, variable(colour)))


def surroundings(run):
    """What may have disturbed the run is there at once, the rest behind a click."""
    items = environment.items(run.context)
    good = [item for item in items if item.state == environment.OK]
    bad = [item for item in items if item.state != environment.OK]
    return section(
        "environment", "Environment", tag("p", environment.counts(items) + "."),
        states("What may have disturbed the run", bad) if bad else "",
        details("What is ok", states("What is ok", good)) if good else "")


def states(caption, items):
    rows = [[item.name, item.value, (item.state, {"class_": "state-" + item.state}),
             item.why] for item in items]
    return table(caption, ["item", "value", "state", "why it matters"], rows,
                 class_="words")


def pattern(run, name, cells, styles, gallery):
    parts = [tag("div", *(figure(chart, gallery) for chart in charts.of_pattern(
        name, cells)), class_="figures")] if gallery.wanted else []
    if charts.not_possible(cells):
        parts.append(tag("p", charts.not_possible(cells), class_="dim"))
    parts.append(details("Tables of %s" % name, *tables_of(name, cells)))
    some = [cell for cell in cells if cell["verdict"] != "N/A"]
    if some:
        parts.append(details(
            "All %d cells of %s: each round, and the command that repeats each" % (
                len(some), name),
            *(one_cell(run, cell, styles, gallery) for cell in some)))
    return section("pattern-" + slug(name), name, *parts)


def figure(chart, gallery):
    pictures = [gallery.put(panel_picture(panel, chart.title)) for panel in chart.panels]
    legend = listing((join([mark(style), name]) for name, style in chart.styles.items()),
                     class_="legend", aria_label="Legend of " + chart.title)
    return tag("figure", tag("h3", chart.title), legend, tag("p", axes(chart),
                                                             class_="dim"),
               tag("div", *pictures, class_="panels"),
               tag("figcaption", chart.note + charts.not_drawn(chart)),
               class_="panels-%d" % min(3, len(pictures)))


def axes(chart):
    """What is up and what is across, once for all panels that have it so."""
    kinds = dict.fromkeys((panel.x, panel.y) for panel in chart.panels)
    return "; ".join("↑ %s  → %s" % (y, x) if y else "→ %s" % x for x, y in kinds)


def tables_of(name, cells):
    kinds = latency_kinds(cells)
    wanted = [("Throughput, million messages/s (higher is better)", throughput_text),
              ("Latency%s, µs, p50 / p99 (lower is better)" % (
                  " (%s)" % kinds if kinds else ""), latency_text),
              ("Latency, µs, p99.9 / max (lower is better)", tail_text),
              ("CPU seconds per million messages / voluntary switches per message "
               "(lower is better)", cost_text),
              ("Jain's index / least share of a consumer (1 is fair)", fairness_text),
              ("Longest time that one consumer got nothing, ms", gap_text),
              ("Futex calls (parks and wakes) per message", number_text(
                  "futex_calls_per_message")),
              ("What the harness adds, ns per message", number_text(
                  "harness_ns_per_message")),
              ("Memory at the peak, MB", number_text("peak_rss_bytes", 1e-6)),
              ("Bytes of an idle channel", number_text("bytes_per_channel")),
              ("CPU of one task that waits, %", number_text("idle_cpu_share", 100))]
    return [from_grid("%s: %s" % (name, what), grid(cells, "", text))
            for what, text in wanted if any(is_told(text(cell)) for cell in cells)]


def number_text(key, scale=1):
    """What stands in a table for one number of a cell."""
    def text(cell):
        value = cell.get(key)
        if cell["verdict"] not in MEASURED:
            return cell["verdict"]
        return "-" if value is None else three_digits(value * scale)
    return text


def gap_text(cell):
    gap = (cell["fairness"] or {}).get("longest_gap_ns")
    return number_text("gap", 1e-6)(dict(cell, gap=gap))


def is_told(text):
    """Whether it says more than that nothing is known, or that nothing was measured."""
    return text.strip("-/ ") not in ("",) + VERDICTS


def from_grid(caption, found):
    rows = [[verdict_place(text) if column >= found.keys else text
             for column, text in enumerate(row)] for row in found.rows]
    return table(caption + found.title, found.header, rows, found.keys)


def verdict_place(text):
    bad = text in ("FAILED", "HUNG", "CRASHED")
    return (text, {"class_": "bad"}) if bad else text


def one_cell(run, cell, styles, gallery):
    """Everything about one cell, behind its name."""
    short = throughput_text(cell) + (" M/s" if is_measured(cell) else "")
    return details(join([cell["name"], " — ", tag(
        "b", short, class_="bad" if words.is_bad(cell) else None)]), tag(
            "div", *cell_parts(run, cell, styles, gallery)), class_="cell",
        id="cell-" + slug(cell["name"]))


def cell_parts(run, cell, styles, gallery):
    parts = [tag("p", "Verdict %s%s" % (cell["verdict"], ": " + cell["why"]
                                        if cell["why"] else ""))]
    rounds = run.rounds(cell)
    if is_measured(cell) and rounds:
        if gallery.wanted and FEWEST_ROUNDS <= len(rounds) and len(
                run.cells) <= MOST_STRIPS:
            parts.append(gallery.put(strip_picture(
                rounds, (*styles[cell["chan"]], None),
                "%s: rounds in the order of the run" % cell["name"])))
        parts.append(tag("p", "Million messages/s of each round in the order of the run: ",
                         ", ".join(three_digits(value) for _, value in rounds)))
        rejected = rejected_words(run.rejected(cell))
        parts += [tag("p", "Not used: %s." % rejected)] if rejected else []
        parts.append(tag("p", "; ".join(known_of(cell))))
    if cell.get("command"):
        parts.append(tag("p", "Again: ", tag("code", cell["command"])))
    return parts


def rejected_words(found):
    return "; ".join("%s in round %s (%s)" % (
        three_digits(1e3 / figures.figure(record)), record.get("round"), why)
        for record, why in found if figures.figure(record))


def known_of(cell):
    """What else is known of the cell, in words."""
    found = []
    for key, text in (
            ("steady", "steady"), ("near_floor", "not well above the floor"),
            ("oversubscribed", "more tasks than CPUs")):
        if cell.get(key):
            found.append(text)
    if cell.get("steady") is False:
        found.append("not steady")
    if cell.get("disturbed"):
        found.append("others had the CPUs in %d round%s that had to be used" % (
            cell["disturbed"], "s" * (cell["disturbed"] != 1)))
    for key, text in (
            ("cpu_seconds_per_million_messages", "%s CPU s per million messages"),
            ("voluntary_switches_per_message", "%s voluntary switches per message"),
            ("futex_calls_per_message", "%s futex calls per message"),
            ("parks_per_message", "%s parks per message"),
            ("wakes_per_message", "%s wakes per message"),
            ("harness_ns_per_message", "%s ns per message for the harness")):
        if cell.get(key) is not None:
            found.append(text % three_digits(cell[key]))
    for key, text in (("bytes_per_channel", "%s for an idle channel"),
                      ("peak_rss_bytes", "%s of memory at the peak")):
        if cell.get(key):
            found.append(text % words.size_text(cell[key]))
    found += words.latency_words(cell)
    return found or ["nothing else is known"]


def reading(run):
    """What the marks mean, what cannot be, and what no run can tell."""
    items = [
        "Rates are medians over interleaved rounds; ± is half the interquartile range."
        + BY_TURNS * any(record.get("group") for slices in run.records.values()
                         for record in slices),
        "%s more tasks than CPUs: the scheduler is measured too." % MARK,
        "~ not steady: its ratio to condvar, or its rate where it has none, is known to "
        "within more than 10 %%; ≈ not well above the floor; %s saturated: more was offered "
        "than came through, so that the latency is that of an overloaded queue."
        % SATURATED,
        "a | b: two modes, each with its share of the samples.",
        "VERIFIED: every message of this very run arrived as promised. FLOOR: moves no "
        "data, and shows what the harness costs. N/A: the channel says it cannot do that. "
        "FAILED, HUNG and CRASHED mean what they say, and have no numbers.",
        "An open loop times each message from when it was due; a closed loop waits for "
        "each reply and so cannot see a stall pile up. They are never in one picture.",
        "Numbers of one machine say little of another. Ratios within one run are what the "
        "interleaving is for."]
    parts = [listing(items)]
    why = ["%s: %s" % (", ".join(sorted(chans)), text)
           for text, chans in reasons(run.summary).items()]
    if why:
        parts.append(details("What is N/A, and why", listing(why)))
    peers = peer_lines(run.summary)
    return section("reading", "How to read it", *parts,
                   listing(peers) if peers else "")


def footer(run):
    argv = run.context.get("argv")
    if not isinstance(argv, list):
        return Html("")
    return tag("footer", tag("p", "Measured with ", tag("code", " ".join(map(str, argv))),
                             ", seed %s." % run.context.get("seed"), class_="dim"))

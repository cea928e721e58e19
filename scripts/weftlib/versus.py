"""Ours against theirs: the best of each side in every row, and their ratio.

What stands in a row was run side by side in each round, so the ratio is the median of
those of the rounds, each of which is the median of the ratios of its turns; its interval
comes from the rounds, by order statistics: what drifts falls on both sides. Of rounds
without turns it is the ratio of their medians.
"""

from dataclasses import dataclass, field

from . import figures
from .binary import BAD, MEASURED
from .peers import CHANCES, NEAR, OURS, PAUSE_NS, TRIALS, rate
from .stats import interval, median, three_digits
from .tables import Table

#: Marks of peers that do another thing, and of what was not run in all rounds.
SPINS, UNBOUNDED, FEW = "†", "∞", "~"
MARKS = {SPINS: "† only spins, which no channel does: it stands apart.",
         UNBOUNDED: "∞ unbounded: no sender ever waits for room; it stands apart.",
         FEW: "~ of fewer rounds than others: what has not come to %g times the best "
              "peer of its kind in %d is not run there again, nor is anywhere what has hung or "
              "crashed in %d cells." % (NEAR, TRIALS, CHANCES)}


@dataclass
class Entry:
    """What one participant did in one row."""

    who: object
    verdict: str
    why: str
    rates: dict  #: messages per second, by round
    #: Of its slices; none where one of them is bad.
    records: list = field(default_factory=list)

    def median_of(self, figure):
        """Over the rounds; None where none of them has it."""
        values = [value for value in map(figure, self.records) if value is not None]
        return median(values) if values else None

    @property
    def rate(self):
        return median(self.rates.values()) if self.rates else None


@dataclass
class Ratio:
    """One of ours over one of theirs."""

    ours: Entry
    peer: Entry
    value: float
    low: float
    high: float
    level: float  #: the confidence that low and high enclose it


def entries(cells, records):
    """{row: [entry of each of its participants]}, in the order of the cells."""
    slices = {}
    for record in records:
        slices.setdefault(record["cell"], []).append(record)
    found = {}
    for cell in cells:
        if cell.name in slices:
            found.setdefault(cell.row, []).append(entry(cell, slices[cell.name]))
    return found


def entry(cell, slices):
    """The verdict is that of the worst round; without a good one there are no
    rates."""
    bad = [record for record in slices if record["verdict"] not in MEASURED]
    last = bad[-1] if bad else slices[-1]
    rates = {} if bad else {record["round"]: rate(record) for record in slices
                            if rate(record)}
    return Entry(cell.who, last["verdict"], last.get("why") or "", rates,
                 [] if bad else slices)


def at_full_speed(found):
    """The rows whose figure is how much comes through."""
    return {row: all_of_it for row, all_of_it in found.items() if not row.pause}


def best(row, allowed):
    """The fastest of those allowed, or None."""
    found = [one for one in row if one.rates and allowed(one.who)]
    return max(found, key=lambda one: one.rate, default=None)


def is_ours(who):
    return who.side == "ours"


def waits(who):
    """A peer that waits as a channel does."""
    return who.side == "peer" and not who.apart


def waits_in_threads(who):
    return waits(who) and who.is_threads


def is_apart(who):
    return who.side == "peer" and who.apart


def label(who):
    return who.name + SPINS * who.spins + UNBOUNDED * who.unbounded


def ratio(ours, peer):
    """None where either is missing."""
    if ours is None or peer is None:
        return None
    shared = [turn for turn in ours.rates if turn in peer.rates]
    if not shared:
        return None
    found = {turn: ours.rates[turn] / peer.rates[turn] for turn in shared}
    value = (median(ours.rates[turn] for turn in shared)
             / median(peer.rates[turn] for turn in shared))
    if are_by_turns(ours) and are_by_turns(peer):
        found = figures.ratios(ours.records, peer.records) or found
        value = median(found.values())
    low, high, level = interval(list(found.values()))
    # A ratio of medians may lie outside what the rounds' own ratios say; what it
    # is shown with has to hold it.
    return Ratio(ours, peer, value, min(low, value), max(high, value), level)


def are_by_turns(one):
    return bool(one.records) and all(record.get("group") for record in one.records)


def ratio_texts(found):
    if found is None:
        return ["-", "-"]
    if found.level == 0:  # one round says nothing of the others
        return [three_digits(found.value), "-"]
    return [three_digits(found.value),
            "%s to %s" % (three_digits(found.low), three_digits(found.high))]


def named(one):
    """`ring 12.3`, in million messages a second."""
    if one is None:
        return "-"
    return "%s %s" % (label(one.who), three_digits(one.rate / 1e6))


def comparison(found):
    """The table: our best against the best peer that waits; and where that one's
    tasks are no threads, against the best of those; and where one that does another
    thing is faster than any, against that."""
    header = ["cell", "our best", "best peer", "ratio", "interval",
              "best of threads", "vs threads", "apart", "vs apart"]
    lines = []
    for row, all_of_it in at_full_speed(found).items():
        ours, peer = best(all_of_it, is_ours), best(all_of_it, waits)
        threads, apart = best(all_of_it, waits_in_threads), best(all_of_it, is_apart)
        line = [row.name, named(ours), named(peer), *ratio_texts(ratio(ours, peer))]
        line += extra(ours, threads, threads is not peer)
        line += extra(ours, apart, bool(apart and (
            not peer or apart.rate > peer.rate)))
        lines.append(line)
    return Table("our best against the best peer, million messages/s", header, lines, 1)


def extra(ours, other, wanted):
    if not wanted or other is None:
        return ["", ""]
    return [named(other), ratio_texts(ratio(ours, other))[0]]


def medians(found, participants):
    """Everybody's median, or the verdict in words."""
    header = ["cell"] + [label(who) for who in participants]
    lines = []
    for row, all_of_it in at_full_speed(found).items():
        most = max(len(one.rates) for one in all_of_it)
        texts = {one.who.name: rate_text(one, most) for one in all_of_it}
        lines.append([row.name] + [texts.get(who.name, "") for who in participants])
    return Table("medians, million messages/s", header, lines, 1)


def idle_us(record):
    """What the median message took to a receiver that waited for it."""
    value = ((record.get("figures") or {}).get("idle_p50") or {}).get("value")
    return None if value is None else value / 1000.0


def cpu_percent(record):
    """Of one CPU, sender and receiver together."""
    samples = [100e9 * sample["cpu_seconds"] / sample["ns"]
               for sample in record.get("samples") or []
               if sample.get("ns") and sample.get("cpu_seconds") is not None]
    return median(samples) if samples else None


def jain(record):
    return (record.get("fairness") or {}).get("jain")


def idle(found, participants):
    """What a receiver that waits costs: the time that a message takes to it, and the
    CPU meanwhile."""
    lines = []
    for row, all_of_it in found.items():
        if not row.pause:
            continue
        for what, figure in (("µs", idle_us), ("% of a CPU", cpu_percent)):
            texts = {one.who.name: figure_text(one, figure) for one in all_of_it}
            lines.append(["%s, %s" % (row.name, what)]
                         + [texts.get(who.name, "") for who in participants])
    return Table("one message every %d µs: the median's time, and the CPU of both sides"
                 % (PAUSE_NS // 1000),
                 ["cell"] + [label(who) for who in participants], lines, 1)


def fairness(found, participants):
    """Jain's index over the receivers, where there are several."""
    lines = []
    for row, all_of_it in found.items():
        if row.consumers < 2:
            continue
        texts = {one.who.name: figure_text(one, jain) for one in all_of_it}
        lines.append([row.name] + [texts.get(who.name, "") for who in participants])
    return Table("Jain's index over receivers, median of the rounds",
                 ["cell"] + [label(who) for who in participants], lines, 1)


def figure_text(one, figure):
    value = one.median_of(figure)
    return one.verdict if value is None else three_digits(value)


def rate_text(one, rounds):
    """Marked where it is of fewer rounds than others."""
    if not one.rates:
        return one.verdict
    return three_digits(one.rate / 1e6) + FEW * (len(one.rates) < rounds)


def has(found, mark):
    """Whether anything in the tables has this mark."""
    table = medians(found, list({one.who: None for row in found.values()
                                 for one in row}))
    return any(mark in text for line in [table.header, *table.rows] for text in line)


def bad(found):
    """A line for each that failed, hung or crashed."""
    return ["%s %s: %s%s" % (one.verdict, row.name, one.who.name,
                             ": " + one.why if one.why else "")
            for row, all_of_it in found.items() for one in all_of_it
            if one.verdict in BAD]


def level(found):
    """The lowest confidence of all intervals, or None where there is none."""
    ratios = [ratio(best(row, is_ours), best(row, waits))
              for row in at_full_speed(found).values()]
    return min((one.level for one in ratios if one and one.level), default=None)


def agreement(first, second):
    """(how many times as fast the machine was in the second run, [(how many times as fast
    the faster run is, the cell's name)] of our cells that both summaries have figures of,
    the largest first). The machine is what all cells have in common, peers' included:
    the median of what each changed by; without that a cell of ours is compared."""
    later = {name: rate_ for name, rate_, _ in comparable(second)}
    changes = {name: (later[name] / rate_, is_one_of_ours)
               for name, rate_, is_one_of_ours in comparable(first) if name in later}
    if not changes:
        return 1.0, []
    machine = median([change for change, _ in changes.values()])
    return machine, sorted(
        ((max(change / machine, machine / change), name)
         for name, (change, is_one_of_ours) in changes.items() if is_one_of_ours),
        reverse=True)


def comparable(summary):
    """(name, messages per second, whether it is of ours) of each cell with a rate."""
    return [(cell["name"], cell["messages_per_second"]["median"], cell["chan"] in OURS)
            for cell in summary["cells"]
            if cell.get("messages_per_second") and "pause" not in cell["knobs"]]


def as_data(found):
    """The comparison for programs."""
    result = []
    for row, all_of_it in at_full_speed(found).items():
        ours, peer = best(all_of_it, is_ours), best(all_of_it, waits)
        result.append({
            "row": row.name, "pattern": row.pattern,
            "producers": row.producers, "consumers": row.consumers,
            "cap": row.cap, "one_cpu": row.one_cpu,
            "against_best": ratio_data(ratio(ours, peer)),
            "against_threads": ratio_data(ratio(ours, best(all_of_it, waits_in_threads))),
            "against_apart": ratio_data(ratio(ours, best(all_of_it, is_apart)))})
    return result


def ratio_data(found):
    if found is None:
        return None
    return {"ours": found.ours.who.name, "ours_per_second": found.ours.rate,
            "peer": found.peer.who.name, "peer_per_second": found.peer.rate,
            "ratio": found.value, "low": found.low, "high": found.high,
            "level": found.level}

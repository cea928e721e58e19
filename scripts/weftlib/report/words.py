"""The summary in words, and all of it computed: which implementation to use for what,
by how much, where nobody can tell, and what it costs."""

from dataclasses import dataclass, field

from ..stats import three_digits
from ..tables import escape, is_saturated
from .facts import (BASELINE, FEW, are_few, interval, is_bad, is_channel, is_measured,
                    overlap, rate, relative, topologies)

RENDEZVOUS = 0


@dataclass
class Place:
    """One row of an answer: a topology, who is fastest there, and who is level."""

    title: str
    ranking: list  #: measured cells of bounded channels, the fastest first
    level: list  #: those of them that cannot be told from the fastest, itself included
    unbounded: list
    failed: list
    base: dict = None  #: the baseline's cell

    @property
    def best(self):
        return self.ranking[0] if self.ranking else None

    @property
    def behind(self):
        """The first that is slower beyond doubt."""
        return next((cell for cell in self.ranking if cell not in self.level), None)


@dataclass
class Answer:
    """A question that people have, and what the run says to it."""

    question: str
    use: str  #: the channel's name, or nothing
    rivals: list = field(default_factory=list)  #: that are ahead or level as often
    sentences: list = field(default_factory=list)
    costs: list = field(default_factory=list)  #: of the place whose numbers are named
    places: list = field(default_factory=list)


def answers(run):
    """To the three questions of a reader who has a minute."""
    found = topologies(run)
    return [
        answer(run, "One producer, one consumer", found,
               lambda p, c, cap: p == c == 1 and cap != RENDEZVOUS),
        answer(run, "Many to many", found,
               lambda p, c, cap: p > 1 and c > 1 and cap != RENDEZVOUS),
        answer(run, "Rendezvous (capacity 0)", found,
               lambda p, c, cap: cap == RENDEZVOUS)]


def answer(run, question, found, wanted):
    places = [place(run, key, chans) for key, chans in found.items() if wanted(*key)]
    told = [one for one in places if one.ranking]
    use, *others = champions(told) or [""]
    result = Answer(question, use, others, places=places)
    if not places:
        result.sentences.append("This run has no such cell.")
    elif not use:
        result.sentences.append("No channel was measured here.")
    else:
        one = typical(use, told)
        result.sentences = [verdict(use, told), amount(own(one, use), one), *growing(one)]
        result.costs = costs(own(one, use), one)
    result.sentences += failures(places)
    return result


def place(run, key, chans):
    some = [cell for cell in chans.values() if is_measured(cell) and is_channel(cell)]
    bounded = sorted((cell for cell in some if not run.is_unbounded(cell)),
                     key=rate, reverse=True)
    return Place(topology(*key), bounded,
                 [cell for cell in bounded if overlap(cell, bounded[0])],
                 [cell for cell in some if run.is_unbounded(cell)],
                 [cell for cell in chans.values() if is_bad(cell)], chans.get(BASELINE))


def topology(producers, consumers, cap):
    return "%s → %s, capacity %s" % (producers, consumers, cap)


def champions(places):
    """The channels that are fastest, or level with the fastest, in most places; of
    several, the one that loses least where it loses comes first."""
    names = sorted({cell["chan"] for one in places for cell in one.level})
    wins = {name: sum(name in names_of(one.level) for one in places) for name in names}
    most = max(wins.values(), default=0)
    return sorted((name for name in names if wins[name] == most), reverse=True,
                  key=lambda name: sum(share_of_best(one, name) for one in places))


def names_of(cells):
    return [cell["chan"] for cell in cells]


def own(one, name):
    return next((cell for cell in one.ranking if cell["chan"] == name), None)


def share_of_best(one, name):
    cell = own(one, name)
    return rate(cell) / rate(one.best) if cell else 0.0


def verdict(use, places):
    """Where it is ahead, where level, where it is not."""
    alone = [one for one in places if names_of(one.level) == [use]]
    level = [one for one in places if use in names_of(one.level) and one not in alone]
    parts = []
    if len(alone) == len(places):
        parts.append("%s is the fastest wherever it was measured (%s)" % (
            use, counted(len(places))))
    elif alone:
        parts.append("%s is the fastest in %d of %s" % (
            use, len(alone), counted(len(places))))
    if len(level) == len(places):
        parts.append("nobody can tell %s from %s, because %s (%s)" % (
            use, listed(rivals(use, level), "or"), why_level(level), counted(len(places))))
    elif level:
        parts.append("in %d of %s nobody can tell %s from %s, because %s" % (
            len(level), counted(len(places)), use, listed(rivals(use, level), "or"),
            why_level(level)))
    parts += ["at %s %s is faster" % (one.title, listed(names_of(one.level), "or"))
              for one in places if use not in names_of(one.level)]
    text = "; ".join(parts)
    return text[:1].upper() + text[1:] + "." if not alone else text + "."


def why_level(places):
    return ("they have fewer than %d rounds" % FEW
            if any(are_few(*one.level) for one in places) else "their intervals overlap")


def counted(number):
    return "%d place%s" % (number, "s" * (number != 1))


def rivals(use, places):
    return sorted({name for one in places for name in names_of(one.level)} - {use})


def listed(names, last="and"):
    return (" %s " % last).join([", ".join(names[:-1])] * bool(names[:-1]) + names[-1:])


def typical(use, places):
    """The place that says most: of those where the channel was measured the first
    number of tasks, and its largest capacity."""
    own_places = [one for one in places if own(one, use)]
    first = own_places[0].title.partition(",")[0]
    return [one for one in own_places if one.title.partition(",")[0] == first][-1]


def amount(cell, one):
    """How fast it is there, and by how much."""
    text = "At %s: %s million messages/s (%s)" % (
        one.title, three_digits(rate(cell)), from_to(*interval(cell)))
    text += "; " + "; ".join(compared(cell, one)) if compared(cell, one) else ""
    return text + "."


def doubts(cell):
    """What keeps the number from being taken for more than it is."""
    parts = []
    if cell.get("near_floor"):
        parts.append("not well above the floor, so that the harness is a part of it")
    if cell.get("modes"):
        parts.append("two modes, %s" % listed(["%s (%.0f %%)" % (
            three_digits(mode["messages_per_second"] / 1e6), 100 * mode["share"])
            for mode in cell["modes"]]))
    elif cell.get("steady") is False:
        parts.append("not steady")
    return parts


def compared(cell, one):
    parts = doubts(cell)
    if one.base is not None and one.base is not cell:
        found = relative(cell, one.base)
        parts.append("%s as fast as %s%s" % (times(found[0]), BASELINE, interval_of(found))
                     if found else "%s: %s" % (BASELINE, one.base["verdict"]))
    behind = one.behind
    if behind and behind["chan"] != BASELINE and cell in one.level:
        parts.append("%s as fast as %s, the next" % (
            times(rate(cell) / rate(behind)), behind["chan"]))
    if cell not in one.level:
        parts.append("%s of what %s does" % (
            "%.0f %%" % (100 * rate(cell) / rate(one.best)), one.best["chan"]))
    return parts


def times(value):
    return "%s times" % three_digits(value)


def interval_of(found):
    return " (%s)" % from_to(*found[1:]) if None not in found[1:] else ""


def from_to(low, high):
    return "%s to %s" % (three_digits(low), three_digits(high))


def costs(cell, one):
    """CPU time, latency, and memory of that cell, beside the baseline's."""
    parts = []
    key = "cpu_seconds_per_million_messages"
    if cell.get(key) is not None:
        base = (one.base or {}).get(key)
        parts.append("%s CPU seconds per million messages%s" % (
            three_digits(cell[key]), " (%s: %s)" % (BASELINE, three_digits(base))
            if base is not None and one.base is not cell else ""))
    parts += latency_words(cell)
    if cell.get("bytes_per_channel") is not None:
        parts.append("%s for an idle channel" % size_text(cell["bytes_per_channel"]))
    if cell.get("idle_cpu_share") is not None:
        parts.append("%s %% of a CPU while a task waits" % three_digits(
            100 * cell["idle_cpu_share"]))
    return parts


def latency_words(cell):
    found = cell["latency_ns"]
    if not found or found.get("p99") is None or found.get("p50") is None:
        return []
    kind, load = found.get("kind") or "latency", found.get("load")
    if load is not None:
        kind += " at %.0f %% load" % (100 * load)
        kind += ", more than came through" * is_saturated(cell)
    return ["latency: %s at p50, %s at p99 (%s)" % (
        time_text(found["p50"]), time_text(found["p99"]), kind)]


def time_text(ns):
    for unit, scale in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if ns >= scale:
            return "%s %s" % (three_digits(ns / scale), unit)
    return "%s ns" % three_digits(ns)


def size_text(count):
    for unit, scale in (("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return "%s %s" % (three_digits(count / scale), unit)
    return "%d bytes" % count


def growing(one):
    """What does not wait for room is another thing, and said apart."""
    return ["%s has no bound: there it does %s million messages/s, and its memory "
            "grows with what waits in it." % (cell["chan"], three_digits(rate(cell)))
            for cell in one.unbounded]


def failures(places):
    return ["%s %s at %s." % (cell["chan"], cell["verdict"], one.title)
            for one in places for cell in one.failed]


def quality(run):
    """How far the run is to be trusted: sentences with numbers."""
    cells = [cell for cell in run.cells if is_measured(cell)]
    bad = [cell for cell in run.cells if is_bad(cell)]
    parts = []
    if run.context.get("partial"):
        parts.append("The run was interrupted: what is here was measured, but it is "
                     "not all.")
    if bad:
        parts.append("%d of %d cells failed, hung or crashed." % (
            len(bad), len(run.cells)))
    judged = [cell for cell in cells if cell.get("steady") is not None]
    if judged:
        parts.append("%d of %d cells are steady (their ratio to condvar, or their rate where they "
                     "have none, is known to 10 %%); the others are marked ~." % (
            sum(cell["steady"] for cell in judged), len(judged)))
    for count, text in (
            (sum(bool(cell.get("modes")) for cell in cells),
             "%d have two modes, both shown with their shares."),
            (sum(bool(cell.get("near_floor")) for cell in cells),
             "%d are not well above the floor, what the harness itself costs, and "
             "marked ≈.")):
        if count:
            parts.append(text % count)
    rejected = sum(cell.get("rejected") or 0 for cell in cells)
    if rejected:
        parts.append("Not used: %d sample%s, because others had the CPUs; told with the "
                     "cell." % (rejected, "s" * (rejected != 1)))
    disturbed = sum(bool(cell.get("disturbed")) for cell in cells)
    if disturbed:
        parts.append("%d cell%s had to use rounds in which others had the CPUs."
                     % (disturbed, "s" * (disturbed != 1)))
    left_out = run.context.get("left_out")
    if isinstance(left_out, list) and left_out:
        parts.append("The budget left out %d cells." % len(left_out))
    return parts


def markdown(run):
    """The same for summary.md."""
    lines = ["## Which channel to use on this machine"]
    for one in answers(run):
        costs = ["It costs: %s." % "; ".join(one.costs)] if one.costs else []
        lines.append("- **%s: %s.** %s" % (
            one.question, escape(listed([one.use, *one.rivals], "or")) or "–",
            escape(" ".join(one.sentences + costs))))
    told = quality(run)
    return "\n".join(lines) + ("\n\n" + escape(" ".join(told)) if told else "")

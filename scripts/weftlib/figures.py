"""What the slices of a cell say: one figure for each round, however many turns it had.

The turns of a round lie close together, so they are not independent of each other; its
median is one observation, and so is the median of its ratios. Whatever counts
observations (an interval, whether it is narrow enough) counts rounds.
"""

from . import steady
from .stats import median


def brief(slice_):
    """What the functions here need of it, where many are kept."""
    return {"round": slice_.get("round"), "group": slice_.get("group"),
            "times": times(slice_)}


def times(slice_):
    """ns for a message in each turn; None where it is not known."""
    if "times" in slice_:
        return slice_["times"]
    return [sample["ns"] / sample["messages"]
            if sample.get("ns") and sample.get("messages") else None
            for sample in slice_.get("samples") or []]


def known_times(slice_):
    return [value for value in times(slice_) if value]


def figure(slice_):
    """ns for a message in this round, or None."""
    values = known_times(slice_)
    return median(values) if values else None


def usable_samples(slice_):
    return [sample for sample in slice_.get("samples") or []
            if sample.get("ns") and sample.get("messages")]


def cost(slice_, key):
    """What the samples of this round count, for each message; None if they do not."""
    known = [sample for sample in usable_samples(slice_) if sample.get(key) is not None]
    if not known:
        return None
    return sum(sample[key] for sample in known) / sum(
        sample["messages"] for sample in known)


def messages(slice_):
    return sum(sample["messages"] for sample in usable_samples(slice_))


def ratio(slice_, reference):
    """How many times as fast it was as the reference in the same round, or None. What
    was measured by turns is compared turn by turn, unless one of them had so few that
    most of what is known of the other would have no part in it."""
    ours, theirs = times(slice_), times(reference)
    few, many = sorted((len(ours), len(theirs)))
    if slice_.get("group") and slice_["group"] == reference.get("group") and 2 * few >= many:
        pairs = [their / our for our, their in zip(ours, theirs) if our and their]
        return median(pairs) if pairs else None
    our, their = figure(slice_), figure(reference)
    return their / our if our and their else None


def by_round(slices):
    """{round: slice} of those with a figure."""
    return {entry["round"]: entry for entry in slices
            if entry.get("round") is not None and figure(entry)}


def ratios(slices, reference):
    """The ratio of each round that both have a figure of: {round: ratio}."""
    ours, theirs = by_round(slices), by_round(reference)
    found = {turn: ratio(ours[turn], theirs[turn]) for turn in ours if turn in theirs}
    return {turn: value for turn, value in found.items() if value}


def modes(slices):
    """The two modes that a cell has, or None: in its turns, if several rounds have turns
    of both, or in its rounds. Rounds that differ are two groups of turns, too: whether
    these are modes, only as many rounds can tell."""
    rounds = [values for values in map(known_times, slices) if values]
    found = steady.modes([value for values in rounds for value in values])
    if found and sum(min(values) <= found[0]["most"] < max(values)
                     for values in rounds) >= steady.FEW_OF_MODE:
        return found
    return steady.modes([median(values) for values in rounds])


def is_steady(slices, reference=(), within=steady.STEADY):
    """Whether a cell is known that well, or None for too few rounds: its ratio to the
    reference, where there is one in the same rounds, and its time otherwise."""
    if modes(slices):
        return False
    return steady.is_steady(told(slices, reference), within)


def further(slices, reference, within):
    """How many more rounds it takes, at a guess, until a cell is known that well: 0 of
    one that is, None of one that has two modes, which no number of rounds makes one."""
    if modes(slices):
        return None
    values = told(slices, reference)
    return 0 if steady.is_steady(values, within) else steady.further(values, within)


def told(slices, reference):
    """What is told of a cell, round by round."""
    return (list(ratios(slices, reference).values())
            or [value for value in map(figure, slices) if value])


def rejected(slices):
    """How many samples were not used, or None where none was looked at."""
    if not any(entry.get("disturbed") for entry in slices):
        return None
    return sum(map(count_rejected, slices))


def as_measured(slice_):
    """With what was set aside, where it was measured, if the slice was rejected."""
    return {**slice_, **(slice_.get("rejected") or {})}


def count_rejected(slice_):
    return len((slice_.get("rejected") or {}).get("samples") or [])


def spins(slices):
    """What the same computation took beside each sample, the rejected ones included."""
    return [sample["spin_ns"] for entry in slices
            for sample in [*(entry.get("samples") or []),
                           *((entry.get("rejected") or {}).get("samples") or [])]
            if sample.get("spin_ns")]

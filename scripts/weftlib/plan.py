"""How long a sweep takes, how to make it fit, and in which order it runs."""

import random
from dataclasses import dataclass, replace
from math import ceil

from . import whole

#: What a slice costs beside its repetitions: a process, set-up, the checks.
SLICE_SECONDS = 0.020
#: What it takes to get warm, in repetitions: mostly three parts of an eighth each.
WARMUP = 0.4
#: A slice is divided into so many turns at most, none shorter than that, or so many times
#: that as there are tasks for each CPU: the last of them begins when others have used up
#: their time slices. And what a turn costs beside its repetition.
MOST_TURNS, TURN_MS = 10, 5
TURN_SECONDS = 0.0008
#: The first slice only looks for the number of items, which takes SEARCHES repetitions,
#: so it is this much shorter; the number is scaled up.
FIRST_PART = 4
#: Of the budget, what is kept for more rounds of cells that are not steady.
RESERVE = 0.4
#: Repetitions run a little longer than asked; this much was seen.
STRETCH = 1.15
#: Slices below this say more about the machine's noise than the channel's.
COMFORTABLE_MS = 10
SHORTEST_MS = 2
FEWEST_ROUNDS = 3
#: No run of a cell whose number of items is open moves fewer, however long the
#: work on each of them takes (PLAN_ITEMS_MIN in bench/plan.h).
FEWEST_ITEMS = 2000
#: Repetitions, each as long as the longest of them should be, that a slice may
#: take: the one that is measured, those that look for the number of items (they
#: grow, and the last is run again), and for latency.
SEARCHES, LATENCIES = 4, 3
#: Times its length, a repetition for latency may last to get its messages
#: (PLAN_LATENCY_FACTOR in bench/plan.h).
MOST_LATENCY = 10
DEFAULT_UTILIZATION = 50


def slice_seconds(cell, turn):
    """The estimated wall time of one slice.

    A cell's first slice is short and looks for the number of items; a repetition for
    latency is as long as a slice, if it has no length of its own.
    """
    if turn:
        count, each_ms = turns(cell)
        repetitions = count
    else:
        count, each_ms, repetitions = 1, first_ms(cell), SEARCHES
    repetitions += WARMUP * cell.warms_up
    ms = repetitions * each_ms + cell.measures_latency(turn) * latency_ms(cell)
    return SLICE_SECONDS + count * TURN_SECONDS + STRETCH * ms / 1000.0


def turns(cell, crowd=1):
    """(how many turns its slice is divided into, how many ms each is), with so many tasks
    for each CPU."""
    most = min(MOST_TURNS, cell.time_ms // (TURN_MS * crowd))
    count = max(1, most) if cell.by_turns else 1
    return count, cell.time_ms // count


def first_ms(cell):
    """How long its first slice is."""
    return (min(cell.time_ms, max(TURN_MS, cell.time_ms // FIRST_PART))
            if cell.by_turns else cell.time_ms)


def tasks_for_each_cpu(tasks, cpus):
    """Rounded up; of what is not known there is one."""
    return max(1, ceil((tasks or 1) / max(1, cpus or 1)))


def latency_ms(cell):
    return cell.latency_ms or cell.time_ms


def slice_limit(cell, patience):
    """Seconds after which a slice without an answer is HUNG: `patience` more than
    what was asked of it may take, all of its work done one item after the other.

    An open loop, of which a share of the throughput is asked, takes longer by the
    inverse of that share.
    """
    knobs = dict(cell.knobs)
    items = whole(knobs.get("items", "")) or FEWEST_ITEMS
    least = items * cell.item_ns / 1e9
    longest = max(cell.time_ms / 1000.0, least)  # the last of several turns, too
    timed = max(latency_ms(cell) / 1000.0 * (MOST_LATENCY if cell.latency_items else 1),
                max(items, cell.latency_items) * cell.item_ns / 1e9)
    share = min(100, whole(knobs.get("utilization", "")) or DEFAULT_UTILIZATION) / 100
    return patience + STRETCH * (longest * (2 + SEARCHES) + timed * LATENCIES / share)


def estimate(cells):
    """Seconds for all rounds of all cells."""
    return sum(slice_seconds(cell, turn)
               for cell in cells for turn in range(cell.rounds))


def fit(cells, budget, shortest=None):
    """(the cells to measure in `budget` s, the names of those left out).

    With a shortest slice, slices shrink to that, and then cells are left out: those of
    the highest rank first, the last of them first, and each with the same cell over the
    other channels of its line, for it says nothing without them. If those of rank 0 do not fit by
    themselves, and without a shortest slice, slices shrink to 10 ms; then rounds, to 3;
    then slices again, to 2 ms. What still does not fit then is measured anyway.
    """
    if any(cell.limit > cell.rounds for cell in cells):
        budget *= 1 - RESERVE
    left_out = []
    if shortest:
        cells = shrink_time(cells, budget, shortest)
        cells, left_out = leave_out(cells, budget)
    return shrink(cells, budget), left_out


def leave_out(cells, budget):
    """(those that fit, the names of the others)."""
    rows = {}
    for place, cell in enumerate(cells):
        rows.setdefault((cell.rank, cell.where, cell.pattern, cell.knobs), []).append(place)
    total, gone = estimate(cells), set()
    for (rank, *_), row in sorted(rows.items(), reverse=True,
                                  key=lambda found: (found[0][0], found[1][-1])):
        if total <= budget or not rank:
            break
        total -= estimate([cells[place] for place in row])
        gone.update(row)
    return ([cell for place, cell in enumerate(cells) if place not in gone],
            [cell.name for place, cell in enumerate(cells) if place in gone])


def shrink(cells, budget):
    """The same cells with shorter slices and fewer rounds."""
    cells = shrink_time(cells, budget, COMFORTABLE_MS)
    cells = shrink_rounds(cells, budget)
    return shrink_time(cells, budget, SHORTEST_MS)


def shrink_time(cells, budget, shortest):
    """Scales every slice by one factor, none below `shortest` ms."""
    total = estimate(cells)
    fixed = estimate([replace(cell, time_ms=0) for cell in cells])
    if total <= budget or total <= fixed:
        return cells
    scale = max(0.0, (budget - fixed) / (total - fixed))
    while True:
        found = [replace(cell, time_ms=max(min(shortest, cell.time_ms),
                                           int(cell.time_ms * scale)))
                 for cell in cells]
        # The number of turns goes in steps.
        if estimate(found) <= budget or all(cell.time_ms <= shortest for cell in found):
            return found
        scale *= 0.97


def shrink_rounds(cells, budget):
    """Takes rounds from the cells that have most, until it fits."""
    while estimate(cells) > budget:
        most = max(cell.rounds for cell in cells)
        if most <= FEWEST_ROUNDS:
            break
        cells = [replace(cell, rounds=min(cell.rounds, most - 1))
                 for cell in cells]
    return cells


@dataclass(frozen=True)
class Need:
    """What it takes until a cell is known well enough."""

    name: str
    rounds: int  #: further ones, at a guess; those of its reference go with them
    price: float  #: seconds for each, and as much for each of the reference
    reference: str = ""  #: the cell that it is told against, if that is another


def affordable(needs, left):
    """The names of the cells that will be known in `left` seconds, if those that take
    least by themselves are seen to first. A round of a reference serves all cells told
    against it."""
    rounds, found = {}, set()
    for need in sorted(needs, key=lambda need: (need.rounds * need.price, need.name)):
        names = [name for name in (need.name, need.reference) if name]
        cost = need.price * sum(max(0, need.rounds - rounds.get(name, 0)) for name in names)
        if cost > left:
            continue
        left -= cost
        found.add(need.name)
        for name in names:
            rounds[name] = max(rounds.get(name, 0), need.rounds)
    return found


def groups(cells):
    """The cells that differ in their channel only, together."""
    found = {}
    for cell in cells:
        found.setdefault((cell.pattern, cell.knobs, cell.time_ms), []).append(cell)
    return list(found.values())


def group_order(cells, turn, seed):
    """The groups of these cells in the order of round `turn`, each in an order of its
    own.

    Every round runs every cell once, so that what drifts (clock, neighbours,
    temperature) hits all alike; shuffling keeps one cell from always running
    in the shadow of the same other one. The seed makes the order repeatable.
    """
    rng = random.Random("%d/%d" % (seed, turn))
    found = groups(cells)
    rng.shuffle(found)
    for group in found:
        rng.shuffle(group)
    return found


def rotated(items, turn):
    """The items in the order of a turn: each two turns begin with another one, and the
    second of them goes the other way round. So each is as early as it is late."""
    start = turn // 2 % len(items)
    order = items[start:] + items[:start]
    return order[::-1] if turn % 2 else order


def shuffled(cells, turn, seed):
    order = list(cells)
    random.Random("%d/%d" % (seed, turn)).shuffle(order)
    return order

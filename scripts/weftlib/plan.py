"""How long a sweep takes, how to make it fit, and in which order it runs."""

import random
from dataclasses import replace

from . import whole

#: What a slice costs beside its repetitions: a process, set-up, the checks.
SLICE_SECONDS = 0.020
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
DEFAULT_UTILIZATION = 50


def slice_seconds(cell, turn):
    """The estimated wall time of one slice.

    A cell's first slice looks for the number of items too, which costs about
    another repetition; a latency repetition costs as much as one of throughput.
    """
    repetitions = 1 + (turn == 0) + cell.measures_latency(turn)
    return SLICE_SECONDS + STRETCH * repetitions * cell.time_ms / 1000.0


def slice_limit(cell, patience):
    """Seconds after which a slice without an answer is HUNG: `patience` more than
    what was asked of it may take, all of its work done one item after the other.

    An open loop, of which a share of the throughput is asked, takes longer by the
    inverse of that share.
    """
    knobs = dict(cell.knobs)
    items = whole(knobs.get("items", "")) or FEWEST_ITEMS
    longest = max(cell.time_ms / 1000.0, items * cell.item_ns / 1e9)
    share = min(100, whole(knobs.get("utilization", "")) or DEFAULT_UTILIZATION) / 100
    return patience + STRETCH * longest * (1 + SEARCHES + LATENCIES / share)


def estimate(cells):
    """Seconds for all rounds of all cells."""
    return sum(slice_seconds(cell, turn)
               for cell in cells for turn in range(cell.rounds))


def fit(cells, budget):
    """The same cells with shorter slices and fewer rounds, to fit `budget` s.

    Slices shrink first, to 10 ms; then rounds, to 3; then slices again, to
    2 ms. What still does not fit then is measured anyway: cells are never
    dropped silently.
    """
    cells = shrink_time(cells, budget, COMFORTABLE_MS)
    cells = shrink_rounds(cells, budget)
    return shrink_time(cells, budget, SHORTEST_MS)


def shrink_time(cells, budget, shortest):
    """Scales every slice by one factor, none below `shortest` ms."""
    total = estimate(cells)
    fixed = SLICE_SECONDS * sum(cell.rounds for cell in cells)
    if total <= budget or total <= fixed:
        return cells
    scale = max(0.0, (budget - fixed) / (total - fixed))
    return [
        replace(cell, time_ms=max(min(shortest, cell.time_ms),
                                  int(cell.time_ms * scale)))
        for cell in cells
    ]


def shrink_rounds(cells, budget):
    """Takes rounds from the cells that have most, until it fits."""
    while estimate(cells) > budget:
        most = max(cell.rounds for cell in cells)
        if most <= FEWEST_ROUNDS:
            break
        cells = [replace(cell, rounds=min(cell.rounds, most - 1))
                 for cell in cells]
    return cells


def round_order(cells, turn, seed):
    """The cells of round `turn` in its own shuffled order.

    Every round runs every cell once, so that what drifts (clock, neighbours,
    temperature) hits all alike; shuffling keeps one cell from always running
    in the shadow of the same other one. The seed makes the order repeatable.
    """
    order = [cell for cell in cells if turn < cell.rounds]
    random.Random("%d/%d" % (seed, turn)).shuffle(order)
    return order

"""How long a sweep takes, how to make it fit, and in which order it runs."""

import random
from dataclasses import replace

#: What a slice costs beside its repetitions: a process, set-up, the checks.
SLICE_SECONDS = 0.020
#: Repetitions run a little longer than asked; this much was seen.
STRETCH = 1.15
#: Slices below this say more about the machine's noise than the channel's.
COMFORTABLE_MS = 10
SHORTEST_MS = 2
FEWEST_ROUNDS = 3


def slice_seconds(cell, turn):
    """The estimated wall time of one slice.

    A cell's first slice looks for the number of items too, which costs about
    another repetition; a latency repetition costs as much as one of throughput.
    """
    repetitions = 1 + (turn == 0) + cell.measures_latency(turn)
    return SLICE_SECONDS + STRETCH * repetitions * cell.time_ms / 1000.0


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

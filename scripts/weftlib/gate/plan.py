"""Which arm runs when, and which of its links: balanced, and the same for a seed."""

import random

#: The build that is compared with, the one that is judged, and the first one's twin:
#: the same code linked in another order. What twin and base differ by is no change.
ARMS = ("base", "head", "control")


def digit_sum(number, base):
    total = 0
    while number:
        number, digit = divmod(number, base)
        total += digit
    return total


def arm_order(turn, start, arms=ARMS):
    """The arms of a cell in round `turn`, as they run; `start` is the cell's own.

    Thue and Morse's sequence, of n arms: in any n rounds from a multiple of n each arm
    stands in each place once, and of two such blocks one runs the other way round, in
    the order forth, back, back, forth.
    """
    first = (digit_sum(turn, len(arms)) + start) % len(arms)
    order = arms[first:] + arms[:first]
    return order[::-1] if digit_sum(turn // len(arms), 2) % 2 else order


def links(turn, count):
    """{arm: which of its `count` links} in round `turn`.

    A link is one sample of where code lies in memory. In `count` rounds each arm uses
    each of its links once, and in as many times as many each of the base's meets each
    of the head's and of the control's once.
    """
    lap = turn // count
    return {"base": turn % count, "head": (turn + lap) % count,
            "control": (turn - lap) % count}


def cell_order(cells, phase, turn, seed):
    """The cells of a round in its own shuffled order, each with its `start`."""
    order = list(cells)
    random.Random("%s/%s/%d" % (seed, phase, turn)).shuffle(order)
    return [(cell, random.Random("%s/%s" % (seed, cell)).randrange(3)) for cell in order]

"""Whether JSON from outside has the shape that its reader takes for granted.

A shape is a function of a value and its place: a ValueError names the place
and what should be there. Keys that a shape does not name may hold anything.
"""

#: Far below where arithmetic with floats ends.
LARGEST = 1e200


def demand(holds, where, what):
    if not holds:
        raise ValueError("%s must be %s" % (where, what))


def text(value, where):
    demand(isinstance(value, str), where, "text")


def flag(value, where):
    demand(isinstance(value, bool), where, "true or false")


def number(value, where):
    demand(isinstance(value, (int, float)) and not isinstance(value, bool)
           and abs(value) <= LARGEST, where, "a number")


def count(value, where):
    number(value, where)
    demand(isinstance(value, int) and value >= 0, where,
           "a whole number, at least 0")


def positive(value, where):
    number(value, where)
    demand(value > 0, where, "above 0")


def knob(value, where):
    """A knob's value: a number or a word."""
    if not isinstance(value, str):
        number(value, where)


def one_of(words):
    def shape(value, where):
        demand(isinstance(value, str) and value in words, where,
               "one of " + ", ".join(words))
    return shape


def maybe(inner):
    """Null, or not there, or of this shape."""
    def shape(value, where):
        if value is not None:
            inner(value, where)
    return shape


def each(inner):
    """A list of these."""
    def shape(value, where):
        demand(isinstance(value, list), where, "a list")
        for place, entry in enumerate(value):
            inner(entry, "%s[%d]" % (where, place))
    return shape


def pair(inner):
    """A list of two of these."""
    def shape(value, where):
        demand(isinstance(value, list) and len(value) == 2, where, "a list of two")
        each(inner)(value, where)
    return shape


def all_values(inner):
    """An object, of whatever keys, whose values are of this shape."""
    def shape(value, where):
        demand(isinstance(value, dict), where, "an object")
        for key, entry in value.items():
            inner(entry, "%s.%s" % (where, key))
    return shape


def has(**fields):
    """An object with these keys."""
    def shape(value, where):
        demand(isinstance(value, dict), where, "an object")
        for key, inner in fields.items():
            inner(value.get(key), "%s.%s" % (where, key))
    return shape

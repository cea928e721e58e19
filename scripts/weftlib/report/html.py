"""Pieces of a page. Text goes through `esc` here and nowhere else: what a function
takes as text is escaped, what it takes as html is not."""

import re
from html import escape

#: What no page may hold, whoever put it into a name.
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class Html(str):
    """Text that is a part of a page already."""


def esc(text):
    """Whatever it is, as a part of a page."""
    if isinstance(text, Html):
        return text
    return Html(escape(CONTROL.sub("\ufffd", str(text)), quote=True))


def join(parts):
    return Html("".join(esc(part) for part in parts))


def tag(name, *inner, **attributes):
    """`class_` and `for_` stand for what Python has for itself; None is left out, and
    True is an attribute without a value."""
    words = "".join(
        " " + key.rstrip("_").replace("_", "-") + (
            "" if value is True else '="%s"' % esc(value))
        for key, value in attributes.items() if value is not None)
    return Html("<%s%s>%s</%s>" % (name, words, join(inner), name))


def paragraphs(texts, **attributes):
    return join(tag("p", text, **attributes) for text in texts)


def details(summary, *inner, **attributes):
    return tag("details", tag("summary", summary), *inner, **attributes)


def section(anchor, title, *inner):
    """With a heading that names it."""
    return tag("section", tag("h2", title, id=anchor), *inner, aria_labelledby=anchor)


def scrolled(inner, label):
    """What may be wider than a narrow screen scrolls by itself, with the keyboard
    too."""
    return tag("div", inner, class_="scroll", tabindex="0", role="region",
               aria_label=label)


def table(caption, header, rows, keys=1, class_=None):
    """`keys` columns are headings of their rows. A place is text, or a pair of text
    and attributes."""
    head = tag("tr", *(tag("th", text, scope="col") for text in header))
    body = [tag("tr", *(place(text, column < keys)
                        for column, text in enumerate(row))) for row in rows]
    return scrolled(tag("table", tag("caption", caption), tag("thead", head),
                        tag("tbody", *body), class_=class_), caption)


def place(text, is_heading):
    text, attributes = text if isinstance(text, tuple) else (text, {})
    if is_heading:
        return tag("th", text, scope="row", **attributes)
    return tag("td", text, **attributes)


def listing(items, **attributes):
    return tag("ul", *(tag("li", item) for item in items), **attributes)


def link(anchor, text):
    return tag("a", text, href="#" + anchor)


def slug(text):
    """An anchor; different texts of this program have different ones."""
    return "".join(char if char.isascii() and char.isalnum() else "-%x-" % ord(char)
                   for char in text)

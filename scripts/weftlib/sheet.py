"""The layout of one picture: panels, title, key and notes in pixels."""

from .gnuplot import quote


class Sheet:
    """A picture of several panels with one title, one key and notes below.

    Everything is placed in pixels: gnuplot's own layout gives panels of
    different sizes as soon as their labels differ.
    """

    TITLE, GAP_Y, BOTTOM, LINE = 62, 62, 68, 17
    LEFT, GAP_X, PANEL_W = 92, 64, 330

    def __init__(self, panels, key_names, subtitle, notes, panel_h):
        self.panel_h = panel_h
        self.columns = 1 if panels == 1 else 2 if panels <= 4 else 3
        self.rows = -(-panels // self.columns)
        self.panels = panels
        self.subtitle = subtitle
        self.notes = notes
        self.key_w = 70 + 8 * max([len(name) for name in key_names] + [6])
        plots = self.columns * self.PANEL_W + (self.columns - 1) * self.GAP_X
        self.width = max(self.LEFT + plots + self.key_w, 28 + 7 * len(subtitle))
        self.height = (self.TITLE + 24 + self.rows * self.panel_h
                       + (self.rows - 1) * self.GAP_Y + self.BOTTOM
                       + self.LINE * len(notes))

    @property
    def size(self):
        return self.width, self.height

    def x(self, pixels):
        return "screen %.5f" % (pixels / self.width)

    def y(self, pixels):
        """From the top, as people read."""
        return "screen %.5f" % (1 - pixels / self.height)

    def begin(self, title):
        """The lines before the first panel."""
        lines = ["set multiplot",
                 "set label 1 %s at %s, %s left font ',14'" % (
                     quote(title), self.x(14), self.y(20)),
                 "set label 2 %s at %s, %s left textcolor rgb '#555555'" % (
                     quote(self.subtitle), self.x(14), self.y(42))]
        first = self.height - self.LINE * len(self.notes) - 2
        lines += ["set label %d %s at %s, %s left textcolor rgb '#555555'" % (
            3 + i, quote(note), self.x(14), self.y(first + i * self.LINE))
            for i, note in enumerate(self.notes)]
        return lines

    def panel(self, index):
        """Margins of a panel, and no more of the title than the first had."""
        row, column = divmod(index, self.columns)
        left = self.LEFT + column * (self.PANEL_W + self.GAP_X)
        top = self.TITLE + 24 + row * (self.panel_h + self.GAP_Y)
        lines = [] if index == 0 else [
            "unset label %d" % (1 + i) for i in range(2 + len(self.notes))]
        for side, place in (("l", self.x(left)), ("r", self.x(left + self.PANEL_W)),
                            ("t", self.y(top)), ("b", self.y(top + self.panel_h))):
            lines.append("set %smargin at %s" % (side, place))
        return lines

    def is_left(self, index):
        return index % self.columns == 0

    def is_lowest(self, index):
        return index + self.columns >= self.panels

    def end(self, entries):
        """The key as a plot of its own, right of the panels."""
        left = self.LEFT + self.columns * self.PANEL_W + (
            self.columns - 1) * self.GAP_X
        return ["reset", "unset border", "unset tics",
                "set lmargin at %s" % self.x(left + 4),
                "set rmargin at %s" % self.x(self.width - 2),
                "set tmargin at %s" % self.y(self.TITLE + 16),
                "set bmargin at %s" % self.y(self.TITLE + 24 + self.panel_h),
                "set key at graph 0, graph 1 left top Left reverse samplen 2.5 "
                "spacing 1.3",
                "plot [0:1] [0:1] " + ", ".join(entries), "unset multiplot"]

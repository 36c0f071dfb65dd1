"""Small log-log plots as SVG, without a library."""

import math
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT, TOP = 520, 66, 16, 34
# The lower end of the axes, and of the page before the legend.
FLOOR, LEGEND, ENTRY = 262, 312, 17
# Okabe and Ito's colours, which stay apart for the colour-blind.
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"]
INK, GRID = "#333333", "#dddddd"


@dataclass(frozen=True)
class Series:
    """A line through points (x, y), all above 0. Dashed lines have no marks;
    colour is a place in COLOURS."""

    name: str
    points: tuple
    colour: int
    dashed: bool = False


def power(exponent):
    """10 to the exponent, as text."""
    if 0 <= exponent <= 5:
        return f"{10 ** exponent:,}"
    digits = str(exponent).translate(str.maketrans(
        "-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"10{digits}"


class Axis:
    """Values of an axis between its ends on the page."""

    def __init__(self, values, start, end):
        low, high = math.log10(min(values)), math.log10(max(values))
        room = 0.05 * max(high - low, 0.5)
        self.low, self.high = low - room, high + room
        self.start, self.end = start, end

    def place(self, value):
        """Where a value lies."""
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self):
        """(value, label) of the powers of ten; of 2 and 5 times them too
        where there are few."""
        decades = range(math.floor(self.low), math.ceil(self.high) + 1)
        factors = (1, 2, 5) if self.high - self.low < 2 else (1,)
        for exponent in decades:
            for factor in factors:
                value = factor * 10.0 ** exponent
                if self.low <= math.log10(value) <= self.high:
                    if factor == 1:
                        label = power(exponent)
                    elif -3 <= exponent <= 5:
                        label = f"{value:,.{max(0, -exponent)}f}"
                    else:
                        label = f"{factor}·{power(exponent)}"
                    yield value, label


def text(x, y, words, anchor="middle", size=12, more=""):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" '
            f'font-size="{size}" fill="{INK}"{more}>{escape(words)}</text>')


def line(x1, y1, x2, y2, colour, width=1, dashes=""):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'stroke="{colour}" stroke-width="{width}"{dashes}/>')


def legend(series):
    """Three entries a row, below the axis."""
    for n, one in enumerate(series):
        x = 14 + n % 3 * (WIDTH - 20) / 3
        y = LEGEND + n // 3 * ENTRY
        dashes = ' stroke-dasharray="5 4"' if one.dashed else ""
        yield line(x, y, x + 22, y, COLOURS[one.colour], 2, dashes)
        yield text(x + 28, y + 4, one.name, "start", 11)


def curve(one, horizontal, vertical):
    """A series' line, and a mark at each of its points."""
    places = [(horizontal.place(x), vertical.place(y)) for x, y in one.points]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    colour = COLOURS[one.colour]
    dashes = ' stroke-dasharray="5 4"' if one.dashed else ""
    yield (f'<polyline points="{points}" fill="none" stroke="{colour}" '
           f'stroke-width="2"{dashes}/>')
    if not one.dashed:
        for x, y in places:
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'


def plot(title, x_label, y_label, series):
    """The SVG text of a plot of one series or more."""
    points = [point for one in series for point in one.points]
    horizontal = Axis([x for x, _ in points], LEFT, WIDTH - RIGHT)
    vertical = Axis([y for _, y in points], FLOOR, TOP)
    height = LEGEND + (len(series) + 2) // 3 * ENTRY
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
        f'height="{height}" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        text(WIDTH / 2, 20, title, size=14)]
    for value, label in horizontal.ticks():
        x = horizontal.place(value)
        parts += [line(x, TOP, x, FLOOR, GRID),
                  text(x, FLOOR + 15, label, size=11)]
    for value, label in vertical.ticks():
        y = vertical.place(value)
        parts += [line(LEFT, y, WIDTH - RIGHT, y, GRID),
                  text(LEFT - 6, y + 4, label, "end", 11)]
    middle = (TOP + FLOOR) / 2
    parts += [
        line(LEFT, FLOOR, WIDTH - RIGHT, FLOOR, INK),
        line(LEFT, TOP, LEFT, FLOOR, INK),
        text((LEFT + WIDTH - RIGHT) / 2, FLOOR + 32, x_label),
        text(14, middle, y_label,
             more=f' transform="rotate(-90 14 {middle:.1f})"')]
    for one in series:
        parts += curve(one, horizontal, vertical)
    return "\n".join([*parts, *legend(series), "</svg>"]) + "\n"

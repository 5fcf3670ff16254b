"""How figures and tables are written."""

import textwrap


def number(figure):
    return f"{figure:,}"


def times(figure, base):
    return f"{figure / base:.2f}" if figure < 10 * base else f"{figure / base:.0f}"


def kilobytes(figure):
    return f"{round(figure / 1024, 1) + 0.0:.1f} MiB"  # + 0.0: without it there is a -0.0


def milliseconds(microseconds):
    return f"{microseconds / 1000:.2f}" if microseconds < 10_000 else f"{microseconds / 1000:.0f}"


def spread(entry):
    return f"{number(entry['low'])} to {number(entry['high'])}"


def ratio(entry):
    """The median of the pairs."""
    return f"{entry['ratio']:.2f}"


def quartiles(entry):
    return f"{entry['low']:.2f} to {entry['high']:.2f}"


def whole(figure):
    return number(round(figure))


def size(entry):
    """Of the cookie or the token."""
    length = entry.get("token_bytes") or entry.get("cookie_bytes")
    return f"{length} B" if length else "-"


def table(rows):
    """Markdown that is readable as it is."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]

    def line(row):
        cells = [row[0].ljust(widths[0])] + [cell.rjust(w) for cell, w in zip(row[1:], widths[1:])]
        return "| " + " | ".join(cells) + " |"

    rule = "|" + "|".join("-" * (w + 2) if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(widths)) + "|"
    return "\n".join([line(rows[0]), rule, *map(line, rows[1:])]) + "\n"


def plain_table(rows):
    """With all cells to the left, and a first row that is empty."""
    rows = [[""] * len(rows[0]), *rows]
    widest = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widest)) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "|".join("-" * (w + 2) for w in widest) + "|", *lines[1:]]) + "\n"


def paragraph(text):
    return textwrap.fill(text, 118, break_long_words=False, break_on_hyphens=False)

"""Horizontal bars as SVG, without a library for it.

The page that shows a plot may be light or dark, and an image cannot ask it which: the
background stays transparent, and each colour stands out from white and from black.
"""

from xml.sax.saxutils import escape

TEXT = "#777777"  # a contrast of 4.5 to white, and of 4.2 to the near-black of dark pages
COLOURS = {"alone": "#8a8f98", "oxd": "#2f86d1", "openidc": "#c9772b", "script": "#c9772b"}
BARS, FIGURES, ROW, BAR = 380, 100, 26, 14
LEAST_LABELS, LETTER = 320, 6.7  # room for labels: at least, and for each letter
FONT = "font-family='system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif'"


def bars(title, rows):
    """`rows`: (label, figure, its text, family) or with (lowest, highest) as a fifth, drawn below the bar."""
    most = max(max(row[1], *(high for _, high in row[4:])) if row[4:] else row[1] for row in rows)
    labels = max(LEAST_LABELS, round(LETTER * max(len(row[0]) for row in rows)))
    width, height = labels + BARS + FIGURES, 44 + ROW * len(rows)
    spoken = "; ".join(f"{label}: {text}" for label, _, text, *_ in rows)
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' "
        f"height='{height}' role='img' {FONT} font-size='13' fill='{TEXT}'>",
        f"<title>{escape(title)}</title>",
        f"<desc>{escape(spoken)}</desc>",
        f"<text x='8' y='22' font-size='15' font-weight='600'>{escape(title)}</text>",
    ]
    for number, (label, figure, text, family, *spread) in enumerate(rows):
        top = 38 + ROW * number
        base = top + BAR - 2.5
        # A bar that is too short to be seen would look like nothing measured.
        length = max(1.5, BARS * figure / most)
        parts.append(f"<text x='{labels - 10}' y='{base}' text-anchor='end'>{escape(label)}</text>")
        parts.append(f"<rect x='{labels}' y='{top}' width='{length:.1f}' height='{BAR}' rx='2' "
                     f"fill='{COLOURS[family]}'/>")
        for low, high in spread:
            left, right = (labels + BARS * bound / most for bound in (low, high))
            if right - left >= 1:
                parts.append(f"<path d='M{left:.1f} {top + BAR + 1}v4M{left:.1f} {top + BAR + 3}H{right:.1f}"
                             f"m0 -2v4' stroke='{TEXT}' stroke-width='1.2' fill='none'/>")
        parts.append(f"<text x='{labels + length + 8:.1f}' y='{base}'>{escape(text)}</text>")
    return "\n".join([*parts, "</svg>"]) + "\n"

# SPDX-License-Identifier: GPL-3.0-or-later
"""What is shown of the results: a table for people, one for the docs, a plot."""

import re
import textwrap

import processors
from results import AT_LEAST, DRIVE, REFERENCE

CELL_MAX = 24
BEGIN, END = "<!-- begin: written by tests/bench/run --docs -->", "<!-- end: written by tests/bench/run --docs -->"

WHO = "Who had the processors meanwhile, in seconds of CPU time, and how much of all processors' time nobody needed:"


def figure(value):
    if value is None:
        return "—"
    if value == 0:
        return "0"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f}"


def cell(row, column):
    """A median with its range, or why there is none."""
    samples = row.samples.get(column)
    if not samples:
        return textwrap.shorten(row.problems.get(column, ""), CELL_MAX, placeholder="…")
    text = figure(row.median(column))
    if len(samples) > 1:
        text += f" ({figure(min(samples))}–{figure(max(samples))})"
    return text


def target(row):
    return f"{row.better} {row.target:g}" if row.target is not None else ""


def verdict(row):
    return {None: "", True: "yes", False: "no"}[row.reached()]


def others(rows):
    """The columns of other mounters, in the order of their first appearance."""
    found = {}
    for row in rows:
        found.update({column: None for column in (*row.samples, *row.problems) if column not in (DRIVE, REFERENCE)})
    return list(found)


def lines(rows):
    """The table as lists of cells; the first is its head."""
    columns = others(rows)
    yield ["workload", "ms", "unit", "against", "reference", "drive", "ratio", "to reach", "reached", *columns]
    for row in rows:
        ratio = row.ratio()
        yield [row.title, f"{row.rtt_ms:g}", row.unit, row.reference, cell(row, REFERENCE), cell(row, DRIVE),
               "" if ratio is None else f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.4f}", target(row), verdict(row),
               *(cell(row, column) for column in columns)]


def table(cells):
    cells = list(cells)
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip() for line in cells)


def processor_lines(rows):
    """Who had the processors, as lists of cells; the first is the head."""
    yield ["workload", "ms", "way", *processors.COLUMNS]
    for row in rows:
        for column in (REFERENCE, DRIVE):
            rounds = row.processors.get(column)
            if rounds and any(rounds):
                used = processors.medians(rounds)
                everything = sum(used[name] for name in processors.COLUMNS if name != processors.SECONDS)
                idle = f"{used[processors.IDLE] / everything:.0%}" if everything else ""
                yield [row.title, f"{row.rtt_ms:g}", "libsmbclient" if column == REFERENCE else "drive",
                       *(figure(used[name]) for name in processors.COLUMNS[:-1]), idle]


def markdown(cells):
    cells = list(cells)
    rules = [["---"] * len(cells[0])]
    return "\n".join("| " + " | ".join(line) + " |" for line in cells[:1] + rules + cells[1:])


def about(machine):
    """The machine and the conditions, as sentences."""
    return "\n".join(f"- {line}" for line in machine)


def troubles(rows):
    """What did not fit into the table, as sentences."""
    seen = {f"- {column}, {row.title}: {why}": None for row in rows for column, why in row.problems.items()
            if len(why) > CELL_MAX}
    return "\n".join(seen)


def write_docs(path, machine, rows, picture):
    """Replaces what stands between the two markers. picture: the plot, or None; it is shown where it lies beside the page."""
    text = path.read_text(encoding="utf-8")
    beside = picture and picture.resolve().parent == path.resolve().parent
    image = f"![relative to libsmbclient alone]({picture.name})" if beside else ""
    block = "\n\n".join(part for part in (BEGIN, about(machine), image, markdown(lines(rows)), troubles(rows), WHO,
                                    markdown(processor_lines(rows)), END) if part)
    new, count = re.subn(re.escape(BEGIN) + ".*?" + re.escape(END), lambda _: block, text, flags=re.DOTALL)
    if count != 1:
        raise SystemExit(f"{path}: there have to be the lines\n{BEGIN}\n{END}")
    path.write_text(new, encoding="utf-8")


def plot(path, rows):
    """How far each mounter gets, libsmbclient alone being 1: to the right is better, in every row."""
    try:
        import matplotlib
    except ImportError:
        raise SystemExit("a plot needs python3-matplotlib (apt-get install python3-matplotlib)") from None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = [row for row in rows if row.median(DRIVE) and row.median(REFERENCE)]
    columns = [DRIVE, *others(shown)]
    height = 0.8 / len(columns)
    fig, axes = pyplot.subplots(figsize=(10, 1.2 + 0.55 * len(shown)))
    for number, column in enumerate(columns):
        bars = [(at, relative(row, column)) for at, row in enumerate(shown) if row.median(column)]
        axes.barh([at + number * height for at, _ in bars], [value for _, value in bars], height, label=column)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_yticks([at + height * (len(columns) - 1) / 2 for at in range(len(shown))],
                    [row.title + (f", {row.rtt_ms:g} ms" if row.rtt_ms else "") for row in shown])
    axes.invert_yaxis()
    axes.set_xlabel("against libsmbclient alone (1): to the right is better")
    axes.legend(loc="best")
    fig.tight_layout()
    fig.savefig(path, dpi=100)


def relative(row, column):
    ratio = row.median(column) / row.median(REFERENCE)
    return ratio if row.better == AT_LEAST else 1 / ratio

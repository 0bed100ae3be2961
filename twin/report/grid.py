"""A table on the terminal whose numbers are never cut."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text as Line

_LEAST = 8
"""Columns that a column of words keeps, however narrow the terminal is."""


def grid(
    names: Mapping[str, str],
    rows: Iterable[Sequence[str]],
    width: int,
    words: Sequence[str],
    left: Sequence[str] = (),
    styles: Mapping[str, Sequence[str]] | None = None,
) -> Table:
    """A table whose numbers are never broken or cut: words give way.

    Parameters
    ----------
    names : of the columns, with their heads.
    rows : the cells.
    width : of the console.
    words : columns of words, which may be broken and share what the others leave.
    left : other columns that stand at the left as words do.
    styles : of the cells of a column, by row.
    """
    listed = [list(row) for row in rows]
    least = {
        name: max([*(cell_len(row[k]) for row in listed), *map(_width, head.split())])
        for k, (name, head) in enumerate(names.items())
    }
    whole = {name: max(least[name], cell_len(head)) for name, head in names.items()}
    if sum(whole.values()) + 2 * len(names) <= width:
        least = whole  # no head has to be broken
    broken = [name for name in names if name in words]
    numbers = sum(least[name] for name in names if name not in broken)
    gap = 2 if sum(least.values()) + 2 * len(names) <= width else 1
    rest = width - gap * len(names) - numbers
    wide = {}
    for turn, name in enumerate(sorted(broken, key=least.__getitem__)):  # the short ones leave more
        wide[name] = max(min(least[name], rest // (len(broken) - turn)), _LEAST)
        rest -= wide[name]
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, gap, 0, 0))
    for name, head in names.items():
        table.add_column(
            head,
            overflow="fold",
            width=wide.get(name, least[name]),
            justify="left" if name in (*broken, *left) else "right",
        )
    for number, row in enumerate(listed):
        cells = [Line(cell) for cell in row]
        for name, of_rows in (styles or {}).items():
            cells[list(names).index(name)].stylize(of_rows[number])
        table.add_row(*cells)
    return table


def _width(word: str) -> int:
    """Columns of a word of a head; what is Chinese may be broken into two lines."""
    return cell_len(word) if word.isascii() else 2 * ((len(word) + 1) // 2)

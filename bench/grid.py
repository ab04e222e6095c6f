"""A table for the terminal whose columns stand in named groups; as narrow as its cells allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from textwrap import wrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

INDENT, LONGEST = "  ", 36  # of a name that goes on below; the width up to which a word of it stays whole
WITHIN, BETWEEN = 1, 3  # spaces between columns of one group, and between groups


@dataclass
class Grid:
    """columns: (group, heading) of each, a heading of two words on two lines. names: width at which a row's name goes on below."""

    columns: Sequence[tuple[str, str]]
    names: int = 20
    rows: list[tuple[str, list[str], str]] = field(default_factory=list)

    def add(self, name: str, cells: Sequence[str], style: str = "") -> None:
        """One line, with the rest of a long name below it; `style` is rich's (bold, dim)."""
        words = max(map(len, name.split()), default=0) + len(INDENT)  # one that is not much too long is not cut
        first, *rest = wrap(name, max(self.names, min(words, LONGEST)), subsequent_indent=INDENT) or [""]
        self.rows += [(first, list(cells), style), *((more, [""] * len(cells), style) for more in rest)]

    def text(self) -> Text:
        """The head, a line, the rows."""
        from rich.text import Text

        heads = [self._heading(heading) for _, heading in self.columns]
        widths = [max(map(len, [*head, *(cells[i] for _, cells, _ in self.rows)])) for i, head in enumerate(heads)]
        spans = [(group, [i for i, _ in members]) for group, members in groupby(enumerate(self.columns), key=lambda c: c[1][0])]
        for group, members in spans:  # a group's name may be longer than its columns
            wide = sum(widths[i] for i in members) + WITHIN * (len(members) - 1)
            widths[members[0]] += max(0, len(group) - wide)
        left = max([len(name) for name, _, _ in self.rows], default=0)

        def line(name: str, cells: Sequence[str]) -> str:
            groups = [(" " * WITHIN).join(cells[i].rjust(widths[i]) for i in members) for _, members in spans]
            return (" " * BETWEEN).join([name.ljust(left), *groups]).rstrip()

        def across(label: str, members: list[int]) -> str:
            return label.center(sum(widths[i] for i in members) + WITHIN * (len(members) - 1), "─" if label == "" else " ")

        named = (" " * BETWEEN).join([" " * left, *(across(group, members) for group, members in spans)])
        ruled = (" " * BETWEEN).join(["─" * left, *(across("", members) for _, members in spans)])
        text = Text()
        for i in range(2):
            if any(head[i] for head in heads):
                heads_here = line("", [head[i] for head in heads])
                text.append(f"{heads_here}\n", "bold")
        text = Text.assemble((f"{named.rstrip()}\n", "bold"), text, f"{ruled}\n")
        for name, cells, style in self.rows:
            text.append(f"{line(name, cells)}\n", style)
        return text

    @staticmethod
    def _heading(heading: str) -> tuple[str, str]:
        """("Class", "ACC ↑") of "Class ACC ↑": an arrow stays with the word before it."""
        words = heading.replace(" ↑", "\0↑").replace(" ↓", "\0↓").split(" ")
        return " ".join(words[:-1]).replace("\0", " "), words[-1].replace("\0", " ")

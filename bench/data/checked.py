"""What `bench data check` found, on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.data.check import MEANING, Check
from bench.data.decode import enough

if TYPE_CHECKING:
    from rich.console import Console

SHOWN = 5  # of each problem, the rest is counted


def print_check(found: Check, console: Console | None = None) -> None:
    """Tables of the counts and of what is wrong, and a last line that says whether a run would start."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = console or Console()
    console.print(f"[bold]{found.name}[/] {escape(found.root)}   list {found.hash or 'unusable'}")
    table = Table("split", "clips", "classes", "clips a class", box=None, header_style="bold")
    for split, labels in found.counts.items():
        named = {k: n for k, n in labels.items() if k}
        each = sorted(named.values())
        span = "-" if not each else str(each[0]) if each[0] == each[-1] else f"{each[0]} to {each[-1]}"
        table.add_row(split, str(sum(labels.values())), str(len(named)) if named else "no labels", span)
    console.print(table)
    rows = [(kind, MEANING[kind], some) for kind, some in found.problems.items()]
    rows += [("shared", f"same source clip in {name}", some) for name, some in found.shared.items() if some]
    for kind, meaning, some in rows:
        console.print(f"[bold red]{len(some)} {kind}[/]: {escape(meaning)}")
        for one in some[:SHOWN]:
            console.print(f"  {escape(one.id)}: {escape(one.why)}", highlight=False, soft_wrap=True)
        if len(some) > SHOWN:
            console.print(f"  ... and {len(some) - SHOWN} more")
    for name, some in found.shared.items():
        if not some:
            console.print(f"nothing shared with {escape(name)}")
        tests, leaks = sum(found.counts.get("test", {}).values()), len(found.leaks.get(name, ()))
        if leaks:
            console.print(
                f"[bold red]{leaks} of {tests} test clips are in train or val of {escape(name)}[/]: what learns there has heard them"
            )
    if found.excluded:
        console.print(f"{found.excluded} clips are left out by data.exclude")
    console.print(_verdict(found), highlight=False, soft_wrap=True)


def _verdict(found: Check) -> str:
    from rich.markup import escape

    if found.refused:
        return f"[bold red]A run would not start:[/] {escape(found.refused)}"
    bad, listed = len(found.unusable), found.listed
    told = f"{listed - bad} of {listed} clips can be used" if found.decoded else f"{listed} clips listed, none decoded"
    told += f", {found.seconds / 60:.1f} minutes of sound" if found.decoded else ""
    if found.ok:
        return f"[bold green]A run would start:[/] {told}"
    way = f"; data.max_bad={enough(bad, listed):g} goes on without them" if bad < listed else ""
    return f"[bold red]A run would not start:[/] {told}, more are unusable than data.max_bad={found.max_bad:g} allows{way}"

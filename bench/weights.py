"""Weights on disk: what a folder or file of them is, by content, and where the lab's own lie."""

from __future__ import annotations

from pathlib import Path

from bench.errors import Refused
from melqcd.contents import content, placed

__all__ = ["LAB", "content", "placed", "weights"]

LAB = Path(__file__).resolve().parent / "lab" / "weights"
SHIPPED = LAB.parent / "shipped"  # a read-only store: artefacts of the lab's first runs, made by the same stages


def weights(path: str, what: str, *, default: Path | None = None) -> Path:
    """The file or folder `path`, or `default` where it is empty; Refused naming the setting that should say where.

    A relative path that is not there is looked for below the folder that the environment variable BENCH_WEIGHTS names.
    """
    if not path and default is None:
        raise Refused(f"{what} needs its weights: write {what}.path=FILE_OR_FOLDER")
    setting = what if what.endswith(("labels", "statistics", "tokenizer")) else f"{what}.path"
    found = placed(path) if path else default
    assert found is not None
    if not found.exists():
        raise Refused(
            f"{setting}: {found} does not exist"
            if path
            else f"the lab's weights are not at {found}: `bench lab build` makes them"
        )
    return found

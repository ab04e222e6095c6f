"""One line of what the doctor says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """fine: green or red. what: what was looked at. told: what was found. do: what to do about it, "" where nothing."""

    fine: bool
    what: str
    told: str
    do: str = ""

"""Refusals that several controls share."""

from __future__ import annotations


def check_choice(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")


def check_fit(window: int, order: int) -> None:
    """Refuse what no Savitzky-Golay fit can be."""
    if window < 1 or window % 2 == 0:
        raise ValueError(f"window must be odd and positive, got {window}; 1 means no smoothing")
    if not 0 <= order < window:
        raise ValueError(f"order must be 0 ... window - 1 = {window - 1}, got {order}")

"""Long clips through a backbone of fixed length: where its windows lie, and how their sounds are joined."""

from __future__ import annotations

import numpy as np


def starts(frames: int, size: int, *, overlap: int, step: int = 1) -> list[int]:
    """First frames of the windows of `size` frames that cover a clip of `frames`, multiples of `step`.

    One window where the clip fits; otherwise neighbours share at least `overlap` frames and the last window reaches the end,
    so its last frames may lie up to `step` - 1 beyond it.
    """
    if not 0 <= overlap < size or overlap % step or size % step:
        raise ValueError(f"windows need 0 <= overlap < size, both multiples of step={step}, got overlap={overlap}, size={size}")
    if frames <= size:
        return [0]
    count = -(-(frames - overlap) // (size - overlap))
    last = -(-(frames - size) // step) * step
    return [round(i * last / (count - 1) / step) * step for i in range(count)]


def covering(samples: int, hop: int, size: int, *, overlap: int, step: int = 1) -> list[int]:
    """`starts` for a clip of `samples`; its last frame of `hop` samples may not be full, but it is sound too."""
    return starts(-(-samples // hop), size, overlap=overlap, step=step)


def join(sounds: list[np.ndarray], firsts: list[int], samples: int) -> np.ndarray:
    """The sounds of overlapping windows as one of `samples`, cross-faded where they overlap (linear: the parts are correlated).

    sounds: float arrays; firsts: the sample at which each begins, increasing. Raises ValueError if they leave a gap.
    """
    out = np.zeros(samples, np.float32)
    reached = 0
    for sound, first in zip(sounds, firsts, strict=True):
        if first > reached:
            raise ValueError(f"no window covers samples {reached} to {first}")
        end = min(first + len(sound), samples)
        shared = max(0, min(reached, end) - first)
        ramp = (np.arange(shared, dtype=np.float32) + 0.5) / max(1, shared)
        out[first : first + shared] = out[first : first + shared] * (1 - ramp) + sound[:shared] * ramp
        out[first + shared : end] = sound[shared : end - first]
        reached = max(reached, end)
    if reached < samples:
        raise ValueError(f"no window covers samples {reached} to {samples}")
    return out

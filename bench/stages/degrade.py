"""Known manipulations of the real sound: what a metric must notice, made on purpose."""

from __future__ import annotations

import csv
from hashlib import sha256
from pathlib import Path
from typing import Literal

import numpy as np

from bench.clipset import Clips
from bench.context import Context

Kind = Literal["same", "noise", "late", "swapped", "silent"]
NOISE_DB = 20.0  # white noise this far below the clip's own power
LATE_S = 0.2  # the sound begins this much later


def degrade(out: Path, part: Path, ctx: Context, kind: Kind, split: str, clips: Path) -> None:
    """Write the sound of every clip of `split` as ID.wav, degraded in one known way, and sounds.csv.

    same: untouched. noise: white noise 20 dB below the clip. late: 0.2 s later, silence before. swapped: another clip's sound, cut or
    padded to this one's length. silent: nothing. Lengths are those of the real clips.
    """
    from bench.media import write_wav

    known = Clips(clips, ctx.roots.get(clips.name))
    ids = known.ids(split)
    with open(out / "sounds.csv", "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "file", "video", "label", "split", "seconds"])
        for place, id in enumerate(ctx.track(ids, f"{kind} sound")):
            clip, wave = known.rows[id], np.array(known.waves[id])
            other = np.array(known.waves[ids[(place + 1) % len(ids)]])
            write_wav(out / f"{id}.wav", degraded(wave, other, kind, seed=_seed(id), rate=known.rate), known.rate)
            rows.writerow([id, f"{id}.wav", clip.video or "", clip.label, clip.split, f"{len(wave) / known.rate:.6f}"])


def degraded(wave: np.ndarray, other: np.ndarray, kind: Kind, *, seed: int, rate: int) -> np.ndarray:
    """float32 [samples], as long as `wave`; `other` is what `swapped` puts in its place."""
    if kind == "noise":
        noise = np.random.default_rng(seed).standard_normal(len(wave))
        loud = np.sqrt(np.mean(wave.astype(np.float64) ** 2)) * 10 ** (-NOISE_DB / 20)
        return (wave + loud * noise).astype(np.float32)
    if kind == "late":
        shift = min(len(wave), round(LATE_S * rate))
        return np.concatenate([np.zeros(shift, np.float32), wave[: len(wave) - shift]])
    if kind == "swapped":
        return np.pad(other[: len(wave)], (0, max(0, len(wave) - len(other))))
    if kind == "silent":
        return np.zeros_like(wave)
    if kind == "same":
        return wave
    raise ValueError(f"no such manipulation: {kind!r}")


def _seed(id: str) -> int:
    return int.from_bytes(sha256(id.encode()).digest()[:8], "big")

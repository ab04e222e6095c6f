"""Known manipulations of the real sound: what a metric must notice, made on purpose."""

from __future__ import annotations

import csv
from hashlib import sha256
from pathlib import Path
from typing import Literal

import numpy as np

from bench.clipset import Clips
from bench.context import Context

Kind = Literal[
    "same", "noise", "late", "swapped", "silent", "white", "clicks", "late_50", "late_1000", "quiet", "pitched", "half"
]  # fmt: skip
NOISE_DB = 20.0  # white noise this far below the clip's own power
LATE_S = {"late_50": 0.05, "late": 0.2, "late_1000": 1.0}  # the sound begins this much later
CLICKS_HZ = 5.0  # of a click train: its recall of onsets is high, its precision low (metrics.md 1.5)
PITCH = 1.5  # a fifth up
GRAIN_S = 0.04  # of the pieces whose pitch is shifted one by one


def degrade(out: Path, part: Path, ctx: Context, kind: Kind, split: str, clips: Path) -> None:
    """Write the sound of every clip of `split` as ID.wav, degraded in one known way, and sounds.csv.

    same: untouched. noise: white noise 20 dB below the clip. late, late_50, late_1000: 0.2, 0.05, 1 s later, silence before. swapped:
    another clip's sound, cut or padded to this one's length. silent: nothing. white: white noise of the clip's power alone. clicks: five
    a second. quiet: a quarter of the amplitude. pitched: a fifth higher, in time. half: nothing after the middle. Lengths are those of
    the real clips.
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
    power = np.sqrt(np.mean(wave.astype(np.float64) ** 2)) if len(wave) else 0.0
    if kind in ("noise", "white"):
        noise = np.random.default_rng(seed).standard_normal(len(wave))
        if kind == "white":
            return (power * noise).astype(np.float32)
        return (wave + power * 10 ** (-NOISE_DB / 20) * noise).astype(np.float32)
    if kind in LATE_S:
        shift = min(len(wave), round(LATE_S[kind] * rate))
        return np.concatenate([np.zeros(shift, np.float32), wave[: len(wave) - shift]])
    if kind == "clicks":
        t = np.arange(len(wave)) % round(rate / CLICKS_HZ) / rate
        return (0.5 * np.exp(-200 * t) * np.cos(2 * np.pi * 2000 * t)).astype(np.float32)
    if kind == "quiet":
        return wave / 4
    if kind == "pitched":
        return pitched(wave, PITCH, round(GRAIN_S * rate))
    if kind == "half":
        return np.where(np.arange(len(wave)) < len(wave) // 2, wave, np.float32(0))
    if kind == "swapped":
        return np.pad(other[: len(wave)], (0, max(0, len(wave) - len(other))))
    if kind == "silent":
        return np.zeros_like(wave)
    if kind == "same":
        return wave
    raise ValueError(f"no such manipulation: {kind!r}")


def pitched(wave: np.ndarray, ratio: float, grain: int) -> np.ndarray:
    """`wave` [samples] with every frequency times `ratio` and every event where it was: overlapping pieces of `grain` samples, each
    played faster over its own middle and faded into the next (piecewise, so a pure tone gets a little rough).
    """
    step, window = grain // 2, np.hanning(grain + 1)[:-1]
    made = np.zeros(len(wave) + 2 * grain)
    padded = np.pad(wave.astype(np.float64), (round(ratio * grain), round(ratio * grain)))
    time = np.arange(len(padded)) - round(ratio * grain)
    around = (np.arange(grain) - grain / 2) * ratio
    for first in range(-step, len(wave), step):  # each piece reads the wave around its own middle
        made[first + grain : first + 2 * grain] += window * np.interp(first + grain / 2 + around, time, padded)
    return made[grain : grain + len(wave)].astype(np.float32)


def _seed(id: str) -> int:
    return int.from_bytes(sha256(id.encode()).digest()[:8], "big")

"""Whether a judge is awake: what it says of one fixed sound, again and again the same, and that it does not say one thing of all clips."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.context import Context
from bench.judges.base import Judge
from bench.ragged import Ragged

RATE = 22050  # Hz
SECONDS = 2.56
KNOWN = Path(__file__).resolve().parent / "lab" / "beacons.json"  # {judge: {id, numbers}} of the judges that came along
NEAR = 1e-3  # relative: other processors and builds of torch
ALIKE = 0.999  # mean cosine of different clips from which on a judge's outputs have collapsed (a broken CLAP had .999)
NETWORK = ("features", "logits", "audio_embedding", "video_embedding")

Found = tuple[str, float | None, str, bool]  # what, value, what was asked, whether it is so


def fixed() -> np.ndarray:
    """float32 [samples] at 22050 Hz: a rising tone, clicks and noise. By arithmetic alone: no random generator's version decides."""
    t = np.arange(round(SECONDS * RATE))
    noise = (t * 1103515245 + 12345) % 2**31 / 2**30 - 1  # linear congruential, one step from each sample's number
    tone = np.sin(2 * np.pi * (200 * t + 400 * t**2 / (2 * len(t))) / RATE)
    clicks = np.exp(-0.002 * (t % (RATE // 2))) * np.sin(2 * np.pi * 1500 * (t % (RATE // 2)) / RATE)
    return (0.3 * tone + 0.5 * clicks + 0.02 * noise).astype(np.float32)


def beacon(judge: Judge, ctx: Context) -> dict[str, list[float]]:
    """{array: sum, length and four fixed projections} of what `judge` says of the fixed sound. Heard anew: no store remembers it."""
    from bench.judges.view import View
    from bench.media import write_wav
    from bench.sounds import Sounds

    with tempfile.TemporaryDirectory() as place:
        sound, out = Path(place, "sound"), Path(place, "out")
        sound.mkdir()
        out.mkdir()
        write_wav(sound / "beacon.wav", fixed(), RATE)
        judge.listen(ctx, View(Sounds.open(sound), ("beacon",)), out)
        return {name: summary(np.array(Ragged(out, name)["beacon"])) for name in judge.provides}


def summary(array: np.ndarray) -> list[float]:
    """Six numbers that a changed array hardly keeps: sum, length as a vector, and its projections on four cosines."""
    flat = array.astype(np.float64).ravel()
    waves = [np.cos((k + 1) * (np.arange(len(flat)) + 0.5) * 1.618) for k in range(4)]
    return [float(flat.sum()), float(np.linalg.norm(flat)), *(float(flat @ w) for w in waves)]


def changed(judge: Judge, now: Mapping[str, Any], before: Sequence[Mapping[str, Any]]) -> Iterator[Found]:
    """Whether `now` is what a judge of the same id said before: what came along with the package, and what records keep."""
    shipped = json.loads(KNOWN.read_text()) if KNOWN.exists() else {}
    known = [shipped[judge.name]] if shipped.get(judge.name, {}).get("id") == now["id"] else []
    known += list(before)
    if not known:
        yield f"first heard, id {now['id']}", None, "kept for later", True
        return
    for name, numbers in now["numbers"].items():
        apart = max(distance(numbers, old["numbers"].get(name, [])) for old in known)
        yield name, apart, f"as before within {NEAR:g} ({len(known)} kept)", apart <= NEAR


def distance(one: Sequence[float], other: Sequence[float]) -> float:
    """The largest difference relative to the array's length; infinite where the arrays have other numbers of values."""
    a, b = np.array(one, np.float64), np.array(other, np.float64)
    if a.shape != b.shape or not np.isfinite(a).all():
        return float("inf")
    return float(np.abs(a - b).max() / max(abs(b[1]), 1e-12)) if len(b) > 1 else 0.0


def awake(judge: Judge, heard: Path) -> Iterator[Found]:
    """Of each network's array over all clips: finite, and different clips are not alike (mean cosine below ALIKE)."""
    for name in (n for n in judge.provides if n in NETWORK):
        rows = np.array(Ragged(heard, name).rows, np.float64)
        if not np.isfinite(rows).all():
            yield f"{name}", float("nan"), "finite", False
        elif len(rows) > 1:
            value = alike(rows)
            yield name, value, f"clips differ: mean cosine under {ALIKE}", value < ALIKE


def alike(rows: np.ndarray) -> float:
    """Mean cosine between different rows [clips, D]; 1 for rows of zeros, which are all one."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    if (length == 0).any():
        return 1.0
    total, n = (rows / length).sum(0), len(rows)
    return float((total @ total - n) / (n * (n - 1)))


def ship() -> Path:
    """Write KNOWN anew: what the judges that came along say now. Run as `python -m bench.beacon` after their weights changed."""
    from bench.identity import digest
    from bench.settings import compose
    from bench.store import write_json

    judges = compose(site=False)[0].judges
    ctx = Context(quiet=True)
    write_json(KNOWN, {judge.name: {"id": digest(judge.identity()), "numbers": beacon(judge, ctx)} for judge in judges})
    return KNOWN


if __name__ == "__main__":
    print(ship())

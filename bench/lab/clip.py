"""One clip of the lab world in memory: sound, picture and the truth about both."""

from __future__ import annotations

import numpy as np

from bench.lab.sounds import sound
from bench.lab.world import FPS, MATERIALS, RATE, Plan, Pool, plan


def make_clip(lab: Pool, split: str, index: int, *, picture: bool = True) -> tuple[np.ndarray, np.ndarray | None, dict]:
    """(wave float32 [samples] at 16 kHz, frames uint8 [T, 96, 96, 3] at 25 a second or None, truth).

    lab: anything with `pool` and `seed`, such as a `Lab`. The same arguments give the same bytes, whatever else is made, with or
    without the picture; samples = 640 T, T = 64 for nine clips of ten.
    """
    made = plan(lab, split, index)
    wave, energies = sound(made)
    frames = None
    if picture:
        from bench.lab.pictures import film

        frames = film(made)
    return wave, frames, truth(made, energies)


def truth(made: Plan, energies: list[float]) -> dict:
    """What is known of a clip, as it stands in truth.json."""
    heard = made.heard
    return {
        "id": made.id,
        "class": made.kind.folder,
        "label": made.kind.prompt,
        "seconds": made.seconds,
        "samples": made.samples,
        "frames": made.frames,
        "rate": RATE,
        "fps": FPS,
        "onsets": [e.time for e in heard],  # seconds at which each event's sound begins
        "shown": [e.shown for e in heard],  # seconds of the frame that shows it
        "lengths": [round(e.length, 5) for e in heard],  # seconds; of sustained classes
        "strengths": [round(e.strength, 5) for e in heard],
        "energies": [float(f"{x:.6g}") for x in energies],  # sum of squared dry samples / rate
        "hidden": [e.hidden for e in heard],  # heard and not seen
        "feints": [e.time for e in made.events if e.silent],  # seen and not heard
        "passer": made.passer,  # seconds at which somebody walks through the picture
        "material": MATERIALS[made.material],
        "stuff": made.kind.stuff[made.material],
        "size": round(made.size, 5),
        "near": round(made.near, 5),
    }

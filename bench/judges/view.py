"""The sounds that a judge is given: some clips of a folder, each at its own length or at one that suits its pair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from bench.sounds import Sounds

RATE = 22050  # Hz, in which `keep` counts


@dataclass(frozen=True)
class View:
    """`sounds`, restricted to `ids`. keep: {id: samples at 22050 Hz} to which a clip is cut, or padded with zeros at its end."""

    sounds: Sounds
    ids: tuple[str, ...]
    keep: Mapping[str, int] = field(default_factory=dict)

    def load(self, id: str, rate: int) -> np.ndarray:
        """float32 [samples], mono at `rate`."""
        wave = self.sounds.load(id, rate)
        if id not in self.keep:
            return wave
        samples = round(self.keep[id] * rate / RATE)
        return np.pad(wave[:samples], (0, max(0, samples - len(wave))))

    def only(self, id: str) -> View:
        """The view of one clip: small, so that it can travel to another process."""
        from bench.sounds import Sounds

        one = Sounds(self.sounds.folder, {id: self.sounds.entries[id]}, self.sounds.rate)
        return View(one, (id,), {id: self.keep[id]} if id in self.keep else {})

    def video(self, id: str) -> Path | None:
        return self.sounds.video(id)

    def label(self, id: str) -> str | None:
        return self.sounds.label(id)

    def file(self, id: str) -> Path:
        """The file that holds the sound, for messages."""
        return self.sounds.entries[id].source

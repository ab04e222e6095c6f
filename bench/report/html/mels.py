"""Mel pictures as small PNG files: the sound in magma, the hint as light of one colour that lies over it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.errors import Failed
from bench.report.html.places import Sources
from bench.report.select import Kept
from melqcd.mel import MelScale

if TYPE_CHECKING:
    from bench.hints import Hints
    from bench.ragged import Ragged
    from controls.base import Control

ROWS, COLUMNS = 128, 512  # of a picture at most; larger ones are averaged
LEVELS = 64  # of brightness: fewer bytes, and no eye counts them
LARGEST = 65536  # of a setting that a picture is drawn by: Hz, bins, frames
HINT = (64, 224, 255)  # colour of the hint


def scale_of(record: Kept) -> MelScale | None:
    """The mel scale that a record's control is drawn at; None where the record has none, or one that nobody can draw."""
    told = record.told["experiment"].get("scale")
    if not isinstance(told, Mapping) or not _small(told):
        return None
    try:
        return MelScale(**{k: v for k, v in told.items() if k != "is"})
    except (TypeError, ValueError):  # the settings of another version, or none
        return None


def _small(settings: Mapping[str, Any]) -> bool:
    """Whether no setting asks for more memory than a picture can need."""
    numbers = [v for v in settings.values() if isinstance(v, (int, float))]
    return all(-LARGEST <= n <= LARGEST for n in numbers)


def control_of(record: Kept) -> Control | None:
    """The control of a record, from its class's name and its settings; None where it has none, or no longer this one."""
    from controls import registry

    told = record.told["experiment"].get("control")
    if not isinstance(told, Mapping) or not _small(told):
        return None
    told = dict(told)
    name = told.pop("is", None)
    cls = next((c for n in registry.names() if (c := _class(n)) is not None and c.__name__ == name), None)
    if cls is None:
        return None
    try:
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in told.items()})
    except (TypeError, ValueError):  # the settings of another version of this control
        return None


@cache
def _class(name: str):
    from controls import registry

    try:
        return registry.load(name)
    except ValueError:  # another distribution's broken plugin is not this control
        return None


def mel(wave: np.ndarray, scale: MelScale) -> np.ndarray:
    """[bins, frames] in 0 ... 1 of `wave` [samples] at the scale's rate, the highest band on top; cut to the picture's length."""
    import torch

    from melqcd.mel import log_mel, to_image

    wave = wave[: scale.samples]
    if len(wave) < scale.hop:
        return np.zeros((scale.bins, 1), np.float32)
    with torch.inference_mode():
        return to_image(log_mel(torch.from_numpy(np.ascontiguousarray(wave))[None], scale), scale)[0].numpy()


def hints_of(record: Kept, sources: Sources, scale: MelScale) -> Hints | None:
    """What draws the hints of a record; None where nothing was shown or the signal is gone."""
    from bench.hints import Hints

    control = control_of(record)
    if control is None or sources.signals is None or not (control.heads() or control.carries):
        return None
    hints = Hints(control, sources.signals, scale)
    return hints if hints.signals else None


def hint(hints: Hints | None, scale: MelScale, id: str, frames: int) -> np.ndarray | None:
    """[bins, frames] in 0 ... 1 that the ControlNet saw for clip `id`; None where it saw nothing."""
    import torch

    if hints is None or id not in hints:
        return None
    with torch.inference_mode():
        try:
            drawn = hints.draw([id], [0], frames=scale.frames)[0].numpy()
        except Failed:  # a control whose code has changed since may refuse its old signal
            return None
    return drawn[:, :frames]


def light(image: np.ndarray) -> bytes:
    """A mel picture [rows, columns] in 0 ... 1 as PNG."""
    from matplotlib import colormaps

    colours = (np.asarray(colormaps["magma"](np.linspace(0, 1, LEVELS)))[:, :3] * 255).round().astype(np.uint8)
    low = float(np.quantile(image, 0.01))  # what is rarer than one value in a hundred may saturate
    return png(_levels(image, low, max(low + 0.1, float(image.max()))), colours)


def veil(image: np.ndarray) -> bytes:
    """A hint [rows, columns] in 0 ... 1 as PNG: the stronger, the less transparent."""
    colours = np.tile(np.array(HINT, np.uint8), (LEVELS, 1))
    low, high = float(image.min()), float(image.max())
    return png(_levels(image, low, max(high, low + 0.05)), colours, np.linspace(0, 255, LEVELS).astype(np.uint8))


def _levels(image: np.ndarray, low: float, high: float) -> np.ndarray:
    image = _smaller(_smaller(np.asarray(image, np.float32), ROWS).T, COLUMNS).T
    return (np.clip((image - low) / (high - low), 0, 1) * (LEVELS - 1)).round().astype(np.uint8)


def _smaller(image: np.ndarray, most: int) -> np.ndarray:
    """Means of neighbouring rows until there are no more than `most`."""
    if len(image) <= most:
        return image
    edges = np.linspace(0, len(image), most + 1).astype(int)
    return np.stack([image[a:b].mean(0) for a, b in zip(edges[:-1], edges[1:], strict=True)])


def png(levels: np.ndarray, colours: np.ndarray, alpha: np.ndarray | None = None) -> bytes:
    """An indexed PNG of `levels` uint8 [rows, columns]; colours [n, 3] and alpha [n] of each level."""
    rows, columns = levels.shape

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    lines = b"".join(b"\0" + np.ascontiguousarray(row).tobytes() for row in levels)
    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)), chunk(b"PLTE", colours.tobytes())]
    parts += [chunk(b"tRNS", alpha.tobytes())] if alpha is not None else []
    return b"\x89PNG\r\n\x1a\n" + b"".join([*parts, chunk(b"IDAT", zlib.compress(lines, 9)), chunk(b"IEND", b"")])


def onsets(folder: Path | None, id: str) -> list[float]:
    """Seconds at which a judge heard something begin in clip `id`; [] where nobody listened."""
    from melqcd.onset import RATE

    heard = {} if folder is None else _heard(folder)
    return [round(float(row[0]) / RATE, 3) for row in heard[id]] if id in heard else []


@cache
def _heard(folder: Path) -> Ragged:
    from bench.ragged import Ragged

    return Ragged(folder, "onsets")

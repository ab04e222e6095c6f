"""Copies of sounds, films and pictures beside the page, under names that tell nothing, within a budget of bytes."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.identity import digest
from bench.media import BadMedia, mux
from bench.report.html import mels
from bench.report.html.places import Sources
from bench.report.select import Kept
from bench.sounds import Sounds
from bench.store import replace_file

if TYPE_CHECKING:
    from melqcd.mel import MelScale

RATES = (8000, 12000, 16000, 24000, 48000)  # Hz that Opus knows
BITS = 64_000  # a second of one channel: transparent for most ears
FILM = 2 * 2**20  # bytes; a longer film is heard and not seen


@dataclass
class Media:
    """`Media(folder, budget)`: what is put there counts against `budget` bytes; what no longer fits is counted in `left`."""

    folder: Path
    budget: int
    used: int = 0
    left: int = 0
    bad: list[str] = field(default_factory=list)  # files that could not be read
    names: set[str] = field(default_factory=set)
    _hints: dict[str, Any] = field(default_factory=dict)
    _made: dict[Any, dict[str, Any] | None] = field(default_factory=dict)

    def generated(self, record: Kept, sources: Sources, id: str) -> dict[str, Any] | None:
        """Player, picture, hint and onsets of a record's clip `id`; None where there is no sound, or no room for it."""
        return self._once(("made", record.id, id), lambda: self._generated(record, sources, id))

    def real(self, record: Kept, sources: Sources, id: str) -> dict[str, Any] | None:
        """The same of the true sound; one for all records of a list of clips."""
        place = str(sources.real.folder) if sources.real else ""
        return self._once(("real", place, id), lambda: self._real(record, sources, id))

    def put(self, key: Any, suffix: str, content: bytes) -> str | None:
        """The name of a file with `content`; None if there is no room."""
        if self.used + len(content) > self.budget:
            return None
        name = f"{digest(key)}{suffix}"
        replace_file(self.folder / name, lambda draft: draft.write_bytes(content))
        self.used += 0 if name in self.names else len(content)
        self.names.add(name)
        return name

    def _once(self, key, make) -> dict[str, Any] | None:
        if key not in self._made:
            if self.used >= self.budget:
                self.left += 1
                return None
            try:
                self._made[key] = make()
            except BadMedia as error:
                self.bad.append(str(error))
                self._made[key] = None
        return self._made[key]

    def _generated(self, record: Kept, sources: Sources, id: str) -> dict[str, Any] | None:
        sounds, key = sources.made, ["made", record.id, id]
        own = None if sounds is None else _own(sounds, id)
        if sounds is None or own is None:
            return None
        film = sources.films / f"{own}.mp4" if sources.films else None
        film = film if film and film.is_file() else _seen(sounds, own)
        return self._player(key, sounds, own, film, sources.onsets_made, mels.scale_of(record), record, sources)

    def _real(self, record: Kept, sources: Sources, id: str) -> dict[str, Any] | None:
        sounds = sources.real
        if sounds is None or id not in sounds:
            return None
        entry = sounds.entries[id]
        film = _seen(sounds, id)
        if film and entry.source != film:  # sound and picture in files of their own
            film = self.folder / f"{digest(['film', str(sounds.folder), id])}.part.mp4"
            wave = sounds.load(id, 48000)
            mux(sounds.entries[id].video or film, wave, 48000, film)
        made = self._player(["real", str(sounds.folder), id], sounds, id, film, sources.onsets_real, mels.scale_of(record))
        if film and film.name.endswith(".part.mp4"):
            film.unlink()
        return made

    def _player(
        self, key: list[str], sounds: Sounds, id: str, film: Path | None, heard: Path | None, scale: MelScale | None,
        record: Kept | None = None, sources: Sources | None = None,
    ) -> dict[str, Any] | None:  # fmt: skip
        rate = scale.rate if scale else 16000
        wave = sounds.load(id, rate)
        told: dict[str, Any] = {"seconds": round(len(wave) / rate, 3), "onsets": mels.onsets(heard, id)}
        if film is not None and film.stat().st_size <= FILM:
            told |= {"kind": "video", "src": self.put([*key, "film"], film.suffix.lower(), film.read_bytes())}
            first = poster(film) if told["src"] else None
            told |= {"poster": self.put([*key, "poster"], ".jpg", first)} if first else {}
        else:
            told |= {"kind": "audio", "src": self.put([*key, "sound"], ".ogg", opus(wave, rate))}
        if told["src"] is None:
            self.left += 1
            return None
        if scale is not None:
            image = mels.mel(wave, scale)
            told["mel"] = self.put([*key, "mel"], ".png", mels.light(image))
            told["shown"] = round(image.shape[1] * scale.hop / scale.rate, 3)
            drawn = None
            if record and sources:
                if record.id not in self._hints:
                    self._hints[record.id] = mels.hints_of(record, sources, scale)
                drawn = mels.hint(self._hints[record.id], scale, id, image.shape[1])
            if drawn is not None:
                told["hint"] = self.put([*key, "hint"], ".png", mels.veil(drawn))
        return told


def _own(sounds: Sounds, id: str) -> str | None:
    """Under which id the sound of clip `id` lies: of several samples the first."""
    return next((name for name in (id, f"{id}_sample_0") if name in sounds), None)


def _seen(sounds: Sounds, id: str) -> Path | None:
    """The file with picture and sound of clip `id` that a browser can play; None where there is none."""
    video = sounds.video(id)
    return video if video is not None and video.suffix.lower() in (".mp4", ".m4v") and video.is_file() else None


def poster(film: Path) -> bytes | None:
    """The first picture of `film` as JPEG: what is seen before anything of the film is loaded. None where no picture can be decoded."""
    import av
    from av.error import FFmpegError

    out = io.BytesIO()
    try:
        with av.open(str(film)) as file:
            next(file.decode(video=0)).to_image().save(out, "JPEG", quality=80)
    except (FFmpegError, StopIteration, IndexError):
        return None
    return out.getvalue()


def opus(wave: np.ndarray, rate: int) -> bytes:
    """`wave` [samples] as Opus in an Ogg file, of the same length: players skip what the encoder puts before it."""
    import av
    import soxr

    to = rate if rate in RATES else 48000
    if to != rate:
        wave = soxr.resample(wave, rate, to)
    out = io.BytesIO()
    with av.open(out, "w", format="ogg") as file:
        stream = file.add_stream("libopus", rate=to)
        stream.layout, stream.bit_rate = "mono", BITS  # type: ignore[union-attr]
        size = to // 50
        for at in range(0, len(wave), size):
            part = np.ascontiguousarray(wave[None, at : at + size], np.float32).clip(-1, 1)
            frame = av.AudioFrame.from_ndarray(part, format="flt", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = to, at, Fraction(1, to)
            file.mux(stream.encode(frame))  # type: ignore[union-attr]
        file.mux(stream.encode(None))  # type: ignore[union-attr]
    return out.getvalue()

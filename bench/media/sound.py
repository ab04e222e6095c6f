"""The sound of a file as mono samples: native layout, arithmetic mean of the channels, placed by its time stamps, resampled by soxr."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.media.files import LIBSNDFILE, MAX_BROKEN, BadMedia, Clock, opened, picture_of, present, voice_of, what_is

SLIP_S = 0.02  # stamps may differ from the count of samples by so much (rounding in mkv and flv) before they are believed
JUMP_S = 60.0  # no clip has a hole as long as this: the stamps are wrong
MISSING_S = 0.5  # a stream that ends so much before the length in its header was cut short
INTEGERS = {"u8": 2**7, "s16": 2**15, "s32": 2**31, "s64": 2**63}  # full scale of FFmpeg's sample formats


@dataclass(frozen=True)
class Media:
    """wave: float32 [samples], mono at `rate`. times: float64 [frames], seconds at which each picture is shown; empty without one.

    Both count from the first picture shown, or from the first sample where there is no picture.
    """

    wave: np.ndarray
    rate: int
    times: np.ndarray


class Piece(NamedTuple):
    at: Fraction  # seconds by the container's clock
    samples: np.ndarray  # float32 [samples], mono


def sound(path: str | Path, rate: int) -> np.ndarray:
    """float32 [samples]: the mono sound of a video or sound file at `rate`, from the first picture on.

    Sound that starts after the first picture has zeros before it; what comes earlier is cut. The encoder's padding at the start
    (AAC, MP3) is removed as the file says. It is kept at the end, up to 25 ms, as FFmpeg and the published metrics keep it.
    Raises BadMedia for what is not a sound: text, a cut-off file, no audio stream, no samples, samples that are not finite.
    """
    return read(path, rate).wave


def read(path: str | Path, rate: int | None = None) -> Media:
    """Sound and picture times of one file; at the file's own rate if `rate` is None."""
    path = Path(path)
    wave, native, times = _by_soundfile(path) if path.suffix.lower() in LIBSNDFILE else _by_ffmpeg(path)
    if not len(wave):
        raise BadMedia(
            path, "has no sound from its first picture on" if len(times) else "has no samples: it is empty", "no audio"
        )
    strange = int(np.count_nonzero(~np.isfinite(wave)))
    if strange:
        raise BadMedia(path, f"has {strange} of {len(wave)} samples that are not finite (NaN or infinite)")
    return Media(resample(wave, native, rate or native), rate or native, times)


def resample(wave: np.ndarray, rate: int, to: int) -> np.ndarray:
    """float32 [samples]: `wave` at another rate, by soxr's high quality filter, from the rate it has (never by way of another)."""
    if rate == to:
        return wave
    import soxr

    return soxr.resample(wave, rate, to, quality="HQ")


def _by_soundfile(path: Path) -> tuple[np.ndarray, int, np.ndarray]:
    import soundfile

    present(path)
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise BadMedia(path, what_is(path, str(error).split(": ")[-1].strip())) from error
    return samples.mean(axis=1), rate, np.empty(0)


def _by_ffmpeg(path: Path) -> tuple[np.ndarray, int, np.ndarray]:
    with opened(path) as container:
        voice, picture = voice_of(container), picture_of(container)
        if voice is None:
            raise BadMedia(path, "has no audio stream", "no audio")
        promised = float(voice.duration * voice.time_base) if voice.duration and voice.time_base else 0.0
        base, clock = picture.time_base if picture else None, Clock()
        pieces, rate = _heard(path, container, voice, picture, clock)
    stamps = clock.read(path)
    zero = stamps[0] * base if stamps and base else pieces[0].at
    ends = float(pieces[-1].at - pieces[0].at) + len(pieces[-1].samples) / rate
    if ends < promised - MISSING_S:
        raise BadMedia(path, f"is cut short: its sound ends after {ends:.2f} s, the header promises {promised:.2f} s")
    times = np.array([float((s - stamps[0]) * base) for s in stamps]) if base else np.empty(0)
    return placed(pieces, zero, rate, path), rate, times


def _heard(path: Path, container, voice, picture, clock: Clock) -> tuple[list[Piece], int]:
    """(decoded sound piece by piece, its rate); the picture's packets pass by `clock` undecoded."""
    from av.error import FFmpegError

    voice.codec_context.thread_count = 1
    pieces: list[Piece] = []
    packets = broken = rate = 0
    try:
        for packet in container.demux([s for s in (voice, picture) if s is not None]):
            if packet.stream is not voice:
                clock.see(packet)
                continue
            packets += 1
            try:
                heard = voice.decode(packet)
            except FFmpegError:
                broken += 1  # its place stays silent; too many are an error below
                continue
            for frame in heard:
                rate = rate or frame.sample_rate
                if frame.sample_rate != rate:
                    raise BadMedia(path, f"changes its rate from {rate} to {frame.sample_rate} Hz on the way")
                pieces.append(Piece(_stamp(frame, pieces, rate), mono(frame)))
    except FFmpegError as error:
        raise BadMedia(path, f"cannot be read to its end ({error.strerror})") from error
    if broken > max(1, MAX_BROKEN * packets):
        raise BadMedia(path, f"is damaged: {broken} of {packets} audio packets cannot be decoded")
    if not pieces:
        raise BadMedia(path, "has an audio stream without sound in it", "no audio")
    return pieces, rate


def mono(frame) -> np.ndarray:
    """float32 [samples]: the arithmetic mean of the channels of FFmpeg's `frame`, full scale 1.

    By hand: swresample's mono of float sound is (L + R) / sqrt 2, that of 16-bit sound is (L + R) / 2.
    """
    kind = frame.format.name.removesuffix("p")
    samples = frame.to_ndarray()  # planar [channels, samples], packed [1, samples * channels]
    samples = samples if frame.format.is_planar else samples.reshape(-1, frame.layout.nb_channels).T
    scale = INTEGERS.get(kind)
    if scale:
        samples = (samples.astype(np.float64) - (scale if kind == "u8" else 0)) / scale
    return samples.mean(axis=0).astype(np.float32)


def placed(pieces: Iterable[Piece], zero: Fraction | int, rate: int, path: Path) -> np.ndarray:
    """float32 [samples]: the pieces at their times after `zero`; holes are zeros, what lies before zero or overlaps is cut."""
    laid: list[np.ndarray] = []
    cursor = 0  # samples laid down
    follows = None  # where the next piece belongs if it joins the last
    for at, samples in pieces:
        start = round((at - zero) * rate)
        if follows is not None and abs(start - follows) <= SLIP_S * rate:
            start = follows
        follows = start + len(samples)
        if start - cursor > JUMP_S * rate:
            raise BadMedia(path, f"has a hole of {(start - cursor) / rate:.0f} s in its sound, by its time stamps")
        if start > cursor:
            laid.append(np.zeros(start - cursor, np.float32))
            cursor = start
        kept = samples[max(0, cursor - start) :]
        laid.append(kept)
        cursor += len(kept)
    return np.concatenate(laid) if laid else np.empty(0, np.float32)


def _stamp(frame, before: list[Piece], rate: int) -> Fraction:
    """Seconds at which `frame` starts; right after the last one where the file does not say."""
    if frame.pts is not None:
        return frame.pts * frame.time_base
    return before[-1].at + Fraction(len(before[-1].samples), rate) if before else Fraction(0)

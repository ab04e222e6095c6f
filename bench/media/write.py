"""Writing sound and video: 16-bit wav, and mp4 whose picture and sound keep their common zero."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from bench.media.files import BadMedia, opened, picture_of
from bench.media.picture import stamps_of
from bench.store import replace_file

AAC_FRAME = 1024  # samples of one AAC packet


def write_wav(path: str | Path, wave: np.ndarray, rate: int) -> None:
    """16-bit PCM of mono `wave` [samples]; what lies outside [-1, 1] is clipped before it becomes an integer."""
    import soundfile

    codes = np.round(checked(wave) * 32767).astype(np.int16)
    replace_file(Path(path), lambda draft: soundfile.write(draft, codes, rate, format="WAV", subtype="PCM_16"))


def mux(video: str | Path, wave: np.ndarray, rate: int, out: str | Path) -> None:
    """The picture of `video`, copied packet by packet, with `wave` [samples] as its sound (AAC): an mp4 (mov, mkv) at `out`.

    The wave's first sample falls on the first picture shown. Raises BadMedia if `video` has no picture or `out`'s format cannot hold it.
    """
    import av
    from av.error import FFmpegError

    out, wave = Path(out), checked(wave)
    stamps, _ = stamps_of(Path(video))
    if not stamps:
        raise BadMedia(video, "has no picture: no video stream")
    zero = stamps[0]

    def write(draft: Path) -> None:
        with opened(video) as source, av.open(str(draft), "w", format=_format(out)) as target:
            picture = picture_of(source)
            assert picture is not None
            copy = target.add_stream_from_template(picture)
            voice = _voice(target, rate)
            _interleave(target, _copied(source, picture, copy, zero), _spoken(voice, wave, rate))

    try:
        replace_file(out, write)
    except FFmpegError as error:
        raise BadMedia(video, f"its picture cannot be put into {out.name}: {error.strerror}") from error


def write_mp4(
    path: str | Path, frames: Iterable[np.ndarray], fps: float | Fraction, wave: np.ndarray, rate: int, *, quality: int = 20
) -> None:
    """H.264 and AAC: `frames` uint8 [height, width, 3] at k/fps seconds with mono `wave` [samples] from zero on.

    quality: x264's crf, 0 (lossless) to 51. One thread, so that the same input gives the same bytes.
    """
    import av

    path, wave = Path(path), checked(wave)

    def write(draft: Path) -> None:
        with av.open(str(draft), "w", format=_format(path), container_options={"fflags": "+bitexact"}) as target:
            picture = target.add_stream("libx264", rate=Fraction(fps).limit_denominator(10_000))
            voice = _voice(target, rate)
            _interleave(target, _shown(picture, frames, quality), _spoken(voice, wave, rate))

    replace_file(path, write)


def checked(wave: np.ndarray) -> np.ndarray:
    """`wave` as float32 [samples] in [-1, 1]; ValueError unless it is one row of finite numbers."""
    wave = np.asarray(wave, np.float32)
    if wave.ndim != 1:
        raise ValueError(f"a wave is mono, [samples]; got an array of shape {wave.shape}")
    if not np.isfinite(wave).all():
        raise ValueError(f"{np.count_nonzero(~np.isfinite(wave))} of {len(wave)} samples are not finite (NaN or infinite)")
    return wave.clip(-1, 1)


def _format(path: Path) -> str:
    known = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
    if path.suffix.lower() not in known:
        raise ValueError(f"{path.name}: a video is written as {', '.join(known)}")
    return known[path.suffix.lower()]


def _copied(source, picture, copy, zero: int) -> Iterator:
    """The packets of stream `picture` of `source` for stream `copy`, `zero` ticks earlier."""
    for packet in source.demux(picture):
        if packet.dts is not None and packet.pts is not None:
            packet.pts, packet.dts, packet.stream = packet.pts - zero, packet.dts - zero, copy
            yield packet


def _voice(target, rate: int):
    voice = target.add_stream("aac", rate=rate)
    voice.layout, voice.bit_rate = "mono", 128_000
    return voice


def _interleave(target, *streams: Iterable) -> None:
    """Write packets of several streams in the order of their times, so that a player need not seek."""
    for packet in heapq.merge(*streams, key=lambda p: p.dts * p.time_base):
        target.mux(packet)


def _spoken(voice, wave: np.ndarray, rate: int) -> Iterator:
    import av

    for at in range(0, len(wave), AAC_FRAME):
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave[None, at : at + AAC_FRAME]), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, at, Fraction(1, rate)
        yield from voice.encode(frame)
    yield from voice.encode(None)


def _shown(picture, frames: Iterable[np.ndarray], quality: int) -> Iterator:
    import av

    context = picture.codec_context
    for k, image in enumerate(frames):
        if k == 0:
            context.height, context.width = image.shape[:2]
            # 4:2:0 halves both sides: an odd one needs full chroma
            context.pix_fmt = "yuv444p" if any(s % 2 for s in image.shape[:2]) else "yuv420p"
            context.thread_count, context.options = 1, {"crf": str(quality), "preset": "veryfast"}
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame.pts, frame.time_base = k, 1 / context.rate
        yield from picture.encode(frame)
    yield from picture.encode(None)

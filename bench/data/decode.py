"""A listed clip as sound and picture times, or the reason why it cannot be used."""

from __future__ import annotations

from math import ceil

import numpy as np

from bench.data.base import Item
from bench.media import BadMedia, Media, film, frame_times, read

MUTE = 1e-4  # peak, full scale 1: three steps of 16-bit sound; what is quieter has nothing to be compared with
KINDS = ("missing", "undecodable", "no audio", "mute", "too short")  # why a clip is unusable, as BadMedia.kind


def decode(item: Item, rate: int, *, min_seconds: float = 0.5) -> Media:
    """The sound of `item` at `rate`, and its picture times: empty for sound alone, also where a video file holds no picture.

    Raises BadMedia if a file is missing or damaged, the first picture cannot be decoded, or the sound is absent, mute or too short.
    """
    source = item.audio or item.video
    assert source is not None
    media = read(source, rate)
    times = media.times
    if item.video:
        times = media.times if source == item.video else frame_times(item.video)
        if len(times):
            next(film(item.video, [0.0]))
    seconds = len(media.wave) / rate
    if seconds < min_seconds:
        raise BadMedia(source, f"has {seconds:.3f} s of sound, less than min_seconds={min_seconds:g}", "too short")
    peak = float(abs(media.wave).max())
    if peak < MUTE:
        raise BadMedia(source, f"is mute: its peak is {peak:.1e} of full scale", "mute")
    return Media(media.wave, rate, times)


def shown(item: Item, rate: int) -> Media:
    """The picture times of `item`, and silence at `rate` as long as its picture; whatever sound it has is not looked at.

    The last picture is shown as long as the middle one of the others (a single one for 1/25 s).
    Raises BadMedia if there is no picture or its first one cannot be decoded.
    """
    assert item.video is not None
    times = frame_times(item.video)
    if not len(times):
        raise BadMedia(item.video, "has no picture: there is nothing to make sound for", "no picture")
    next(film(item.video, [0.0]))
    last = float(np.median(np.diff(times))) if len(times) > 1 else 1 / 25
    return Media(np.zeros(max(1, round((float(times[-1]) + last) * rate)), np.float32), rate, times)


def enough(bad: int, listed: int) -> float:
    """The smallest max_bad, to a thousandth, that allows `bad` of `listed` clips."""
    return ceil(bad / listed * 1000) / 1000

"""Pictures of a video at given times, by presentation time stamps: variable rates, rotation and odd sizes as a player shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from bench.media.files import MAX_BROKEN, BadMedia, Clock, opened, picture_of
from melqcd.pictures import squared

EARLY_S = 1e-3  # a picture stamped so little after the asked time counts as shown: mkv rounds stamps to a millisecond


def frame_times(path: str | Path) -> np.ndarray:
    """float64 [frames]: seconds at which each picture is shown, from the first one on; empty where there is no picture."""
    stamps, base = stamps_of(Path(path))
    return np.array([float((s - stamps[0]) * base) for s in stamps])


def frames(path: str | Path, times: Sequence[float] | np.ndarray, size: int | tuple[int, int] | None = None) -> np.ndarray:
    """uint8 [len(times), height, width, 3], RGB: what a player shows at each of `times` (seconds, ascending), as one array.

    size and errors as for `film`, which yields the same pictures one by one.
    """
    made: np.ndarray | None = None
    for k, image in enumerate(film(path, times, size)):
        made = np.empty((len(times), *image.shape), np.uint8) if made is None else made
        made[k] = image
    return made if made is not None else np.empty((0, 0, 0, 3), np.uint8)


def squares(path: str | Path, times: Sequence[float] | np.ndarray, side: int) -> np.ndarray:
    """uint8 [len(times), side, side, 3]: the same pictures as encoders are shown them (melqcd.pictures.squared). Errors as for `film`.

    Of the whole pictures one is kept at a time: memory goes by `side` and `times` (25 a second at 224 are 3.8 MB), not by the video's own
    size, of which ten seconds at 1080p are 1.6 GB.
    """
    made = np.empty((len(times), side, side, 3), np.uint8)
    last, small = None, made[:0]
    for k, image in enumerate(film(path, times)):
        if image is not last:
            last, small = image, squared(image, side)
        made[k] = small
    return made


def film(
    path: str | Path, times: Sequence[float] | np.ndarray, size: int | tuple[int, int] | None = None
) -> Iterator[np.ndarray]:
    """uint8 [height, width, 3], RGB, for each of `times`: the last picture shown at or before it, held beyond the last one.

    times: seconds from the first picture on, ascending; before it, the first one. A picture that is asked for twice is the same array.
    size: (height, width), or the shorter side alone, by Pillow's bicubic filter; None: as it is. Decodes in one pass and keeps one
    picture at a time.
    Raises BadMedia if there is no picture or it cannot be decoded, ValueError if the times descend.
    """
    path, asked = Path(path), np.asarray(times, np.float64)
    if np.any(np.diff(asked) < 0):
        raise ValueError(f"times must ascend, got {asked[np.argmin(np.diff(asked))]:g} before a smaller one")
    if not len(asked):
        return
    stamps, base = stamps_of(path)
    if not stamps:
        raise BadMedia(path, "has no picture: no video stream")
    done, shown, image = 0, None, None
    for frame in _decoded(path):
        late = float((frame.pts - stamps[0]) * base) - EARLY_S
        while shown is not None and done < len(asked) and asked[done] < late:
            image = _image(shown, size) if image is None else image
            yield image
            done += 1
        if done == len(asked):
            return
        shown, image = frame, None
    if shown is None:
        raise BadMedia(path, "has a video stream from which nothing can be decoded")
    image = _image(shown, size) if image is None else image
    for _ in range(done, len(asked)):
        yield image


def stamps_of(path: Path) -> tuple[list[int], Fraction]:
    """(ascending stamps of the pictures shown, their time base), from the packets alone."""
    from av.error import FFmpegError

    with opened(path) as container:
        picture, clock = picture_of(container), Clock()
        if picture is None:
            return [], Fraction(1)
        try:
            for packet in container.demux(picture):
                clock.see(packet)
        except FFmpegError as error:
            raise BadMedia(path, f"cannot be read to its end ({error.strerror})") from error
        base = picture.time_base or Fraction(1)
    return clock.read(path), base


def _decoded(path: Path) -> Iterator:
    """Pictures in the order shown, on one thread: many files are decoded side by side."""
    from av.error import FFmpegError

    with opened(path) as container:
        picture = picture_of(container)
        picture.codec_context.thread_count = 1  # type: ignore[union-attr]
        packets = broken = 0
        for packet in container.demux(picture):
            packets += 1
            try:
                shown = picture.decode(packet)  # type: ignore[union-attr]
            except FFmpegError:
                broken += 1  # the picture before it stays
                continue
            yield from (f for f in shown if f.pts is not None)
    if broken > max(1, MAX_BROKEN * packets):
        raise BadMedia(path, f"is damaged: {broken} of {packets} video packets cannot be decoded")


def _image(frame, size: int | tuple[int, int] | None) -> np.ndarray:
    """uint8 [height, width, 3] as shown: turned as the file says, then resized."""
    image = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90) % 4)
    if size is None:
        return np.ascontiguousarray(image)
    from PIL import Image

    height, width = image.shape[:2]
    if isinstance(size, int):
        scale = size / min(height, width)
        size = (max(size, round(height * scale)), max(size, round(width * scale)))
    if (height, width) == tuple(size):
        return np.ascontiguousarray(image)
    return np.asarray(Image.fromarray(np.ascontiguousarray(image)).resize((size[1], size[0]), Image.Resampling.BICUBIC))

"""One file's sound and picture on one clock: zero is the first picture shown, or the first sample where there is no picture."""

from bench.media.files import AUDIO, VIDEO, BadMedia
from bench.media.picture import film, frame_times, frames, squares
from bench.media.sound import Media, read, resample, sound
from bench.media.write import mux, write_mp4, write_wav

__all__ = [
    "AUDIO",
    "VIDEO",
    "BadMedia",
    "Media",
    "film",
    "frame_times",
    "frames",
    "mux",
    "read",
    "resample",
    "sound",
    "squares",
    "write_mp4",
    "write_wav",
]

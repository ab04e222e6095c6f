"""Opening a media file, and saying what is wrong with one that cannot be opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import Refused

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

VIDEO = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi"})
LIBSNDFILE = frozenset({".wav", ".flac", ".ogg", ".aif", ".aiff"})  # read by soundfile; all else by FFmpeg
AUDIO = LIBSNDFILE | {".mp3", ".m4a", ".aac", ".opus"}
MEDIA = VIDEO | AUDIO

MAX_BROKEN = 0.02  # share of a stream's packets that may fail to decode before the file counts as damaged


class BadMedia(Refused):
    """A file that is not the sound or video it should be. `why` is the reason without the file's name.

    kind: missing, no audio, mute, too short or undecodable: the word under which files with this trouble are counted.
    """

    def __init__(self, path: str | Path, why: str, kind: str = "undecodable"):
        super().__init__(f"{path}: {why}")
        self.path, self.why, self.kind = Path(path), why, kind

    def __reduce__(self):
        return type(self), (self.path, self.why, self.kind)


def present(path: Path) -> None:
    """BadMedia if `path` is not a file."""
    if path.is_dir():
        raise BadMedia(path, "is a folder; a file was expected")
    if not path.exists():
        raise BadMedia(path, "is missing", "missing")


@contextmanager
def opened(path: str | Path) -> Iterator[InputContainer]:
    """FFmpeg's view of `path`; BadMedia saying what the file is instead, if it cannot be read."""
    import av
    from av.error import FFmpegError

    path = Path(path)
    present(path)
    try:
        container = av.open(str(path))
    except (FFmpegError, OSError) as error:
        raise BadMedia(path, what_is(path, str(error.strerror or error))) from error
    with container:
        yield container


def picture_of(container: InputContainer) -> VideoStream | None:
    """The video stream, if there is one; a cover image is none."""
    from av.stream import Disposition

    shown = (s for s in container.streams.video if not s.disposition & Disposition.attached_pic)
    return next((s for s in shown if s.codec_context is not None), None)


def voice_of(container: InputContainer) -> AudioStream | None:
    """The first audio stream that this FFmpeg can decode, if there is one."""
    return next((s for s in container.streams.audio if s.codec_context is not None), None)


class Clock:
    """Presentation stamps of the video packets seen: `zero` is the first picture shown, in the stream's time base.

    Packets before a cut (an edit list's lead-in) are decoded and never shown, so they do not count.
    """

    def __init__(self) -> None:
        self.stamps: list[int] = []
        self.unstamped = False  # avi has no presentation times: only decoding tells them

    def see(self, packet: Packet) -> None:
        if packet.pts is None:
            self.unstamped |= packet.size > 0
        elif not packet.is_discard:
            self.stamps.append(packet.pts)

    def read(self, path: Path) -> list[int]:
        """All stamps in order, once every packet has been seen."""
        if self.unstamped:
            with opened(path) as container:
                return sorted(f.pts for f in container.decode(picture_of(container)) if f.pts is not None)
        return sorted(self.stamps)


def what_is(path: Path, otherwise: str) -> str:
    """Why `path` cannot be read, judged by its first bytes; `otherwise` is the decoder's own reason."""
    try:
        with open(path, "rb") as file:
            head = file.read(256)
            if head[4:8] == b"ftyp" and not _has_index(file):
                return "is cut short: the index (moov) is missing; fetch the file again"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if not head:
        return "is empty (0 bytes)"
    text = head.decode("utf-8", errors="replace").strip()
    if text.isascii() and all(c.isprintable() or c.isspace() for c in text):
        return f"is text, not sound or video: it begins {text.split(chr(10))[0][:40]!r}"
    kind = next((kind for at, bytes_, kind in KINDS if head[at:].startswith(bytes_)), None)
    if kind and path.suffix.lower() not in kind:
        return f"is by its bytes {kind[0].removeprefix('.')} and not {path.suffix or 'what it is called'}: rename it"
    return f"is not sound or video that can be decoded ({otherwise}); expected {', '.join(sorted(MEDIA))}"


# (place, the bytes that stand there, suffixes of files that begin so)
KINDS = (
    (4, b"ftyp", (".mp4", ".m4a", ".m4v", ".mov")),
    (8, b"WAVE", (".wav",)),
    (8, b"AVI ", (".avi",)),
    (0, b"fLaC", (".flac",)),
    (0, b"OggS", (".ogg", ".opus")),
    (0, b"\x1a\x45\xdf\xa3", (".mkv", ".webm")),
    (0, b"ID3", (".mp3",)),
)


def _has_index(file) -> bool:
    """Whether an mp4's top-level boxes include `moov`."""
    at, end = 0, file.seek(0, 2)
    while at + 8 <= end:
        file.seek(at)
        size, kind = int.from_bytes(file.read(4), "big"), file.read(4)
        if kind == b"moov":
            return at + size <= end
        if size == 1:
            size = int.from_bytes(file.read(8), "big")
        if size < 8:
            return False
        at += size
    return False

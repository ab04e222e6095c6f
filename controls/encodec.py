"""EnCodec's first residual codebooks: the paper's Codec-1 and Codec-2."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from importlib.util import find_spec
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

from controls.base import Batch, Control
from controls.checks import check_choice
from melqcd.codec import CodecSize
from melqcd.contents import content
from melqcd.heads import Head

if TYPE_CHECKING:
    from torch import Tensor

    from controls.base import Signal
    from melqcd.codec import Codec
    from melqcd.mel import MelScale

Hint = Literal["mel", "embeddings"]
A_SLOT = 3  # frames of 1/75 s in a slot of 1/25 s: the paper's 1024^3 and 1024^6
FRAMES_A_SECOND = 75
SPREADS = 3.0  # deviations from a vector's mean that are black or white in the hint of embeddings


@dataclass(frozen=True)
class EnCodec(Control):
    """The codes of EnCodec's first residual codebooks, 75 frames a second: three per codebook and slot of 1/25 s.

    code: [B, 3 * codebooks, slots]; entry 3 * k + j is codebook k in the j-th third of the slot, so the first 3 K are those of K
    codebooks. Where a slot is not three frames, each third takes the frame that its middle lies in: at the original rate of 100
    slots a second a frame appears in four thirds, so that the hint, and what a second costs, are those of 25 slots a second.
    The paper says neither how codes become the picture that the ControlNet sees, nor which weights; `hint` and `path` choose.
    Windows of a clip are decoded by themselves: the decoder's memory begins anew at the window's first frame.
    Deviations from the released codec's use: clips are levelled to the scale's peak first, as for every other signal's mel;
    resampled by a windowed sinc; and followed by silence, so that a clip's codes do not depend on its batch.
    """

    slots_a_second: ClassVar[float] = FRAMES_A_SECOND / A_SLOT

    codebooks: int = 1  # residual codebooks: 1 is Codec-1, 2 is Codec-2; at most what the codec has
    # mel: what the codebooks decode to, as a picture. embeddings: the sum of the chosen vectors as a column of grey values
    hint: Hint = "mel"
    # folder (Hugging Face) or file (theirs, or encodec_24khz-d7cc33bc.th); "": the lab's own small codec
    path: str = field(default="", metadata={"key": False})

    def __post_init__(self):
        check_choice("hint", self.hint, get_args(Hint))
        if self.codebooks < 1:
            raise ValueError(f"codebooks must be 1 (Codec-1) or more, got {self.codebooks}")
        place = self.place()
        if self.path or place.exists():
            size = self._size()
            if self.codebooks > size.books:
                raise ValueError(f"codebooks must be at most {size.books}, what the codec at {place} has, got {self.codebooks}")

    def place(self) -> Path:
        """Where the codec lies."""
        return Path(self.path).expanduser() if self.path else _lab()

    def identity(self) -> dict:
        """All settings, the codec by what it is and not by where it lies."""
        self._size()
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "path"} | {"weights": content(self.place())}

    def heads(self) -> dict[str, Head]:
        return {"code": Head("class", self._size().codes, n=A_SLOT * self.codebooks)}

    def extract(self, batch: Batch) -> Signal:
        """The codes of every slot; beyond a clip's end those of silence."""
        import torch

        from melqcd.rates import resample

        scale, codec = batch.scale, self._codec(str(batch.wave.device))
        wave = _levelled(batch.wave.float(), batch.samples, scale.peak)
        frames = _frames(batch.slots, batch.step, scale, wave.device)  # [3 * slots]
        if not len(frames):
            return {"code": torch.zeros(len(wave), A_SLOT * self.codebooks, 0, dtype=torch.long, device=wave.device)}
        wave = resample(wave, scale.rate, codec.rate)
        length = (int(frames.max()) + 1) * codec.hop
        wave = torch.nn.functional.pad(wave, (0, max(0, length - wave.shape[-1])))
        # few at a time: the codec's widest layers hold as many numbers a clip as its sound has samples, times the filters
        codes = torch.cat([codec.encode(part, self.codebooks) for part in wave.split(8)])
        return {"code": codes[..., frames].unflatten(-1, (-1, A_SLOT)).movedim(-1, 2).flatten(1, 2)}

    def render(self, signal: Signal, scale: MelScale) -> Tensor:
        """By `hint`. mel: the log mel of the decoded sound, at the level that it has. embeddings: see `_column`."""
        import torch

        from melqcd.mel import log_mel, to_image
        from melqcd.rates import resample

        code = signal["code"].long()
        codec = self._codec(str(code.device))
        frames = self._unslotted(code, scale)
        if self.hint == "embeddings":
            return self._column(codec, frames, scale)
        level = replace(scale, peak=0.0)  # a window of silence between beats is silence, not noise at full level
        sounds = torch.cat([codec.decode(part) for part in frames.split(8)])
        wave = resample(sounds, codec.rate, scale.rate)[:, : scale.samples]
        wave = torch.nn.functional.pad(wave, (0, scale.samples - wave.shape[-1]))
        return to_image(log_mel(wave, level), scale)

    def _column(self, codec: Codec, frames: Tensor, scale: MelScale) -> Tensor:
        """The vectors as grey: 0.5 at the mean over a codebook's codes, 0 and 1 three deviations away, the first dimension on top.

        D dimensions share the scale's bins evenly: each row is the mean of the dimensions that it covers. A column of the picture
        shows the frame that its middle lies in. Ours: no published rule is known.
        """
        import torch

        mean, deviation = codec.spread(self.codebooks)
        vectors = (codec.vectors(frames) - mean[:, None]) / deviation.clamp(min=1e-6)[:, None]
        grey = (0.5 + vectors / (2 * SPREADS)).clamp(0, 1)
        rows = torch.nn.functional.adaptive_avg_pool1d(grey.transpose(1, 2), scale.bins).transpose(1, 2)
        at = torch.arange(scale.frames, device=frames.device)
        at = (2 * at + 1) * scale.hop * FRAMES_A_SECOND // (2 * scale.rate)
        return rows[..., at.clamp(max=rows.shape[-1] - 1)]

    def _unslotted(self, code: Tensor, scale: MelScale) -> Tensor:
        """[B, codebooks, frames at 75 a second] of the picture, from codes by slot; inverse of `extract`'s choice of frames."""
        import torch

        slots = code.shape[-1]
        step = -(-scale.frames // slots) if slots else 0
        if slots == 0 or -(-scale.frames // step) != slots:
            raise ValueError(f"{slots} slots do not fit {scale.frames} frames: there must be ceil(frames / step) of them")
        thirds = code.unflatten(1, (self.codebooks, A_SLOT)).transpose(2, 3).flatten(2, 3)  # [B, codebooks, 3 * slots]
        up, down = _ratio(step, scale)
        total = -(-scale.samples * FRAMES_A_SECOND // scale.rate)
        at = torch.arange(total, device=code.device)
        return thirds[..., ((2 * at + 1) * A_SLOT * down // (2 * up)).clamp(max=thirds.shape[-1] - 1)]

    def _size(self) -> CodecSize:
        place = self.place()
        if not place.exists():
            made = "" if self.path else ": `bench lab build` makes the lab's"
            raise ValueError(f"control.path: there is no codec at {place}{made}")
        size = CodecSize.at(place)
        if size.rate != FRAMES_A_SECOND * size.hop:
            raise ValueError(f"{place} has {size.rate / size.hop:g} frames a second, this signal needs {FRAMES_A_SECOND}")
        return size

    def _codec(self, device: str) -> Codec:
        self._size()
        return _loaded(self.place(), content(self.place()), device)


@lru_cache(maxsize=2)
def _loaded(place: Path, what: str, device: str) -> Codec:
    """The codec at `place`, read again when its content is no longer `what`."""
    from melqcd.codec import load_codec

    codec = load_codec(place)
    codec.model.to(device)
    return codec


def _lab() -> Path:
    """The lab's codec, found without importing the floor above."""
    spec = find_spec("bench")
    if spec is None or not spec.submodule_search_locations:
        raise ValueError("the lab's codec comes with the package bench, which is not installed; name another one by control.path")
    return Path(next(iter(spec.submodule_search_locations))) / "lab" / "weights" / "codec"


def _ratio(step: int, scale: MelScale) -> tuple[int, int]:
    """Codec frames in a slot of `step` mel frames, as a fraction."""
    up, down = step * scale.hop * FRAMES_A_SECOND, scale.rate
    return up // gcd(up, down), down // gcd(up, down)


def _frames(slots: int, step: int, scale: MelScale, device) -> Tensor:
    """[3 * slots], the codec frame in which the middle of each third of a slot lies."""
    import torch

    up, down = _ratio(step, scale)
    return (2 * torch.arange(A_SLOT * slots, device=device) + 1) * up // (2 * A_SLOT * down)


def _levelled(wave: Tensor, samples: Tensor, peak: float) -> Tensor:
    """Each clip scaled to `peak` (0: as it is) and silent beyond its end; silence stays silence."""
    import torch

    wave = wave * (torch.arange(wave.shape[-1], device=wave.device) < samples.to(wave.device)[:, None])
    if not peak or not wave.shape[-1]:
        return wave
    largest = wave.abs().amax(-1, keepdim=True)
    return wave / torch.where(largest > 0, largest, 1) * peak

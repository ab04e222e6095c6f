"""Waveform to natural-log mel spectrogram and to the picture that a diffusion model sees, at any scale and for whole batches."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING

from melqcd.stft import CACHED, filterbank, mel_magnitude

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Auffusion", "Lab", "MelScale", "filterbank", "from_image", "log_mel", "to_image"]


@dataclass(frozen=True)
class MelScale:
    """How sound becomes a mel picture. The defaults are the control's scale of the released Mel-QCD code (n_fft 1024)."""

    rate: int = 16000  # Hz
    n_fft: int = 1024  # samples of one transform, at least `window`
    window: int = 1024  # samples of the Hann window, centred in the transform
    hop: int = 160  # samples between frames: 100 frames a second
    bins: int = 256  # mel bands, rows of the picture
    frames: int = 1024  # columns of the picture: 10.24 s
    low_hz: float = 0.0  # lower edge of the lowest band
    high_hz: float = 8000.0  # upper edge of the highest band, at most rate / 2
    peak: float = 0.95  # every clip is scaled to this largest magnitude; 0 leaves the level alone
    floor: float = 1e-5  # of the mel magnitude before the logarithm; Auffusion's vocoder was trained with it
    ceiling: float = 200.0  # mel magnitude that is white (1) in the picture, Auffusion's converter

    def __post_init__(self):
        if min(self.rate, self.window, self.hop, self.bins, self.frames) < 1:
            raise ValueError(f"rate, window, hop, bins and frames must be positive, got {self}")
        if self.n_fft < self.window or (self.n_fft - self.hop) % 2 or self.n_fft < self.hop:
            raise ValueError(
                f"n_fft must be at least window={self.window} and exceed hop={self.hop} by an even number, got {self.n_fft}"
            )
        if not 0 <= self.low_hz < self.high_hz <= self.rate / 2:
            raise ValueError(
                f"0 <= low_hz < high_hz <= rate / 2 = {self.rate / 2:g} must hold, got {self.low_hz:g} and {self.high_hz:g}"
            )
        if not 0 < self.floor < self.ceiling or not 0 <= self.peak <= 1:
            raise ValueError(f"0 < floor < ceiling and 0 <= peak <= 1 must hold, got {self.floor}, {self.ceiling}, {self.peak}")

    @property
    def log_floor(self) -> float:
        """The log mel of silence, black (0) in the picture."""
        return log(self.floor)

    @property
    def log_ceiling(self) -> float:
        return log(self.ceiling)

    @property
    def pad(self) -> int:
        """Samples reflected at either end of a clip, so that N samples give N // hop frames."""
        return (self.n_fft - self.hop) // 2

    @property
    def samples(self) -> int:
        """Samples that fill the picture."""
        return self.frames * self.hop

    @property
    def rate_frames(self) -> float:
        """Frames a second."""
        return self.rate / self.hop


@dataclass(frozen=True)
class Auffusion(MelScale):
    """The backbone's scale: transforms twice as long, so its log mel lies about 0.70 nat above the control's."""

    n_fft: int = 2048  # the window stays 1024


@dataclass(frozen=True)
class Lab(MelScale):
    """The procedural world's scale: 2.56 s, and a picture that a small diffusion model learns on two cores."""

    bins: int = 64  # a quarter of the control's rows
    frames: int = 256  # 2.56 s


def log_mel(wave: Tensor, scale: MelScale, *, samples: Tensor | None = None) -> Tensor:
    """The natural-log mel spectrogram of each clip: [..., bins, N // hop], row 0 the lowest band.

    wave: [..., N], mono at `scale.rate`. samples: [...], true lengths; each clip is reflected at its own end and its frames beyond
    samples // hop hold the log floor, so a padded batch equals its clips one by one. Each clip is scaled to `scale.peak`; silence
    stays silence. Half precision is computed in float32.
    Source: the released Mel-QCD generate_mel.py (n_fft 1024) and Auffusion's converter.py (2048); equal to the former's stored mels to 1e-6.
    """
    import torch

    if not wave.is_floating_point():
        raise ValueError(f"wave must hold floats in [-1, 1], got {wave.dtype}; divide 16-bit integers by 32768")
    *lead, length = wave.shape
    frames = length // scale.hop
    wave = wave.float() if wave.dtype in (torch.float16, torch.bfloat16) else wave
    if frames == 0 or not wave.numel():
        return wave.new_zeros(*lead, scale.bins, frames)
    clips = wave.reshape(-1, length)
    ends = None if samples is None else samples.reshape(-1).to(clips.device)
    # a GPU takes all clips at once; on a CPU few at a time stay in its cache, which halves the time and bounds the memory
    at_once = max(1, CACHED // length) if clips.device.type == "cpu" else len(clips)
    parts = [
        _log_mel(clips[i : i + at_once], scale, None if ends is None else ends[i : i + at_once])
        for i in range(0, len(clips), at_once)
    ]
    return torch.cat(parts).reshape(*lead, scale.bins, frames)


def _log_mel(clips: Tensor, scale: MelScale, ends: Tensor | None) -> Tensor:
    import torch

    padded = _reflect(_levelled(clips, scale.peak, ends), scale.pad, ends)
    mel = mel_magnitude(padded, scale).clamp_(min=scale.floor).log_()
    if ends is not None:
        beyond = torch.arange(mel.shape[-1], device=mel.device) >= (ends // scale.hop)[:, None]
        mel.masked_fill_(beyond[:, None, :], scale.log_floor)
    return mel


def to_image(mel: Tensor, scale: MelScale) -> Tensor:
    """Log mel [..., bins, frames] as a picture in [0, 1]: 0 the log floor, 1 the log ceiling, row 0 the HIGHEST band."""
    return ((mel - scale.log_floor) / (scale.log_ceiling - scale.log_floor)).clamp(0, 1).flip(-2)


def from_image(image: Tensor, scale: MelScale) -> Tensor:
    """The log mel that a picture stands for, row 0 the lowest band; inverse of `to_image` where that did not clip."""
    return image.flip(-2) * (scale.log_ceiling - scale.log_floor) + scale.log_floor


def _levelled(clips: Tensor, peak: float, ends: Tensor | None) -> Tensor:
    import torch

    if ends is not None:
        clips = clips * (torch.arange(clips.shape[-1], device=clips.device) < ends[:, None])
    if not peak:
        return clips
    least, most = clips.aminmax(dim=-1, keepdim=True)
    largest = torch.maximum(-least, most)
    # divided, then multiplied, as the released code does: the other order moves nearly silent bands by 0.004
    return clips / torch.where(largest > 0, largest, 1) * peak


def _reflect(clips: Tensor, pad: int, ends: Tensor | None) -> Tensor:
    """[B, N + 2 pad]: each clip continued by its mirror image at its true ends, as often as a short one needs."""
    import torch

    rows, length = clips.shape
    if ends is None:
        ends = torch.full((rows,), length, device=clips.device)
    period = (2 * (ends - 1)).clamp(min=1)[:, None]

    def mirrored(at: Tensor) -> Tensor:
        at = at % period
        return clips.gather(1, torch.minimum(at, period - at).clamp(max=length - 1))

    steps = torch.arange(pad, device=clips.device)
    padded = torch.cat([mirrored((steps - pad).expand(rows, -1)), clips, clips.new_zeros(rows, pad)], dim=1)
    tail = ends[:, None] + steps
    return padded.scatter_(1, tail + pad, mirrored(tail))

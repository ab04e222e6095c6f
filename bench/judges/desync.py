"""DeSync: how many seconds a sound is off its picture, as Synchformer hears and sees it (av-benchmark)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from bench.judges.published import Hearing, Published

if TYPE_CHECKING:
    from torch import Tensor

LENGTH, HOP = 10_240, 5_120  # samples of a segment of sound and between two: 0.64 s and 0.32 s
FRAMES, STRIDE, FPS = 16, 8, 25  # of a segment of video
SIDE = 224
MEAN, SPREAD = -4.2677393, 4.5689974


@dataclass(frozen=True)
class DeSync(Published):
    """DeSync: how many seconds a sound is off its picture, as Synchformer hears and sees it (av-benchmark).

    offset [1, 2]: the likeliest offset in seconds of the first and of the last 4.8 s, by how much the sound is late. No row for a clip
    without a picture or with fewer than fourteen segments; the field asks for eight seconds.
    """

    name: ClassVar[str] = "synchformer"
    sizes: ClassVar = {"offset": 2}

    def load(self, device: str) -> Hearing:
        import torch

        from bench.judges.desync_net import SEGMENTS, load_desync, offsets

        net = load_desync(self.weights(), allow_pickle=self.allow_pickle).to(device)
        seconds = offsets()

        def hear(wave: NDArray, video: Path | None):
            nothing = {"offset": np.empty((0, 2), np.float32)}
            if video is None:
                return nothing
            mels, pixels = segments(wave), pictures(video, len(wave))
            count = min(len(mels), (len(pixels) - FRAMES) // STRIDE + 1)
            if count < SEGMENTS:
                return nothing
            heard = torch.cat([net.listen(some.to(device)) for some in mels[:count].split(8)])
            cut = torch.stack([pixels[STRIDE * i : STRIDE * i + FRAMES] for i in range(count)]).transpose(1, 2)
            seen = torch.cat([net.look(some.to(device)) for some in cut.split(2)])
            both = [(seen[:SEGMENTS], heard[:SEGMENTS]), (seen[-SEGMENTS:], heard[-SEGMENTS:])]
            logits = net.compare(*(torch.stack(side) for side in zip(*both)))
            return {"offset": seconds[logits.argmax(-1).cpu()][None].numpy()}

        return hear


def segments(wave: NDArray) -> Tensor:
    """[S, 1, 128, 66] normalised mel pictures of mono `wave` at 16 kHz, one for every 0.32 s."""
    import torch

    if len(wave) < LENGTH:
        return torch.zeros(0, 1, 128, 66)
    cut = torch.from_numpy(np.ascontiguousarray(wave, np.float32)).unfold(0, LENGTH, HOP)
    window = torch.hann_window(400)
    spectrum = torch.stft(cut, 1024, 160, 400, window, center=True, pad_mode="reflect", return_complex=True).abs().square()
    mel = torch.tensor(htk_bank(16000, 1024, 128), dtype=torch.float32) @ spectrum
    log = torch.nn.functional.pad((mel + 1e-6).log(), (0, 66 - mel.shape[-1]))
    return ((log - MEAN) / (2 * SPREAD))[:, None]


def htk_bank(rate: int, n_fft: int, bands: int) -> NDArray:
    """[bands, n_fft // 2 + 1]: triangles of height 1 between points even on HTK's mel scale, 2595 log10(1 + f / 700), from 0 to rate / 2."""
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + rate / 2 / 700), bands + 2) / 2595) - 1)
    at = np.arange(n_fft // 2 + 1) * rate / n_fft
    up = (at - edges[:-2, None]) / np.diff(edges)[:-1, None]
    down = (edges[2:, None] - at) / np.diff(edges)[1:, None]
    return np.clip(np.minimum(up, down), 0, None)


def pictures(video: Path, samples: int) -> Tensor:
    """[T, 3, 224, 224] in [-1, 1], 25 a second for as long as the sound: the shorter side 224, bicubic, the centre cut out."""
    import torch

    from bench.media import film

    made = []
    for picture in film(video, np.arange(samples * FPS // 16000) / FPS, SIDE):
        high, wide = picture.shape[:2]
        top, left = (high - SIDE) // 2, (wide - SIDE) // 2
        made.append(torch.from_numpy(np.ascontiguousarray(picture[top : top + SIDE, left : left + SIDE].transpose(2, 0, 1))))
    return torch.stack(made).float().div(127.5).sub(1) if made else torch.zeros(0, 3, SIDE, SIDE)

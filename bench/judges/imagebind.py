"""ImageBind as a judge: IB-AA and IB-AV as the field measures them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bench.judges.published import Hearing, Published

CLIPS, SECONDS, SIDE, CROPS = 5, 2.0, 224, 3  # of a video: five stretches of two seconds, two frames and three crops each


@dataclass(frozen=True)
class ImageBind(Published):
    """Means of unit vectors over three windows of sound and over fifteen views of the video; a silent or pictureless clip has no row.

    Views are those of ImageBind's own loader: five stretches, their first and last frames, the shorter side 224, bilinear, three crops.
    av-benchmark takes other ones.
    """

    name: ClassVar[str] = "imagebind"
    sizes: ClassVar = {"audio_embedding": 1024, "video_embedding": 1024}

    def load(self, device: str) -> Hearing:
        import torch

        from bench.judges.imagebind_mel import imagebind_mel
        from bench.judges.imagebind_net import load_imagebind
        from bench.judges.lab_pair import gazes

        net = load_imagebind(self.weights(), allow_pickle=self.allow_pickle).to(device)

        def hear(wave: NDArray, video: Path | None):
            mel = torch.from_numpy(imagebind_mel(wave)).to(device)
            heard = net.listen(mel).mean(0, keepdim=True) if len(mel) else mel.new_empty(0, net.dims)
            shown = list(views(video)) if video is not None else []
            if shown:
                pixels = torch.from_numpy(np.stack(shown)).to(device).float().div(255)
                seen = torch.cat([net.look(gazes(some)) for some in pixels.split(CROPS)]).mean(0, keepdim=True)
            else:
                seen = heard.new_empty(0, net.dims)
            return {"audio_embedding": heard.cpu().numpy(), "video_embedding": seen.cpu().numpy()}

        return hear


def views(video: Path) -> Iterator[NDArray]:
    """uint8 [3, 2, 224, 224] of each stretch and crop; nothing for a video without pictures."""
    from bench.media import frame_times, frames

    times = frame_times(video)
    if not len(times):
        return
    apart = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    length = float(times[-1]) + apart
    starts = [i * max(length - SECONDS, 0.0) / (CLIPS - 1) for i in range(CLIPS)]
    ends = [min(s + SECONDS, length) - apart for s in starts]
    asked = np.maximum(np.array([starts, ends]).T, 0.0)
    order = np.argsort(asked.ravel(), kind="stable")
    pictures = frames(video, asked.ravel()[order])[np.argsort(order, kind="stable")]
    for first, last in pictures.reshape(CLIPS, 2, *pictures.shape[1:]):
        small = np.stack([_shrunk(first), _shrunk(last)])
        high, wide = small.shape[1:3]
        for k in range(CROPS):
            top = round(k * (high - SIDE) / (CROPS - 1)) if high > wide else (high - SIDE) // 2
            left = round(k * (wide - SIDE) / (CROPS - 1)) if wide >= high else (wide - SIDE) // 2
            yield small[:, top : top + SIDE, left : left + SIDE].transpose(3, 0, 1, 2)


def _shrunk(picture: NDArray) -> NDArray:
    """The shorter side 224, bilinear without smoothing, as torch's interpolate has it."""
    import torch

    high, wide = picture.shape[:2]
    size = (SIDE, int(wide * SIDE / high)) if high < wide else (int(high * SIDE / wide), SIDE)
    pixels = torch.from_numpy(picture).permute(2, 0, 1)[None].float()
    small = torch.nn.functional.interpolate(pixels, size, mode="bilinear", align_corners=False)
    return small[0].permute(1, 2, 0).round().clamp(0, 255).to(torch.uint8).numpy()

"""Begin a transformer of pictures where its patches already differ: its first layer from the principal components of the pool's own patches.

From chance, the light of the background fills a patch's vector, what moves is a hundredth of it, and contrastive training stands still for
hundreds of steps (tried: 266 steps at the loss of chance).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

LOOKED_AT = 4000  # patches
LEAST = 0.05  # of the largest deviation: components below it are grain, and are not made larger
PLACE = 0.2  # deviation of the vectors of place and time; a patch's own have about 0.5


def prime(proj: nn.Conv3d | nn.Conv2d, pictures: Tensor, places: Sequence[Tensor], *, scale: float = 0.5) -> None:
    """Set the patch layer `proj` and the vectors of place.

    pictures: [N, 3, (frames,) h, w] as the network is shown them. With two frames to a patch, half of the outputs tell what is there
    (their mean), half what changes (their difference); every output has a deviation of up to `scale` over the pool.
    """
    deep = isinstance(proj, nn.Conv3d)
    pictures = pictures if deep else pictures[:, :, None]
    time, high, wide = proj.kernel_size if deep else (1, *proj.kernel_size)  # type: ignore[misc]
    patches = pictures.unfold(2, time, time).unfold(3, high, high).unfold(4, wide, wide)  # [N, 3, t, y, x, time, high, wide]
    flat = patches.permute(0, 2, 3, 4, 1, 5, 6, 7).flatten(0, 3)  # [patches, 3, time, high, wide]
    rng = np.random.default_rng(0)
    flat = flat[torch.from_numpy(rng.permutation(len(flat))[:LOOKED_AT])]
    ways = [(1.0 / time,) * time] if time == 1 else [(0.5, 0.5), (-0.5, 0.5)]
    each = proj.out_channels // len(ways)
    weight, bias = torch.zeros(proj.out_channels, *flat.shape[1:]), torch.zeros(proj.out_channels)
    for i, way in enumerate(ways):
        mixed = sum(w * flat[:, :, k] for k, w in enumerate(way)).flatten(1)  # type: ignore[union-attr]
        basis, mean = _components(mixed, each)
        rows = slice(i * each, i * each + len(basis))
        for k, w in enumerate(way):
            weight[rows, :, k] = scale * w * basis.unflatten(1, (3, high, wide))
        bias[rows] = -scale * basis @ mean
    with torch.no_grad():
        proj.weight.copy_(weight if deep else weight[:, :, 0])
        if proj.bias is not None:
            proj.bias.copy_(bias)
        for place in places:
            nn.init.normal_(place, std=PLACE)


def _components(x: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Rows that map x [n, D] to its first `count` principal components at deviation 1 or less, and the mean of x."""
    mean = x.mean(0)
    _, values, basis = torch.linalg.svd(x - mean, full_matrices=False)
    deviation = values[:count] / len(x) ** 0.5
    return basis[:count] / deviation.clamp_min(LEAST * float(deviation[0]))[:, None], mean

"""What the text encoder says of clips whose prompts go on in pseudo-words made of their video."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.ragged import Ragged
from melqcd.settings import Adapter

if TYPE_CHECKING:
    from torch import Tensor

    from melqcd.backbone import Backbone
    from melqcd.inversion import InversionAdapter


def mean_looks(looks: Ragged, ids: Iterable[str]) -> np.ndarray:
    """[ids, d] float32: the mean image embedding of each clip's whole video."""
    return np.stack([np.asarray(looks[id], np.float32).mean(0) for id in ids])


def inverted(how: Adapter | None, net: Path | None, looks: Path | None, model: Backbone) -> Inverted | None:
    """What makes the words of clips where there is an inversion: the adapter that its training left at `net`, the clips' looks."""
    if how is None or net is None or looks is None:
        return None
    return Inverted(how.load(net, model), looks, model)


class Inverted:
    """`Inverted(adapter, looks, backbone)(prompts, ids)`: [B, 77, d]. Knows the clips that have a picture."""

    def __init__(self, net: InversionAdapter, looks: Path, model: Backbone):
        self.net, self.looks, self.model = net.eval(), Ragged(looks, "looks"), model

    def __contains__(self, id: str) -> bool:
        return id in self.looks and len(self.looks[id]) > 0

    def check(self, prompts: Iterable[str]) -> None:
        """Raises ValueError for the first prompt that leaves the pseudo-words no room."""
        from melqcd.inversion import places

        places(self.model, list(dict.fromkeys(prompts)), self.net.tokens)

    def __call__(self, prompts: Sequence[str], ids: Sequence[str]) -> Tensor:
        import torch

        from melqcd.inversion import places, written

        said, at = (found.to(self.model.device) for found in places(self.model, prompts, self.net.tokens))
        with torch.no_grad():
            seen = torch.from_numpy(mean_looks(self.looks, ids)).to(self.model.device, self.model.text.dtype)
            return written(self.model.text, said, at, self.net(seen))

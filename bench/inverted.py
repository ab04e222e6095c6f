"""What the text encoder says of clips whose prompts go on in pseudo-words made of their video."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.ragged import Ragged
from melqcd.settings import Adapter

if TYPE_CHECKING:
    from torch import Tensor

    from melqcd.backbone import Backbone
    from melqcd.inversion import InversionAdapter


def mean_looks(looks: Ragged, ids: Iterable[str], *, unit: bool = False) -> np.ndarray:
    """[ids, d] float32: the mean image embedding of each clip's whole video. unit: of embeddings of length one."""
    found = (np.asarray(looks[id], np.float32) for id in ids)
    if unit:
        found = map(unit_length, found)
    return np.stack([rows.mean(0) for rows in found])


def unit_length(rows: np.ndarray) -> np.ndarray:
    """Each of `rows` [..., d] over its length; zeros stay zeros."""
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)


def inverted(how: Adapter | None, net: Path | None, looks: Path | None, model: Backbone) -> Inverted | None:
    """What makes the words of clips where there is an inversion: the adapter that its training left at `net`, the clips' looks."""
    if how is None or net is None or looks is None:
        return None
    return Inverted(how, how.load(net, model), looks, model)


class Inverted:
    """`Inverted(how, adapter, looks, backbone)(prompts, ids, firsts, seed)`: [B, 77, d]. Knows the clips that have a picture."""

    def __init__(self, how: Adapter, net: InversionAdapter, looks: Path, model: Backbone):
        self.how = how
        self.net, self.looks, self.model = net.eval(), Ragged(looks, "looks"), model

    def __contains__(self, id: str) -> bool:
        return id in self.looks and len(self.looks[id]) > 0

    def check(self, prompts: Iterable[str]) -> None:
        """Raises ValueError for the first prompt that leaves the pseudo-words no room."""
        from melqcd.inversion import places

        places(self.model, list(dict.fromkeys(prompts)), self.net.tokens)

    def __call__(
        self, prompts: Sequence[str], ids: Sequence[str], firsts: Sequence[int], seed: int
    ) -> Tensor | Callable[[int], Tensor]:
        """The words of windows that begin at `firsts`; where dropout is live, what gives those of a call of the network.

        What is dropped belongs to `seed`, clip, window and call, so that a clip's words do not depend on its batch.
        """
        import torch

        from melqcd.inversion import dropped, places, written
        from melqcd.sampling import chance

        said, at = (found.to(self.model.device) for found in places(self.model, prompts, self.net.tokens))
        seen = torch.from_numpy(mean_looks(self.looks, ids)).to(self.model.device, self.model.text.dtype)

        def spoken(kept: Sequence[Tensor] = ()) -> Tensor:
            with torch.no_grad():
                return written(self.model.text, said, at, self.net(seen, kept))

        def live(call: int) -> Tensor:
            drawn = [chance(seed, id, first, "dropout", call) for id, first in zip(ids, firsts, strict=True)]
            return spoken(dropped(self.net, self.how.dropout, drawn))

        return live if self.how.live else spoken()

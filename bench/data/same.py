"""`learn=same`: predictor and ControlNet learn from the train split of the data set that is generated for."""

from __future__ import annotations

from dataclasses import dataclass

from bench.data.base import Data, Item


@dataclass(frozen=True)
class Same(Data):
    """The train split of `data` itself."""

    def items(self) -> list[Item]:
        return []

    def identity(self) -> dict:
        return {}

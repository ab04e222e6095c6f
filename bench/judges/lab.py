"""The lab's judge: a small classifier (AST) and an audio-visual pair (ImageBind-style), trained on clips nothing else sees."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from bench.errors import Refused
from bench.judges.base import Judge, write
from bench.weights import LAB, content, weights

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor
    from transformers import ASTForAudioClassification

    from bench.context import Context
    from bench.judges.lab_pair import PairSize
    from bench.judges.view import View

RATE = 16000  # Hz
TOGETHER = 32  # clips whose windows are heard in one pass
PARTS = ("classifier", "pair")


@dataclass(frozen=True)
class Lab(Judge):
    """Every sound is scaled to one peak and heard in windows of 2.56 s, whose features and logits are averaged.

    features [1, width]: AST's pooled vector (the mean of its two special tokens after the last norm), for FID. logits [1, classes],
    before any softmax. audio_embedding, video_embedding [1, dims], of the whole clip: what, then when, slot by slot; no row where there is
    no picture, and zeros for when where nothing is heard or seen to change.
    """

    path: str = field(default="", metadata={"key": False})  # folder with classifier/ and pair/; empty: the lab's own

    name: ClassVar[str] = "lab"

    def folder(self, part: str) -> Path:
        """Where `part` (classifier or pair) lies; Refused if it does not."""
        found = weights(self.path, "judges.lab", default=LAB) / part
        if not (found / "config.json").exists():
            raise Refused(f"judges.lab.path: {found} holds no {part}; a folder with {' and '.join(PARTS)} is needed")
        return found

    def identity(self) -> dict[str, Any]:
        return {"name": self.name, "version": self.version, "weights": {part: content(self.folder(part)) for part in self.parts}}

    def classes(self) -> tuple[str, ...]:
        named = self._config("classifier")["id2label"]
        return tuple(named[str(i)] for i in range(len(named)))

    @property
    def parts(self) -> tuple[str, ...]:
        """The networks that the folder holds: without a pair there are no embeddings, and their metrics say so."""
        root = weights(self.path, "judges.lab", default=LAB)
        return tuple(part for part in PARTS if part == "classifier" or (root / part / "config.json").exists())

    @property
    def provides(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        sizes = {"features": int(self._config("classifier")["hidden_size"]), "logits": len(self.classes())}
        if "pair" in self.parts:
            sizes |= dict.fromkeys(("audio_embedding", "video_embedding"), self._pair().dims)
        return {name: ("float32", (n,)) for name, n in sizes.items()}

    def listen(self, ctx: Context, sounds: View, out: Path) -> None:
        torch = ctx.torch()

        def told() -> Iterator[tuple[str, Mapping[str, np.ndarray]]]:
            with torch.inference_mode():
                network = _Networks(self, ctx.device)
                blocks = [sounds.ids[i : i + TOGETHER] for i in range(0, len(sounds.ids), TOGETHER)]
                for ids in ctx.track(blocks, "the lab's judges"):
                    yield from network(ids, sounds)
                    ctx.check()

        write(out, self, sounds.ids, told())

    def _pair(self) -> PairSize:
        """The pair's shape; Refused where its folder tells none."""
        from bench.judges.lab_pair import shape_of

        try:
            return shape_of(self.folder("pair"))
        except ValueError as error:
            raise Refused(f"judges.lab.path: {error}") from error

    def _config(self, part: str) -> dict[str, Any]:
        return json.loads((self.folder(part) / "config.json").read_text())


class _Networks:
    """Both networks, loaded."""

    def __init__(self, judge: Lab, device: str):
        from bench.judges.lab_pair import load_pair

        self.ast = load_classifier(judge.folder("classifier"))
        self.ast.to(device)  # type: ignore[arg-type]
        self.pair = load_pair(judge.folder("pair")) if "pair" in judge.parts else None
        if self.pair:
            self.pair[0].to(device)

    def __call__(self, ids: tuple[str, ...], sounds: View) -> Iterator[tuple[str, Mapping[str, np.ndarray]]]:
        """(id, arrays) of each of `ids`."""
        import torch

        from bench.judges.lab_ears import batch

        waves = [sounds.load(id, RATE) for id in ids]
        config = self.ast.config
        parts, owner = batch(waves, config.num_mel_bins, config.max_length)
        pooled = self.ast.audio_spectrogram_transformer(torch.from_numpy(parts).to(self.ast.device)).pooler_output
        logits = self.ast.classifier(pooled)
        told = [
            {"features": pooled[owner == i].mean(0, keepdim=True), "logits": logits[owner == i].mean(0, keepdim=True)}
            for i in range(len(ids))
        ]
        if self.pair:
            self._embed(told, waves, [sounds.video(id) for id in ids])
        for id, arrays in zip(ids, told, strict=True):
            yield id, {name: array.float().cpu().numpy() for name, array in arrays.items()}

    def _embed(self, told: list[dict[str, Tensor]], waves: list[np.ndarray], videos: list[Path | None]) -> None:
        """Add the pair's embeddings of each clip's sound and picture."""
        from bench.judges.lab_pair import listen, watch

        assert self.pair
        net, size = self.pair
        for arrays, wave, video in zip(told, waves, videos, strict=True):
            sound = arrays["audio_embedding"] = listen(net, size, wave)[None]
            arrays["video_embedding"] = sound.new_empty(0, size.dims) if video is None else watch(net, size, video)[None]


def load_classifier(folder: Path) -> ASTForAudioClassification:
    """The classifier in `folder`, in eval mode and float32; Refused naming the folder where it is damaged."""
    import torch
    from transformers import ASTForAudioClassification
    from transformers.utils.logging import disable_progress_bar

    from melqcd.pretrained import pretrained

    disable_progress_bar()  # of weights that load within a second
    try:
        net = pretrained(ASTForAudioClassification, folder, dtype=torch.float32)
    except ValueError as error:
        raise Refused(str(error)) from error
    return net.eval()

"""The lab's judge of classes: a small audio spectrogram transformer (AST), trained on the pool that only judges see."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.context import Context
from bench.judges.lab_ears import MEAN, SPREAD
from bench.lab.networks.cards import write_card
from bench.lab.networks.hearing import rows_and_worn, sounds, varied
from bench.lab.pools import Pool
from melqcd.training import Draw, Training, train

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import ASTFeatureExtractor, ASTForAudioClassification


@dataclass(frozen=True)
class Classifier:
    """Sizes and training of the classifier."""

    bands: int = 64  # of Kaldi's filter bank
    frames: int = 256  # 10 ms each; a clip of 2.56 s has 254
    width: int = 96  # also the size of the features that Fréchet distances are taken of
    layers: int = 3
    heads: int = 4
    patch: int = 16  # rows and columns of a token, without overlap
    worn: int = 3  # every so many-th clip is also heard as it comes back from a damaged mel; 0: none
    training: Training = Training(steps=2400, batch=32, lr=1e-3, betas=(0.9, 0.98), weight_decay=0.05, ema=0.98, seed=11)

    def __post_init__(self):
        if self.bands % self.patch or self.frames % self.patch:
            raise ValueError(f"bands and frames must be multiples of patch={self.patch}, got {self.bands} and {self.frames}")
        if self.worn < 0:
            raise ValueError(f"worn must be 0 (none) or more, got {self.worn}")

    def ears(self) -> ASTFeatureExtractor:
        from transformers import ASTFeatureExtractor

        # mean and half the deviation of the lab's log filter banks: the extractor divides by twice what it is told
        return ASTFeatureExtractor(num_mel_bins=self.bands, max_length=self.frames, mean=MEAN, std=SPREAD / 2)

    def build(self, labels: list[str]) -> ASTForAudioClassification:
        from transformers import ASTConfig, ASTForAudioClassification

        return ASTForAudioClassification(
            ASTConfig(
                hidden_size=self.width,
                num_hidden_layers=self.layers,
                num_attention_heads=self.heads,
                intermediate_size=4 * self.width,
                patch_size=self.patch,
                frequency_stride=self.patch,
                time_stride=self.patch,
                max_length=self.frames,
                num_mel_bins=self.bands,
                hidden_dropout_prob=0.0,
                initializer_range=self.width**-0.5,  # 0.02, made for a width of 768, costs the first 300 steps
                id2label=dict(enumerate(labels)),
                label2id={label: i for i, label in enumerate(labels)},
            )
        )


def classifier(out: Path, part: Path, ctx: Context, recipe: Classifier, pool: Path) -> None:
    """Train the classifier on the sounds of `pool` and write it in transformers' format, with a card."""
    torch = ctx.torch()
    data = Pool(pool)
    rows, count = rows_and_worn(data, recipe.worn), len(data.train)
    known, held = (torch.from_numpy(np.flatnonzero(which)) for which in (rows < count, rows >= count))
    heard = torch.from_numpy(sounds(part, ctx, data, rows, bands=recipe.bands, frames=recipe.frames, seed=recipe.training.seed))
    label = torch.from_numpy(np.array(data.label)[rows]).long()
    torch.manual_seed(recipe.training.seed)
    model = recipe.build(data.labels)

    def batches(draw: Draw) -> dict[str, Tensor]:
        at = known[draw.clips(len(known))]
        return {"sound": varied(heard[at], draw.generator), "label": label[at]}

    def loss(batch: dict[str, Tensor]) -> Tensor:
        logits = model(batch["sound"]).logits
        return torch.nn.functional.cross_entropy(logits, batch["label"], label_smoothing=0.05, reduction="none")

    def right() -> Tensor:
        logits = torch.cat([model(x).logits for x in heard[held].split(50)])
        return (logits.argmax(-1) == label[held]).float()

    trained = train(
        model, batches, loss, recipe.training, part=part, ctx=ctx, label="classifier",
        save_s=30, validate=lambda: 1 - float(right().mean()), validate_every=150,
    )  # fmt: skip
    with torch.inference_mode():
        hits = right()
    model.save_pretrained(out)
    recipe.ears().save_pretrained(out)
    whole = len(data.test)
    quality = {"top-1 on held clips of the pool": float(hits[:whole].mean())}
    if recipe.worn:
        quality["the same after a damaged mel"] = float(hits[whole:].mean())
    write_card(out, "which of the fifteen gestures a sound is (AST)", model, recipe, pool, trained, quality)

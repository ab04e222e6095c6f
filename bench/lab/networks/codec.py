"""The lab's codec: a small EncodecModel (24 kHz, 75 frames a second) whose codebooks are learnt with it."""

from __future__ import annotations

from dataclasses import dataclass
from math import log2
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.context import Context
from bench.lab.networks.cards import write_card
from bench.lab.pools import Pool
from melqcd.settings import Training
from melqcd.stft import filterbank

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import EncodecModel

RATE, HOP = 24000, 320  # Hz and samples: EnCodec's, 75 frames a second
PEAK = 0.95  # of every clip: controls level their sound before they encode it
TRANSFORMS = (512, 2048)  # samples; the mel of each is compared
FLOOR = 1e-3  # of a mel magnitude before the logarithm: with the picture's 1e-5, faint noise would be most of the loss
WAVE = 2.0  # weight of the waveform's error beside the mel's
COMMIT = 0.25  # weight of the encoder's distance to its codes
SPREAD = 0.02  # weight of `alike`, without which 99 % of the codes' variance lay in two directions and the second book had nothing to add
TRAINING = Training(steps=4000, batch=8, lr=2e-3, betas=(0.8, 0.99), weight_decay=0.0, seed=5)


@dataclass(frozen=True)
class Codec:
    """Sizes and training of the codec."""

    filters: int = 6  # channels after the first convolution; doubled at each of the four strides
    width: int = 32  # numbers in a code's vector
    books: int = 4  # residual codebooks
    codes: int = 1024  # in a book, EnCodec's
    frames: int = 40  # of a training crop: 0.53 s
    free: float = 0.35  # share of the steps that pass before the codebooks begin, at the k-means centres of what was learnt
    training: Training = TRAINING

    def build(self) -> EncodecModel:
        from transformers import EncodecConfig, EncodecModel

        bits = log2(self.codes)
        rates = [k * bits * RATE / HOP / 1000 for k in range(1, self.books + 1)]  # kbps of 1, 2, ... books
        return EncodecModel(
            EncodecConfig(
                target_bandwidths=rates, num_filters=self.filters, hidden_size=self.width, num_lstm_layers=1,
                codebook_size=self.codes,
            )
        )  # fmt: skip


def codec(out: Path, part: Path, ctx: Context, recipe: Codec, pool: Path) -> None:
    """Train the codec on the sounds of `pool` and write it in transformers' format, with a card."""
    torch = ctx.torch()
    from bench.lab.networks.books import begin, quantised
    from melqcd.rates import resample
    from melqcd.training import Draw, number, train

    data, how = Pool(pool), recipe.training
    torch.manual_seed(how.seed)
    learner = _learner(recipe)
    model = learner.codec
    rows, crop = len(data.train), recipe.frames * HOP * 16000 // RATE
    free = round(recipe.free * how.steps)

    def waves(ids: list[int], firsts: list[int] | None = None, size: int | None = None) -> Tensor:
        """[n, samples] at 24 kHz, each clip levelled by its own peak."""
        found = []
        for i, first in zip(ids, firsts or [0] * len(ids), strict=True):
            clip = np.asarray(data.wave[i], np.float32)
            found.append(clip[first : first + size if size else None] * (PEAK / max(1.0, float(np.abs(clip).max()))))
        return resample(torch.from_numpy(np.stack(found)), 16000, RATE)

    def batches(draw: Draw) -> dict[str, Tensor]:
        ids = draw.clips(rows)
        latest = torch.from_numpy(np.asarray(data.samples)[ids.numpy()]).long() - crop
        firsts = (torch.rand(len(ids), generator=draw.generator) * (latest.clamp(min=0) + 1)).long()
        books = torch.randint(1, recipe.books + 1, (len(ids),), generator=draw.generator)
        return {"wave": waves(ids.tolist(), firsts.tolist(), crop), "books": books}

    def loss(batch: dict[str, Tensor]) -> Tensor:
        wave, step = batch["wave"][:, None], int(learner.steps)
        if step == free:  # once: what follows is in the checkpoint
            known = [int(i) for i in torch.linspace(0, rows - 1, min(rows, 120))]
            with torch.no_grad():
                all_of = torch.cat([model.encoder(waves(known[a : a + 20])[:, None]) for a in range(0, len(known), 20)])
            begin(model, all_of.transpose(1, 2).flatten(0, 1), how.batch * recipe.frames, number(how.seed, "k-means"))
        z = model.encoder(wave)
        points, committed = z.transpose(1, 2).flatten(0, 1), z.new_zeros(len(z))
        if step >= free:
            z, committed = quantised(model, z, batch["books"], learn=True)
        made = model.decoder(z)
        learner.steps += 1
        return (
            COMMIT * committed
            + SPREAD * alike(points)
            + WAVE * (made - wave).abs().mean((1, 2))
            + mel_error(made[:, 0], wave[:, 0])
        )

    held = list(data.test)[:40]

    def heard(books: int) -> tuple[Tensor, Tensor]:
        """The mel error of each held clip through the first codebooks, and the codes [books, n, frames]."""
        errors, codes = [], []
        for a in range(0, len(held), 20):
            wave = waves(held[a : a + 20])[:, None]
            code = model.quantizer.encode(model.encoder(wave))[:books]
            codes.append(code)
            errors.append(mel_error(model.decoder(model.quantizer.decode(code))[:, 0], wave[:, 0]))
        return torch.cat(errors), torch.cat(codes, 1)

    even(model, waves([int(i) for i in torch.linspace(0, rows - 1, min(rows, 16))])[:, None, : recipe.frames * HOP])
    trained = train(learner, batches, loss, how, part=part, ctx=ctx, label="codec", micro=0, save_s=30)
    quality = {}
    with torch.inference_mode():
        for books in sorted({1, min(2, recipe.books), recipe.books}):
            errors, _ = heard(books)
            quality[f"mel error through {books} {'book' if books == 1 else 'books'}, nats"] = float(errors.mean())
        silence = mel_error(torch.zeros_like(waves(held)), waves(held))
        quality["mel error of silence instead, nats"] = float(silence.mean())
        for k, code in enumerate(heard(recipe.books)[1]):
            quality[f"share of the codes of book {k + 1} used by {len(held)} held clips"] = len(code.unique()) / recipe.codes
    model.save_pretrained(out)
    write_card(out, "sound to codes and back (EnCodec, 24 kHz, 75 frames a second)", model, recipe, pool, trained, quality)


def even(model: EncodecModel, wave: Tensor) -> None:
    """Rescale every convolution so that its output on `wave` deviates by 1, and the last by what sound does; biases become 0.

    As torch draws them, each of some thirty layers loses variance: codes then differed by 0.0003 between sounds, the decoder learnt
    to ignore them, and 450 steps later one, two and four books sounded the same.
    """
    import torch

    convolutions = [m for m in model.modules() if isinstance(m, (torch.nn.Conv1d, torch.nn.ConvTranspose1d))]

    def hook(module: Any, given: Any, made: Tensor) -> Tensor:
        wanted = float(wave.std()) if module is convolutions[-1] else 1.0
        share = wanted / made.std().clamp(min=1e-8)
        module.parametrizations.weight.original0.mul_(share)
        return made * share

    with torch.no_grad():
        for module in convolutions:
            torch.nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        hooks = [module.register_forward_hook(hook) for module in convolutions]
        model.decoder(model.encoder(wave))
        for h in hooks:
            h.remove()


def alike(points: Tensor) -> Tensor:
    """How far the numbers of vectors [n, D] are from uncorrelated ones of unit deviation: the variance and covariance terms of VICReg
    (Bardes et al. 2022, eq. 1 and 4), the former 25 times.
    """
    import torch

    count, dims = points.shape
    apart = points - points.mean(0)
    covariance = apart.T @ apart / (count - 1)
    narrow = (1 - (covariance.diagonal() + 1e-4).sqrt()).relu().mean()
    return 25 * narrow + (covariance - torch.diag(covariance.diagonal())).square().sum() / dims


def mel_error(made: Tensor, wave: Tensor) -> Tensor:
    """The mean absolute difference in nats of the log mels of [B, samples] at 24 kHz, over transforms of several lengths: [B]."""
    import torch

    errors = []
    for size in TRANSFORMS:
        window = torch.hann_window(size, device=wave.device)
        bank = _bank(size).to(wave.device)
        a, b = (
            (bank @ torch.stft(x, size, size // 4, window=window, return_complex=True).abs()).clamp(min=FLOOR).log()
            for x in (made, wave)
        )
        errors.append((a - b).abs().mean((1, 2)))
    return torch.stack(errors).mean(0)


def _bank(size: int) -> Tensor:
    import torch

    bins = min(64, size // 8)  # no band narrower than a line of the transform
    return torch.from_numpy(np.array(filterbank(RATE, size, bins, 0.0, RATE / 2), np.float32))


def _learner(recipe: Codec) -> Any:
    """The codec with the number of steps that it has taken, which decides when its codebooks begin."""
    import torch

    class Learner(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.codec = recipe.build()
            self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    return Learner()

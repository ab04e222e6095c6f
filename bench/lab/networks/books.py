"""Residual vector quantisation that learns: transformers' EncodecModel uses its codebooks but does not train them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import embedding, one_hot

Model = Any  # an EncodecModel, whose types do not tell a codebook's buffers from modules

DECAY = 0.98  # of a code's running count and sum, per step
DEAD = 0.02  # hits a step below which a code is taken up anew from the batch: 1024 codes share 320 frames


def quantised(codec: Model, z: Tensor, books: Tensor, *, learn: bool) -> tuple[Tensor, Tensor]:
    """`z` as its first codes' sum, gradients passed straight through, and each clip's commitment: [B, D, T] and [B].

    z: [B, D, T]. books: [B], how many of the codebooks each clip uses (dropout over books). learn: also move the codes.
    """
    residual, total = z.transpose(1, 2), torch.zeros_like(z.transpose(1, 2))
    commitment = z.new_zeros(len(z))
    for k, layer in enumerate(codec.quantizer.layers):
        book = layer.codebook
        flat = residual.detach().flatten(0, 1)
        code = book.quantize(flat)
        found = embedding(code, book.embed).view_as(residual)
        used = (books > k)[:, None, None]
        # the codebooks' own scale: a squared error that is large where the encoder is, so a share of the residual's power
        commitment = commitment + (residual - found.detach()).square().mean((1, 2)) * used[:, 0, 0]
        total = total + torch.where(used, found, torch.zeros_like(found))
        if learn:
            move(book, flat, code)
        residual = residual - found.detach()
    return z + (total.transpose(1, 2) - z).detach(), commitment


@torch.no_grad()
def move(book: Model, points: Tensor, code: Tensor) -> None:
    """Codes follow the running mean of the points [n, D] that chose them; codes that nobody chooses become points of this batch."""
    hits = one_hot(code, len(book.embed)).to(points.dtype)
    book.cluster_size.lerp_(hits.sum(0), 1 - DECAY)
    book.embed_avg.lerp_(hits.T @ points, 1 - DECAY)
    dead = (book.cluster_size < DEAD).nonzero()[:, 0]
    if len(dead):
        chosen = points[torch.randint(len(points), (len(dead),))]  # the step's own randomness: train seeds it
        book.cluster_size[dead] = 2 * DEAD
        book.embed_avg[dead] = 2 * DEAD * chosen
    book.embed.copy_(book.embed_avg / book.cluster_size[:, None])


@torch.no_grad()
def begin(codec: Model, points: Tensor, per_step: int, seed: int) -> None:
    """Start every codebook at the k-means centres of what the books before it leave of `points` [n, D].

    per_step: frames that a step of training sees, which sets the scale of the running counts.
    """
    generator = torch.Generator().manual_seed(seed)
    residual = points.clone()
    for layer in codec.quantizer.layers:
        book = layer.codebook
        centres, code = kmeans(residual, len(book.embed), generator)
        counts = torch.bincount(code, minlength=len(centres)).to(points.dtype) * per_step / len(points)
        counts = counts.clamp(min=2 * DEAD)
        book.embed.copy_(centres)
        book.cluster_size.copy_(counts)
        book.embed_avg.copy_(centres * counts[:, None])
        residual -= centres[code]


def kmeans(points: Tensor, size: int, generator: torch.Generator, rounds: int = 8) -> tuple[Tensor, Tensor]:
    """`size` centres [size, D] of `points` [n, D] and the nearest one of each [n]; empty centres are drawn anew from the points."""
    centres = points[torch.randint(len(points), (size,), generator=generator)]
    code = nearest(points, centres)
    for _ in range(rounds):
        counts = torch.bincount(code, minlength=size)
        centres = torch.zeros_like(centres).index_add_(0, code, points) / counts.clamp(min=1)[:, None]
        empty = (counts == 0).nonzero()[:, 0]
        centres[empty] = points[torch.randint(len(points), (len(empty),), generator=generator)]
        code = nearest(points, centres)
    return centres, code


def nearest(points: Tensor, centres: Tensor) -> Tensor:
    """[n], the index of the centre that is nearest to each point."""
    square = centres.square().sum(1)
    return torch.cat([(square - 2 * p @ centres.T).argmin(1) for p in points.split(4096)])

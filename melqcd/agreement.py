"""How well a predicted signal agrees with the true one: top-1 accuracy and its chance, cosine of shapes, thresholds."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity


def accuracy(predicted: Tensor, true: Tensor, valid: Tensor) -> Tensor:
    """Share of choices that are right, over each clip's valid slots and groups: [B], NaN for a clip without a valid slot.

    predicted, true: [B, n, slots] codes. valid: [B, slots]. Over a set: average clips weighted by their valid slots.
    """
    return _over_slots((predicted == true).float().mean(1), valid)


def chance(true: Tensor, valid: Tensor, size: int) -> float:
    """The accuracy of always naming each group's most frequent code among `true` [B, n, slots]; NaN without a valid slot.

    The best that a constant answer can do on these very clips. A predictor of classes below it has learnt nothing; one that answers
    yes or no by a threshold may lie below it and be of use, for the threshold is chosen for F1: see `always_yes`.
    """
    codes = true.long().movedim(1, 0)[:, valid]
    if not codes.shape[-1]:
        return float("nan")
    most = torch.stack([group.bincount(minlength=size).max() for group in codes])
    return float(most.float().mean() / codes.shape[-1])


def always_yes(true: Tensor, valid: Tensor) -> float:
    """The F1 of answering yes in every valid slot of `true` [B, n, slots], 2 p / (1 + p) of the share p of yes; NaN without one."""
    share = float((true > 0.5)[valid[:, None].expand_as(true)].float().mean())
    return 2 * share / (1 + share)


def similarity(predicted: Tensor, true: Tensor, valid: Tensor) -> Tensor:
    """Cosine between predicted and true shape, averaged over each clip's valid slots: [B], NaN for a clip without any.

    predicted, true: [B, K, slots] levels, not codes. Two flat shapes (all zeros) agree, 1; a flat one and another do not, 0.
    Source: `Sim` of the paper (Table 4), whose averaging is not told.
    """
    flat = ~(predicted.any(1) | true.any(1))
    return _over_slots(torch.where(flat, 1.0, cosine_similarity(predicted.float(), true.float(), dim=1)), valid)


def best_threshold(scores: Tensor, true: Tensor, valid: Tensor, *, among: int = 99) -> tuple[float, float]:
    """The threshold on `scores` with the highest F1 of slots, and that F1.

    scores: [B, n, slots] in [0, 1] (sigmoids). true: [B, n, slots] of 0 and 1. The candidates are `among` quantiles of the scores;
    a slot counts as yes at or above the threshold. Where nothing is true, every threshold scores 0 and the highest is returned.
    """
    there = valid[:, None].expand_as(true)
    scores, yes = scores[there].float(), true[there] > 0.5
    if not scores.numel():
        raise ValueError("no valid slot to choose a threshold on")
    share = torch.linspace(0, 1, among, dtype=torch.float64)
    at = scores.sort().values[(share * (scores.numel() - 1)).round().long()].unique()
    said = scores >= at[:, None]
    f1 = 2 * (said & yes).sum(1) / (said.sum(1) + yes.sum()).clamp(min=1)
    best = len(at) - 1 - int(f1.flip(0).argmax())  # the highest of equals: fewest false alarms
    return float(at[best]), float(f1[best])


def _over_slots(values: Tensor, valid: Tensor) -> Tensor:
    return torch.where(valid, values, 0.0).sum(-1) / valid.sum(-1)  # 0 / 0 is NaN

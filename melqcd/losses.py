"""What each kind of head is trained with: one number per clip and slot, so that the caller alone decides which slots count."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from melqcd.heads import Head


def class_loss(output: Tensor, signal: Tensor, head: Head, *, gamma: float = 2.0) -> Tensor:
    """Focal loss (1 - p) ** gamma * -ln p of the true class, averaged over the head's choices: [B, slots].

    output: [B, n * size, slots] logits. signal: [B, n, slots] codes. gamma 0 is cross-entropy.
    Source: Lin et al., Focal Loss for Dense Object Detection; gamma 2 as in the released Mel-QCD training.
    """
    surprise = cross_entropy(output.unflatten(1, (head.n, head.size)).transpose(1, 2), signal.long(), reduction="none")
    return (_hard(surprise, gamma) * surprise).mean(1)


def binary_loss(output: Tensor, signal: Tensor, positive: Tensor, *, kind: str = "weighted", gamma: float = 2.0) -> Tensor:
    """Cross-entropy of yes/no questions where yes is rare, averaged over the questions: [B, slots].

    output: [B, n, slots] logits. signal: [B, n, slots] of 0 and 1. positive: [n], the share of yes on the training split.
    weighted: yes and no count equally often, so a network that always says no pays ln 2 a slot as any guess does; the scale is that
        of balanced data at any share. focal: as `class_loss`, unweighted.
    """
    share = positive.clamp(1e-3, 1 - 1e-3)[:, None]  # a question never answered yes would weigh without bound
    surprise = binary_cross_entropy_with_logits(output, signal.to(output.dtype), reduction="none")
    if kind == "focal":
        return (_hard(surprise, gamma) * surprise).mean(1)
    return (surprise * torch.where(signal > 0.5, 0.5 / share, 0.5 / (1 - share))).mean(1)


def scalar_loss(output: Tensor, signal: Tensor, spread: Tensor) -> Tensor:
    """Squared error in units of the training split's standard deviation `spread` [n], averaged over the reals: [B, slots]."""
    return ((output - signal) / spread[:, None]).square().mean(1)


def _hard(surprise: Tensor, gamma: float) -> Tensor | float:
    return (1 - torch.exp(-surprise)).clamp(min=0) ** gamma if gamma else 1.0

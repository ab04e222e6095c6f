"""How networks are sized and trained: what a command line can change. Imports no torch, so that plans are made without it."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi


@dataclass(frozen=True)
class Training:
    """How a network is trained; every field can change its weights and is part of a key."""

    steps: int = 600  # optimiser steps
    batch: int = 16  # clips per step over all processes
    lr: float = 1e-3  # peak learning rate of AdamW
    warmup: float = 0.05  # share of the steps in which the rate rises linearly from 0
    decay: str = "cosine"  # after that: cosine or linear to 0, or none
    weight_decay: float = 0.01  # AdamW's, on every weight; the released CodePredictor's value
    betas: tuple[float, float] = (0.9, 0.999)
    clip: float = 1.0  # largest norm of a step's gradient; 0: as it comes
    ema: float = 0.0  # decay of the weights' running average, which replaces them at the end; 0: none
    precision: str = "fp32"  # of the forward pass: fp32 or bf16 (weights and optimiser stay fp32)
    seed: int = 0

    def __post_init__(self):
        object.__setattr__(self, "betas", tuple(self.betas))  # settings come from lists
        if self.steps < 1 or self.batch < 1:
            raise ValueError(f"training needs steps >= 1 and batch >= 1, got steps={self.steps}, batch={self.batch}")
        if not self.lr > 0 or not 0 <= self.warmup <= 1:
            raise ValueError(f"training needs lr > 0 and warmup in [0, 1], got lr={self.lr}, warmup={self.warmup}")
        if self.decay not in ("cosine", "linear", "none"):
            raise ValueError(f"decay is cosine, linear or none, got {self.decay!r}")
        if self.precision not in ("fp32", "bf16"):
            raise ValueError(f"precision is fp32 or bf16, got {self.precision!r}")
        if not 0 <= self.ema < 1 or self.clip < 0:
            raise ValueError(f"training needs ema in [0, 1) and clip >= 0, got ema={self.ema}, clip={self.clip}")

    def rate(self, step: int) -> float:
        """The learning rate of `step`, counted from 0."""
        warm = self.warmup * self.steps
        if step < warm:
            return self.lr * (step + 1) / (warm + 1)
        gone = (step - warm) / max(1.0, self.steps - warm)
        return self.lr * {"cosine": 0.5 + 0.5 * cos(pi * gone), "linear": 1 - gone, "none": 1.0}[self.decay]

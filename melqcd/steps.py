"""One optimiser step over micro-batches and processes, and the checkpoint that carries a training from one attempt to the next."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from melqcd.checkpoints import read_checkpoint, write_checkpoint
from melqcd.processes import Group

if TYPE_CHECKING:
    from melqcd.settings import Training
    from melqcd.training import Trained

Batch = Any  # tensors [clips, ...], alone or in tuples, lists and dicts
WARM_EMA = 10  # the average forgets faster during its first steps: decay = min(ema, (1 + step) / (10 + step))


class Diverged(ValueError):
    """The loss or its gradient is no longer a number; the message names the step and what is left on disk."""


class Player:
    """A module with its loss, its optimiser and, where asked for, the running average of its weights."""

    def __init__(self, module: nn.Module, loss: Callable[[Batch], Tensor], how: Training):
        self.module, self.loss, self.ema = module, loss, how.ema
        self.learnt = {k: p for k, p in module.named_parameters() if p.requires_grad}
        if not self.learnt:
            raise ValueError(f"{type(module).__name__} has no weight that requires a gradient")
        self.optimiser = torch.optim.AdamW(self.learnt.values(), how.lr, how.betas, weight_decay=how.weight_decay, fused=True)
        self.average = {k: p.detach().clone() for k, p in self.learnt.items()} if how.ema else {}

    def values(self) -> dict[str, Tensor]:
        """What training changes: learnt weights and buffers, the tensors themselves."""
        frozen = {k for k, p in self.module.named_parameters() if not p.requires_grad}
        return {k: v for k, v in self.module.state_dict().items() if k not in frozen}

    def copy(self, *, averaged: bool = False) -> dict[str, Tensor]:
        return {k: (self.average.get(k, v) if averaged else v).detach().clone() for k, v in self.values().items()}

    def load(self, values: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for k, v in self.values().items():
                v.copy_(values[k])

    def step(self, rate: float, step: int) -> None:
        for g in self.optimiser.param_groups:
            g["lr"] = rate
        self.optimiser.step()
        if self.average:
            decay = min(self.ema, (1 + step) / (WARM_EMA + step))
            with torch.no_grad():
                for k, p in self.learnt.items():
                    self.average[k].lerp_(p, 1 - decay)


class Saver:
    """Knows when a checkpoint is due, and writes it; without a path it is never due."""

    def __init__(self, path: Path | None, every: int, seconds: float):
        self.path, self.every, self.seconds = path, every, seconds
        self.at, self.cost = time.monotonic(), 0.0

    def due(self, step: int) -> bool:
        if self.path is None:
            return False
        return step % self.every == 0 if self.every else time.monotonic() - self.at >= max(self.seconds, 20 * self.cost)

    def save(self, players: list[Player], state: Trained) -> None:
        if self.path is None:
            return
        began = time.monotonic()
        told = {
            "players": [{"values": p.values(), "average": p.average, "optimiser": p.optimiser.state_dict()} for p in players],
            "state": vars(state),
        }
        write_checkpoint(self.path, told)
        self.at = time.monotonic()
        self.cost = self.at - began

    @staticmethod
    def told(path: Path | None) -> str:
        """What is left of a training that cannot go on."""
        if path is None or not path.exists():
            return "no checkpoint had been written"
        return f"the last good state, after step {read_checkpoint(path)['state']['step']}, is in {path}"


def resume(path: Path, players: list[Player], kind: type[Trained]) -> Trained:
    """Put the checkpoint at `path` into `players`; how far it had come."""
    told = read_checkpoint(path)
    try:
        state = kind(**told["state"])
        for player, before in zip(players, told["players"], strict=True):
            own, found = player.values(), before["values"]
            if {k: v.shape for k, v in own.items()} != {k: v.shape for k, v in found.items()}:
                raise KeyError("other weights")
            player.load(found)
            player.optimiser.load_state_dict(before["optimiser"])
            for k, v in player.average.items():
                v.copy_(before["average"][k])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is of another training ({error}); remove it to begin anew") from error
    return state


def turn(player: Player, batch: Batch, how: Training, step: int, group: Group, device: str, micro: int, coupled: bool) -> float:
    """One optimiser step of one player; the mean loss over the whole batch."""
    size = _clips(batch)
    if not size or (size < group.world and not coupled):
        raise ValueError(f"a batch of {size} clips cannot be shared by {group.world} processes; raise batch")
    first, last = (0, size) if coupled else group.span(size)
    micro = (last - first) if coupled or not micro else micro
    player.module.train()
    player.optimiser.zero_grad(set_to_none=True)
    total = torch.zeros((), device=device)
    for a in range(first, last, max(1, micro)):
        b = min(last, a + micro)
        torch.manual_seed(number(how.seed, "slice", step, a))
        with _memory(b - a), torch.autocast(torch.device(device).type, torch.bfloat16, enabled=how.precision == "bf16"):
            value = player.loss(pieces(batch, a, b, device))
            if value.shape != (b - a,):
                raise ValueError(f"a loss gives one number a clip, [{b - a}]; got {list(value.shape)}")
            value = value.float().sum() / size
        with _memory(b - a):
            value.backward()
        total += value.detach()
    grads = [p.grad for p in player.learnt.values() if p.grad is not None]
    if not coupled:
        group.sum([total, *grads])
    norm = torch.nn.utils.clip_grad_norm_(player.learnt.values(), how.clip or float("inf"))
    seen = float(total)
    if not isfinite(seen) or not isfinite(float(norm)):
        raise Diverged(f"the loss is {seen:.3g} and its gradient {float(norm):.3g} at step {step + 1} of {how.steps}")
    player.step(how.rate(step), step)
    return seen


def number(*parts) -> int:
    """A seed below 2**63 for `parts`, the same in any process and unrelated to that of other parts."""
    return int.from_bytes(sha256(repr(parts).encode()).digest()[:8], "little") >> 1


def pieces(batch: Batch, first: int, last: int, device: str = "cpu") -> Batch:
    """Clips first ... last - 1 of `batch` on `device`; what is not a tensor is passed on as it is."""
    if isinstance(batch, Tensor):
        return batch[first:last].to(device)
    if isinstance(batch, dict):
        return {k: pieces(v, first, last, device) for k, v in batch.items()}
    if isinstance(batch, (tuple, list)):
        return type(batch)(pieces(v, first, last, device) for v in batch)
    return batch


def _clips(batch: Batch) -> int:
    if isinstance(batch, Tensor):
        return len(batch)
    inner = batch.values() if isinstance(batch, dict) else batch if isinstance(batch, (tuple, list)) else ()
    return next((n for n in map(_clips, inner) if n), 0)


@contextmanager
def _memory(clips: int) -> Iterator[None]:
    """Turns an exhausted memory into a message that names the setting to lower."""
    try:
        yield
    except RuntimeError as error:  # torch.OutOfMemoryError is one; the CPU's allocator raises a plain one
        if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in str(error):
            raise
        raise MemoryError(
            f"out of memory with {clips} clips in one pass; set micro_batch={max(1, clips // 2)} or lower"
        ) from error

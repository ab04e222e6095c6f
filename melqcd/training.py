"""Train networks so that an interrupted run, run again, ends with the same weights as one that nobody disturbed.

What a step sees follows from (seed, step) alone, and everything else that carries over lies in one checkpoint file.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from melqcd.processes import join
from melqcd.settings import Training
from melqcd.steps import Batch, Diverged, Player, Saver, number, resume, turn

__all__ = ["Diverged", "Draw", "Trained", "Training", "number", "train"]


@dataclass
class Draw:
    """One step's randomness: what `batches` makes its batch from, and nothing else."""

    seed: int
    step: int
    size: int  # clips wanted

    def __post_init__(self):
        self.generator = torch.Generator().manual_seed(number(self.seed, "batch", self.step))  # on the CPU, as on any machine

    def clips(self, total: int) -> Tensor:
        """[size] indices below `total`: every clip once before any comes again, each round in a new order."""
        first = self.step * self.size
        rounds = range(first // total, (first + self.size - 1) // total + 1)
        order = [torch.randperm(total, generator=_generator(self.seed, "round", r)) for r in rounds]
        return torch.cat(order)[first - rounds[0] * total :][: self.size]


@dataclass
class Trained:
    """What came of it; the weights are in the module."""

    step: int = 0
    seconds: float = 0.0  # spent in steps, over all attempts
    history: list[tuple[int, float]] = field(default_factory=list)  # (step, mean loss since the last entry), about 100 entries
    validated: list[tuple[int, float]] = field(default_factory=list)  # (step, score), lower is better
    best: int = -1  # the step whose weights were kept; -1: the last one's
    losses: list[float] = field(default_factory=list, repr=False)  # since the last entry of `history`
    kept: list[dict[str, Tensor]] = field(default_factory=list, repr=False)  # the best weights, one dict a module


def train(
    module: nn.Module | Sequence[nn.Module],
    batches: Callable[[Draw], Batch],
    loss: Callable[[Batch], Tensor] | Sequence[Callable[[Batch], Tensor]],
    how: Training,
    *,
    part: Path | None = None,
    ctx: Any = None,
    label: str = "training",
    device: str | None = None,
    micro: int | None = None,
    coupled: bool = False,
    save_every: int = 0,
    save_s: float = 60.0,
    validate: Callable[[], float] | None = None,
    validate_every: int = 0,
) -> Trained:
    """Train `module` in place: the weights that require a gradient are learnt, and only they and the buffers are checkpointed.

    batches: makes the whole step's batch (all processes, all micro-batches) on the CPU from a `Draw`; also the place to draw
        noise and time steps, so that they do not depend on how the batch is split.
    loss: [clips] losses of a slice of that batch, one a clip; their mean over the step's batch is minimised.
    module and loss may be two sequences of one length, for example generator and discriminator: each has its own optimiser, and
        they take turns within a step in that order.
    part: folder of the checkpoint, `<label>.pt`; None keeps none. Saved every `save_every` steps, or else every `save_s` seconds
        (never more than a twentieth of the time), when asked to stop, and at the end.
    ctx: anything with track, check and stopping (bench.context.Context), and device and micro_batch where those are not given;
        a `save_s` of its own takes the place of ours.
    micro: clips per forward pass; 0 the whole batch. coupled: a clip's loss depends on the others in the batch (contrast), so
        every process sees the whole batch.
    validate: called every `validate_every` steps and at the end with the weights as they would be kept (the average, where there
        is one); the weights of its lowest value are kept.
    Under torchrun the processes share each batch and rank 0 alone writes; `how.batch` is the global number.
    Dropout is drawn per slice, so other micro-batches or process counts give other masks; all else agrees to rounding.
    Raises Diverged at a loss that is not finite, MemoryError naming the setting to lower, ValueError for a checkpoint that is
    damaged or of another network.
    """
    losses = loss if isinstance(loss, Sequence) else [loss]
    modules = [module] if isinstance(module, nn.Module) else list(module)
    if len(losses) != len(modules):
        raise ValueError(f"{len(modules)} modules need as many losses, got {len(losses)}")
    device = str(device or getattr(ctx, "device", "cpu"))
    micro = int(getattr(ctx, "micro_batch", 0)) if micro is None else micro
    group = join()
    players = [Player(m.to(device), f, how) for m, f in zip(modules, losses)]
    path = part / f"{label}.pt" if part is not None else None
    state = resume(path, players, Trained) if path is not None and path.exists() else Trained()
    group.agree(state.step, "step of the checkpoint")
    group.share(v for player in players for v in player.values().values())
    saver = Saver(path if group.rank == 0 else None, save_every, float(getattr(ctx, "save_s", 0) or save_s))
    steps = range(state.step, how.steps)
    with _own_randomness(device):
        for step in ctx.track(steps, label, total=how.steps, start=state.step) if ctx is not None else steps:
            began = time.monotonic()
            batch = batches(Draw(how.seed, step, how.batch))
            try:
                seen = [turn(player, batch, how, step, group, device, micro, coupled) for player in players]
            except Diverged as error:
                raise Diverged(f"{error}; {saver.told(path)}") from None
            state.step = step + 1
            state.losses.append(seen[0])
            state.seconds += time.monotonic() - began
            done = state.step == how.steps
            if done or state.step % max(1, how.steps // 100) == 0:
                state.history.append((state.step, sum(state.losses) / len(state.losses)))
                state.losses.clear()
            if validate and (done or (validate_every and state.step % validate_every == 0)):
                _validate(validate, players, state, number(how.seed, "validate", step))
            stop = group.any(bool(getattr(ctx, "stopping", False)))
            if done or stop or saver.due(state.step):
                saver.save(players, state)
            if stop and not done:
                if ctx is not None:
                    ctx.check()
                raise InterruptedError(f"{label} was stopped in another of its processes; the same command goes on")
    for i, player in enumerate(players):
        player.load(state.kept[i] if state.kept else player.copy(averaged=True))
        player.module.eval()
    state.kept, state.losses = [], []
    return state


def _validate(validate: Callable[[], float], players: list[Player], state: Trained, seed: int) -> None:
    """Score the weights as they would be kept, and keep them if no earlier ones were better."""
    raw = [player.copy() for player in players]
    for player in players:
        player.load(player.copy(averaged=True))
        player.module.eval()
    torch.manual_seed(seed)
    with torch.no_grad():
        score = float(validate())
    if all(score < before for _, before in state.validated):
        state.best, state.kept = state.step, [player.copy() for player in players]
    state.validated.append((state.step, score))
    for player, values in zip(players, raw):
        player.load(values)


def _generator(*parts) -> torch.Generator:
    return torch.Generator().manual_seed(number(*parts))


@contextmanager
def _own_randomness(device: str) -> Iterator[None]:
    """Leave the caller's random state as it was."""
    with torch.random.fork_rng([torch.device(device)] if device.startswith("cuda") else []):
        yield

"""The processes of one torchrun: sums of gradients and common decisions. Alone, all of it does nothing."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Group:
    rank: int = 0
    world: int = 1

    def span(self, size: int) -> tuple[int, int]:
        """This process's clips of a batch of `size`: first and one past the last. May be empty where size < world."""
        return self.rank * size // self.world, (self.rank + 1) * size // self.world

    def sum(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor by its sum over the processes: one message for all of them."""
        tensors = list(tensors)
        if self.world == 1 or not tensors:
            return
        flat = torch.cat([t.reshape(-1) for t in tensors])
        torch.distributed.all_reduce(flat)
        for t, part in zip(tensors, flat.split([t.numel() for t in tensors])):
            t.copy_(part.view_as(t))

    def share(self, tensors: Iterable[Tensor]) -> None:
        """Give every process rank 0's values."""
        if self.world > 1:
            for t in tensors:
                torch.distributed.broadcast(t, 0)

    def any(self, flag: bool) -> bool:
        """True on all processes where it is true on one."""
        if self.world == 1:
            return flag
        told = self._told(int(flag))
        return max(told) > 0

    def agree(self, value: int, what: str) -> None:
        """Raises ValueError where the processes do not hold the same number."""
        told = self._told(value) if self.world > 1 else [value]
        if min(told) != max(told):
            raise ValueError(f"the processes disagree on the {what}: {told}; do they see the same folder?")

    def wait(self) -> None:
        if self.world > 1:
            torch.distributed.barrier()

    def _told(self, value: int) -> list[int]:
        device = "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"
        mine = torch.tensor([value], device=device)
        all_of_them = [torch.zeros_like(mine) for _ in range(self.world)]
        torch.distributed.all_gather(all_of_them, mine)
        return [int(t) for t in all_of_them]


def join() -> Group:
    """The group that torchrun's variables (RANK, WORLD_SIZE, ...) tell of, joined at the first call; a group of one without them."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        return Group()
    if not torch.distributed.is_initialized():
        cuda = torch.cuda.is_available()
        if cuda:
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        torch.distributed.init_process_group("nccl" if cuda else "gloo")
    return Group(torch.distributed.get_rank(), torch.distributed.get_world_size())


def leave() -> None:
    """End what `join` began; call once, when a program is done."""
    if torch.distributed.is_initialized():
        torch.distributed.barrier()  # nobody goes while another still talks to it
        torch.distributed.destroy_process_group()

"""From noise to pictures: samplers as settings, guidance by text, and noise that belongs to a clip rather than to a batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count, repeat
from typing import TYPE_CHECKING, Any, Literal, get_args
from warnings import catch_warnings, filterwarnings

if TYPE_CHECKING:
    from diffusers.models.controlnets.controlnet import ControlNetModel
    from torch import Generator, Tensor

    from melqcd.backbone import Backbone

Precision = Literal["fp32", "bf16", "fp16"]

# Stable Diffusion's schedule, for backbones whose own says otherwise about the first step
STABLE = {"set_alpha_to_one": False, "steps_offset": 1}


@dataclass(frozen=True)
class Sampler(ABC):
    """How noise becomes latents; the same for every row of a table."""

    steps: int = 20  # of the sampler, each one call of the network
    guidance: float = 3.0  # 1: the prompt alone; more: away from the empty prompt. The paper has 7.5 with Auffusion
    control: float = 1.0  # multiplies what the ControlNet adds; the released code has 1
    seed: int = 0  # of the noise, together with the clip's id
    # of the weights and activations of UNet and ControlNet; all that is added up over the steps stays fp32. For GPUs: cores
    # without such numbers are slower with them
    precision: Precision = field(default="fp32", metadata={"added": "fp32"})

    def __post_init__(self):
        if self.steps < 1:
            raise ValueError(f"steps must be 1 or more, got {self.steps}")
        if self.precision not in get_args(Precision):
            raise ValueError(f"precision is fp32, bf16 or fp16, got {self.precision!r}")
        if self.guidance < 1 or self.control < 0:
            raise ValueError(f"guidance must be 1 or more and control 0 or more, got {self.guidance} and {self.control}")

    @abstractmethod
    def scheduler(self, config: Any) -> Any:
        """diffusers' scheduler for a backbone whose schedule has `config`."""


@dataclass(frozen=True)
class DPMSolver(Sampler):
    """DPM-Solver++, second order, two steps back: as good with 20 calls as PNDM with 100 on the lab."""

    def scheduler(self, config: Any) -> Any:
        from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler

        return DPMSolverMultistepScheduler.from_config(config, algorithm_type="dpmsolver++", solver_order=2)


@dataclass(frozen=True)
class DDIM(Sampler):
    """DDIM without added noise (eta 0)."""

    steps: int = 50

    def scheduler(self, config: Any) -> Any:
        from diffusers.schedulers.scheduling_ddim import DDIMScheduler

        return DDIMScheduler.from_config(config, clip_sample=False, **STABLE)


@dataclass(frozen=True)
class PNDM(Sampler):
    """PLMS as the paper samples: 100 steps, 101 calls, for the second time is visited twice."""

    steps: int = 100

    def scheduler(self, config: Any) -> Any:
        from diffusers.schedulers.scheduling_pndm import PNDMScheduler

        return PNDMScheduler.from_config(config, skip_prk_steps=True, **STABLE)


def clip_noise(ids: Sequence[str], shape: Sequence[int], *, seed: int = 0, sample: int = 0) -> Tensor:
    """[B, *shape]: unit noise of each clip, from (seed, id, sample) alone: the same for every control, batch and machine."""
    import torch

    return torch.stack([torch.randn(*shape, generator=chance(seed, id, sample)) for id in ids])


def chance(*of: int | str) -> Generator:
    """torch's generator at the beginning of a stream that belongs to `of` alone."""
    import torch

    return torch.Generator().manual_seed(int.from_bytes(sha256(repr(of).encode()).digest()[:8], "little") >> 1)


def generate(
    backbone: Backbone,
    sampler: Sampler,
    noise: Tensor,
    words: Tensor | Callable[[int], Tensor],
    *,
    net: ControlNetModel | None = None,
    shown: Tensor | None = None,
    empty: Tensor | None = None,
    tick: Callable[[], None] | None = None,
) -> Tensor:
    """Latents [B, c, h, w] that `sampler` finds for `noise`, led by `words` [B, 77, d] and, through `net`, by `shown`.

    words: of all steps, or what gives those of a call of the network, counted from 0.
    shown: `ControlNet.show` of the hints, made once for all steps. empty: [1, 77, d], words of the empty prompt; encoded here where
    it is left out. Both halves of the guidance, both with the hint as in the released code, are one call of the network, of 2 B
    clips; with guidance=1 one of B. The network works in the backbone's precision, which `net` shares (`Backbone.narrow`), the
    sampler in float32. tick: called after each step.
    """
    import torch

    from melqcd.controlnet import predicted_noise

    both = sampler.guidance > 1
    at, kind = backbone.device, backbone.dtype
    if both:
        empty = backbone.words([""]) if empty is None else empty
        shown = torch.cat([shown, shown]) if shown is not None else None
    shown = shown.to(at, kind) if shown is not None else None

    def led(own: Tensor) -> Tensor:
        own = own.to(at, kind)
        return torch.cat([empty.to(at, kind).expand_as(own), own]) if both and empty is not None else own

    said = (led(words(call)) for call in count()) if callable(words) else repeat(led(words))

    def noise_at(latents: Tensor, time: Tensor) -> Tensor:
        twice = (torch.cat([latents, latents]) if both else latents).to(kind)
        found = predicted_noise(backbone, net, twice, time.expand(len(twice)).to(at), next(said), shown, sampler.control).float()
        if not both:
            return found
        without, along = found.chunk(2)
        return without + sampler.guidance * (along - without)

    with torch.no_grad():
        return integrate(sampler.scheduler(backbone.schedule.config), sampler.steps, noise.to(at, torch.float32), noise_at, tick)


def integrate(
    scheduler: Any,
    steps: int,
    noise: Tensor,
    noise_at: Callable[[Tensor, Tensor], Tensor],
    tick: Callable[[], None] | None = None,
) -> Tensor:
    """Follow `scheduler` from `noise` to latents; `noise_at(latents, time)` is the network with guidance."""
    with catch_warnings():  # diffusers 0.42 hands torch tensors to numpy 2 in a way that numpy calls old
        filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        scheduler.set_timesteps(steps)
    latents = noise * scheduler.init_noise_sigma
    for time in scheduler.timesteps:
        found = noise_at(scheduler.scale_model_input(latents, time), time)
        latents = scheduler.step(found, time, latents, return_dict=False)[0]
        if tick is not None:
            tick()
    return latents

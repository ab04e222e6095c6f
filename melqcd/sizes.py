"""Sizes of the networks that turn pictures into features and spectrograms into sound. Imports no torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from math import prod


@dataclass(frozen=True)
class HifiGanSize:
    """The shape of a HiFi-GAN generator. The defaults are those assumed for Auffusion's, whose own config.json decides."""

    mels: int = 256  # mel bands that come in
    channels: int = 1024  # before the first stage; each stage halves them
    rates: tuple[int, ...] = (5, 4, 2, 2, 2)  # samples made of one, a stage; their product is the hop
    kernels: tuple[int, ...] = (16, 16, 8, 4, 4)  # of each stage's transposed convolution, at least its rate
    block_kernels: tuple[int, ...] = (3, 7, 11)  # of the residual blocks that a stage averages
    dilations: tuple[tuple[int, ...], ...] = ((1, 3, 5), (1, 3, 5), (1, 3, 5))  # within each of them

    def __post_init__(self):
        for name in ("rates", "kernels", "block_kernels"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "dilations", tuple(tuple(d) for d in self.dilations))
        if len(self.rates) != len(self.kernels) or any(k < r for k, r in zip(self.kernels, self.rates)):
            raise ValueError(f"every rate needs a kernel at least as long, got rates={self.rates}, kernels={self.kernels}")
        if len(self.block_kernels) != len(self.dilations) or any(k % 2 == 0 for k in self.block_kernels):
            raise ValueError(f"every block needs an odd kernel and its dilations, got {self.block_kernels} and {self.dilations}")
        if self.channels % 2 ** len(self.rates) or self.channels < 1:
            raise ValueError(f"channels must be a multiple of 2 to the power of {len(self.rates)} stages, got {self.channels}")

    @property
    def hop(self) -> int:
        """Samples a mel frame becomes."""
        return prod(self.rates)

    @classmethod
    def read(cls, config: dict) -> HifiGanSize:
        """The size that a published config.json tells; raises ValueError naming what it lacks or what we cannot build."""
        if str(config.get("resblock", "1")) != "1":
            raise ValueError(f"resblock {config['resblock']!r} of HiFi-GAN is not built here, only '1'")
        lacking = [published for published in cls._published().values() if published not in config]
        if lacking:
            raise ValueError(f"it lacks {', '.join(lacking)}")
        return cls(**{ours: config[published] for ours, published in cls._published().items()})

    def config(self) -> dict:
        """What `read` reads."""
        return {"resblock": "1"} | {published: getattr(self, ours) for ours, published in self._published().items()}

    @staticmethod
    def _published() -> dict[str, str]:
        return {
            "mels": "num_mels",
            "channels": "upsample_initial_channel",
            "rates": "upsample_rates",
            "kernels": "upsample_kernel_sizes",
            "block_kernels": "resblock_kernel_sizes",
            "dilations": "resblock_dilation_sizes",
        }


@dataclass(frozen=True)
class GriffinLim:
    """Sound from a mel spectrogram by iteration alone: no weights, any scale."""

    # measured on 39 windows of 2.56 s of real clips at the lab's scale (mel error in nat / onset F1 / ms a window on one core):
    # 4 steps 0.21 / 0.93 / 40, 16 steps 0.17 / 0.92 / 95, 32 steps 0.17 / 0.93 / 180; 16 plain ones (momentum 0) 0.19 / 0.94
    steps: int = 16  # iterations of the phase
    momentum: float = 0.99  # of the fast variant (Perraudin, 2013); 0 is the plain one
    spread_steps: int = 8  # iterations that spread a mel band over its frequencies without going below zero; 32 are no better
    seed: int = 0  # of the first phase, the same for every clip

    def __post_init__(self):
        if self.steps < 1 or self.spread_steps < 0 or not 0 <= self.momentum < 1:
            raise ValueError(f"steps >= 1, spread_steps >= 0 and momentum in [0, 1) must hold, got {self}")


@dataclass(frozen=True)
class MotionSize:
    """The shape of Synchformer's visual encoder. The defaults are those of the published weights, `divided_224_16x4`."""

    image: int = 224  # pixels of a frame's side, a multiple of `patch`
    patch: int = 16  # pixels of a patch's side
    window: int = 16  # frames that the network sees at once, even: two make one step
    width: int = 768  # of the features, a multiple of `heads`
    blocks: int = 12
    heads: int = 12

    def __post_init__(self):
        if self.image % self.patch or self.width % self.heads or self.window % 2 or min(asdict(self).values()) < 1:
            raise ValueError(f"image must be a multiple of patch, width of heads, and window even, got {self}")

    @property
    def steps(self) -> int:
        """Features of one window, two frames each."""
        return self.window // 2

    @property
    def patches(self) -> int:
        """Of one frame."""
        return (self.image // self.patch) ** 2

    @classmethod
    def read(cls, config: dict) -> MotionSize:
        """The size in our config.json; raises ValueError naming what it lacks."""
        lacking = [f.name for f in fields(cls) if f.name not in config]
        if lacking:
            raise ValueError(f"it lacks {', '.join(lacking)}")
        return cls(**{f.name: config[f.name] for f in fields(cls)})

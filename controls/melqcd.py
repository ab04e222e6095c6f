"""Mel-QCD: the quantised shape of the spectrum, with its energy and deviation as they are."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, get_args

from controls.base import Batch, Control
from controls.checks import check_choice, check_fit
from melqcd.heads import Head

if TYPE_CHECKING:
    from torch import Tensor

    from controls.base import Signal
    from melqcd.mel import MelScale

Temporal = Literal["downsample", "mean", "smooth"]
Frequency = Literal["ds_repeat", "ds_sparse", "mel_repeat", "mel_sparse"]
Reading = Literal["bands", "literal"]
Composed = Literal["once", "twice"]
CHOICES = {"temporal": get_args(Temporal), "frequency": get_args(Frequency), "reading": get_args(Reading)}
CHOICES |= {"composed": get_args(Composed)}
MOST_CODES = 10**6  # a classifier of more is not meant


@dataclass(frozen=True)
class MelQCD(Control):
    """Quantised spectral shape with continuous energy and deviation (paper, section 4).

    code: [B, bands // group, slots]; energy, deviation: [B, 1, slots] in image units. Composed once, every column from its own slot;
    `composed` and `skew` draw as the released code does. Bands are counted from the highest.
    """

    bound: int = 1  # λ: shapes are rounded to -bound ... bound; the paper uses 1, Table 4 tries 2
    bands: int = 8  # K: mel bands kept, a multiple of `group`; the paper uses 8, Table 4 tries 16 and 32
    group: int = 4  # bands named by one classifier: (2 * bound + 1) ** group classes
    temporal: Temporal = "downsample"  # frames of a slot: the first, their mean, the first after smoothing
    window: int = 9  # frames in a Savitzky-Golay fit, odd; for smooth. The paper names none; ReWaS smooths with 9
    order: int = 2  # of that fit's polynomial, below `window`; likewise
    # Table 6. ds: means of neighbouring mel bins; mel: a filter bank of K bands. sparse: one lit bin in a band instead of all
    frequency: Frequency = "ds_repeat"
    # bands: energy and deviation of the K bands, as released. literal: of all bins, the normalised shape downsampled (Eq. 3 to 6)
    reading: Reading = "bands"
    # how predicted hints are composed. twice, as released: generate_code saves E + D S and prepare_control_signal takes that for S, so
    # they are E + D (E + D S) and the ControlNet, taught on true hints, sees others (specification of checkpoints, 10)
    composed: Composed = field(default="once", metadata={"added": "once", "use": "predicted"})
    # frames by which energy and deviation, but not the shape, come late at the picture's end, and less before it. 24 as released, whose
    # prepare_control_signal stretches 1000 of their columns over the picture's 1024, true or predicted (specification of checkpoints, 9)
    skew: int = field(default=0, metadata={"added": 0, "use": "true"})

    def __post_init__(self):
        if min(self.bound, self.bands, self.group) < 1:
            raise ValueError(f"bound (λ), bands (K) and group must be positive, got {self.bound}, {self.bands}, {self.group}")
        if self.bands % self.group:
            more = self.bands + self.group - self.bands % self.group
            raise ValueError(f"bands (K) must be a multiple of group={self.group}, got {self.bands}; try {more}")
        if self.classes > MOST_CODES:
            raise ValueError(
                f"a classifier of (2 * {self.bound} + 1) ** {self.group} = {self.classes} codes is too large; try a smaller group"
            )
        if self.skew < 0:
            raise ValueError(f"skew must be 0 or more frames, got {self.skew}")
        for name in ("temporal", "frequency", "reading", "composed"):
            check_choice(name, getattr(self, name), CHOICES[name])
        check_fit(self.window, self.order)
        if self.reading == "literal" and not self.frequency.startswith("ds"):
            raise ValueError("reading=literal takes its shape from all mel bins: frequency must be ds_repeat or ds_sparse")

    @property
    def classes(self) -> int:
        """Codes that one classifier chooses from: 81 for λ=1 and groups of 4."""
        return (2 * self.bound + 1) ** self.group

    def heads(self) -> dict[str, Head]:
        code = Head("class", self.classes, n=self.bands // self.group)
        return {"code": code, "energy": Head("scalar"), "deviation": Head("scalar")}

    def extract(self, batch: Batch) -> Signal:
        """The signal of every slot, also of those beyond a clip's end: there the bands are 0, and so is everything but the code."""
        from melqcd.decompose import decompose
        from melqcd.quantize import quantize, to_codes
        from melqcd.resample import band_means

        shape, energy, deviation = decompose(self._columns(batch))
        if self.reading == "literal":
            shape = band_means(shape, self.bands)
        codes = to_codes(quantize(shape, self.bound), self.bound, self.group)
        return {"code": codes, "energy": energy[:, None], "deviation": deviation[:, None]}

    def render(self, signal: Signal, scale: MelScale) -> Tensor:
        """Energy plus deviation times level (Eq. 8), clamped to the picture's range; bins that `sparse` leaves unlit are 0."""
        from melqcd.decompose import compose
        from melqcd.quantize import from_codes
        from melqcd.resample import fill, late, to_columns

        levels = from_codes(signal["code"], self.bound, self.group)
        energy, deviation = signal["energy"][:, 0], signal["deviation"][:, 0]
        if self.composed == "twice":
            levels = compose(levels, energy, deviation)
        if self.skew:
            levels = to_columns(levels, scale.frames)
            energy, deviation = (late(to_columns(v, scale.frames), self.skew) for v in (energy, deviation))
        bands = compose(levels, energy, deviation).clamp(0, 1)
        return fill(bands, scale.bins, scale.frames, sparse=self.frequency.endswith("sparse"))

    def padding(self) -> dict[str, float]:
        """As released: a mel padded with 0, not with the floor, is 0.685 in image units; its shape is float noise, coded 0."""
        from melqcd.mel import MelScale

        scale = MelScale()
        return {"code": 0.0, "energy": scale.log_floor / (scale.log_floor - scale.log_ceiling), "deviation": 0.0}

    def shapes(self, codes: Tensor) -> Tensor:
        """The levels [B, bands, slots] that `codes` [B, bands // group, slots] stand for: what Sim compares (Table 4)."""
        from melqcd.quantize import from_codes

        return from_codes(codes, self.bound, self.group)

    def _columns(self, batch: Batch) -> Tensor:
        """Image-unit columns, one a slot, highest first: K bands, or all bins for the literal reading."""
        from melqcd.mel import log_mel, to_image
        from melqcd.resample import band_means, to_slots

        scale, mel, step = batch.scale, batch.mel, batch.step
        if self.frequency.startswith("mel"):
            scale = replace(scale, bins=self.bands)
            mel = log_mel(batch.wave, scale, samples=batch.samples)
        if self.temporal == "downsample":  # before anything else: a quarter of the work
            mel, step = mel[..., ::step], 1
        if self.reading == "bands":
            mel = band_means(mel, self.bands)
        if self.temporal != "downsample":
            frames = batch.samples // batch.scale.hop
            mel = to_slots(mel, step, frames, temporal=self.temporal, window=self.window, order=self.order)
        return to_image(mel, scale)

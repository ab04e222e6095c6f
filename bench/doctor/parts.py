"""Which files each component of an experiment reads, and what they should be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import backbones, encoders
from bench.doctor.checkpoint import absent, checkpoint
from bench.doctor.line import Line
from bench.errors import Refused
from bench.experiment import Experiment
from bench.weights import placed
from melqcd.published import KNOWN, Known

ENCODEC = ("encodec-24khz", "encodec-24khz-original")
AUFFUSION = ("auffusion", "auffusion-full", "auffusion-full-no-adapter")
JUDGES = {
    "melception": ("melception",), "panns16k": ("panns-cnn14-16k",), "panns32k": ("panns-cnn14-32k",),
    "vggsound": ("vggsound-resnet18-h",), "vggsound_vlad": ("vggsound-resnet18-i",), "ast": ("ast-audioset",),
    "imagebind": ("imagebind-huge",), "synchformer": ("synchformer",),
}  # fmt: skip


@dataclass(frozen=True)
class Part:
    """A path of one setting, and the checkpoints that it may be."""

    what: str  # backbone.path
    path: str
    ids: tuple[str, ...]
    allow_pickle: bool = False

    @property
    def known(self) -> tuple[Known, ...]:
        """Of two layouts first the one that lies there, or that the path is called after."""
        place = placed(self.path)
        choices = tuple(sorted((KNOWN[id] for id in self.ids), key=lambda k: k.id != place.name))
        if self.ids == AUFFUSION and place.is_dir():
            adapted = (place / "condition_config.json").exists()
            return tuple(k for k in choices if (k.id != "auffusion-full-no-adapter") is adapted)
        return choices

    def line(self) -> Line:
        place = placed(self.path)
        if not self.path or not place.exists():
            return absent(self.what, self.path, self.known)
        first, *others = self.known
        return checkpoint(self.what, place, first, may=tuple(others), allow_pickle=self.allow_pickle)


def parts(x: Experiment) -> Iterator[Part]:
    """Those of `x` whose weights are published ones; the lab's own come with the package."""
    for what, component, ids in _named(x):
        yield Part(f"{what}.path", str(component.path), ids, bool(getattr(component, "allow_pickle", False)))


def _named(x: Experiment) -> Iterator[tuple[str, Any, tuple[str, ...]]]:
    if type(x.backbone) is backbones.Auffusion:
        yield "backbone", x.backbone, AUFFUSION
    elif type(x.backbone) is backbones.MelQCD:
        yield "backbone", x.backbone, ("melqcd",)
    if x.predictor.path:
        yield "predictor", x.predictor, ("melqcd-codepredictor",)
    if x.controlnet.path and not placed(x.controlnet.path).is_dir():
        yield "controlnet", x.controlnet, ("melqcd",)
    if isinstance(x.motion, encoders.Motion) and x.heads and not _ours(x.motion.path):
        yield "motion", x.motion, ("syncformer-visual", "synchformer")
    if type(x.looks) is encoders.Looks and x.looked_at:
        yield "looks", x.looks, ("clip-vit-large-patch14",)
    for judge in x.judges:
        if judge.name in JUDGES:
            yield f"judges.{judge.name}", judge, JUDGES[judge.name]
    if type(x.control).__name__ == "EnCodec" and getattr(x.control, "path", ""):
        yield "control", x.control, ENCODEC


def _ours(path: str) -> bool:
    """True for a folder that `save_synchformer` wrote, which says its own size."""
    place = placed(path) if path else Path()
    return bool(path) and (place / "config.json").is_file()


def full_size(x: Experiment) -> bool:
    return type(x.backbone) is not backbones.Lab


def labels(x: Experiment) -> Iterator[Line]:
    """Of each judge whose classes the network does not name: without them there is no Class ACC."""
    for judge in x.judges:
        if not hasattr(judge, "labels"):
            continue
        what, path, count = f"judges.{judge.name}.labels", str(judge.labels), type(judge).count  # type: ignore[attr-defined]
        if judge.name == "ast" and not path:
            continue
        cure = f"give {what}=FILE: vggsound.csv, or the {count} names, one a line, in the order of the network's classes"
        try:
            names = judge.classes()
        except Refused as error:
            yield Line(False, what, str(error).removeprefix(f"{what}: "), cure)
            continue
        if names:
            yield Line(True, what, f"{path}: {len(names)} classes")
        else:
            yield Line(False, what, "no names of classes were given: Class ACC would stay empty", cure)

"""Which components a word can choose: one registry per group, each class imported when it is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from bench.errors import Refused, near


@dataclass(frozen=True)
class Group:
    """`control=...`, `data=...`: the choices of one setting that is a component."""

    name: str
    default: str | tuple[str, ...]  # a tuple where several may be chosen at once: judges=[sync,lab]
    names: Callable[[], list[str]]
    load: Callable[[str], type]

    @property
    def many(self) -> bool:
        return isinstance(self.default, tuple)

    def find(self, name: str) -> type:
        """The class called `name`; Refused with the nearest name if there is none."""
        if name not in self.names():
            raise Refused(f"{self.name}={name}: no such {self.name}.{near(name, self.names())}")
        try:
            return self.load(name)
        except (ImportError, AttributeError, ValueError, TypeError) as error:
            raise Refused(f"{self.name}={name} cannot be loaded: {error}") from error


def fixed(name: str, default: str | tuple[str, ...], places: dict[str, str]) -> Group:
    """A group of our own classes, {name: "module:Class"}."""

    def load(chosen: str) -> type:
        module, _, cls = places[chosen].partition(":")
        return getattr(import_module(module), cls)

    return Group(name, default, lambda: sorted(places), load)


def groups() -> dict[str, Group]:
    """All groups by name, in the order in which an experiment is told."""
    from bench.data import DATA
    from bench.judges import JUDGES
    from controls import registry

    found = [
        Group("control", "melqcd", registry.names, registry.load),
        fixed("data", "lab", DATA),
        fixed("learn", "same", {"same": "bench.data.same:Same", **DATA}),
        fixed("scale", "lab", {"control": "melqcd.mel:MelScale", "auffusion": "melqcd.mel:Auffusion", "lab": "melqcd.mel:Lab"}),
        fixed("motion", "lab", {"lab": "bench.encoders:LabMotion", "synchformer": "bench.encoders:Motion"}),
        fixed("looks", "lab", {"lab": "bench.encoders:LabLooks", "clip": "bench.encoders:Looks"}),
        fixed(
            "backbone",
            "lab",
            {n: f"bench.backbones:{c}" for n, c in (("lab", "Lab"), ("auffusion", "Auffusion"), ("melqcd", "MelQCD"))},
        ),
        fixed(
            "sampling", "dpm", {n: f"melqcd.sampling:{c}" for n, c in (("dpm", "DPMSolver"), ("ddim", "DDIM"), ("pndm", "PNDM"))}
        ),
        fixed("inversion", "none", {"none": "melqcd.settings:NoInversion", "adapter": "melqcd.settings:Adapter"}),
        fixed("judges", ("sync", "lab"), JUDGES),
        fixed("variant", "clean", {"clean": "bench.variants:Clean", "released": "bench.variants:Released"}),
        fixed(
            "machine",
            "here",
            {"here": "bench.experiment:Here", "local": "bench.jobs.machines:Local", "slurm": "bench.jobs.machines:Slurm"},
        ),
    ]
    return {g.name: g for g in found}

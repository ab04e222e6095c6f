"""`bench new control NAME`: a distribution of one control signal, ready to be installed, tested and changed."""

from __future__ import annotations

import re
from pathlib import Path
from string import Template

from bench.errors import Refused
from controls import registry

LONGEST = 30  # letters of a name: the written lines stay within the line length
WORDS = {"true", "false", "null", "inf", "nan"}  # a command line reads these as values, not as names

MODULE = Template('''\
"""$title: where the sound's weight lies on the frequency axis, and how loud it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from controls import Batch, Control
from melqcd.heads import Head

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class $cls(Control):
    """The spectral centroid and the energy of every slot, shown as a soft line at the centroid, as bright as the energy.

    centroid: [B, 1, slots], 0 = the lowest mel band, 1 = the highest; of silence 0.5.
    energy: [B, 1, slots] in image units, 0 = the log floor, 1 = the ceiling.
    """

    width: float = 0.1  # of the line, as a share of the picture's height; above 0

    def __post_init__(self):
        if not self.width > 0:
            raise ValueError(f"width must be above 0, got {self.width}")

    def heads(self) -> dict[str, Head]:
        return {"centroid": Head("scalar"), "energy": Head("scalar")}

    def extract(self, batch: Batch) -> dict[str, Tensor]:
        import torch

        from melqcd.mel import to_image

        image = to_image(batch.mel[..., :: batch.step], batch.scale)  # [B, bins, slots], row 0 the highest band
        height = torch.linspace(1, 0, image.shape[-2], device=image.device)[:, None]
        weight = image + 1e-3  # silence has its centroid in the middle
        centroid = (weight * height).sum(-2, keepdim=True) / weight.sum(-2, keepdim=True)
        return {"centroid": centroid, "energy": image.mean(-2, keepdim=True)}

    def render(self, signal, scale) -> Tensor:
        """[B, bins, frames] in [0, 1]; a prediction may be any number, so both are clamped."""
        import torch

        from melqcd.resample import fill

        centroid, energy = (fill(signal[name].clamp(0, 1), scale.bins, scale.frames) for name in ("centroid", "energy"))
        height = torch.linspace(1, 0, scale.bins, device=centroid.device)[:, None]
        return energy * torch.exp(-(((height - centroid) / self.width) ** 2))
''')

TEST = Template('''\
"""`$name` holds to the contract of control signals. Install it first: pip install -e ."""

import torch

from controls import Batch, registry
from controls.contract import check
from melqcd.mel import Lab


def test_it_holds_to_the_contract():
    control = registry.load("$name")()
    assert not [f"{rule}: {detail}" for rule, ok, detail in check(control) if not ok]


def test_a_high_tone_has_a_higher_centroid_than_a_low_one():
    at = torch.arange(Lab().samples) / Lab().rate
    wave = torch.stack([0.3 * torch.sin(2 * torch.pi * hz * at) for hz in (200.0, 4000.0)])
    low, high = registry.load("$name")().extract(Batch.of(wave, Lab()))["centroid"].mean((1, 2))
    assert high > low + 0.05
''')

PROJECT = Template("""\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "$dist"
version = "0.1.0"
description = "The control signal $name for melqcd-bench"
requires-python = ">=3.11"
dependencies = ["melqcd-bench"]

[project.entry-points."$group"]
$name = "$module:$cls"

[tool.hatch.build.targets.wheel]
only-include = ["$module.py"]
""")


def new_control(name: str, to: Path | None = None) -> list[Path]:
    """Write module, test and pyproject.toml of a control called `name` into `to` (./NAME-control) and give their paths.

    Raises Refused, before anything is written: a name that is no lower-case word, a name that is taken (with who has it), a file
    that exists.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or len(name) > LONGEST or name in WORDS:
        raise Refused(
            f"{name!r} is no name for a control: at most {LONGEST} lower-case letters, digits and single _ between them, "
            f"a letter first, and none of {', '.join(sorted(WORDS))}; for example spectral_centroid"
        )
    if name in registry.names():
        raise Refused(f"control {name!r} exists: it comes with {registry.origin(name)}; choose another name")
    module, dist = f"{name}_control", f"{name.replace('_', '-')}-control"
    words = {
        "name": name,
        "module": module,
        "dist": dist,
        "cls": "".join(part.capitalize() for part in module.split("_")),
        "title": name.replace("_", " ").capitalize(),
        "group": registry.GROUP,
    }
    folder = to if to is not None else Path(dist)
    if folder.exists() and not folder.is_dir():
        raise Refused(f"{folder} is a file; name a folder with --to")
    files = {folder / f"{module}.py": MODULE, folder / f"test_{module}.py": TEST, folder / "pyproject.toml": PROJECT}
    there = [str(path) for path in files if path.exists()]
    if there:
        raise Refused(f"{', '.join(there)} would be overwritten; name another folder with --to")
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        path.write_text(text.substitute(words))
    return list(files)

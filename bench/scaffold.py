"""`bench new control NAME`: a distribution with one working control signal, its test and its entry point, to be changed into yours."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from string import Template

from bench.errors import Refused
from controls import registry

LONGEST = 30  # letters of a name: what is written stays within the length of a line
VALUES = {"true", "false", "null", "inf", "nan"}  # the command line reads these as values

PYPROJECT = Template("""\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "melqcd-bench-$dashed"
version = "0.1.0"
description = "The control signal `$name` for melqcd-bench"
requires-python = ">=3.11"
dependencies = ["melqcd-bench"]

[project.entry-points."melqcd_bench.controls"]
$name = "${name}_control:$cls"

[tool.hatch.build.targets.wheel]
include = ["${name}_control.py"]
""")

MODULE = Template('''\
"""$cls: where the sound sits and how loud it is, two numbers a slot. An example that works; make it yours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from controls import Batch, Control
from melqcd.heads import Head

if TYPE_CHECKING:
    from torch import Tensor

    from controls.base import Signal
    from melqcd.mel import MelScale


@dataclass(frozen=True)
class $cls(Control):
    """Centre of the spectrum and mean level.

    centre: [B, 1, slots], 0 the lowest band ... 1 the highest. level: [B, 1, slots] in image units, 0 the log floor ... 1 the ceiling.
    """

    width: float = 0.05  # of the lit part of the hint, as a share of all bands, above 0

    def __post_init__(self):
        if not self.width > 0:
            raise ValueError(f"width must be above 0, got {self.width}")

    def heads(self) -> dict[str, Head]:
        return {"centre": Head("scalar"), "level": Head("scalar")}

    def extract(self, batch: Batch) -> Signal:
        import torch  # here, not above: `bench list` reads this file without torch

        from melqcd.mel import to_image

        image = to_image(batch.mel, batch.scale)[..., :: batch.step]  # [B, bins, slots], row 0 the HIGHEST band
        place = torch.linspace(1, 0, image.shape[-2], device=image.device)[:, None]
        weight = image / image.sum(-2, keepdim=True).clamp_min(1e-6)
        return {"centre": (weight * place).sum(-2, keepdim=True), "level": image.mean(-2, keepdim=True)}

    def render(self, signal: Signal, scale: MelScale) -> Tensor:
        import torch

        from melqcd.resample import fill

        place = torch.linspace(1, 0, scale.bins, device=signal["centre"].device)[:, None]
        lit = torch.exp(-0.5 * ((place - signal["centre"]) / self.width).square())
        return fill((lit * signal["level"].clamp(0, 1)).clamp(0, 1), scale.bins, scale.frames)
''')

TEST = Template('''\
"""The control `$name` holds to the contract, and does what it says."""

import torch
from ${name}_control import $cls

from controls.base import Batch
from controls.contract import check
from melqcd.mel import Lab


def test_the_contract_holds():
    assert [(rule, detail) for rule, ok, detail in check($cls()) if not ok] == []


def test_a_higher_sound_has_a_higher_centre():
    scale = Lab()
    time = torch.arange(scale.samples) / scale.rate
    low, high = (torch.sin(2 * torch.pi * hz * time) for hz in (200.0, 4000.0))
    centre = $cls().extract(Batch.of(0.5 * torch.stack([low, high]), scale))["centre"].mean(-1)
    assert centre[1] > centre[0]
''')


def scaffold(name: str, to: Path | None = None) -> list[Path]:
    """Write the distribution of a control called `name` to the folder `to` (melqcd-bench-NAME where it is left out); the files written.

    Raises Refused, before anything is written, for a name that cannot be one or is taken, and where a file is in the way.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or len(name) > LONGEST or name in VALUES or keyword.iskeyword(name):
        raise Refused(
            f"a control's name is at most {LONGEST} lower-case letters, digits and single _ between them, beginning with a letter, "
            f"and no word of Python or of the command line, got {name!r}; for example spectral_centre"
        )
    if name in registry.names():
        raise Refused(f"there is a control {name!r} already, from {registry.origin(name)}; choose another name")
    cls = "".join(part.capitalize() for part in name.split("_")) + "Control"  # else `batch` or `head` would hide what is imported
    words = {"name": name, "dashed": name.replace("_", "-"), "cls": cls}
    folder = to or Path(f"melqcd-bench-{words['dashed']}")
    if folder.exists() and not folder.is_dir():
        raise Refused(f"{folder} is a file; choose a folder with --to")
    texts = {
        folder / "pyproject.toml": PYPROJECT,
        folder / f"{name}_control.py": MODULE,
        folder / "tests" / f"test_{name}_control.py": TEST,
    }
    there = [path for path in texts if path.exists()]
    if there:
        raise Refused(f"{there[0]} is there already; choose another folder with --to")
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.substitute(words))
    return list(texts)

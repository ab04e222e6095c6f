"""All that the doctor looks at, for words as `bench run` takes them or for a sweep's file."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.doctor import machine
from bench.doctor.checkpoint import needed
from bench.doctor.data import counts
from bench.doctor.line import Line
from bench.doctor.parts import ENCODEC, Part, full_size, labels, parts
from bench.errors import Refused
from bench.experiment import LAB_NETWORKS, Experiment, Machine
from melqcd.published import KNOWN

__all__ = ["Line", "examine", "print_lines"]

TRAINED_GB = (
    5.8 + 3.4 + 0.5 + 0.4
)  # ControlNet with gradients and AdamW's two moments, UNet, text, VAE, in float32 (from parameters)
A_CLIP_GB = 1.2  # activations of one 10 s clip through UNet and ControlNet; estimated, not measured


def examine(words: Sequence[str]) -> list[Line]:
    """One line for each thing that could stop `words` (settings, or one file of a sweep before settings) from becoming numbers."""
    composed, wrong = _composed(words)
    lines = [machine.environment(), *wrong]
    if not composed:
        return lines
    xs, here = [x for x, _ in composed], composed[0][1]
    known = list(dict.fromkeys(part for x in xs for part in parts(x)))
    data = list(dict.fromkeys(d for x in xs for d in (x.data, x.taught)))
    with ThreadPoolExecutor(8) as pool:
        weights = list(pool.map(Part.line, known))
        clips = list(pool.map(counts, data))
    full = any(full_size(x) for x in xs)
    afar = "slurm" in type(here).__name__.lower()  # jobs run on other machines than this
    if afar:
        lines.append(Line(True, "device", f"jobs run elsewhere: ask for a GPU of {_gpu_gb(xs):.0f} GB or more"))
    else:
        lines.append(machine.device(here.device, _gpu_gb(xs), "training the ControlNet" if full else "work on the lab"))
        if here.compile == "on":
            lines.append(machine.compiler(bool(machine.gpus()) and here.device != "cpu"))
    lines.append(machine.memory(max([2.0, *(1.3 * k.mb / 1e3 + 2 for p in known for k in p.known[:1])]), "the largest network"))
    lines += [*weights, *dict.fromkeys(line for x in xs for line in labels(x))]
    lines += [line for line, _ in clips]
    if strange := list(dict.fromkeys(name for x in xs if not x.data.rendered for name in x.lab_networks)):
        told = f"{LAB_NETWORKS} {', '.join(strange)}"
        lines.append(Line(not full, "lab's networks", told, "give each the weights that you mean" if full else ""))
    lines.append(machine.disk(Path(here.results), _disk_gb(xs, sum(n for _, n in clips))))
    lines.append(machine.slurm(afar))
    return lines + licences(known)


def licences(known: Sequence[Part]) -> list[Line]:
    """What binds whoever uses these weights; not a fault, so never red."""
    ids = {k.id: k for p in known for k in p.known[:1]}
    by: dict[tuple[str, bool], list[str]] = {}
    for one in ids.values():
        by.setdefault((one.licence, one.free), []).append(one.id)
    return [
        Line(True, "licence", f"{name} binds what is made with {', '.join(of)}" + ("" if free else ": not for commercial use"))
        for (name, free), of in sorted(by.items())
    ]


def print_lines(lines: Sequence[Line], *, colour: bool) -> bool:
    """Print each in green or red; True where all is well."""
    for line in lines:
        mark = ("ok ", "\033[32m") if line.fine else ("NO ", "\033[31m")
        text = f"{mark[0]} {line.what}: {line.told}" + (f". To do: {line.do}" if line.do else "")
        text = " ".join(text.split())
        print(f"{mark[1]}{text}\033[0m" if colour else text)
    red = sum(not line.fine for line in lines)
    print(f"{red} of {len(lines)} are red" if red else f"all {len(lines)} are green: it can begin")
    return not red


def _composed(words: Sequence[str]) -> tuple[list[tuple[Experiment, Machine]], list[Line]]:
    """Every line of words that can be composed, and a red line for each reason why others cannot."""
    from bench.settings import compose, expand, site_words

    files, settings = ([w for w in words if ("=" not in w) is named] for named in (True, False))
    wrong: dict[str, Line] = {}
    found: list[tuple[Experiment, Machine]] = []
    try:
        if files:
            from bench import sweep

            lines = [(list(line.words), file) for file in files for line in sweep.read(file, settings)]
        else:
            lines = [(line, "words") for line in expand([*site_words(), *settings])]
    except Refused as error:
        return [], [Line(False, "words", str(error), "correct it")]
    for line, where in lines:
        try:
            found.append(compose(*line, site=False))
        except Refused as error:
            wrong.setdefault(str(error), _why(error, line, where))
    if found:
        asked = f"{len(found)} runs" if len(found) > 1 else "one run"
        wrong[""] = Line(True, "settings", f"{asked} can be composed")
    return found, list(wrong.values())


def _why(error: Refused, line: list[str], where: str) -> Line:
    """A codec that is not there is found out while its settings are read: say what to put there, not what to correct."""
    if "there is no codec at" in str(error):
        return Part("control.path", str(error).rpartition("there is no codec at ")[2], ENCODEC).line()
    if "does not describe an EnCodec model" in str(error):
        one = KNOWN[ENCODEC[0]]
        return Line(False, "control.path", str(error).removeprefix("control: "), f"put {needed(one)} there, from {one.source}")
    shown = " ".join(w for w in line if w.partition("=")[0] in str(error)) or " ".join(line)[:120]
    return Line(False, "settings", f"{where}: {error}", f"correct {shown}")


def _gpu_gb(xs: Sequence[Experiment]) -> float:
    if not any(full_size(x) for x in xs):
        return 1.0
    return TRAINED_GB + max(A_CLIP_GB * min(x.controlnet.training.batch, 64) for x in xs)


def _disk_gb(xs: Sequence[Experiment], clips: int) -> float:
    """Decoded sound, features, latents and signals of every clip, hints of every control, sound of every run, weights and checkpoints."""
    full = any(full_size(x) for x in xs)
    controls = len({(x.control, x.slots) for x in xs})
    clip_mb = 0.64 + 0.4 + 0.03 + 0.07 * controls
    nets_gb = (1.5 + 5.8) * len({(x.control, x.controlnet) for x in xs}) if full else 0.01 * len(xs)
    nets_gb += 1.9 * len({x.inversion for x in xs if x.adapter}) if full else 0  # weights, gradients' moments
    tested = max((getattr(x.data, "test", 0) or 150) for x in xs)
    return 1 + clips * clip_mb / 1e3 + nets_gb + len(xs) * tested * 1.0 / 1e3

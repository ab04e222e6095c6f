"""`bench lab check`: whether the lab's networks are good enough for their numbers to mean something, measured on the benchmark's own clips."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench import artefacts, chain
from bench.experiment import Experiment
from bench.identity import digest, told
from bench.ragged import Ragged
from bench.record import Record
from bench.store import Store, packages
from controls import registry


@dataclass(frozen=True)
class Measured:
    what: str
    value: float
    bound: float
    at_least: bool = True

    @property
    def fine(self) -> bool:
        return self.value >= self.bound if self.at_least else self.value <= self.bound


def check(x: Experiment, store: Store) -> Iterator[Measured]:
    """Each measure as it is known. `x` is the lab's experiment; its split is what is measured on.

    Raises KeyError if the judge `lab` is not among the experiment's judges.
    """
    judge = {j.name: j for j in x.judges}["lab"]
    clips = chain.decoded(x.data, store)
    heard = store(artefacts.judge, judge, clips, x.split)
    classes = json.loads((heard / "heard.json").read_text())["classes"]
    labels = _labels(clips, list(Ragged(heard, "logits")))
    logits = _stacked(heard, "logits")
    right = np.array([classes[i] for i in logits.argmax(1)]) == np.array(labels)
    yield Measured("classifier: top-1 on real sound", float(right.mean()), 0.95)
    ceiling = _scores(chain.reference(x, store))
    yield Measured("reference (VAE and vocoder): Class ACC", ceiling["class_acc.lab"], 0.90)
    yield Measured("reference (VAE and vocoder): Onset ACC", ceiling["onset_acc.condfoley"], 0.85)
    none = replace(x, control=registry.load("none")(), predicted="none")
    said = {
        prompt: _scores(chain.scores(replace(none, prompt=prompt), store))["class_acc.lab"] for prompt in ("label", "generic")
    }
    yield Measured("text alone, prompt=label: Class ACC", said["label"], 0.80)
    yield Measured("text alone, prompt=generic: Class ACC", said["generic"], 0.15, at_least=False)
    if "audio_embedding" not in json.loads((heard / "heard.json").read_text())["provides"]:
        return  # the lab has no audio-visual pair: nothing to measure, and IB-AA and IB-AV say so
    sound, film = (_stacked(heard, name) for name in ("audio_embedding", "video_embedding"))
    across, within = auc(sound, film, labels)
    yield Measured("sound against picture: AUC across classes", across, 0.95)
    yield Measured("sound against picture: AUC within a class", within, 0.65)


def record(x: Experiment, found: list[Measured], words: list[str]) -> Record:
    """What is kept of a check; the same experiment checked again replaces it."""
    scores = {m.what: {"value": m.value, "bound": m.bound, "at_least": m.at_least} for m in found}
    return Record(
        id=digest(["lab check", x]),
        kind="lab check",
        status="done",
        words=[w for w in words if not w.startswith("machine")],
        experiment=told(x),
        scores=scores,
        facts={"fine": all(m.fine for m in found)},
        made={"packages": packages()},
    )


def _stacked(heard: Path, name: str) -> np.ndarray:
    """[clips, d] of an array with one row per clip."""
    return np.stack([np.asarray(row).reshape(-1) for row in Ragged(heard, name).values()])


def auc(sound: np.ndarray, film: np.ndarray, labels: list[str]) -> tuple[float, float]:
    """How surely a clip's own picture is nearer to its sound than that of a clip of another class, and of another clip of its class.

    sound, film: [clips, d], any scale. Probability over (clip, other) that cosine(own) > cosine(other), ties half.
    """
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (sound, film))
    near = a @ b.T
    own, other = np.diag(near)[:, None], near
    better = (own > other) + 0.5 * (own == other)
    same = np.array(labels)[:, None] == np.array(labels)
    different_clip = ~np.eye(len(labels), dtype=bool)
    return float(better[~same].mean()), float(better[same & different_clip].mean())


def _scores(folder: Path) -> dict[str, float]:
    entries = json.loads((folder / "scores.json").read_text())
    return {name: entry["value"] for name, entry in entries.items() if entry.get("value") is not None}


def _labels(clips: Path, ids: list[str]) -> list[str]:
    from bench.clipset import Clips

    rows = Clips(clips).rows
    return [rows[id].label for id in ids]

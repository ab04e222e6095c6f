"""`bench run`: make what an experiment needs, put floor and ceilings beside it, keep a record of each, and show the table."""

from __future__ import annotations

import json
import time
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import Any

from bench import artefacts, chain, closing, cost
from bench.build import default_of
from bench.data.lab import WORLD
from bench.experiment import LAB_NETWORKS, Experiment
from bench.identity import digest, plain, told
from bench.judges.base import told_judges
from bench.record import Record
from bench.store import Store, packages
from controls import registry
from melqcd.settings import NoInversion


@dataclass(frozen=True)
class Row:
    """One line of a table: what it is called, and the experiment behind it; `reference` is the true sound through VAE and vocoder."""

    name: str
    x: Experiment
    reference: bool = False

    @property
    def id(self) -> str:
        """Of its record: the same for the same experiment."""
        return digest(["run", self.reference, self.x, *([self.x.looks] if self.x.looked_at else [])])

    def scores(self, store: Store) -> Path:
        return chain.reference(self.x, store) if self.reference else chain.scores(self.x, store)

    def measured(self, store: Store) -> list[Path]:
        """What its record holds besides the scores: the cost of a control's signal."""
        return [chain.cost(self.x, store)] if self.x.controls and not self.reference else []


def at_hand(measured: list[Path], store: Store) -> list[Path]:
    """Those of `Row.measured` whose inputs are there: nobody renders a training set to count its codes."""
    return [path for path in measured if store.lacking(path) in ([], [path.name])]


def rows_of(xs: list[Experiment]) -> list[Row]:
    """Floor, the controls asked for (by true hints, and by predicted ones where there is something to predict), and ceilings."""
    x = xs[0]
    plain = replace(
        x, predicted="none", inversion=NoInversion()
    )  # floor and ceilings are the same whatever the prompt says besides
    none, oracle = (replace(plain, control=registry.load(name)()) for name in ("none", "oracle"))
    rows = [Row("none", none)]
    for one in xs:
        name = control_name(one)
        if name in ("none", "oracle"):
            continue
        if one.watches or not one.controls:  # what is made of the video, or nothing, is as true as it is predicted
            rows.append(Row(name, replace(one, predicted="none")))
            continue
        rows.append(Row(f"{name}, true hints", replace(one, predicted="none")))
        if one.heads:
            which = "predicted" if one.predicted == "all" else f"predicted {', '.join(one.heads)}"
            rows.append(Row(f"{name}, {which}", one))
    return [*rows, Row("oracle", oracle), Row("reference", none, reference=True)]


def control_name(x: Experiment) -> str:
    """The word by which the control is chosen, with the settings that are not its defaults, and how many pseudo-words go with it."""
    cls = type(x.control)
    name = next((n for n in registry.names() if _is(n, cls)), cls.__name__)
    default = {"is": cls.__name__} | {f.name: plain(v) for f in fields(cls) if (v := default_of(f)) is not MISSING}  # type: ignore[arg-type]
    changed = [f"{k}={v}" for k, v in told(x.control).items() if default.get(k) != v]
    words = [f"+ {x.adapter.tokens} pseudo-words"] if x.adapter else []
    if x.controlnet.hints == "predicted":
        words.append("(taught by predicted hints)")
    return " ".join([name, *changed, *words])


def _is(name: str, cls: type) -> bool:
    try:
        return registry.load(name) is cls
    except ValueError:  # another distribution's broken plugin is not this control
        return False


def run(rows: list[Row], store: Store, results: Path, words: list[str]) -> None:
    """Keep a record of each row under `results`, making what does not exist yet, and print the table."""
    from bench.score_table import print_scored
    from bench.scoring import Scored, System, compare

    records, systems = [], []
    for row in rows:
        record, folder = recorded(row, store, results, words)
        records.append(record)
        systems.append(System(row.name, record.scores, folder))
    by_name = {s.name: s for s in systems}
    against = [compare([by_name[a], by_name[b]]) for a, b in _between([row.name for row in rows])]
    notes = [*closing.told(by_name), *(line for record in records for line in _remarks(record))]
    if rows[0].x.data.rendered:
        notes.append(WORLD)
    elif strange := list(dict.fromkeys(name for row in rows for name in row.x.lab_networks)):
        notes.append(f"{LAB_NETWORKS} {', '.join(strange)}")
    notes.append(f"made {len(store.made)} artefacts under {store.root}; sounds and films of each row are named in its record")
    paths = [results / f"{record.id}.json" for record in records]
    print_scored(Scored(systems, corrected([c for some in against for c in some]), _clips(systems), notes, paths))


def _between(names: list[str]) -> list[tuple[str, str]]:
    """The comparisons that a run is about: each control against the floor, and its predicted hints against its true ones."""
    pairs = [(name, "none") for name in names if name not in ("none", "reference")]
    return pairs + [(n, f"{n.partition(',')[0]}, true hints") for n in names if ", predicted" in n]


def corrected(comparisons: list) -> list:
    """The same with Holm's correction over all of them together."""
    from bench.stats import holm

    return [replace(c, p=p) for c, p in zip(comparisons, holm([c.difference.p for c in comparisons]), strict=True)]


def _clips(systems: list) -> int:
    return int(systems[0].rows()["clip"].nunique())


def _remarks(record: Record) -> list[str]:
    """What stands below the table about one row."""
    name, facts, lines = record.experiment["name"], record.facts, []
    if "measured" in facts and ", predicted" not in name:
        lines.append(f"{name.removesuffix(', true hints')} costs {cost.sentence(facts)}")
    for head, seen in (facts.get("predictor") or {}).items():
        lines.append(f"{name}: {cost.predicted(head, seen)}")
    if facts.get("controlnet") and "predicted" not in name:
        effect = facts["controlnet"]
        lines.append(f"{name}: validation loss {effect['with hint']:.4f} with the hint, {effect['without']:.4f} without")
    if facts.get("inversion") and "predicted" not in name:
        heard = facts["inversion"]
        lines.append(
            f"{name}: the adapter's validation loss is {heard['with words']:.4f}, {heard['of another clip']:.4f} with another "
            f"clip's pseudo-words, {heard['without']:.4f} without"
        )
    if facts.get("zeroshot") and name == "none":  # the same for all rows
        named = facts["zeroshot"]
        right = (
            f"; right for {named['acc']:.1%} of {named['labelled']} (commonest label {named['chance']:.1%})"
            if "acc" in named
            else ""
        )
        lines.append(f"prompt: of {named['classes']} classes the one that each video looks most like{right}")
    if facts.get("no_picture"):
        lines.append(f"{name}: {facts['no_picture']} clips have no picture to make words of and are left out")
    if facts.get("no_hint"):
        lines.append(
            f"{name}: {facts['no_hint']} clips have no picture to make a hint of and are left out (skipped.json of the sound)"
        )
    if facts["clips"].get("dropped"):
        lines.append(f"{name}: {facts['clips']['dropped']} clips were left out of both sides (dropped.csv of the clips artefact)")
    return lines


def recorded(row: Row, store: Store, results: Path, words: list[str]) -> tuple[Record, Path]:
    """The record of `row`, kept under `results`, and the artefact of its scores; makes what does not exist yet."""
    import pandas as pd

    began, first, before = time.perf_counter(), len(store.asked), len(store.made)
    measured = row.measured(store)  # before the scores: of several artefacts of a stage the last is the record's
    scores = row.scores(store)
    films = store(artefacts.films, next(a.path for a in reversed(store.asked) if a.stage in ("sound", "reference")))
    for wanted in (scores, films):
        store.need(wanted)
    for wanted in at_hand(measured, store):
        store.need(wanted)
    asked = {a.stage: store.find(a.key) for a in store.asked[first:]}
    asked = {stage: path for stage, path in asked.items() if path.exists()}
    found = json.loads((scores / "scores.json").read_text())
    rows = pd.read_csv(scores / "rows.csv", dtype={"clip": str}, keep_default_na=False, na_values={"value": [""]})
    made = {"seconds": round(time.perf_counter() - began, 3), "made": store.made[before:], "packages": packages()}
    made |= {"artefacts": {stage: path.name for stage, path in asked.items()}}
    made |= {"stages": {s: json.loads((p / "made.json").read_text())["seconds"] for s, p in asked.items()}}
    record = Record(
        id=row.id,
        kind="reference" if row.reference else "run",
        status="done",
        words=[w for w in words if not w.startswith("machine")],  # where it was made is nobody's business
        experiment={"name": row.name} | told(row.x),
        scores=found,
        facts=_facts(row, asked, results)
        | {"clips_hash": digest(sorted(set(rows["clip"]))), "judges": told_judges(row.x.judges)},
        made=made,
    )
    if store.ctx.rank == 0:
        record.write(results, rows, json.loads((scores / "without.json").read_text()))
    return record, scores


def _facts(row: Row, asked: dict[str, Path], results: Path) -> dict[str, Any]:
    """What a table says beside the scores: cost of the signal, quality of the predictor, effect of the hint, where the sound is."""
    facts = cost.nominal(row.x.control, row.x.scale.rate_frames / row.x.step) | {"source": row.x.control.source}
    if "cost" in asked:
        facts["measured"] = json.loads((asked["cost"] / "cost.json").read_text())
    clips = json.loads((asked["clips"] / "facts.json").read_text())
    facts |= {"clips": clips["splits"].get(row.x.split, {}), "listed": clips["listed"]}
    if "sound" in asked:
        skipped = json.loads((asked["sound"] / "skipped.json").read_text())
        facts |= {why.replace(" ", "_"): len(ids) for why, ids in skipped.items()}
    if "hints" in asked:
        facts["predictor"] = json.loads((asked["hints"] / "predictor.json").read_text()).get(row.x.split, {})
    if "controlnet" in asked:
        facts["controlnet"] = json.loads((asked["controlnet"] / "training.json").read_text()).get("validation")
    if "outoffold" in asked:
        facts["taught_by"] = json.loads((asked["outoffold"] / "predictor.json").read_text()).get("train", {})
    if "inversion" in asked:
        facts["inversion"] = json.loads((asked["inversion"] / "training.json").read_text()).get("validation")
    if "zeroshot" in asked:
        facts["zeroshot"] = json.loads((asked["zeroshot"] / "zeroshot.json").read_text())
    for kind, path in (("sound", asked.get("sound") or asked["reference"]), ("films", asked["films"])):
        # a record is read on other machines too: below the results folder it is told from there
        facts[kind] = str(path.relative_to(results) if path.is_relative_to(results) else path)
    return facts

"""The paper's tables: the published numbers beside its text, what each sweep shares, and other systems beside our own."""

import json
import re
from functools import cache
from pathlib import Path

import pytest

from bench.jobs.tasks import products
from bench.report.make import report
from bench.report.spec import load
from bench.store import Store
from bench.sweep import checked, read

ROOT = Path(__file__).resolve().parent.parent
NAMES = {  # the paper's words for rows, where ours differ
    "Temoral Smooth": "Temporal Smooth",
    **{"Х Х": "neither MQ nor TI", "1 X": "MQ", "Х 1": "TI", "1 1": "MQ and TI"},
    **{"1 8": "λ=1, K=8", "1 16": "λ=1, K=16", "2 16": "λ=2, K=16", "2 32": "λ=2, K=32"},
    **{n: f"n = {n}" for n in ("1", "4", "16", "32", "64")},
}


def printed(path: Path, number: int, labels: int) -> dict[str, tuple[float, ...]]:
    """{row of the paper's table: its numbers}, of a text whose columns are parted by tabs; the first `labels` columns name a row."""
    lines = path.read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"Table {number}.") or f" Table {number}. " in line)
    rows: dict[str, tuple[float, ...]] = {}
    for line in lines[start + 2 :]:
        cells = [c.strip() for c in line.strip("\t").split("\t")]
        if rows and len(cells) < 3:
            break
        try:
            values = tuple(codes(c) for c in cells[labels:])
        except ValueError:
            continue
        name = " ".join(cells[:labels]).split(" [")[0]
        rows[NAMES.get(name, name)] = values
    return rows


def codes(text: str) -> float:
    """The number in a cell; `6,561 ²` and `$390,625^2$` are powers."""
    base, _, power = text.translate({ord("²"): "^2", ord("⁴"): "^4", ord(","): None, ord("$"): None}).partition("^")
    return float(base) ** int(power or 1)


@pytest.mark.parametrize(("number", "labels"), [(1, 1), (3, 2), (4, 2), (5, 1), (6, 1), (7, 1)])
def test_the_published_block_of_every_table_is_the_papers(shared, number, labels):
    block = load(f"table{number}").published
    paper = printed(shared / "paper" / "mel-qcd.txt", number, labels)
    assert len(paper) == {1: 8, 3: 4, 4: 4, 5: 4, 6: 4, 7: 5}[number]
    ours = {row: next(iter(of.values())) for row, of in block.rows.items()}
    assert ours == {row: pytest.approx(values) for row, values in paper.items()}


@cache
def runs_of(sweep: str) -> list:
    return checked(read(str(ROOT / "sweeps" / f"{sweep}.yaml")))[0]


def trained(*sweeps: str) -> dict[str, int]:
    """{stage: how many different artefacts of it the runs of `sweeps` need}."""
    dry = Store(Path("nowhere"), dry=True)
    for sweep in sweeps:
        for run in runs_of(sweep):
            run.row.scores(dry)
    keys = {a.key for a in dry.asked}
    return {s: sum(k.startswith(f"{s}-") for k in keys) for s in ("controlnet", "predictor", "inversion")}


@pytest.mark.parametrize(
    ("sweep", "runs", "nets", "predictors", "adapters"),
    [
        ("table1", 7, 3, 3, 3), ("table3", 12, 3, 3, 3), ("table4", 12, 12, 12, 0), ("table5", 12, 12, 0, 0),
        ("table6", 12, 12, 0, 0), ("table7", 15, 0, 0, 15), ("lambda_k", 18, 9, 9, 0), ("released_vs_clean", 15, 2, 4, 1),
    ],
)  # fmt: skip
def test_a_sweep_trains_what_its_header_says(sweep, runs, nets, predictors, adapters):
    assert len(runs_of(sweep)) == runs
    assert f"# {runs} runs" in (ROOT / "sweeps" / f"{sweep}.yaml").read_text()
    assert trained(sweep) == {"controlnet": nets, "predictor": predictors, "inversion": adapters}


def stated(sweep: str) -> dict[str, int]:
    """What the header says of runs and artefacts."""
    header = " ".join(x.lstrip("# ") for x in (ROOT / "sweeps" / f"{sweep}.yaml").read_text().splitlines() if x.startswith("#"))
    found = re.search(r"\b([\d,]+) runs(?:, ([\d,]+) artefacts on the lab \(([\d,]+) if nothing were shared\))?", header)
    assert found, f"{sweep}: the header says nothing of runs"
    told = zip(("runs", "artefacts", "one by one"), found.groups(), strict=True)
    return {name: int(count.replace(",", "")) for name, count in told if count}


@pytest.mark.parametrize("sweep", sorted(p.stem for p in (ROOT / "sweeps").glob("*.yaml") if not p.stem.startswith("paper")))
def test_a_sweep_has_as_many_runs_and_artefacts_as_its_header_says(sweep):
    runs = runs_of(sweep)
    needed = []
    for run in runs:
        dry = Store(Path("nowhere"), dry=True)
        products(run.row, dry)
        needed.append({a.key for a in dry.asked if a.stage != "cost"})
    counted = {"runs": len(runs), "artefacts": len(set().union(*needed)), "one by one": sum(map(len, needed))}
    said = stated(sweep)
    assert said == {name: counted[name] for name in said}
    assert "artefacts" in said or sweep == "micro"


def test_tables_share_what_is_equal():
    """Table 3's MQ is Table 2's; its TI is n = 32 of Table 7 and its adapter that of Table 1; Tables 5 and 6 have one net in common."""
    assert trained("table1", "table3", "table7") == {"controlnet": 3, "predictor": 3, "inversion": 15}
    assert trained("table5", "table6")["controlnet"] == 21
    assert trained("table3", "table4")["controlnet"] == 12


# ---- reports from records that the tests write --------------------------------------------------------------------------------------

ADAPTER = {"inversion": {"is": "Adapter", "tokens": 32, "training": {"steps": 9, "seed": 0}}}


def line(table, label):
    return next(x for x in table.lines if x.label == label)


def test_table_3_finds_its_four_rows_and_old_records_have_no_pseudo_words(tmp_path, keep):
    keep(tmp_path, "NoControl", worse=0.6)  # made before there was an inversion
    keep(tmp_path, "MelQCD", "all", change={"inversion": {"is": "NoInversion"}})
    keep(tmp_path, "NoControl", worse=0.4, change=ADAPTER)
    keep(tmp_path, "MelQCD", "all", worse=0.1, change=ADAPTER)
    made = report("table3", [tmp_path])
    (group,) = made.groups
    shown = {x.label: x.cells[1] for x in group[1][0].lines}
    assert {label: round(s.cell.value, 1) for label, s in shown.items()} == {
        "neither MQ nor TI": 3.2, "MQ": 2.6, "TI": 2.8, "MQ and TI": 2.2,
    }  # fmt: skip
    assert shown["MQ and TI"].mark == "best"
    assert line(made.published[0], "neither MQ nor TI").cells[4].text == "27.36"
    assert made.published[0].columns[4][1] == "IB-AV ↑ x 100"


def test_two_adapters_of_one_row_are_never_averaged(tmp_path, keep):
    keep(tmp_path, "NoControl", worse=0.4, change=ADAPTER)
    longer = {"inversion": {**ADAPTER["inversion"], "training": {"steps": 99, "seed": 0}}}
    keep(tmp_path, "NoControl", worse=0.5, change=longer)
    keep(tmp_path, "NoControl", worse=0.6)
    made = report("table3", [tmp_path])
    cell = line(made.groups[0][1][0], "TI").cells[1].cell
    assert cell.value is None and "inversion.training.steps 9, 99" in cell.why


def test_records_with_pseudo_words_are_not_in_table_2(tmp_path, keep):
    for control in ("Onset", "Energy"):
        keep(tmp_path, control)
    before = report("table2", [tmp_path]).text("csv")
    keep(tmp_path, "Onset", worse=9.0, change=ADAPTER)
    assert report("table2", [tmp_path]).text("csv") == before


def test_table_4_shows_accuracy_beside_chance_and_the_codebook(tmp_path, keep):
    for seed in (0, 1):
        for bound, bands, codes in ((1, 8, 6561), (2, 32, 625**8)):
            control = {"is": "MelQCD", "bound": bound, "bands": bands, "temporal": "downsample", "frequency": "ds_repeat"}
            facts = {"codes": codes, "predictor": {"code": {"acc": 0.3 + 0.1 * seed, "chance": 0.17, "sim": 0.6}}}
            keep(
                tmp_path, "MelQCD", seed=seed, worse=0.1 * bound, change={"control": control, "predicted": ["code"]}, facts=facts
            )
    keep(tmp_path, "MelQCD", "all")  # all heads predicted: not this table's
    made = report("table4", [tmp_path])
    narrow = made.groups[0][1][0]
    assert [head for _, head in narrow.columns] == ["codes", "ACC ↑", "chance", "Sim ↑", "FID ↓", "MKL ↓"]
    assert [s.text for s in line(narrow, "λ=1, K=8").cells[:4]] == ["6,561", "35.00", "17.00", "60.00"]
    assert line(narrow, "λ=2, K=32").cells[0].text == "2^74.3"
    assert line(narrow, "λ=1, K=16").cells[1].text == "–"
    assert [s.text for s in line(made.published[0], "λ=1, K=8").cells] == ["6,561", "32.95", "74.21", "54.46", "1.92"]
    assert line(made.published[0], "λ=2, K=32").cells[0].text == "2^74.3"  # 390,625 to the fourth
    assert "35.00" in made.text("md") and "35.00" in made.text("latex") and "35.00" in made.text("csv")


def system(folder, keep, name, worse, clips=40):
    """A record as `bench score` keeps it: the kind and facts of one, no settings but the judges."""
    id = keep(folder, "", kind="score", worse=worse, clips=clips, facts={"system": name})
    path = folder / f"{id}.json"
    told = json.loads(path.read_text())
    told["experiment"] = {"judges": {"sync": {"is": "Sync"}, "lab": {"is": "Lab"}}}
    path.write_text(json.dumps(told))
    return id


def test_other_systems_stand_beside_ours_where_their_clips_are_the_same(tmp_path, keep):
    keep(tmp_path, "NoControl", worse=0.6)
    keep(tmp_path, "MelQCD", "all", worse=0.0, change=ADAPTER)
    system(tmp_path, keep, "specvqgan", 0.3)
    system(tmp_path, keep, "im2wav", 0.4, clips=30)
    made = report("table1", [tmp_path])
    assert [len(g.records) for g, _ in made.groups] == [3]
    narrow = made.groups[0][1][0]
    assert line(narrow, "SpecVQGAN").cells[1].cell.value == pytest.approx(2.6, abs=0.1)
    assert line(narrow, "Ours").cells[1].mark == "best" and line(narrow, "SpecVQGAN").cells[1].mark == "second"
    assert line(narrow, "Im2Wav").cells[1].text == line(narrow, "FoleyCrafter").cells[1].text == "–"
    assert "1 records stand in no table" in made.left[0]
    assert len(made.published[0].lines) == 8


def test_a_system_scored_twice_is_a_gap_that_names_both(tmp_path, keep):
    keep(tmp_path, "NoControl", worse=0.6)
    ids = [system(tmp_path, keep, "specvqgan", worse) for worse in (0.3, 0.2)]
    cell = line(report("table1", [tmp_path]).groups[0][1][0], "SpecVQGAN").cells[0].cell
    assert cell.value is None and all(id in cell.why for id in ids)

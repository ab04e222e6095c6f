"""Reports from records that the tests write: what stands in a column, what is marked, and the same numbers in every format."""

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest

from bench.report.make import conditions, report
from bench.report.render import md
from bench.report.spec import load
from controls import registry

ROOT = Path(__file__).resolve().parent.parent


def cell(made, row, form, metric, table=0):
    """How a number is shown in the first group's table."""
    shown = made.groups[0][1][table]
    line = next(line for line in shown.lines if line.label == row)
    return next(s for s in line.cells if s.form == form and s.column and s.column.metric.id.startswith(metric))


@pytest.mark.parametrize("path", sorted((ROOT / "reports").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_report_here_loads(path):
    assert load(str(path)).rows


@pytest.mark.parametrize("path", sorted((ROOT / "reports").glob("*.yaml")), ids=lambda p: p.stem)
def test_the_rows_of_every_report_here_name_classes_that_exist(path):
    there = {registry.load(name).__name__ for name in registry.names()}
    named = {r.label: r.where["experiment.control.is"] for r in load(str(path)).rows if "experiment.control.is" in r.where}
    lost = {label for label, names in named.items() if not there & set(names if isinstance(names, list) else [names])}
    coming = {"clip": {"CLIP video embedding"}, "encodec": {"Codec-1", "Codec-2"}}  # until these controls are part of this tree
    assert lost == set().union(*(labels for name, labels in coming.items() if name not in registry.names()))


def test_a_number_is_the_mean_of_the_seeds_and_says_of_how_many(results):
    made = report("table2", [results])
    shown = cell(made, "Onset", "true", "mkl")
    records = [json.loads(p.read_text()) for p in results.glob("*.json")]
    mine = [r["scores"]["mkl.lab"]["value"] for r in records if r["experiment"]["name"] == "Onset, none"]
    assert shown.cell.value == pytest.approx(np.mean(mine), abs=1e-12)
    assert (shown.cell.runs, shown.cell.n) == (3, 40)
    assert shown.cell.low < shown.cell.value < shown.cell.high
    assert "runs behind a value: 1 to 3" in made.text("md")  # one reference, three seeds of everything else


def test_the_gap_is_predicted_minus_true_and_paired_by_clip(results):
    made = report("table2", [results])
    true, predicted, gap = (cell(made, "Energy", form, "class_acc").cell for form in ("true", "predicted", "gap"))
    assert gap.value == pytest.approx(predicted.value - true.value)
    assert gap.value == pytest.approx(-0.15, abs=0.001)
    assert gap.high - gap.low < 0.001  # each clip loses the same: unpaired, the spread of 0.02 between clips would stand here
    assert cell(made, "Energy", "gap", "class_acc").text == "-15.00*"


def test_every_format_carries_the_same_numbers(results):
    made = report("table2", [results])
    printed = [row["printed"] for row in csv.DictReader(io.StringIO(made.text("csv")))]
    assert len(printed) > 100

    def cells(text, start, split):
        rows = [line for line in text.splitlines() if start(line)]
        return [c for row in rows for c in split(row)]

    def plain(text):
        return re.sub(r"\*\*|</?u>|\\textbf\{|\\underline\{|\$|\\\\$", "", text).replace("--", "–").replace("\\", "").strip()

    labels = {r.label for r in made.spec.rows}
    in_md = cells(
        made.text("md"), lambda line: plain(line.split("|")[1]).strip("*") in labels if line.startswith("| ") else False,
        lambda row: row.strip("| ").split(" | ")[2:],
    )  # fmt: skip
    in_tex = cells(
        made.text("latex"), lambda line: plain(line.split("&")[0]) in labels if "&" in line else False,
        lambda row: row.removesuffix(r"\\").split("&")[2:],
    )  # fmt: skip
    assert [plain(c) for c in in_md] == printed
    assert [
        plain(c).replace("{", "").rstrip("}").replace("]}", "]").replace("}, ", ", ").replace("[}", "[") for c in in_tex
    ] == printed


def test_the_best_is_bold_where_a_paired_test_tells_it_from_the_next(results):
    made = report("table2", [results])
    assert cell(made, "Mel-QCD", "true", "class_acc").mark == "best"
    assert cell(made, "Low-resolution mel", "true", "class_acc").mark == "second"
    assert cell(made, "oracle (true mel)", "true", "class_acc").mark == ""  # better, and not among the ranked
    assert f"**{cell(made, 'Mel-QCD', 'true', 'class_acc').text}**" in made.text("md")
    assert r"\underline{" in made.text("latex")


def test_the_second_is_underlined_where_it_is_told_from_the_third(tmp_path, keep):
    for control, worse in (("MelQCD", -0.5), ("Onset", 0.0), ("Energy", 0.0)):
        keep(tmp_path, control, worse=worse)
    made = report("table2", [tmp_path])
    marks = {row: cell(made, row, "true", "mkl").mark for row in ("Mel-QCD", "Onset", "Energy")}
    assert marks == {"Mel-QCD": "best", "Onset": "", "Energy": ""}
    assert re.search("MKL, true: (Onset|Energy), second, is not told from (Onset|Energy)", made.text("md"))


def test_a_form_that_one_signal_has_been_run_in_ranks_nobody(results, keep):
    for seed in range(3):
        keep(results, "Clip", seed=seed)
    before = report("table2", [results]).text("md").partition("Published values")[0]
    assert "original slots: FID" not in before
    assert "true, original slots: not run for any row." in before
    keep(results, "MelQCD", worse=-0.9, change={"slots": "original"})
    made = report("table2", [results])
    assert cell(made, "Mel-QCD", "true, original slots", "mkl").mark == ""
    assert cell(made, "CLIP video embedding", "true, original slots", "mkl").cell.value is not None
    text = made.text("md")
    assert "original slots: Mel-QCD is not told" not in text
    assert "1 run behind a value, not 3: Mel-QCD (true, original slots)" in text


def test_the_gap_is_of_the_seeds_that_both_forms_have(tmp_path, keep):
    for seed in (0, 1):
        keep(tmp_path, "Onset", "none", seed=seed, worse=0.0 if seed else 0.4)
    keep(tmp_path, "Onset", "all", seed=1, worse=0.1)
    keep(tmp_path, "Energy", "none", seed=0)
    made = report("table2", [tmp_path])
    mkl = {}
    for told in map(json.loads, (p.read_text() for p in tmp_path.glob("*.json"))):
        if told["experiment"]["control"]["is"] == "Onset":
            of = told["experiment"]
            mkl[of["predicted"], of["sampling"]["seed"]] = told["scores"]["mkl.lab"]["value"]
    assert cell(made, "Onset", "gap", "mkl").cell.value == pytest.approx(mkl["all", 1] - mkl["none", 1])


def test_an_interval_of_a_gap_knows_that_seeds_differ(tmp_path, keep):
    """Each seed's gap is the same for every clip; between seeds it is not."""
    for seed, worse in enumerate((0.1, 0.5, 0.9)):
        keep(tmp_path, "Onset", "none", seed=seed)
        keep(tmp_path, "Onset", "all", seed=seed, worse=worse)
    keep(tmp_path, "Energy")
    found = cell(report("table2", [tmp_path]), "Onset", "gap", "class_acc").cell
    assert found.high - found.low > 0.2


def test_the_true_sound_through_vae_and_vocoder_is_one_whatever_the_seeds(results, keep):
    keep(results, "NoControl", seed=1, kind="reference")
    made = report("table2", [results])
    assert cell(made, "reference (VAE, vocoder)", "true", "mkl").cell.runs == 1


def test_no_one_is_bold_where_the_two_best_cannot_be_told_apart(tmp_path, keep):
    """Energy's rows are those of Mel-QCD with as much noise as there is difference between the two."""
    for control in ("MelQCD", "Energy"):
        keep(tmp_path, control, worse=0.0)
    keep(tmp_path, "Onset", worse=0.3)
    made = report("table2", [tmp_path])
    assert {s.mark for line in made.groups[0][1][0].lines for s in line.cells} == {""}
    assert "MKL, true: Mel-QCD is not told from Energy, so neither is marked" in made.text("md")


def test_the_two_best_are_told_apart_over_the_seeds_that_both_have(tmp_path, keep):
    from dataclasses import replace

    from bench.report.cells import Cells
    from bench.report.marks import orders
    from bench.report.select import groups, kept

    spec = replace(load("table2"), gap=None, gaps=())
    form = next(f for f in spec.forms if f.name == "true")

    def best(folder, *, more):
        for control, worse in (("MelQCD", 0.1), ("Onset", 0.1)):
            keep(folder, control, seed=0, worse=worse, change={"inversion": {"is": "NoInversion"}})
        for seed in more:  # seeds that one of them lacks made it better
            keep(folder, "MelQCD", seed=seed, worse=-0.5, change={"inversion": {"is": "NoInversion"}})
        (group,) = groups(kept([folder]), spec, {})[0]
        cells = Cells(group, spec)
        return next(o for o in orders(cells, [cells.columns["mkl"]]) if o.form == form)

    assert best(tmp_path / "one", more=()).p == pytest.approx(1.0)
    unlike = best(tmp_path / "more", more=(1, 2))
    assert unlike.best == "Mel-QCD" and not unlike.sure and unlike.p == pytest.approx(1.0)


def test_seeds_that_disagree_about_the_order_are_said_to(tmp_path, keep):
    for seed, shares in enumerate([(0.1, 0.2, 0.3), (0.3, 0.2, 0.1)]):
        for control, worse in zip(("MelQCD", "Onset", "Energy"), shares, strict=True):
            keep(tmp_path, control, seed=seed, worse=worse)
    text = report("table2", [tmp_path]).text("md")
    assert "MKL true -1.00" in text
    assert "seeds do not agree on the order" in text


def test_seeds_that_agree_are_said_to(results):
    text = report("table2", [results]).text("md")
    assert "MKL true 1.00" in text
    assert "do not agree" not in text


def test_numbers_with_another_n_or_id_never_stand_in_the_column(results):
    path = next(p for p in results.glob("*.json") if json.loads(p.read_text())["experiment"]["name"] == "Oracle, none")
    told = json.loads(path.read_text())
    told["scores"]["mkl.lab"]["n"] = 39
    told["scores"]["class_acc.other"] = told["scores"].pop("class_acc.lab")
    path.write_text(json.dumps(told))
    made = report("table2", [results])
    assert cell(made, "oracle (true mel)", "true", "mkl").cell.runs == 2
    assert cell(made, "oracle (true mel)", "true", "class_acc").cell.runs == 2
    text = made.text("md")
    assert "counts 39 clips, the column 40" in text
    assert md("measured as class_acc.other, the column as class_acc.lab") in text


def test_other_clips_prompts_and_settings_make_tables_of_their_own(results, keep):
    for control in ("MelQCD", "Onset"):
        keep(results, control, clips=20)
        keep(results, control, change={"prompt": "generic"})
    keep(results, "Energy", change={"prompt": "zeroshot"})
    made = report("table2", [results])
    assert sorted(g.clips for g, _ in made.groups) == [20, 40, 40]
    assert {
        len({s.cell.n for t in of for line in t.lines for s in line.cells if s.cell and s.cell.value}) for _, of in made.groups
    } == {1}
    assert sum("prompt=generic" in of[0].above[1] for _, of in made.groups) == 1
    assert any("prompt=zeroshot" in line for line in made.left)


def test_a_failed_and_a_missing_run_are_gaps_with_their_reason(results, keep):
    keep(results, "Clip", status="failed", facts={"reason": "no <b>video</b> | features"})
    made = report("table2", [results])
    text = made.text("md")
    assert "CLIP video embedding (every form)" in text
    assert r"failed: no &lt;b&gt;video&lt;/b&gt; \| features" in text
    assert "Codec-1 (every form); Codec-2 (every form)" in text
    assert "<b>" not in text
    assert cell(made, "Codec-1", "true", "mkl").text == "–"


def test_two_settings_of_one_signal_are_never_averaged(results, keep):
    keep(results, "Onset", change={"control": {"is": "Onset", "delta": 0.9}})
    made = report("table2", [results])
    assert cell(made, "Onset", "true", "mkl").cell.value is None
    assert "control.delta 0.3, 0.9" in made.text("csv")
    narrowed = report("table2", [results], conditions(["experiment.control.delta=0.3"]))
    assert cell(narrowed, "Onset", "true", "mkl").cell.runs == 3


def test_a_signal_with_nothing_to_predict_has_one_value_for_all_forms(results, keep):
    for seed in range(3):
        keep(results, "Clip", seed=seed)
    made = report("table2", [results])
    shown = [cell(made, "CLIP video embedding", form, "mkl") for form in ("true", "predicted", "gap")]
    assert shown[0].text == shown[1].text
    assert shown[2].cell.why == "one value for both"
    assert "CLIP video embedding: nothing is predicted" in made.text("md")


def test_what_the_video_gives_is_no_cost_of_prediction_and_is_told(results, keep):
    for seed in range(3):
        keep(results, "Clip", seed=seed, facts={"source": "video", "measured": {"carried": {"looks": 64}}})
    made = report("table2", [results])
    wide = made.groups[0][1][1]
    costs = {line.label: [s.text for s in line.cells[-2:]] for line in wide.lines}
    assert costs["CLIP video embedding"] == ["–", "–"]
    assert costs["Onset"] != ["–", "–"]
    assert "CLIP video embedding: 1600 real numbers a second are taken from the video, none is predicted." in made.text("md")


def test_a_signal_that_finer_slots_leave_alone_shows_one_value_for_both(results, keep):
    """Codec-1 has three seeds at 25 slots a second, onset one more at the original slots."""
    codec = {"control": {"is": "EnCodec", "codebooks": 1}}
    for seed in range(3):
        keep(results, "EnCodec", seed=seed, worse=0.1, change=codec)
    assert "for the hint is the same" not in report("table2", [results]).text("md")  # a form that nothing was run in is not shown
    for control in ("Onset", "Energy"):
        keep(results, control, change={"slots": "original"})
    keep(results, "EnCodec", worse=0.9, change={**codec, "slots": "original"})  # somebody ran it all the same
    made = report("table2", [results])
    shown = [cell(made, "Codec-1", form, "mkl") for form in ("true", "true, original slots")]
    assert shown[0].cell.records == shown[1].cell.records
    assert len(shown[0].cell.records) == 3
    below = "\n".join(made.groups[0][1][0].below)
    assert "Codec-1: true, original slots: the values of true, for the hint is the same." in below
    (seeds,) = (s for s in below.splitlines() if s.startswith("Kendall"))
    assert "original slots" not in seeds  # of one seed, whatever Codec-1 has


def test_what_signals_cost_and_how_well_they_are_predicted_stands_below_all_metrics(tmp_path, keep):
    cost = {"codes": 2, "slots_per_second": 25.0, "measured": {"entropy_per_slot": 0.35, "slots": 900}}
    for seed in range(2):
        keep(tmp_path, "Onset", seed=seed, facts=cost)
        seen = {"acc": 0.9 + 0.02 * seed, "chance": 0.93, "f1": 0.5, "chosen_on": "val"}
        keep(tmp_path, "Onset", "all", seed=seed, facts={**cost, "predictor": {"onset": seen}})
    _, true, predicted = report("table2", [tmp_path]).groups[0][1]
    assert [s for s in true.below if s.startswith("Onset costs")] == [
        "Onset costs 2 codes: 1 bit a slot, 25 a second; measured on 900 training slots: 0.35 bits a slot, 8.75 a second."
    ]
    assert "Onset: predictor of onset: ACC 91.0% (majority class 93.0%), F1 0.500." in predicted.below
    for odd in ({"energy": {}}, {"energy": 3}, {}, {"energy": {"rmse": "x", "of_the_mean": 1.0}}, [1]):  # somebody else's record
        keep(tmp_path, "LowRes", "all", facts={"predictor": odd})
        assert not [
            s for s in report("table2", [tmp_path]).groups[0][1][2].below if s.startswith("Low-resolution mel: predictor")
        ]
    keep(tmp_path, "Energy", facts={"codes": 1, "slots_per_second": 25.0})  # by shipped networks: nothing was measured
    assert "Energy costs 1 real a slot." in report("table2", [tmp_path]).groups[0][1][1].below
    keep(tmp_path, "Clip", facts={"codes": 1, "slots_per_second": 25.0})
    assert not [s for s in report("table2", [tmp_path]).groups[0][1][1].below if s.startswith("CLIP video embedding costs")]
    assert not [s for s in predicted.below if s.startswith("Onset costs")]


def test_a_row_without_a_control_response_is_named_where_others_have_one(results, keep):
    assert "Not checked here" not in report("table2", [results]).text("md")
    for control in ("MelQCD", "Energy", "LowRes", "Onset"):
        keep(results, control, seed=9, facts={"controlnet": {"with hint": 0.1}})
    keep(results, "Onset", kind="response", facts={"deaf": []})
    (line,) = [s for s in report("table2", [results]).text("md").splitlines() if s.startswith("Not checked here")]
    assert "Mel-QCD; Energy; Low-resolution mel." in line


def test_codec_2_and_onset_are_compared_in_what_they_lose(results, keep):
    for seed in range(3):
        for predicted, worse in (("none", 0.0), ("all", 0.5)):
            control = {"is": "EnCodec", "codebooks": 2}
            keep(results, "EnCodec", predicted, seed, worse=worse, change={"control": control})
    (line,) = (s for s in report("table2", [results]).groups[0][1][0].below if s.startswith("Class ACC, true to predicted"))
    assert "Codec-2 -25.00, Onset -15.00; Codec-2 minus Onset -10.00" in line
    assert "p < 0.001" in line


def test_the_published_block_is_the_papers(results, shared):
    """Read from the paper's text: four and four numbers after each signal's name."""
    lines = (shared / "paper" / "mel-qcd.txt").read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("Table 2."))
    names = {"Ours": "Mel-QCD", "Low-Resolution Mel": "Low-resolution mel", "CLIP Video Embedding": "CLIP video embedding"}
    rows = [line.split("\t") for line in lines[start + 4 : start + 11]]
    true, predicted = "true, original slots", "predicted"  # the paper's Table 5 has the same true row as "Original"
    paper = {names.get(r[0], r[0]): {true: tuple(map(float, r[2:6])), predicted: tuple(map(float, r[6:10]))} for r in rows}
    block = load("table2").published
    assert block.rows == paper
    assert block.metrics == ("fid", "mkl", "class_acc", "onset_acc")
    printed = report("table2", [results]).published[0]
    assert {s.mark for line in printed.lines for s in line.cells} == {""}
    assert [s.text for s in printed.lines[0].cells] == ["47.57", "1.67", "66.67", "71.47", "61.00", "1.66", "64.67", "31.68"]


def test_tables_of_the_procedural_world_say_so_in_their_heading(results):
    made = report("table2", [results])
    assert {t.above[0] for _, of in made.groups for t in of} == {"Procedural world: not comparable with published values."}


def test_numbers_stay_numbers_in_csv_and_formulas_do_not():
    from bench.report.render import cell as csv_cell

    for number in ("-1.6261926235557588e-05", "+3.2e+07", "-0.5", "+8.97*", "-2.23 (95 %)"):
        assert csv_cell(number) == number
    for formula in ("=1+1", "-1e5+cmd", "+1e", "@A1", "-2+3"):
        assert csv_cell(formula) == f"'{formula}"

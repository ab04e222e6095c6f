"""A trial of the lab from the command line: real runs with ordinary records, and a study of the same runs told from them."""

import json
from pathlib import Path

import pytest

from bench.cli import main
from bench.record import read

FILE = """
about: two settings of the onset mask
common: >-
  control=onset data.seed=3 data.test=0 data.train=2 judges=[sync] sampling.steps=1
  predictor.training.steps=2 controlnet.training.steps=2 predictor.training.batch=2 controlnet.training.batch=2
  machine.workers=1 machine.threads=1 machine.quiet=true
space: ["control.delta=0.3,0.4"]
objectives:
  - {words: predicted=none, value: w_dis}
  - {words: predicted=all, value: w_dis}
"""


@pytest.mark.slow
def test_a_trial_is_ordinary_runs_on_val_and_another_study_is_told_from_their_records(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BENCH_WORDS", raising=False)
    Path("onset.yaml").write_text(FILE)
    main(["tune", "onset.yaml", "--trials", "1"])
    said = capsys.readouterr().out
    assert "1 of 1 settings tried." in said
    assert "bench run control=onset" in said
    records = {r["experiment"]["predicted"]: r for r in read(Path("results"))}
    assert set(records) == {"none", "all"}
    assert all(r["status"] == "done" and r["experiment"]["split"] == "val" and r["rows"] for r in records.values())
    journal = Path("results/tuned/onset.journal").read_text().splitlines()
    told = next(op["values"] for op in map(json.loads, journal) if op.get("values"))
    assert told == [records[p]["scores"]["w_dis.flux_lin"]["value"] for p in ("none", "all")]
    made = sorted(p.name for p in Path("results/cache").iterdir())

    main(["tune", "onset.yaml", "--trials", "1", "--study", "again"])
    said = capsys.readouterr().out
    assert said.count(": there\n") == 2
    assert "made" not in said
    assert sorted(p.name for p in Path("results/cache").iterdir()) == made
    assert len(read(Path("results"))) == 2

    main(["tune", "onset.yaml", "--trials", "1", "--show"])
    assert "[trial" not in capsys.readouterr().out
    for words, reason in ((["--show", "--study", "agan"], "Did you mean 'again'"), (["data.train=3"], "begun with other words")):
        with pytest.raises(SystemExit) as end:
            main(["tune", "onset.yaml", *words])
        assert end.value.code == 2
        assert reason in capsys.readouterr().err

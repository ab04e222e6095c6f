"""What is searched and what a study file may say."""

from pathlib import Path

import pytest
from tuned import SPACE

from bench.errors import Refused
from bench.tune import space, study
from bench.tune.choose import Chooser
from bench.tune.scored import Runs, lines
from bench.tune.space import Dimension

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("line", "dimension"),
    [
        ("a.b=range(1,4)", Dimension("a.b", (1, 2, 3), step=1)),
        ("a=range(8,33,8)", Dimension("a", (8, 16, 24, 32), step=8)),
        ("a=8,32", Dimension("a", (8, 32))),
        ("a=choice(0.5,mean)", Dimension("a", (0.5, "mean"))),
        ("a=interval(0,2)", Dimension("a", low=0.0, high=2.0)),
        ("a=tag(log,interval(1e-4,1e-2))", Dimension("a", low=1e-4, high=1e-2, log=True)),
    ],
)
def test_a_searched_word_is_written_as_hydra_writes_sweeps(line, dimension):
    assert space.read([line]).dimensions == (dimension,)


@pytest.mark.parametrize("line", ["a=8", "a=glob(x*)", "a", "a=choice(8,8)", "a=interval(2,1)", "a=tag(log,interval(0,1))"])
def test_a_word_that_is_no_search_is_refused(line):
    with pytest.raises(Refused, match=r"^a"):
        space.read([line])


def test_the_settings_of_a_space_become_the_words_they_came_from():
    assert SPACE.size == len(SPACE.settings()) == 6
    assert space.words(SPACE.settings()[0]) == ["control.bound=1", "control.bands=8"]


FILE = "about: x\ncommon: {common}\nspace: {space}\nobjectives: {objectives}\n"


@pytest.mark.parametrize(
    ("change", "words", "said"),
    [
        ({"common": "control=melqcd split=test"}, [], "scored on val"),
        ({}, ["split=test"], "scored on val"),
        ({"space": "['split=choice(val,test)']"}, [], "scored on val"),
        ({"objectives": "[{value: mkl, words: split=test}]"}, [], "scored on val"),
        ({}, ["control.bound=2"], "the study searches this word"),
        ({"objectives": "[{value: mlk}]"}, [], "Did you mean 'mkl'"),
        ({"objectives": "[{value: mkl, better: higher}]"}, [], "leave `better` out"),
        ({"objectives": "[{value: facts.predictor.code.acc}]"}, [], "better must be"),
        ({"space": "[]"}, [], "must not be empty"),
        ({"space": "['control.bound=interval(1,2)']"}, [], "finite space"),
        ({"objectives": "[{value: mkl}]\nconstraints: [{value: code, at_most: 3}]"}, [], "Did you mean 'codes'"),
        ({"objectives": "[{value: mkl}]\nsampler: tpr"}, [], "Did you mean 'tpe'"),
        ({"objectives": "[{value: mkl}]\ntrails: 3"}, [], "Did you mean 'trials'"),
    ],
)
def test_a_study_file_that_is_wrong_is_refused_in_its_words(change, words, said, tmp_path):
    told = {"common": "control=melqcd", "space": "['control.bound=range(1,4)']", "objectives": "[{value: mkl}]"} | change
    (tmp_path / "s.yaml").write_text(FILE.format(**told))
    with pytest.raises(Refused, match=said):
        study.read(str(tmp_path / "s.yaml"), words)


@pytest.mark.parametrize("path", sorted((ROOT / "sweeps" / "studies").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_setting_of_every_study_here_is_an_experiment_scored_on_val(path):
    found = study.read(str(path))
    chooser = Chooser(found, Runs(found, None, Path()).allowed)  # type: ignore[arg-type]  # composes each setting
    assert chooser.settings
    assert all("split=val" in line.words for s in chooser.settings for line in lines(found, s))
    if path.stem == "lambda_k":  # up to the longest codebook of Table 4
        tried = {tuple(s.values()) for s in chooser.settings}
        assert (2, 32) in tried
        assert (3, 32) not in tried  # 7 ** 32 codes

import subprocess
import sys
from dataclasses import dataclass, field

import pytest

from bench import settings
from bench.errors import Refused
from bench.settings import compose, expand
from controls import registry
from controls.onset import Onset
from melqcd.heads import Head


def control(*words):
    return compose(*words, site=False)[0].control


def test_defaults_come_from_the_dataclasses_alone():
    x, machine = compose(site=False)
    assert type(x.control).__name__ == "MelQCD" and x.control == type(x.control)()
    assert type(x.data).__name__ == "Lab" and machine == type(machine)()


def test_words_choose_components_and_change_their_settings():
    x, machine = compose(
        "control=melqcd",
        "control.bound=2",
        "data=folder",
        "data.root=/somewhere",
        "slots=original",
        "machine.results=r",
        site=False,
    )
    assert (x.control.bound, type(x.data).__name__, x.data.root, x.step, machine.results) == (2, "Folder", "/somewhere", 1, "r")


def test_none_is_a_component():
    assert type(control("control=none")).__name__ == "NoControl"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("control=melqdc", "Did you mean 'melqcd'"),
        ("contrl=melqcd", "Did you mean 'control'"),
        ("control.boud=2", "Did you mean 'bound'"),
        ("control.bound=two", "control.bound must be a whole number, got 'two'"),
        ("control.bound=1.5", "control.bound must be a whole number, got 1.5"),
        ("control.bound=true", "control.bound must be a whole number, got True"),
        ("control.bound=0", "bound"),
        ("control.bands=7", "group"),
        ("slots=sometimes", "slots must be one of video, original"),
        ("+control.bound=2", "every setting exists already"),
        ("~control.bound", "every setting exists already"),
        ("control._target_=os.system", "not code"),
        ("hydra.run.dir=x", "not code"),
        ("control=onset,energy", "one control at a time"),
        ("control.bound=1,2", "this command takes one"),
        ("control", "write NAME=VALUE"),
        ("judges=[sync,sync]", "named twice"),
        ("judges.imagebind.path=x", "judges are sync"),
        ("data.clips=null", "data.clips must be a whole number, got nothing"),
        ("control={a: 1}", "one control only"),
        ("control.bound=[1]", "control.bound must be a whole number"),
    ],
)
def test_a_wrong_word_is_refused_with_the_nearest_right_one(word, said):
    with pytest.raises(Refused) as refused:
        compose(word, site=False)
    assert said in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("value", ["~/clips", "/data/été", "/a b/c", "/data/[1]", "/x{y}", "C:\\clips", "it's", "a=b", "$HOME"])
def test_values_that_hydra_cannot_read_are_taken_as_they_stand(value):
    assert compose("data=folder", f"data.root={value}", site=False)[0].data.root == value


def test_lists_of_settings_are_expanded_as_on_hydras_own_command_line():
    assert expand(["control=onset,energy", "slots=video"]) == [
        ["control=onset", "slots=video"],
        ["control=energy", "slots=video"],
    ]
    assert [line[0] for line in expand(["control.bound=range(1,4)"])] == [f"control.bound={i}" for i in (1, 2, 3)]


def test_site_words_come_first(monkeypatch):
    monkeypatch.setenv("BENCH_WORDS", "machine.results=/site control.bound=3")
    x, machine = compose("control.bound=2")
    assert (machine.results, x.control.bound) == ("/site", 2)


def test_a_mistake_on_the_command_line_is_one_line_and_status_2(tmp_path):
    done = subprocess.run([sys.executable, "-m", "bench", "plan", "control=melqdc"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "Did you mean 'melqcd'" in done.stderr


def test_settings_of_networks_are_words_too():
    x = compose(
        "predictor.width=64", "predictor.training.steps=7", "controlnet.hint=pixels", "controlnet.widths=[8,8]", site=False
    )[0]
    assert (x.predictor.width, x.predictor.training.steps, x.controlnet.hint, x.controlnet.widths) == (64, 7, "pixels", (8, 8))


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("predictor.widht=64", "Did you mean 'width'"),
        ("predictor.training.step=7", "Did you mean 'steps'"),
        ("predictor.training.steps=0", "training needs steps >= 1"),
        ("predictor=small", "predictor has settings of its own"),
        ("predicted=[cod]", "this control has no head 'cod'"),
        ("sampling=dpn", "Did you mean 'dpm'"),
    ],
)
def test_a_wrong_setting_of_a_network_is_refused_too(word, said):
    with pytest.raises(Refused) as refused:
        compose(word, site=False)
    assert said in str(refused.value)


def test_one_component_by_itself_takes_its_settings():
    from bench.settings import component

    assert component("control", "melqcd", "bound=2").bound == 2
    assert component("judges", "sync", "delta=0.5").delta == 0.5
    with pytest.raises(Refused, match="Did you mean 'delta'"):
        component("judges", "sync", "delt=0.5")


def test_bench_list_names_every_setting_that_a_word_can_reach_with_its_default_and_choices():
    from bench.listing import listing

    told = listing()
    made = compose()[0].controlnet.training
    for line in (
        f"controlnet.training.steps = {made.steps}  # optimiser steps",  # of the experiment, not of the class
        "prompt = 'label'  # or generic, zeroshot; label: the class's name",
        "predicted = 'all'  # or none; heads taken from the video",  # a comment inside of a definition of several lines
        "hint = 'mel'  # or embeddings; mel: what the codebooks decode to",  # one above the definition
        "training.steps = 900  # optimiser steps",  # of the adapter
    ):
        assert line in told
    assert told.count("clips = 0  # at most this many of each split, chosen by hash of the id") == 4  # data=, not again in learn=
    assert listing(["sampling"]).startswith("sampling=\n  ddim: ") and "control=" not in listing(["sampling"])
    scores = listing(["metrics"]).splitlines()
    assert sum(" *: " in line for line in scores) == 8
    assert (
        "  kid.JUDGE: KID ↓; of all clips at once  # ast, lab, melception, panns16k, panns32k, vggsound, vggsound_vlad" in scores
    )
    assert "  desync.JUDGE: DeSync ↓, s  # synchformer" in scores and "log1p" in scores[-1]
    with pytest.raises(Refused, match="Did you mean 'control'"):
        listing(["contrl"])


def test_a_word_without_a_value_is_answered_with_one_that_could_be_meant():
    for word, meant in {
        "melqdc": "control=melqcd",
        "avsync15": "data=avsync15",
        "control": "control=...",
        "x.y": "control=melqcd",
    }.items():
        with pytest.raises(Refused, match=f"{word}: write NAME=VALUE, for example {meant}"):
            compose(word)


def by_hydra(tree, rest):
    """As Hydra's own `compose` merges."""
    from hydra import compose as hydra_compose
    from hydra import initialize
    from hydra.core.config_store import ConfigStore
    from hydra.core.global_hydra import GlobalHydra
    from omegaconf import OmegaConf

    ConfigStore.instance().store(name="run", node=tree)
    GlobalHydra.instance().clear()
    with initialize(version_base="1.3", config_path=None):
        return OmegaConf.to_container(hydra_compose("run", overrides=[o.input_line for o in rest]), resolve=True)


@pytest.mark.parametrize(
    "words",
    [
        ("control=melqcd", "control.bound=2", "sampling.seed=3", "predictor.training.seed=${sampling.seed}", "predicted=[code]"),
        ("judges=[sync,lab]", "judges.sync.delta=0.2", "judges.sync.curves=[flux_lin]", "predicted=none", "predicted=all"),
        ("predictor.training={steps: 3, seed: 4}", "predictor.training.steps=5", "controlnet.widths=[16,32]", "data.clips=2"),
        ("control=encodec", "control.codebooks=1", "data=folder", "data.root='a b, é'", "machine.quiet=true", "sampling.guidance=1e0"),
        ("variant=released", "inversion=adapter", "control.skew=0", "sampling=ddim", "machine=slurm", "machine.sbatch=--nice=9"),
    ],
)  # fmt: skip
def test_words_are_merged_as_hydra_merges_them(words, monkeypatch):
    merged = []

    def both(tree, rest):
        ours = merge(tree, rest)
        merged.append((ours, by_hydra(tree, rest)))
        return ours

    merge = settings._merge
    monkeypatch.setattr(settings, "_merge", both)
    compose(*words, site=False)
    ((ours, theirs),) = merged
    assert ours == theirs


def test_a_word_that_names_a_place_in_hydras_way_is_refused():
    with pytest.raises(Refused, match="'slots' cannot be placed with @"):
        compose("slots@data=video", site=False)


@dataclass(frozen=True)
class InAList(Onset):
    bands: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class InASet(Onset):
    bands: frozenset = frozenset()


@dataclass(frozen=True)
class Opens(Onset):
    def __post_init__(self):
        open("/nowhere/weights.pt")


@dataclass(frozen=True)
class OneClass(Onset):
    def heads(self):
        return {"code": Head("class", 1)}


@dataclass(frozen=True)
class Named(Onset):
    def heads(self):
        return {"signal": Head("binary")}


@pytest.mark.parametrize(
    ("cls", "words", "said"),
    [
        (InAList, ("control.bands=[1]",), r"control\.bands is declared as list\[int\].*tuple\[int"),
        (InASet, (), r"^control\.bands: Value 'frozenset' .*declare it as"),
        (OneClass, (), "class"),
        (Named, (), "'signal' cannot name a head"),
    ],
)
def test_a_plugin_that_cannot_be_composed_is_refused_in_one_line(cls, words, said, monkeypatch):
    monkeypatch.setattr(registry, "_added", {})
    registry.add("theirs", cls)
    with pytest.raises(Refused, match=said):
        compose("control=theirs", *words, site=False)


def test_whatever_somebody_elses_class_raises_is_told_with_its_name(monkeypatch):
    monkeypatch.setattr(registry, "_added", {})
    monkeypatch.setattr(Opens, "__module__", "theirs")  # ours raise, so that a mistake of ours is found
    registry.add("theirs", Opens)
    with pytest.raises(Refused, match=r"control: theirs:Opens raised FileNotFoundError: .*/nowhere/weights.pt"):
        compose("control=theirs", site=False)


def test_a_setting_without_a_default_can_be_given(monkeypatch):
    from bench.run import control_name

    @dataclass(frozen=True, kw_only=True)
    class Needs(Onset):
        gain: float

    monkeypatch.setattr(registry, "_added", {})
    registry.add("theirs", Needs)
    with pytest.raises(Refused, match=r"control\.gain is needed"):
        compose("control=theirs", site=False)
    assert control_name(compose("control=theirs", "control.gain=2", site=False)[0]) == "theirs gain=2.0"

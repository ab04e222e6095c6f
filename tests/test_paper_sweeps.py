"""The paper's experiments as sweeps: every word is sourced, every line composes, the doctor says what to put where."""

import re

import pytest
import yaml

from bench import shelf, sweep
from bench.settings import compose

NAMES = ("paper_avsync15", "paper_vggsound")


@pytest.fixture(params=NAMES)
def told(request):
    return shelf.find("sweeps", request.param)


def test_every_word_has_a_source(told):
    text = told.read_text()
    sweep = yaml.safe_load(text)
    own = ("control=", "control.", "predicted=")  # what makes a run another than the next
    common = [w for line in (sweep["common"], *sweep["runs"]) for w in line.split() if not w.startswith(own)]
    sources = dict(re.findall(r"^#   ([a-z_.]+)=\S*\s+(.+)$", text, re.M))
    assert [w for w in common if w.partition("=")[0] not in sources] == []
    stated = re.findall(r"^#   ([a-z_.]+=\S+)", text, re.M)
    assert [s for s in stated if "..." not in s and s not in common and not s.startswith(("control.", "predicted"))] == []
    named = ("paper", "released", "ours", "inferred", "SpecVQGAN", "VGGSound", "ImageBind")
    assert [k for k, v in sources.items() if not v.startswith(named)] == []


def test_every_line_composes_but_those_that_read_a_codec(told):
    lines = [line.words for line in sweep.read(str(told)) if "control=encodec" not in line.words]
    found = [compose(*line, site=False)[0] for line in lines]
    one = next(x for x in found if type(x.control).__name__ == "MelQCD" and x.predicted == "all")
    assert (one.predictor.width, one.predictor.rate, one.predictor.training.lr) == (512, 100, 1.25e-5)
    assert one.controlnet.widths == (16, 32, 64, 128, 256) and (one.sampling.steps, one.sampling.guidance) == (100, 7.5)
    assert len(found) >= 5
    ours = [x for x in found if x.adapter and x.predicted == "all"]  # the paper's whole method
    assert [(type(x.control).__name__, x.inversion.tokens, x.inversion.training.lr) for x in ours] == [("MelQCD", 32, 1e-5)]
    # one predictor and one ControlNet for Mel-QCD with and without pseudo-words
    assert len({(x.predictor, x.controlnet) for x in found}) == 1


def test_the_doctor_says_what_the_paper_needs(tmp_path, monkeypatch):
    from bench.doctor import examine

    monkeypatch.setenv("BENCH_WEIGHTS", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    red = {line.what: f"{line.told} {line.do}" for line in examine(["paper_avsync15"]) if not line.fine}
    wanted = {
        "backbone.path": "auffusion-full-no-adapter",
        "motion.path": "SyncFormer.pt",
        "looks.path": "bench weights fetch clip-vit-large-patch14",
        "judges.melception.path": "train_means_stds_melspec_10s_22050hz.txt",
        "judges.melception.labels": "vggsound.csv",
        "judges.imagebind.path": "imagebind_huge.pth, 4,803 MB",
        "control.path": "bench weights fetch encodec-24khz --to DIR",
        "data.root": "put AVSync15",
    }
    assert {what: word in red.get(what, "") for what, word in wanted.items()} == dict.fromkeys(wanted, True)

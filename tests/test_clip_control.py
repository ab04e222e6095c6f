"""CLIP as a control: the column's rule, embeddings at slots, clips without a picture, and the whole chain with a tiny encoder."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from folders import filled

from bench import artefacts, chain
from bench.backbones import Lab as LabBackbone
from bench.context import Context
from bench.encoders import LabLooks
from bench.encoders import Looks as Clip
from bench.errors import Failed, Refused
from bench.experiment import Experiment
from bench.media import write_mp4
from bench.ragged import Ragged
from bench.record import frame
from bench.response import respond
from bench.run import rows_of, run
from bench.scoring import System, compare
from bench.settings import component, compose
from bench.stages.signals import at_slots
from bench.store import Store
from controls import Batch, load
from controls.clip import column
from controls.contract import check
from melqcd.mel import Lab, MelScale
from melqcd.sampling import DPMSolver
from melqcd.settings import V2X, ControlNet, Training

SCALE = MelScale(bins=32, frames=256)


def test_clip_holds_to_the_contract_with_fewer_and_with_more_numbers_than_bins():
    for looks in (16, 64, 768):
        assert not [f"{rule}: {detail}" for rule, ok, detail in check(load("clip")(), looks=looks) if not ok]


def test_clip_is_made_of_the_video_and_predicts_nothing():
    control = load("clip")()
    assert (control.source, control.heads(), control.carries) == ("video", {}, ("looks",))
    with pytest.raises(ValueError, match="needs looks"):
        control.extract(Batch.of(torch.zeros(1, 16000), Lab()))


def test_a_column_is_a_rank_on_the_normal_curve():
    """Median 3 and deviations 2, 1, 0, 1, 2 (median 1): (number - 3) / 1.4826 on the normal distribution function."""
    found = column(torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])[None, :, None], 5)[0, :, 0]
    assert found[2] == 0.5
    assert found[3].item() == pytest.approx(0.75, abs=1e-3)  # that is what the 1.4826 is for
    assert torch.allclose(found + found.flip(0), torch.ones(5))


def test_zeros_and_constants_are_grey():
    assert (column(torch.zeros(2, 7, 3), 5) == 0.5).all()
    assert (column(torch.full((2, 7, 3), 4.0), 5) == 0.5).all()


@pytest.mark.parametrize("numbers", [5, 64, 100, 768])
def test_every_number_reaches_the_column_and_every_bin_has_one(numbers):
    """A number of 1 among zeros leaves the median at 0: the bins that it lights are those that hold it."""
    lit = torch.stack([column(one[None, :, None], 64)[0, :, 0] > 0.5 for one in torch.eye(numbers)])
    assert lit.any(0).all() and lit.any(1).all()


def test_one_number_far_above_the_rest_does_not_hide_them():
    looks = torch.randn(1, 64, 1, generator=torch.Generator().manual_seed(0))
    loud = looks.clone()
    loud[:, 7] = 1000
    assert (column(loud, 64) - column(looks, 64)).abs()[:, torch.arange(64) != 7].max() < 0.05


def test_a_hint_depends_on_its_own_slot_alone():
    looks = torch.randn(2, 64, 10, generator=torch.Generator().manual_seed(0))
    assert torch.equal(column(looks, 32)[..., 4:6], column(looks[..., 4:6], 32))


def test_a_slot_has_the_frame_that_is_shown_when_it_begins():
    rows = [np.arange(16, dtype=np.float16)[:, None], np.arange(3, dtype=np.float16)[:, None]]
    wave = torch.zeros(2, SCALE.hop * 62)
    at = at_slots(rows, Batch.of(wave, SCALE, step=4))
    assert at[0, :, 0].tolist() == list(range(16))
    assert at[1, :, 0].tolist() == [0, 1, 2] + [0] * 13
    every = at_slots(rows, Batch.of(wave, SCALE, step=1))
    assert every[0, :, 0].tolist() == [k // 4 for k in range(62)]


def tiny(folder: Path) -> Path:
    """A CLIP of 8 numbers with seeded weights, as `save_pretrained` writes it."""
    from bench.lab.networks.encoders import Looks

    torch.manual_seed(0)
    Looks(size=24, patch=8, width=16, layers=1, heads=2, dims=8).build().save_pretrained(folder)
    return folder


def test_an_encoder_reads_a_folder_in_hugging_face_s_layout(tmp_path):
    frames = np.random.default_rng(0).integers(0, 255, (3, 40, 30, 3), np.uint8)
    path = str(tiny(tmp_path / "clip"))
    found = Clip(path).load("cpu")(frames)
    assert found.shape == (3, 8) and found.dtype == np.float32 and np.isfinite(found).all()
    assert np.array_equal(found, LabLooks(path).load("cpu")(frames))
    assert Clip(path).identity() == LabLooks(path).identity()


def test_the_lab_s_encoder_is_the_default_and_another_needs_its_folder():
    x, _ = compose("control=clip", site=False)
    assert x.looks == LabLooks() and x.watches
    x, _ = compose("control=clip", "looks=clip", site=False)
    with pytest.raises(Refused, match=r"looks\.path="):
        x.looks.identity()


def test_looks_are_no_part_of_what_other_controls_are_made_of(tmp_path):
    """Keys of onset are the same whatever the looks; clip's are not, from its signals on."""
    path = str(tiny(tmp_path / "clip"))
    data, data_too = component("data", "lab", "test=2", "train=2"), component("learn", "same")

    def keys(control: str, looks) -> set[str]:
        x = Experiment(
            control=load(control)(), data=data, learn=data_too, scale=SCALE, motion=component("motion", "lab"),
            backbone=component("backbone", "lab"), sampling=DPMSolver(steps=2), judges=(component("judges", "sync"),), looks=looks,
        )  # fmt: skip
        dry = Store(tmp_path / "cache", dry=True)
        chain.scores(x, dry)
        chain.cost(x, dry)
        return {a.key for a in dry.asked}

    lab, other = LabLooks(), Clip(path)
    assert keys("onset", lab) == keys("onset", other)
    both = keys("clip", lab) & keys("clip", other)
    assert {k.partition("-")[0] for k in both} == {"world", "clips", "latents", "judge"}
    assert not any(k.startswith(("predictor", "hints")) for k in keys("clip", lab))


# ---- the whole chain ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def x(tmp_path_factory) -> Experiment:
    """Four test and four training clips of the lab as a folder, and in each split one sound without a picture."""
    from bench.lab.networks.diffusion import Diffusion
    from bench.lab.networks.vae import VAE
    from bench.lab.world import KINDS

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("nets")
    labels = [kind.prompt for kind in KINDS]
    vae = VAE(widths=(8, 16, 16)).build()
    Diffusion(widths=(16, 32), words=16).begin(vae, labels, SCALE, tmp_path_factory.mktemp("tokens")).save(folder / "backbone")
    store = Store(tmp_path_factory.mktemp("world"), Context(quiet=True, workers=1, threads=1))
    world = Path(chain.rooted(component("data", "lab", "test=4", "train=4"), store).root)
    root = filled(tmp_path_factory.mktemp("data"), world, lambda n: labels[0])
    return Experiment(
        control=load("clip")(),
        data=component("data", "folder", f"root={root}"),
        learn=component("learn", "same"),
        scale=SCALE,
        motion=component("motion", "lab"),
        backbone=LabBackbone(str(folder / "backbone")),
        sampling=DPMSolver(steps=2),
        judges=(component("judges", "sync"),),
        looks=LabLooks(str(tiny(folder / "looks"))),
        predictor=V2X(width=16, depth=1, heads=2, bias=8, training=Training(steps=2, batch=2)),
        controlnet=ControlNet(widths=(8, 16), training=Training(steps=2, batch=2)),
    )


@pytest.fixture(scope="module")
def done(x, tmp_path_factory):
    results = tmp_path_factory.mktemp("results")
    store = Store(results / "cache", Context(quiet=True, workers=1, threads=1), deferred=True)
    run(rows_of([x]), store, results, ["control=clip"])
    return results, store


def test_one_row_stands_for_true_and_predicted(done):
    results, _ = done
    found = frame(results).set_index("experiment.name")
    assert set(found.index) == {"none", "clip", "oracle", "reference"}
    assert found.loc["clip", "scores.onset_acc.condfoley.value"] >= 0
    assert (found.loc["clip", "facts.codes"], found.loc["clip", "facts.measured.carried.looks"]) == (1, 8)
    assert found.loc["oracle", "facts.measured.carried.mel"] == 32 * 4


def test_nothing_is_predicted_from_motion(done):
    _, store = done
    made = [name.rpartition("-")[0] for name in store.made]
    assert not {"predictor", "hints"} & set(made)
    assert (made.count("features"), made.count("signals"), made.count("controlnet")) == (1, 2, 2)


def test_a_clip_without_a_picture_is_left_out_and_counted(done):
    results, store = done
    found = frame(results).set_index("experiment.name")
    assert found["facts.no_hint"].to_dict() | {"reference": 0} == {"none": 0, "clip": 1, "oracle": 0, "reference": 0}
    assert found.loc["clip", "scores.onset_acc.condfoley.n"] == 4
    assert found.loc["none", "scores.onset_acc.condfoley.n"] == 5
    folders = {store.find(a.key) for a in store.asked if a.stage == "signals"}
    (clips,) = (f for f in folders if (f / "skipped.json").exists())
    assert json.loads((clips / "skipped.json").read_text()) == {"no picture": ["heard_test", "heard_train"]}
    assert len(Ragged(clips, "looks")) == json.loads((clips / "signal.json").read_text())["clips"] == 8


def test_signals_are_the_features_of_the_clip_s_own_frames(done, x):
    _, store = done
    truth = next(store.find(a.key) for a in store.asked if a.stage == "signals" and (store.find(a.key) / "skipped.json").exists())
    features = next(store.find(a.key) for a in store.asked if a.stage == "features")
    signal, seen = Ragged(truth, "looks"), Ragged(features, "looks")
    assert list(signal) == [i for i in signal if i in seen]
    for id in signal:
        assert np.array_equal(signal[id], seen[id][: len(signal[id])])


def test_wrong_looks_are_clips_that_have_a_picture(done, x):
    results, _ = done
    store = Store(results / "cache", Context(quiet=True, workers=1, threads=1), deferred=True)
    assert [s.name for s in respond(x, store).systems] == ["true", "shuffled", "shifted", "zeroed"]


def test_a_predicted_signal_too_leaves_out_what_has_no_picture(x, done):
    results, _ = done
    store = Store(results / "cache", Context(quiet=True, workers=1, threads=1), deferred=True)
    scores = store.need(chain.scores(replace(x, control=load("onset")(), motion=x.looks), store))
    assert json.loads((scores / "scores.json").read_text())["onset_acc.condfoley"]["n"] == 4


def test_a_set_of_fewer_clips_is_not_compared(tmp_path):
    """A Fréchet distance grows as its clips get fewer, so a row that leaves clips out has no difference in it."""

    def system(name: str, n: int) -> System:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "rows.csv").write_text("clip,sample,metric,value,status\n")
        (folder / "without.json").write_text(json.dumps({"fid.lab": [1.0, 2.0, 3.0]}))
        return System(name, {"fid.lab": {"value": 2.0, "n": n}}, folder)

    whole, other, fewer = system("whole", 5), system("other", 5), system("fewer", 4)
    assert [c.metric for c in compare([whole, other])] == ["fid.lab"]
    assert compare([whole, fewer]) == []


def test_sound_alone_cannot_teach_what_is_made_of_the_video(x, tmp_path):
    import soundfile

    for split in ("train", "test"):
        (tmp_path / split / "dog").mkdir(parents=True)
        soundfile.write(tmp_path / split / "dog" / f"{split}.wav", np.sin(np.arange(16000) / 9).astype(np.float32), 16000)
    store = Store(tmp_path / "cache", Context(quiet=True, workers=1, threads=1))
    clips = chain.decoded(component("data", "folder", f"root={tmp_path}", "labels=folders"), store)
    looks = store(artefacts.features, "looks", x.looks, clips)
    with pytest.raises(Failed, match="no clip has a picture"):
        store(artefacts.signals, x.control, x.scale, x.step, clips, looks)


def test_as_many_clips_as_max_bad_allows_may_have_pictures_that_later_fail(x, tmp_path):
    """What a data set tolerates is no part of a key, and holds for the clips whose pictures turn out to be damaged behind the first."""
    (tmp_path / "there").mkdir()
    for k in range(8):
        pictures = np.random.default_rng(k).integers(0, 255, (25, 32, 32, 3), np.uint8)
        write_mp4(tmp_path / "there" / f"c{k}.mp4", pictures, 25, np.sin(np.arange(16000) / 9).astype(np.float32), 16000)
    store = Store(tmp_path / "cache", Context(quiet=True, workers=1, threads=1))
    chain.decoded(component("data", "folder", f"root={tmp_path / 'there'}"), store)
    (tmp_path / "there").rename(tmp_path / "moved")  # decoded once; a data set may lie elsewhere when its pictures are asked for
    broken = tmp_path / "moved" / "c3.mp4"
    broken.write_bytes(broken.read_bytes()[:2000].ljust(broken.stat().st_size, b"\0"))

    def seen(*more: str):
        clips = chain.decoded(component("data", "folder", f"root={tmp_path / 'moved'}", *more), store)
        return store(artefacts.features, "looks", x.looks, clips)

    with pytest.raises(
        Failed, match=r"of 1 of 8 clips .* more than data\.max_bad=0\.01 allows: .*c3\.mp4.*; data\.max_bad=0\.125 goes on"
    ):
        seen()
    store.forget_failures()
    made = seen("max_bad=0.125")
    assert list(json.loads((made / "skipped.json").read_text())["undecodable"]) == ["c3"]
    assert len(Ragged(made, "looks")) == 7

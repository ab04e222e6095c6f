"""The lab's judges and encoders in miniature: trained for two steps on thirty clips, then loaded as the harness loads them."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from by_hand import made

from bench.context import Context
from bench.data.lab import Lab as Clips
from bench.errors import Refused
from bench.judges import lab_ears, lab_pair
from bench.judges.lab import Lab, load_classifier
from bench.judges.view import View
from bench.lab.networks import contrast, hearing, views
from bench.lab.networks.classifier import Classifier, classifier
from bench.lab.networks.encoders import Looks, Motion, load_motion, looks, motion
from bench.lab.networks.pair import Pair, pair
from bench.lab.networks.prime import prime
from bench.lab.networks.wear import worn
from bench.lab.pools import Pool, pool
from bench.media import write_mp4, write_wav
from bench.ragged import Ragged
from bench.sounds import Sounds
from melqcd.mel import Lab as LabScale
from melqcd.mel import log_mel
from melqcd.settings import Training
from melqcd.visual import load_looks, looks_features

LITTLE = Training(steps=2, batch=4, lr=1e-3)
QUIET = Context(quiet=True, workers=1)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return made(pool, tmp_path_factory.mktemp("pool"), Clips(pool="judges", train=20, test=30), LabScale(), 24)


@pytest.fixture(scope="module")
def folder(data, tmp_path_factory):
    """Both judges, as `judges.lab.path` takes them."""
    root = tmp_path_factory.mktemp("judges")
    small = Classifier(width=16, layers=1, heads=2, training=LITTLE)
    shutil.copytree(made(classifier, root / "a", small, data), root / "weights" / "classifier")
    shutil.copytree(
        made(pair, root / "b", Pair(size=24, width=16, what=8, when=4, training=LITTLE), data), root / "weights" / "pair"
    )
    return root / "weights"


@pytest.fixture
def sounds(tmp_path):
    """A film, a sound without a picture, one longer than a window and one that is silent."""
    rng = np.random.default_rng(0)
    place = tmp_path / "sounds"
    place.mkdir()
    noise = (0.1 * rng.standard_normal(90000)).astype(np.float32)
    write_mp4(place / "film.mp4", rng.integers(0, 255, (30, 48, 64, 3), np.uint8), 25, noise[:19200], 16000)
    write_wav(place / "short.wav", noise[:8000], 16000)
    write_wav(place / "long.wav", noise, 16000)
    write_wav(place / "silent.wav", np.zeros(16000, np.float32), 16000)
    opened = Sounds.open(place)
    return View(opened, tuple(opened.ids))


def heard(judge, sounds, out):
    out.mkdir()
    judge.listen(QUIET, sounds, out)
    return {name: Ragged(out, name) for name in judge.provides}


def test_the_judge_gives_what_it_promises_for_every_clip(folder, sounds, tmp_path):
    judge = Lab(path=str(folder))
    found = heard(judge, sounds, tmp_path / "heard")
    assert set(found) == {"features", "logits", "audio_embedding", "video_embedding"}
    assert judge.classes()[2] == "bouncing ball" and len(judge.classes()) == 15
    for name, (dtype, tail) in judge.provides.items():
        rows = {id: found[name][id].shape for id in sounds.ids}
        empty = name == "video_embedding"
        assert rows == {id: (int(id == "film" or not empty), *tail) for id in sounds.ids}
        assert found[name]["film"].dtype == dtype and np.isfinite(found[name]["film"]).all()


def test_a_clip_is_judged_alike_alone_and_among_others(folder, sounds, tmp_path):
    judge = Lab(path=str(folder))
    together = heard(judge, sounds, tmp_path / "together")
    alone = heard(judge, sounds.only("long"), tmp_path / "alone")
    for name in ("features", "logits", "audio_embedding"):
        np.testing.assert_allclose(alone[name]["long"], together[name]["long"], atol=1e-5)  # sums in another order


def test_the_judge_ignores_loudness(folder, sounds, tmp_path):
    quiet = tmp_path / "quiet"
    quiet.mkdir()
    write_wav(quiet / "long.wav", 0.25 * sounds.load("long", 16000), 16000)
    opened = Sounds.open(quiet)
    judge = Lab(path=str(folder))
    here, there = (heard(judge, v, tmp_path / n) for v, n in ((sounds.only("long"), "a"), (View(opened, ("long",)), "b")))
    np.testing.assert_allclose(here["logits"]["long"], there["logits"]["long"], atol=2e-2)  # 16-bit files


def test_the_judges_identity_is_its_weights_and_not_their_place(folder, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(folder, moved)
    assert Lab(path=str(moved)).identity() == Lab(path=str(folder)).identity()
    (moved / "pair" / "card.json").write_text("{}")
    assert Lab(path=str(moved)).identity() == Lab(path=str(folder)).identity()
    config = json.loads((moved / "pair" / "config.json").read_text())
    (moved / "pair" / "config.json").write_text(json.dumps({**config, "share": 0.25}))
    assert Lab(path=str(moved)).identity() != Lab(path=str(folder)).identity()


def test_a_missing_classifier_is_refused_by_name(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "w")
    shutil.rmtree(tmp_path / "w" / "classifier")
    with pytest.raises(Refused, match="holds no classifier"):
        Lab(str(tmp_path / "w")).identity()


def test_without_a_pair_there_are_no_embeddings(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "w")
    whole = Lab(str(tmp_path / "w"))
    before = set(whole.provides), whole.identity()
    shutil.rmtree(tmp_path / "w" / "pair")
    assert before[0] - set(whole.provides) == {"audio_embedding", "video_embedding"}
    assert whole.identity() != before[1]


def test_damaged_and_foreign_weights_are_refused_by_name(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "w")
    for part in ("classifier", "pair"):
        file = tmp_path / "w" / part / "model.safetensors"
        file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(Refused, match="classifier"):
        load_classifier(tmp_path / "w" / "classifier")
    with pytest.raises(ValueError, match="pair"):
        lab_pair.load_pair(tmp_path / "w" / "pair")
    shutil.copy(folder / "pair" / "model.safetensors", tmp_path / "w" / "pair")
    told = json.loads((folder / "pair" / "config.json").read_text())
    (tmp_path / "w" / "pair" / "config.json").write_text(json.dumps({**told, "width": 32}))
    with pytest.raises(ValueError, match="of another shape"):
        lab_pair.load_pair(tmp_path / "w" / "pair")
    (tmp_path / "w" / "pair" / "config.json").write_text(json.dumps({k: v for k, v in told.items() if k != "share"}))
    with pytest.raises(Refused, match="judges.lab.path.*lacks share"):
        Lab(str(tmp_path / "w")).provides  # noqa: B018


def test_the_towers_carry_imagebinds_names(shared):
    from bench.judges.towers import Ears, Eyes, Towers

    told = json.loads((shared / "goldens/checkpoints/manifests/imagebind_huge.json").read_text())["entries"]
    published = {k for k in told if ".vision." in k or ".audio." in k}
    blocks = (
        {k.split(".")[3] for k in published if ".vision.blocks." in k},
        {k.split(".")[3] for k in published if ".audio.blocks." in k},
    )
    assert (len(blocks[0]), len(blocks[1])) == (Eyes().blocks, Ears().blocks)
    small = Towers(Eyes(width=16, heads=2, blocks=32, size=28), Ears(width=8, heads=2), dims=4)
    assert set(small.state_dict()) == published
    assert Eyes().tokens + 1 == told["modality_preprocessors.vision.pos_embedding_helper.pos_embed"]["shape"][1]
    assert Ears().tokens + 1 == told["modality_preprocessors.audio.pos_embedding_helper.pos_embed"]["shape"][1]


def test_the_motion_encoder_is_loaded_as_the_harness_loads_it(data, tmp_path):
    shape = Motion(size=24, patch=8, window=4, width=16, blocks=1, heads=2, dims=8, pictures=4, training=LITTLE)
    out = made(motion, tmp_path, shape, data)
    frames = np.random.default_rng(0).integers(0, 255, (10, 96, 96, 3), np.uint8)
    found = load_motion(out, "cpu")[0](frames)
    assert found.shape == (10, 16) and found.dtype == np.float32 and np.isfinite(found).all()
    assert json.loads((out / "card.json").read_text())["steps"] == 2


def test_the_encoder_of_looks_is_loaded_as_the_harness_loads_it(data, tmp_path):
    out = made(looks, tmp_path, Looks(size=24, patch=8, width=16, layers=1, heads=2, dims=8, training=LITTLE), data)
    frames = np.random.default_rng(0).integers(0, 255, (3, 96, 96, 3), np.uint8)
    assert looks_features(load_looks(out), frames).shape == (3, 8)


def test_encoders_of_video_never_see_a_label(data, tmp_path, monkeypatch):
    monkeypatch.setattr(Pool, "label", property(lambda _: pytest.fail("a label was read")), raising=False)
    shape = Motion(size=24, patch=8, window=4, width=16, blocks=1, heads=2, dims=8, pictures=4, training=LITTLE)
    made(motion, tmp_path / "motion", shape, data)
    made(looks, tmp_path / "looks", Looks(size=24, patch=8, width=16, layers=1, heads=2, dims=8, training=LITTLE), data)


def test_a_window_beyond_a_clips_end_stands_still():
    frames = torch.arange(10)[None, :, None]
    found = views.windows(frames, torch.tensor([[0, 5, 9]]), 4)[..., 0]
    assert found.tolist() == [[[0, 0, 0, 1], [3, 4, 5, 6], [7, 8, 9, 9]]]
    cut = views.windows(frames, torch.tensor([[2, 6]]), 4, (torch.tensor([2]), torch.tensor([6])))[..., 0]
    assert cut.tolist() == [[[2, 2, 2, 3], [4, 5, 6, 6]]]


def test_pictures_vary_within_bounds_and_by_seed_alone():
    frames = torch.from_numpy(np.random.default_rng(0).integers(0, 255, (3, 2, 24, 24, 3), np.uint8))
    once, twice = (views.varied(frames, torch.Generator().manual_seed(1)) for _ in range(2))
    assert once.shape == (3, 3, 2, 24, 24) and torch.equal(once, twice)
    assert not torch.equal(once, views.varied(frames, torch.Generator().manual_seed(2)))
    grey = views.varied(torch.full((4, 1, 8, 8, 3), 128, dtype=torch.uint8), torch.Generator().manual_seed(0))
    assert (grey / (128 / 255) - 1).abs().max() <= 1.15 * 1.05 - 1 + 1e-6  # contrast leaves a plain picture as it is


def test_the_right_shift_is_the_one_unmoved():
    torch.manual_seed(0)
    sound = contrast.changing(torch.randn(4, 40, 16))
    at = torch.rand(4, 30).argsort(1)[:, :12] + 5
    own = sound[torch.arange(4)[:, None], at] @ sound.mT
    assert contrast.shifted(own, at, 6).argmax(-1).tolist() == [6] * 4
    assert contrast.among_shifts(20 * own, at, 6).max() < 0.1
    assert contrast.among_slots(20 * own, at).max() < 1 < contrast.among_slots(20 * own, (at + 3) % 40).min()


def test_a_shift_out_of_the_clip_costs_nothing():
    own = torch.ones(1, 2, 5)
    assert torch.equal(contrast.shifted(own, torch.tensor([[0, 4]]), 4), torch.ones(1, 9))


def test_the_first_layer_tells_what_is_there_from_what_moves():
    torch.manual_seed(0)
    still = torch.rand(40, 3, 1, 8, 8).expand(-1, -1, 4, -1, -1)
    moving = still + 0.05 * torch.randn(40, 3, 4, 8, 8)
    proj, place = torch.nn.Conv3d(3, 8, (2, 4, 4), (2, 4, 4)), torch.nn.Parameter(torch.zeros(1, 5, 8))
    prime(proj, moving, [place])
    with torch.no_grad():
        assert proj(still)[:, 4:].abs().max() < 0.1 < proj(moving)[:, 4:].std()
        assert 0.2 < float(proj(moving)[:, :4].std()) < 0.8 and place.std() > 0.05


def test_worn_sound_keeps_its_spectrum_and_its_length():
    t = torch.arange(40960) / 16000
    wave = torch.stack([torch.sin(2 * torch.pi * f * t) * (-4 * t).exp() for f in (300.0, 2500.0)])
    samples = torch.tensor([40960, 20000])
    wave[1, 20000:] = 0
    old = worn(wave, samples, LabScale(), torch.Generator().manual_seed(0))
    assert old.shape == wave.shape and not old[1, 20000:].any() and old.abs().amax(-1).allclose(torch.tensor(0.95))
    loudest = [log_mel(w, LabScale(), samples=samples)[:, :, :100].mean(-1).argmax(-1) for w in (wave, old)]
    assert (loudest[0] - loudest[1]).abs().max() <= 1


def test_worn_rows_follow_the_whole_ones(data):
    clips = Pool(data)
    rows = hearing.rows_and_worn(clips, 4)
    assert (
        rows[:50].tolist() == list(range(50))
        and rows[50:55].tolist() == [0, 4, 8, 12, 16]
        and rows[55:].tolist() == list(clips.test)
    )
    assert len(hearing.rows_and_worn(clips, 0)) == 50


def test_a_long_sound_is_heard_in_windows_from_end_to_end():
    wave = np.arange(100_000, dtype=np.float32)
    parts = lab_ears.windows(wave, 256)
    assert [len(p) for p in parts] == [41200] * 3 and parts[0][0] == 0 and parts[-1][-1] == 99_999
    assert len(lab_ears.windows(wave[:41_960], 256)) == 1 and len(lab_ears.windows(wave[:100], 256)) == 1


def test_silence_and_a_blink_of_sound_are_legal():
    assert np.ptp(lab_ears.heard(np.zeros(16000), 64, 256)[:90]) == 0
    assert lab_ears.heard(np.zeros(10), 64, 256).shape == (256, 64)


@pytest.mark.parametrize("wrong", [{"what": 0}, {"grain": 5}, {"share": 1.5}])
def test_a_pair_that_cannot_be_built_is_refused(wrong):
    with pytest.raises(ValueError, match="divide|at least 1"):
        replace(Pair(), **wrong).shape()

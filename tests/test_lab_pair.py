"""The lab's pair of a sound and a picture: in miniature, as it is taught; and the one that came along, as it judges."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from by_hand import made

from bench.context import Context
from bench.data.lab import Lab as Clips
from bench.judges import lab_pair
from bench.judges.lab import Lab
from bench.judges.pair_net import Told
from bench.judges.view import View
from bench.lab.clip import make_clip
from bench.lab.networks import contrast
from bench.lab.networks.pair import Pair, pair, surprise
from bench.lab.pools import pool
from bench.media import write_mp4, write_wav
from bench.metrics.imagebind import cosine
from bench.ragged import Ragged
from bench.sounds import Sounds
from bench.weights import LAB
from melqcd.mel import Lab as LabScale
from melqcd.settings import Training

LITTLE = Training(steps=2, batch=4, lr=1e-3)
SMALL = Pair(size=24, width=16, what=8, when=4, training=LITTLE)
QUIET = Context(quiet=True, workers=1)


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """(clips, the pair taught with them), in miniature."""
    root = tmp_path_factory.mktemp("taught")
    clips = made(pool, root / "pool", Clips(pool="judges", train=20, test=30), LabScale(), 24)
    return clips, made(pair, root / "pair", SMALL, clips)


def heard(place, waves, films=None, path=""):
    """What the lab's judge says of `waves` {id: samples at 16 kHz}, with `films` {id: frames} where they have a picture."""
    place.mkdir()
    for id, wave in waves.items():
        film = (films or {}).get(id)
        if film is None:
            write_wav(place / f"{id}.wav", wave, 16000)
        else:
            write_mp4(place / f"{id}.mp4", film, 25, wave, 16000)
    opened, out, judge = Sounds.open(place), place / "out", Lab(path=path)
    out.mkdir()
    judge.listen(QUIET, View(opened, tuple(opened.ids)), out)
    return {name: Ragged(out, name) for name in ("audio_embedding", "video_embedding")}


def test_labels_change_nothing_that_is_learnt(taught, tmp_path):
    clips, found = taught
    other = tmp_path / "clips"
    shutil.copytree(clips, other)
    np.save(other / "label.npy", np.load(clips / "label.npy")[::-1].copy())
    again = made(pair, tmp_path / "pair", SMALL, other)
    for name in ("model.safetensors", "config.json"):
        assert (again / name).read_bytes() == (found / name).read_bytes()


def test_an_embedding_is_what_and_when_of_a_whole_clip(taught, tmp_path):
    folder = tmp_path / "weights"
    shutil.copytree(LAB / "classifier", folder / "classifier")
    shutil.copytree(taught[1], folder / "pair")
    noise = (0.1 * np.random.default_rng(0).standard_normal(90_000)).astype(np.float32)
    waves = {"long": noise, "short": noise[:8000], "silent": np.zeros(16000, np.float32), "blink": noise[:100]}
    still = np.full((70, 48, 64, 3), 90, np.uint8)
    told = heard(tmp_path / "sounds", waves | {"film": noise[:20000]}, {"film": still}, str(folder))
    for id in (*waves, "film"):
        row = told["audio_embedding"][id]
        assert row.shape == (1, 8 + 16 * 4) and np.isfinite(row).all()
        assert np.square(row[0, :8]).sum() == pytest.approx(0.5, abs=1e-5)
        assert np.square(row[0, 8:]).sum() == pytest.approx(0 if id in ("silent", "blink") else 0.5, abs=1e-3)
    film = told["video_embedding"]["film"]
    assert film.shape == (1, 72) and np.isfinite(film).all() and len(told["video_embedding"]["long"]) == 0


def test_a_longer_clip_is_laid_over_its_beginning():
    torch.manual_seed(0)
    found = torch.randn(1, 10, 3)
    moved = (found - found.mean(1, keepdim=True))[0]
    torch.testing.assert_close(lab_pair.folded(found, 10, 1)[0], (moved / moved.norm()).flatten())
    laid = moved[:4] + moved[4:8] + torch.cat([moved[8:], torch.zeros(2, 3)])
    torch.testing.assert_close(lab_pair.folded(found, 4, 1).view(4, 3), laid / laid.norm())
    coarse = torch.stack([laid[:2].sum(0), laid[2:].sum(0)])
    torch.testing.assert_close(lab_pair.folded(found, 4, 2).view(2, 3), coarse / coarse.norm())
    assert not lab_pair.folded(torch.ones(1, 7, 3), 4, 1).any()  # nothing changes


def test_a_sounds_end_is_not_heard():
    found = lab_pair.continued(np.arange(256)[:, None], 20_000)  # 123 frames lie wholly inside
    assert found[:123, 0].tolist() == list(range(123)) and set(found[123:, 0].tolist()) == {122}
    assert lab_pair.continued(np.arange(4)[:, None], 10)[:, 0].tolist() == [0, 0, 0, 0]
    assert [lab_pair.slots_of(n) for n in (40_960, 40_900, 41_500, 0)] == [64, 64, 65, 1]


def test_a_cosine_is_shared_between_what_and_when():
    torch.manual_seed(0)
    told, size = Told(torch.randn(2, 12, 8), torch.randn(2, 12, 3)), replace(Pair(), slots=12, share=0.3).shape()
    (one, other), (what, also), (slots, moved) = (
        lab_pair.embedding(told, replace(size, share=share)) for share in (0.3, 0.0, 1.0)
    )
    assert float(one @ other) == pytest.approx(0.7 * float(what @ also) + 0.3 * float(slots @ moved), abs=1e-6)
    assert float(one.norm()) == pytest.approx(1, abs=1e-6)


def test_the_right_sound_at_the_right_time_costs_least():
    torch.manual_seed(0)
    seen = torch.nn.functional.normalize(torch.randn(5, 40 * 4), dim=-1).view(5, 40, 4)

    def cost(sound):
        return float(contrast.among_moments(seen, sound, torch.tensor(30.0), 6).mean())

    assert cost(seen) < 0.01
    assert cost(seen.roll(3, 1)) > 10 and cost(seen.roll(1, 0)) > 10  # the right sound too late, another's sound
    assert surprise(seen.flatten(1), seen.flatten(1)) < 0.01 < 1 < surprise(seen.flatten(1), seen.flatten(1).roll(1, 0))


def test_the_shipped_judge_tells_a_late_sound_and_another_clips_from_the_right_one(tmp_path):
    """Clips 0 ... 14 of the lab's test split are one of each class, and 15 ... 29 another of each."""
    clips = {f"c{i:02d}": make_clip(Clips(), "test", i)[:2] for i in range(30)}
    waves = {id: wave for id, (wave, _) in clips.items()}
    told = heard(tmp_path / "right", waves, {id: film for id, (_, film) in clips.items()})
    late = heard(tmp_path / "late", {id: np.pad(wave, (3200, 0))[:-3200] for id, wave in waves.items()})  # by 0.2 s

    def alike(one, other, apart=0):
        ids = list(waves)
        each = zip(ids, ids[apart:] + ids[:apart], strict=True)
        return np.mean([cosine(told[f"{one}_embedding"][a], other[b])[0] for a, b in each])

    sound, moved = told["audio_embedding"], late["audio_embedding"]
    right, same_class, another = (alike("video", sound, apart) for apart in (0, 15, 7))
    assert right > same_class + 0.1 and same_class > another + 0.1
    assert right > alike("video", moved) + 0.1
    assert alike("audio", sound) == pytest.approx(1) and another < alike("audio", moved) < 0.9

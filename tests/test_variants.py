"""The published code where it departs from the paper: what each departure does to numbers, and all of them as one word."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from bench import chain
from bench.context import Context
from bench.errors import Refused
from bench.identity import digest
from bench.ragged import RaggedWriter
from bench.settings import compose, expand
from bench.stages.predict import Pairs
from bench.store import Store
from bench.variants import Released
from controls import load
from controls.melqcd import MelQCD
from melqcd.heads import Head
from melqcd.inversion import InversionAdapter, dropped
from melqcd.mel import MelScale
from melqcd.predictor import V2X, Predictor
from melqcd.resample import late, to_columns
from melqcd.sampling import DPMSolver, chance
from melqcd.settings import Adapter

CLIPS = ["184825_0", "185302_0", "191517_0", "194394_0"]


def signal(slots=64, seed=0):
    at = torch.Generator().manual_seed(seed)
    codes = torch.randint(0, 81, (1, 2, slots), generator=at)
    return {"code": codes, **{k: torch.rand(1, 1, slots, generator=at) / 4 for k in ("energy", "deviation")}}


# ---- hints -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("clip", CLIPS)
def test_hints_of_a_real_clip_are_the_released_ones(clip, shared):
    golden = np.load(shared / f"goldens/checkpoints/control_direct_{clip}.npz")
    found = {"code": torch.from_numpy(golden["code"].T)[None].long()}
    found |= {k: torch.from_numpy(golden[name])[None, None] for k, name in (("energy", "Mean"), ("deviation", "Std"))}
    released = MelQCD(composed="twice", skew=24)
    true = released.used("true").render(found, MelScale())[0] * 2 - 1
    np.testing.assert_allclose(true, golden["control_released_gt"], atol=1e-5)
    predicted = released.render(found, MelScale())[0] * 2 - 1
    # a released prediction ends with column 999, the picture with 1023: the sound is cut before that, and our hints are black there
    np.testing.assert_allclose(predicted[:, :1000], golden["control_released_perfect_prediction"][:, :1000], atol=1e-5)
    assert (predicted - true).abs().max() > 0.05


def test_a_prediction_is_composed_as_the_released_predictor_saves_it(shared):
    golden = np.load(shared / "goldens/checkpoints/melqcd_codepredictor.npz")
    mean, std = (torch.from_numpy(golden["mean_std"])[..., i] for i in (0, 1))
    codes = torch.from_numpy(golden["codes"]).long()
    codes = codes if codes.shape[1] == 2 else codes.transpose(1, 2)
    given = {"code": codes, "energy": mean[:, None], "deviation": std[:, None]}
    found = MelQCD(composed="twice").render(given, MelScale(frames=1000))[:, ::32]
    saved = torch.from_numpy(golden["emb_pred"])
    saved = saved if saved.shape[1] == 8 else saved.transpose(1, 2)
    expected = (mean[:, None] + std[:, None] * saved).clamp(0, 1)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    assert expected.std() > 0.05


def test_twice_composed_is_energy_plus_deviation_times_what_once_gives():
    given = {"code": torch.full((1, 2, 64), 80), "energy": torch.full((1, 1, 64), 0.3), "deviation": torch.full((1, 1, 64), 0.2)}
    scale = MelScale(bins=64, frames=256)
    assert MelQCD().render(given, scale).unique().tolist() == pytest.approx([0.3 + 0.2])  # code 80: every level is 1
    assert MelQCD(composed="twice").render(given, scale).unique().tolist() == pytest.approx([0.3 + 0.2 * (0.3 + 0.2)])


@pytest.mark.parametrize("skew", [0, 1, 6, 24])
def test_a_skew_moves_an_onset_at_the_end_by_exactly_that_many_frames(skew):
    frames, onset = 256, 256 - 1 - skew
    given = {"code": torch.full((1, 2, frames), 40), "energy": torch.zeros(1, 1, frames), "deviation": torch.zeros(1, 1, frames)}
    given["energy"][..., onset:] = 1
    hint = MelQCD(skew=skew).render(given, MelScale(bins=64, frames=frames))[0]
    assert int(hint[0].argmax()) == onset + skew
    given["energy"][..., 0] = 1
    assert MelQCD(skew=skew).render(given, MelScale(bins=64, frames=frames))[0, 0, 0] == 1  # the beginning stays


def test_a_skew_leaves_the_shape_in_its_place():
    given = signal()
    given["energy"][:], given["deviation"][:] = 0.5, 0.25
    scale = MelScale(bins=64, frames=256)
    torch.testing.assert_close(MelQCD(skew=24).render(given, scale), MelQCD().render(given, scale), atol=0, rtol=0)


def test_lateness_grows_along_the_picture():
    found = late(to_columns(torch.arange(256.0), 1024), 24)
    assert found[0] == 0 and found[512] == (512 * 999 // 1023) // 4 and found[1023] == 999 // 4
    with pytest.raises(ValueError, match="skew must be below the 8 frames"):
        late(torch.zeros(8), 8)


# ---- the predictor ---------------------------------------------------------------------------------------------------------------


def small(**settings):
    torch.manual_seed(0)
    return Predictor(V2X(width=16, depth=1, heads=2, bias=8, dropout=0.0, **settings), 4, {"energy": Head("scalar")})


def test_only_the_first_quarter_of_a_clip_teaches():
    features, valid = torch.randn(2, 16, 4), torch.ones(2, 16, dtype=torch.bool)
    valid[1, 8:] = False
    target = {"energy": torch.randn(2, 1, 16)}
    net = small(supervised=0.25)
    before = net.loss(features, target, valid)
    later = {"energy": target["energy"].clone()}
    later["energy"][0, :, 4:], later["energy"][1, :, 2:] = 9, 9
    assert torch.equal(net.loss(features, later, valid), before)
    later["energy"][1, :, 1] = 9
    changed = net.loss(features, later, valid)
    assert changed[0] == before[0] and changed[1] != before[1]
    assert not torch.equal(small().loss(features, later, valid), small().loss(features, target, valid))


def test_the_first_quarter_weighs_as_much_as_the_whole_would():
    features, valid = torch.randn(1, 16, 4), torch.ones(1, 16, dtype=torch.bool)
    net = small(supervised=0.25)
    error = (net(features)["energy"][0, 0, :4]).square().mean()
    torch.testing.assert_close(net.loss(features, {"energy": torch.zeros(1, 1, 16)}, valid)[0], error)


def test_padding_as_target_is_what_the_release_saves_beyond_a_clip(shared):
    padding = MelQCD().padding()
    for clip in CLIPS:
        golden = np.load(shared / f"goldens/checkpoints/control_direct_{clip}.npz")
        beyond = np.abs(golden["mel"]).max(0) == 0
        assert beyond[1000:].all()
        np.testing.assert_array_equal(golden["code"][beyond], padding["code"])
        np.testing.assert_allclose(golden["Mean"][beyond], padding["energy"], atol=1e-6)
        np.testing.assert_allclose(golden["Std"][beyond], padding["deviation"], atol=1e-6)


def test_padding_is_taught_where_it_is_a_target_and_ignored_otherwise(tmp_path):
    given = {"code": (2, "int32"), "energy": (1, "float32"), "deviation": (1, "float32"), "motion": (3, "float32")}
    for name, (n, kind) in given.items():
        with RaggedWriter(tmp_path, name, dtype=kind, tail=(n,)) as writer:
            writer.add("short", np.full((5, n), 2, kind))
    (tmp_path / "signal.json").write_text(json.dumps({"step": 4}))
    clean, padded = (Pairs(MelQCD(), tmp_path, tmp_path, 8, None, padded=p).of(["short"]) for p in (False, True))
    assert clean["valid"].sum() == 5 and padded["valid"].all()
    assert padded["code"][0, 0].tolist() == [2] * 5 + [0] * 3
    assert padded["energy"][0, 0].tolist() == pytest.approx([2] * 5 + [0.684827] * 3, abs=1e-5)
    assert clean["energy"][0, 0, 5:].tolist() == padded["deviation"][0, 0, 5:].tolist() == [0] * 3


@pytest.mark.parametrize("wrong", [{"supervised": 0.0}, {"supervised": 1.5}, {"padding": "taught"}])
def test_impossible_predictors_are_refused(wrong):
    with pytest.raises(ValueError, match="supervised is a share"):
        V2X(**wrong)


def test_an_impossible_hint_is_refused():
    with pytest.raises(ValueError, match="skew must be 0 or more"):
        MelQCD(skew=-1)
    with pytest.raises(ValueError, match="composed"):
        MelQCD(composed="thrice")


# ---- pseudo-words ----------------------------------------------------------------------------------------------------------------


def test_live_dropout_differs_from_call_to_call_and_agrees_for_the_same_seed_and_clip():
    torch.manual_seed(0)
    net, seen = InversionAdapter(8, 6, 2).eval(), torch.randn(2, 8)

    def said(*ids, seed=0, call=0):
        rows = [["a", "b"].index(id) for id in ids]
        return net(seen[rows], dropped(net, 0.5, [chance(seed, id, 0, "dropout", call) for id in ids]))

    together = said("a", "b")
    torch.testing.assert_close(together, said("a", "b"), atol=0, rtol=0)
    torch.testing.assert_close(together[1:], said("b"))  # of the clip, not of its batch
    assert (together - said("a", "b", call=1)).abs().amax((1, 2)).min() > 1e-3
    assert (together - said("a", "b", seed=1)).abs().amax((1, 2)).min() > 1e-3
    assert (together - net(seen)).abs().amax((1, 2)).min() > 1e-3


def test_live_dropout_is_the_trainings_dropout():
    net = InversionAdapter(64, 6, 2).eval()
    masks = dropped(net, 0.25, [chance("a"), chance("b")])
    assert [list(m.shape) for m in masks] == [[2, 256]] * 2
    assert torch.cat(masks).unique().tolist() == pytest.approx([0, 1 / 0.75])
    assert float(torch.cat(masks).mean()) == pytest.approx(1, abs=0.1)  # 4.2 standard deviations of 1024 draws
    seen = torch.randn(2, 64)
    torch.testing.assert_close(net(seen, [torch.ones_like(m) for m in masks]), net(seen))


# ---- words and keys --------------------------------------------------------------------------------------------------------------


def made(*words):
    return compose(*words, site=False)[0]


def test_a_variant_is_the_list_of_its_settings():
    alone = ["control.composed=twice", "control.skew=24", "predictor.supervised=0.25", "predictor.padding=target"]
    assert made("variant=released") == made(*alone)
    assert made("variant=released", "inversion=adapter") == made(*alone, "inversion=adapter", "inversion.live=true")
    assert made("variant=clean") == made()
    assert made("variant=released", "control=onset") == made("control=onset", *alone[2:])


def test_a_word_of_ones_own_wins_wherever_it_stands(monkeypatch):
    for words in (["control.skew=3", "variant=released"], ["variant=released", "control.skew=3"]):
        assert (made(*words).control.skew, made(*words).control.composed) == (3, "twice")
    monkeypatch.setenv("BENCH_WORDS", "variant=released predictor.supervised=0.5")
    assert (compose()[0].control.skew, compose()[0].predictor.supervised) == (24, 0.5)
    assert compose("variant=clean")[0].control.skew == 0


def test_a_variant_is_swept_listed_completed_and_misspelt():
    from bench.completion import candidates
    from bench.listing import listing

    assert expand(["variant=clean,released"]) == [["variant=clean"], ["variant=released"]]
    assert candidates("variant=") == ["variant=clean", "variant=released"] and "variant=" in candidates("var")
    told = listing().partition("\nvariant=")[2]
    for _part, _, words in Released.parts:
        lines = [next(line for line in told.splitlines() if f".{word}" in line) for word in words]
        assert all("released" in line for line in lines)
    with pytest.raises(Refused, match="Did you mean 'released'"):
        made("variant=relased")
    with pytest.raises(Refused, match="Released has no setting 'skew'"):
        made("variant=released", "variant.skew=3")


def stages(*words):
    store = Store(Path("nowhere"), Context(quiet=True), dry=True)
    chain.scores(made(*words), store)
    return {a.stage: a.key for a in store.asked}


def test_a_departure_remakes_what_it_touches_and_nothing_else():
    clean = stages()
    touched = {"sound", "judge", "pairs", "score"}
    for words, more in (
        (["control.composed=twice"], set()),
        (["control.skew=24"], {"controlnet"}),
        (["predictor.supervised=0.25"], {"predictor", "hints"}),
        (["predictor.padding=target"], {"predictor", "hints"}),
    ):
        found = stages(*words)
        assert {k for k in found if found[k] != clean[k]} == touched | more, words
    assert stages("control.composed=twice", "predicted=none") == stages("predicted=none")
    spoken = stages("inversion=adapter")
    live = stages("inversion=adapter", "inversion.live=true")
    assert {k for k in live if live[k] != spoken[k]} == touched


def test_the_clean_reading_keeps_every_key():
    assert digest(MelQCD()) == digest(replace(MelQCD(), composed="once", skew=0))
    assert digest(Adapter()) == digest(Adapter(live=False)) and digest(V2X()) == digest(V2X(supervised=1.0, padding="ignored"))
    assert load("onset")().used("signal") == load("onset")()


def test_words_of_a_call_lead_that_call():
    from melqcd.sampling import generate

    def unet(_latents, _time, words, **_):
        asked.append(float(words.mean()))
        return SimpleNamespace(sample=_latents * 0)

    schedule = {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    stand = SimpleNamespace(device="cpu", dtype=torch.float32, unet=unet, schedule=SimpleNamespace(config=schedule))
    asked: list[float] = []

    def words(call):
        return torch.full((1, 77, 4), float(call))

    generate(stand, DPMSolver(steps=3, guidance=1.0), torch.randn(1, 4, 2, 2), words)  # type: ignore[arg-type]
    assert asked == [0, 1, 2]

"""Textual inversion: the released adapter's numbers, where its words stand in a prompt, and the whole chain with it."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import SCALE, Brightness, backbone

from bench import chain
from bench.backbones import Lab as LabBackbone
from bench.context import Context
from bench.errors import Failed, Stopped
from bench.experiment import Experiment
from bench.run import Row, control_name, rows_of, run
from bench.settings import component, compose
from bench.store import Store
from controls import load
from melqcd.backbone import Backbone
from melqcd.inversion import InversionAdapter, load_released, places, written
from melqcd.sampling import DPMSolver
from melqcd.settings import V2X, Adapter, ControlNet, NoInversion, Training

SHORT = Training(steps=4, batch=4)


# ---- the released adapter --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def released(shared, detfill):
    """(weights by published name, the golden's arrays); entries that begin with `inversion_adapter.`."""
    folder = shared / "goldens" / "checkpoints"
    manifest = detfill.load_manifest(folder / "manifests" / "melqcd_cldm.json")
    weights = {k: torch.from_numpy(v) for k, v in detfill.fill_manifest(manifest, "inversion_adapter.").items()}
    return weights, np.load(folder / "melqcd_cldm_text.npz")


def off(found: torch.Tensor, golden: np.ndarray) -> float:
    """Largest difference over the golden's deviation; the goldens' own tolerance is 2e-4, a plausible mistake makes 1e-2 or more."""
    return float(np.abs(found.numpy() - golden).max() / golden.std())


@pytest.mark.slow  # fills 217 million weights
def test_the_released_adapter_gives_the_released_words(released, tmp_path):
    from transformers import CLIPTextConfig, CLIPTextModel

    weights, golden = released
    torch.save({"state_dict": {k: v for k, v in weights.items() if ".text_model." not in k}}, tmp_path / "MelQCD.ckpt")
    net = load_released(tmp_path / "MelQCD.ckpt")
    pseudo = net(torch.from_numpy(golden["clip_mean"][:, 0]))
    assert off(pseudo, golden["pseudo_words"]) < 2e-4

    config = CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_attention_heads=12, num_hidden_layers=12)
    text, prefix = CLIPTextModel(config).eval(), "inversion_adapter.transformer.text_model."
    told = text.load_state_dict({k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}, strict=False)
    assert not told.unexpected_keys and set(told.missing_keys) <= {"embeddings.position_ids"}
    ids = torch.from_numpy(golden["ids_template"])
    at = (ids == 259).nonzero()[:, 1].view(len(ids), -1)  # 259 is `$`
    with torch.no_grad():
        found = written(text, ids, at, pseudo)
        assert off(found, golden["inversion_out"]) < 2e-4
        assert off(text(ids).last_hidden_state, golden["inversion_out"]) > 1e-2  # without the words it is another text


def test_names_and_shapes_are_the_released_ones(shared):
    entries = json.loads((shared / "goldens/checkpoints/manifests/melqcd_cldm.json").read_text())["entries"]
    prefix = "inversion_adapter.inversion_adapter."
    with torch.device("meta"):
        own = InversionAdapter(768, 768, 32).state_dict()
    assert {k.removeprefix(prefix): e["shape"] for k, e in entries.items() if k.startswith(prefix)} == {
        k: list(v.shape) for k, v in own.items()
    }


# ---- places in the prompt --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> str:
    return backbone(tmp_path_factory.mktemp("backbone"))


@pytest.fixture(scope="module")
def model(path) -> Backbone:
    return Backbone.load(path)


def test_pseudo_words_stand_behind_the_prompt_and_a_comma(model):
    ids, at = places(model, ["dog barking", ""], 3)
    assert ids.shape == (2, 77) and at.tolist() == [[4, 5, 6], [2, 3, 4]]
    read = model.tokenizer.convert_ids_to_tokens(ids[0].tolist())
    assert read[1:9] == ["dog</w>", "barking</w>", ",</w>", "$</w>", "$</w>", "$</w>", read[8], read[8]]
    assert ids[0, 7] == model.tokenizer.eos_token_id and (ids[0, 8:] == model.tokenizer.pad_token_id).all()


@pytest.mark.parametrize(("tokens", "room"), [(1, 73), (16, 58), (32, 42), (64, 10)])
def test_a_prompt_is_capped_and_more_is_refused_with_the_reason(model, tokens, room):
    ids, at = places(model, ["dog " * room], tokens)
    assert at[0, -1] == 75 and ids[0, 76] == model.tokenizer.eos_token_id  # 77 in all
    with pytest.raises(ValueError, match=f"takes {room + 1} tokens; beside {tokens} pseudo-words there is room for {room} of 77"):
        places(model, ["dog", "dog " * (room + 1)], tokens)


def test_a_dollar_sign_in_the_prompt_is_a_word_of_the_prompt(model):
    ids, at = places(model, ["$ dog $"], 4)
    assert len(at[0]) == 4 and (ids[0, at[0]] == ids[0, at[0, 0]]).all()
    assert ids[0, at[0, -1] + 1] == model.tokenizer.eos_token_id


def test_the_holders_own_words_change_nothing_and_others_do(model):
    ids, at = places(model, ["dog barking"], 5)
    own = model.text.get_input_embeddings().weight[ids[0, at[0]]][None]
    plain = model.text(ids).last_hidden_state
    assert torch.equal(written(model.text, ids, at, own), plain)
    other = written(model.text, ids, at, own.flip(-1) + 0.1)
    before = int(at[0, 0])
    assert torch.allclose(other[:, :before], plain[:, :before])  # the text is read from left to right
    assert not torch.allclose(other[:, before:], plain[:, before:], atol=1e-2)
    assert torch.equal(model.text(ids).last_hidden_state, plain)  # nothing is left behind in the encoder


def test_only_the_adapter_gets_a_gradient(model):
    net = Adapter(tokens=2).build(8, model)
    ids, at = places(model, ["dog barking"] * 3, 2)
    written(model.text, ids, at, net(torch.randn(3, 8))).square().sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    assert net.layers[6].weight.grad.abs().sum() > 0
    assert all(p.grad is None for p in model.text.parameters())


def test_dropout_is_for_training_alone(model, tmp_path):
    from melqcd.inversion import save

    how = Adapter(tokens=2)
    net, seen = how.build(8, model), torch.randn(3, 8)
    assert not torch.equal(net(seen), net(seen))
    save(net, tmp_path)
    again = how.load(tmp_path, model)
    assert torch.equal(again(seen), again(seen)) and not again.training
    with pytest.raises(ValueError, match=r"layers\.6\.weight"):
        Adapter(tokens=3).load(tmp_path, model)


@pytest.mark.parametrize("wrong", [{"tokens": 0}, {"tokens": 65}, {"dropout": 1.0}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError):
        Adapter(**wrong)


# ---- the chain -------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def x(path) -> Experiment:
    return Experiment(
        control=load("none")(), data=component("data", "lab", "test=4", "train=20"), learn=component("learn", "same"), scale=SCALE,
        motion=Brightness(), looks=Brightness(), backbone=LabBackbone(path), sampling=DPMSolver(steps=2),
        judges=(component("judges", "sync"),), predicted="none", inversion=Adapter(tokens=2, training=SHORT),
        predictor=V2X(width=16, depth=1, heads=2, bias=8, training=SHORT), controlnet=ControlNet(widths=(8, 16), training=SHORT),
    )  # fmt: skip


@pytest.fixture(scope="module")
def done(x, tmp_path_factory):
    results = tmp_path_factory.mktemp("results")
    store = Store(results / "cache", Context(quiet=True, workers=1, threads=1))
    run([Row(control_name(x), x), Row("none", replace(x, inversion=NoInversion()))], store, results, [])
    return results, store


def records(results):
    return {told["experiment"]["name"]: told for told in map(json.loads, (p.read_text() for p in results.glob("*.json")))}


def test_words_of_the_video_change_the_sound_and_the_record_says_how(done):
    found = records(done[0])
    told = found["none + 2 pseudo-words"]
    assert told["experiment"]["inversion"]["tokens"] == 2 and told["facts"]["no_picture"] == 0
    assert set(told["facts"]["inversion"]) == {"with words", "of another clip", "without", "windows"}
    sounds = [done[0] / found[name]["facts"]["sound"] for name in found]
    waves = [p.read_bytes() for p in sorted(sounds[0].glob("*.wav"))]
    assert len(waves) == 4
    assert all(a != p.read_bytes() for a, p in zip(waves, sorted(sounds[1].glob("*.wav")), strict=True))


def test_the_adapter_is_one_artefact_for_every_control(x, done):
    dry = Store(done[0] / "cache", dry=True)
    chain.scores(replace(x, control=load("energy")()), dry)
    (net,) = (a for a in dry.asked if a.stage == "inversion")
    assert net.exists and not any(a.exists for a in dry.asked if a.stage in ("controlnet", "sound"))


def test_without_inversion_no_key_knows_of_it(x, tmp_path):
    dry = Store(tmp_path, dry=True)
    plain = replace(x, control=load("energy")(), inversion=NoInversion())
    chain.scores(plain, dry)
    assert not any(a.stage in ("inversion", "features") for a in dry.asked)
    assert Row("a", plain).id == Row("b", replace(plain, looks=replace(x.looks, path="elsewhere"))).id != Row("a", x).id


def test_floor_and_ceilings_of_a_run_have_the_prompt_alone(x):
    rows = rows_of([replace(x, control=load("energy")(), predicted="all"), x])
    assert [r.name for r in rows] == [
        "none", "energy + 2 pseudo-words, true hints", "energy + 2 pseudo-words, predicted", "none + 2 pseudo-words", "oracle",
        "reference",
    ]  # fmt: skip
    assert [r.name for r in rows if r.x.adapter is None] == ["none", "oracle", "reference"]


def test_a_training_that_is_stopped_goes_on_to_the_same_weights(x, done, tmp_path):
    calls = []

    class Interrupted(Context):
        def track(self, items, label, **more):
            for item in super().track(items, label, **more):
                yield item
                if label == "inversion":
                    calls.append(item)
                    if len(calls) == 2:
                        self.stop()

    def attempt(ctx):
        from bench.stages.inversion import train_inversion

        clips, latents, looks = (
            done[1].find(next(a.key for a in done[1].asked if a.stage == s)) for s in ("clips", "latents", "features")
        )
        out, part = tmp_path / f"out{len(calls)}", tmp_path / "part"
        out.mkdir()
        part.mkdir(exist_ok=True)
        train_inversion(out, part, ctx, x.inversion, x.prompt, x.backbone, latents, clips, looks)
        return (out / "inversion.safetensors").read_bytes()

    with pytest.raises((Stopped, InterruptedError)):
        attempt(Interrupted(quiet=True, threads=1))
    assert len(calls) == 2
    made = attempt(Context(quiet=True, threads=1))
    (kept,) = (done[0] / "cache").glob("inversion-*/inversion.safetensors")
    assert made == kept.read_bytes()


def test_a_label_without_room_ends_the_run_with_the_reason(x, done):
    """One clip of the lab under a long name, as a folder with labels."""
    store = Store(done[0] / "cache", Context(quiet=True, workers=1, threads=1))
    clips = done[1].find(next(a.key for a in done[1].asked if a.stage == "clips"))
    looks, net = (done[1].find([a.key for a in done[1].asked if a.stage == s][-1]) for s in ("features", "inversion"))
    other = done[0] / "cache" / "clips-0000000000000000"
    other.mkdir()
    for file in clips.iterdir():
        (other / file.name).symlink_to(file)
    text = (clips / "clips.csv").read_text()
    label = next(r.split(",")[2] for r in text.splitlines() if ",test," in r)
    (other / "clips.csv").unlink()
    (other / "clips.csv").write_text(text.replace(label, "dog " * 73))
    from bench import artefacts

    with pytest.raises(Failed, match="takes 73 tokens; beside 2 pseudo-words there is room for 72 of 77"):
        store(artefacts.sample, x.sampling, "label", x.backbone, "test", other, None, None, None, None, x.inversion, net, looks)


def test_live_dropout_changes_every_sound_and_comes_out_the_same_again(x, done, tmp_path):
    """Also where some clips were there before: what is dropped belongs to the clip, not to its batch."""
    import soundfile

    from bench.stages.sound import sample

    clips = done[1].find(next(a.key for a in done[1].asked if a.stage == "clips"))
    looks, net = (done[1].find([a.key for a in done[1].asked if a.stage == s][-1]) for s in ("features", "inversion"))

    def sounds(name, live=True, before=()):
        out, part = tmp_path / name, tmp_path / f"{name}.part"
        out.mkdir()
        part.mkdir()
        for path in before:
            (part / path.name).write_bytes(path.read_bytes())
        how = replace(x.inversion, live=live)
        sample(out, part, Context(quiet=True, threads=1), x.sampling, x.prompt, x.backbone, "test", clips, None, None, None, None,
               how, net, looks)  # fmt: skip
        return sorted(out.glob("*.wav"))

    first = sounds("first")
    again, still = sounds("again", before=first[:2]), sounds("still", live=False)
    assert len(first) == 4
    for a, b, c in zip(first, again, still, strict=True):
        heard, same, other = (soundfile.read(path)[0] for path in (a, b, c))
        # a batch of two rounds otherwise than one of four, and an untrained vocoder makes that 0.003 at most
        assert np.abs(heard - same).max() < 0.01
        assert np.abs(heard - other).max() > 0.1, float(np.abs(heard - other).max())


def test_words_choose_it():
    assert compose("inversion=none", site=False)[0] == compose(site=False)[0]
    found = compose("inversion=adapter", "inversion.tokens=4", site=False)[0].inversion
    assert found == Adapter(tokens=4)

"""prompt=zeroshot: the class that a video looks most like, what reads it, and the chain that is told so."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from folders import filled
from tiny import SCALE, backbone

from bench import artefacts, chain
from bench.backbones import Lab as LabBackbone
from bench.context import Context
from bench.encoders import LabLooks, LabMotion, Looks, Names
from bench.errors import Failed, Refused
from bench.experiment import Experiment
from bench.generate import generate, prompts
from bench.lab.networks.tokens import write_tokenizer
from bench.lab.world import KINDS
from bench.prompts import Said, prompt_of
from bench.ragged import Ragged
from bench.record import frame
from bench.run import Row, rows_of, run
from bench.settings import component, compose
from bench.stages import zeroshot
from bench.store import Store
from controls import load
from melqcd.sampling import DPMSolver
from melqcd.settings import V2X, ControlNet, Training
from melqcd.visual import load_looks, load_names, names_features

LABELS = [kind.prompt for kind in KINDS]


def clip_folder(folder: Path) -> Path:
    """A small CLIP of both halves with its tokenizer, as a published one lies on disk."""
    from transformers import CLIPConfig, CLIPModel

    words = sorted({w for label in LABELS for w in f"a photo of {label}".split()})
    size = write_tokenizer(folder, words)
    text = {"vocab_size": size, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
            "projection_dim": 8, "eos_token_id": size - 1, "bos_token_id": size - 2, "pad_token_id": size - 1}  # fmt: skip
    vision = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
              "image_size": 16, "patch_size": 8, "projection_dim": 8}  # fmt: skip
    torch.manual_seed(0)
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)).save_pretrained(folder)
    return folder


# ---- the half that reads --------------------------------------------------------------------------------------------------------


def test_the_two_halves_are_those_of_the_whole_clip(tmp_path):
    from transformers import CLIPModel

    folder = clip_folder(tmp_path)
    whole = CLIPModel.from_pretrained(folder).eval()
    net, tokenizer = load_names(folder)
    told = tokenizer(LABELS, padding="max_length", max_length=77, return_tensors="pt")
    with torch.inference_mode():
        read = whole.text_projection(whole.text_model(**told).pooler_output)
    found = names_features(net, tokenizer, LABELS)
    assert found.shape == (15, 8)
    assert torch.allclose(found, read, atol=1e-6)
    assert (found[0] - found[1]).abs().max() > 1e-3
    assert torch.allclose(names_features(net, tokenizer, LABELS[3:4]), found[3:4], atol=1e-6)  # alone or among others


def test_a_folder_without_the_half_that_reads_is_named(tmp_path):
    net = load_looks(clip_folder(tmp_path / "whole"))
    net.save_pretrained(tmp_path / "half")
    with pytest.raises(ValueError, match=r"half"):
        load_names(tmp_path / "half")
    (tmp_path / "whole" / "vocab.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"whole has no tokenizer"):
        load_names(tmp_path / "whole")


def test_the_lab_reads_with_a_tower_beside_its_looks_and_others_with_their_own(tmp_path):
    assert LabLooks().names_folder().name == "names"
    assert Looks(str(clip_folder(tmp_path))).names_folder() == tmp_path
    with pytest.raises(Refused, match="LabMotion does not read"):
        LabMotion().names_folder()
    before = Names(Looks(str(tmp_path))).identity()
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    assert Names(Looks(str(tmp_path))).identity() != before  # another tokenizer reads other words


def test_the_lab_s_own_names_are_right_for_most_clips(tmp_path):
    """Thirty clips that no network learnt from; chance is 1 of 15."""
    x = compose("learn=lab", "control=none", "prompt=zeroshot", "data.test=30", "data.train=0")[0]
    store = Store(tmp_path / "cache", Context(quiet=True, workers=1, threads=1))
    made = chain.text_prompt(x, "zeroshot", chain.decoded(x.data, store), store)
    told = json.loads((made / "zeroshot.json").read_text())
    assert (told["classes"], told["clips"], told["labelled"]) == (15, 30, 30)
    assert told["chance"] == pytest.approx(2 / 30)
    assert told["acc"] > 0.6
    assert not {"predictor", "controlnet", "latents"} & {name.rpartition("-")[0] for name in store.made}


# ---- the prompt -----------------------------------------------------------------------------------------------------------------


def test_a_clip_is_told_what_it_looks_like_and_not_its_label():
    assert prompt_of("dog barking", {"a": "lions_roaring"}, clip="a") == "lions roaring"
    with pytest.raises(Failed, match="clip b has no label"):
        prompt_of("dog barking", {"a": "lions_roaring"}, clip="b")
    with pytest.raises(Failed, match="prompt=zeroshot"):
        prompt_of("", "label", clip="c")


def test_generate_asks_the_video_where_nobody_says(tmp_path):
    (tmp_path / "labels.csv").write_text("id,label\nvideo,dog barking\n")
    video = tmp_path / "video.mp4"
    assert prompts([video], None, None, "label") == {video: Said("dog barking")}
    assert prompts([video], None, None, "zeroshot") == {video: "zeroshot"}
    assert prompts([video], None, tmp_path / "labels.csv", "zeroshot") == {video: Said("dog barking")}
    assert prompts([video], "a cat", None, "zeroshot") == {video: Said("a cat")}


# ---- the chain ------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def x(tmp_path_factory) -> Experiment:
    """Four test and four training clips of the lab as a folder, labelled by three classes in turn, and a sound without a picture."""
    folder = tmp_path_factory.mktemp("nets")
    store = Store(tmp_path_factory.mktemp("world"), Context(quiet=True, workers=1, threads=1))
    world = Path(chain.rooted(component("data", "lab", "test=4", "train=4"), store).root)
    root = filled(tmp_path_factory.mktemp("data"), world, lambda n: LABELS[n % 3])
    return Experiment(
        control=load("energy")(),
        data=component("data", "folder", f"root={root}"),
        learn=component("learn", "same"),
        scale=SCALE,
        motion=component("motion", "lab"),
        backbone=LabBackbone(backbone(folder / "backbone")),
        sampling=DPMSolver(steps=2),
        judges=(component("judges", "sync"),),
        looks=LabLooks(str(clip_folder(folder / "clip"))),
        predictor=V2X(width=16, depth=1, heads=2, bias=8, training=Training(steps=2, batch=2)),
        controlnet=ControlNet(widths=(8, 16), training=Training(steps=2, batch=2)),
        predicted="none",
        prompt="zeroshot",
    )


@pytest.fixture(scope="module")
def done(x, tmp_path_factory):
    results = tmp_path_factory.mktemp("results")
    store = Store(results / "cache", Context(quiet=True, workers=1, threads=1), deferred=True)
    run(rows_of([x])[:2], store, results, ["control=energy", "prompt=zeroshot"])
    return results, store


def keys(x: Experiment) -> dict[str, str]:
    store = Store(Path("nowhere"), dry=True)
    chain.scores(x, store)
    return {a.stage: a.key for a in store.asked}


def test_networks_learn_with_labels_and_only_the_sound_is_told_otherwise(x):
    label, zero = keys(replace(x, prompt="label")), keys(x)
    assert zero["controlnet"] == label["controlnet"]
    assert zero["sound"] != label["sound"]
    assert "zeroshot" not in label
    assert keys(replace(x, prompt="generic"))["controlnet"] != label["controlnet"]


def test_looks_are_part_of_the_run(x):
    other = replace(x, looks=LabLooks())
    assert Row("a", x).id != Row("a", other).id
    assert Row("a", replace(x, prompt="label")).id == Row("a", replace(other, prompt="label")).id


def test_the_label_is_the_nearest_of_the_train_split_s(done, x):
    _, store = done
    (made,) = {store.find(a.key) for a in store.asked if a.stage == "zeroshot"}
    seen = Ragged(next(store.find(a.key) for a in store.asked if a.stage == "features"), "looks")
    found = zeroshot.read(made)
    assert len(found) == 4
    assert set(found.values()) <= set(LABELS[:3])  # what nobody taught is no choice
    net, tokenizer = load_names(x.looks.names_folder())
    names = names_features(net, tokenizer, [f"a photo of {label}" for label in sorted(LABELS[:3])]).numpy()
    names /= np.linalg.norm(names, axis=1, keepdims=True)
    for id, label in found.items():
        frames = np.asarray(seen[id], np.float32)
        mean = (frames / np.linalg.norm(frames, axis=1, keepdims=True)).mean(0)
        assert label == sorted(LABELS[:3])[int((names @ mean).argmax())]


def test_a_clip_without_a_picture_is_left_out_counted_and_said(done, capsys):
    results, _ = done
    found = frame(results).set_index("experiment.name")
    assert set(found.index) == {"none", "energy, true hints"}
    assert found["facts.no_picture"].to_dict() == {"none": 1, "energy, true hints": 1}
    assert found["scores.onset_acc.condfoley.n"].to_dict() == {"none": 4, "energy, true hints": 4}
    assert found.loc["none", "facts.zeroshot.classes"] == 3
    assert found.loc["none", "facts.zeroshot.labelled"] == 4


def test_the_sound_is_that_of_the_same_words_said_by_hand(done, x, tmp_path):
    _, store = done
    made = zeroshot.read(next(store.find(a.key) for a in store.asked if a.stage == "zeroshot"))
    id, label = next(iter(made.items()))
    clips = next(store.find(a.key) for a in store.asked if a.stage == "clips")
    said = Store(store.root, Context(quiet=True, workers=1, threads=1))
    by_hand = said(artefacts.sample, x.sampling, Said(label), x.backbone, "test", clips, None, None, None, None)
    none = next(store.find(a.key) for a in store.asked if a.stage == "sound")
    assert (by_hand / f"{id}.wav").read_bytes() == (none / f"{id}.wav").read_bytes()


def test_videos_are_told_apart_by_generate(done, x, tmp_path):
    _, store = done
    video = next(Path(x.data.root).glob("*.mp4"))  # type: ignore[attr-defined]
    here = replace(x, predicted="none", control=load("none")())
    again = Store(store.root, Context(quiet=True, workers=1, threads=1), deferred=True)
    (take,) = generate(here, prompts([video], None, None, "zeroshot"), again, tmp_path, words=["control=none"])
    assert take.text in LABELS[:3]
    assert take.path.exists()


def test_without_labels_to_choose_from_it_says_so(x, tmp_path):
    root = tmp_path / "unlabelled"
    shutil.copytree(x.data.root, root, ignore=shutil.ignore_patterns("labels.csv"))  # type: ignore[attr-defined]
    for file in (*root.glob("*.wav"), *sorted(root.glob("*.mp4"))[2:]):
        file.unlink()
    bare = replace(x, data=component("data", "folder", f"root={root}"))
    store = Store(tmp_path / "cache", Context(quiet=True, workers=1, threads=1))
    with pytest.raises(Failed, match="chooses among the labels of the train split"):
        chain.text_prompt(bare, "zeroshot", chain.decoded(bare.data, store), store)

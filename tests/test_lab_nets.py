"""The lab's own networks: their pools, their stages in miniature, and what lies in the folders."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from by_hand import Once, made

from bench.data.lab import Lab
from bench.lab.networks.diffusion import CALLED, Diffusion, diffusion
from bench.lab.networks.tokens import write_tokenizer
from bench.lab.networks.vae import VAE, vae
from bench.lab.pools import Pool, pool, shrunk
from melqcd.backbone import Backbone
from melqcd.mel import Lab as LabScale
from melqcd.mel import from_image, log_mel
from melqcd.sampling import DPMSolver, clip_noise, generate
from melqcd.settings import Training

LITTLE = Training(steps=4, batch=4, lr=1e-3)
COMPRESSOR = VAE(widths=(8, 8, 16, 16), training=LITTLE)
SPEAKER = Diffusion(widths=(16, 32), words=16, training=LITTLE)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return made(pool, tmp_path_factory.mktemp("pool"), Lab(pool="backbone", train=30, test=15), LabScale(), 0)


@pytest.fixture(scope="module")
def compressor(data, tmp_path_factory):
    return made(vae, tmp_path_factory.mktemp("vae"), COMPRESSOR, data)


def test_a_pool_holds_each_clips_sound_picture_and_label(data):
    clips = Pool(data)
    assert (len(clips.train), len(clips.test), len(clips.labels)) == (30, 15, 15)
    assert sorted(clips.label[30:]) == list(range(15))
    n, scale = int(clips.samples[3]), LabScale()
    wave = torch.from_numpy(clips.wave[3, :n].astype(np.float32) / 32767)
    mel = log_mel(wave, scale)
    again = from_image(torch.from_numpy(clips.image[3].astype(np.float32)), scale)[:, : mel.shape[-1]]
    assert (again - mel.clamp(scale.log_floor, scale.log_ceiling)).abs().max() < 0.01  # half precision of 17 nat


def test_pools_share_no_clip_with_one_another_or_the_benchmark(data, tmp_path):
    ours = {bytes(w) for w in Pool(data).wave}
    for name in ("judges", "bench"):
        other = made(pool, tmp_path / name, Lab(pool=name, train=15, test=15), LabScale(), 0)
        assert not ours & {bytes(w) for w in Pool(other).wave}


def test_a_pool_can_carry_pictures(tmp_path):
    clips = Pool(made(pool, tmp_path, Lab(pool="judges", train=2, test=0), LabScale(), 32))
    assert clips.frames.shape == (2, 64, 32, 32, 3)
    assert clips.frames.std() > 0


def test_shrinking_keeps_the_mean_colour():
    film = np.random.default_rng(0).integers(0, 256, (2, 96, 96, 3), dtype=np.uint8)
    small = shrunk(film, 32)
    assert small.shape == (2, 32, 32, 3)
    assert abs(float(small.mean()) - float(film.mean())) < 1


def test_the_compressor_says_what_it_is_and_loads_in_diffusers(compressor):
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    card = json.loads((compressor / "card.json").read_text())
    assert card["steps"] == 4
    assert card["recipe"]["widths"] == [8, 8, 16, 16]
    assert list(card["quality"]) == ["root mean square error on held pictures in [0, 1]"]
    model = AutoencoderKL.from_pretrained(compressor, local_files_only=True)
    assert model.config["scaling_factor"] > 0


def test_the_compressor_standardises_latents_and_features(compressor, data):
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    model = AutoencoderKL.from_pretrained(compressor, local_files_only=True)
    picture = torch.from_numpy(np.array(Pool(data).image[:30], np.float32))[:, None] * 2 - 1
    with torch.no_grad():
        features, latents = model.encoder(picture), model.encode(picture).latent_dist.mean * model.config["scaling_factor"]
    assert (features.std((0, 2, 3)) - 1).abs().max() < 1e-2
    assert float(latents.std()) == pytest.approx(1, abs=0.05)


def test_an_interrupted_compressor_is_the_one_that_nobody_disturbed(compressor, data, tmp_path):
    from safetensors.torch import load_file

    from bench.errors import Stopped

    with pytest.raises(Stopped):
        made(vae, tmp_path, COMPRESSOR, data, ctx=Once(2))
    again = made(vae, tmp_path, COMPRESSOR, data)
    name = "diffusion_pytorch_model.safetensors"
    one, other = load_file(compressor / name), load_file(again / name)
    assert all(torch.equal(one[k], other[k]) for k in one)


def test_the_text_to_audio_model_is_a_whole_backbone(compressor, data, tmp_path):
    folder = made(diffusion, tmp_path, SPEAKER, LabScale(), compressor, data)
    model = Backbone.load(folder)
    assert {p.name for p in folder.iterdir()} >= {
        "vae",
        "unet",
        "scheduler",
        "tokenizer",
        "text_encoder",
        "mel.json",
        "card.json",
    }
    assert {p.name for p in (folder / "tokenizer").iterdir()} >= {"vocab.json", "merges.txt"}
    latents = generate(model, DPMSolver(steps=2), clip_noise(["a"], model.latent_shape), model.words(["dog barking"]))
    assert model.decode(latents).shape == (1, 64, 256)


def test_every_word_of_training_is_one_token(tmp_path):
    from transformers import CLIPTokenizer

    size = write_tokenizer(tmp_path, ["dog", "barking", "a", "sound"])
    tokenizer = CLIPTokenizer.from_pretrained(tmp_path, local_files_only=True)
    assert len(tokenizer) == size
    ids = tokenizer(["a Sound", "dog barking", "", "cat"], padding="max_length", max_length=77).input_ids
    ends = [row.index(size - 1) for row in ids]
    assert ends == [3, 3, 1, 4]
    assert all(row[0] == size - 2 and len(row) == 77 for row in ids)


def test_the_ways_of_calling_a_clip_are_a_distribution():
    assert sum(share for _, share in CALLED) == pytest.approx(1)


def test_recipes_are_read_without_torch():
    import subprocess
    import sys

    code = (
        "import sys, bench.lab.networks.vae, bench.lab.networks.diffusion;"
        "bench.lab.networks.vae.VAE(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_recipe_is_an_identity():
    from bench.store import digest

    assert digest(VAE()) == digest(VAE(widths=[16, 32, 64, 128]))
    assert digest(VAE()) != digest(replace(VAE(), training=replace(VAE().training, seed=5)))


def test_the_vae_answers_sparse_hints_with_a_sixth_of_the_change_though_their_bands_can_be_read():
    """Why the lab's rows of sparse hints in Table 6 say little about the paper's: README, "What was run"."""
    import torch
    from torch.nn.functional import avg_pool1d

    from bench.backbones import Lab
    from melqcd.resample import fill

    backbone, draw = Lab().load("cpu"), torch.Generator().manual_seed(0)
    bands = torch.zeros(16, 8, 256)  # six dying sounds in each
    for clip in bands:
        for start in torch.randint(0, 250, (6,), generator=draw).tolist():
            fading = 0.8 * torch.rand(8, 1, generator=draw) * torch.exp(-torch.arange(256 - start) / 12)
            clip[:, start:] = torch.maximum(clip[:, start:], fading)
    change, read = {}, {}
    for sparse in (False, True):
        with torch.no_grad():
            seen = backbone.features(fill(bands, 64, 256, sparse=sparse))
            change[sparse] = float((seen - backbone.features(torch.zeros(1, 64, 256))).std())
        columns = seen.permute(0, 3, 1, 2).flatten(0, 1).flatten(1).double()
        columns = torch.cat([columns, torch.ones(len(columns), 1)], 1)
        wanted = avg_pool1d(bands, 256 // seen.shape[-1]).permute(0, 2, 1).flatten(0, 1).double()
        known = len(columns) * 3 // 4
        left = columns[:known].T @ columns[:known] + 1e-3 * torch.eye(columns.shape[1])
        reading = torch.linalg.solve(left, columns[:known].T @ wanted[:known])
        missed = (columns[known:] @ reading - wanted[known:]).square().sum(0)
        read[sparse] = float((1 - missed / (wanted[known:] - wanted[known:].mean(0)).square().sum(0)).mean())
    assert change[False] == pytest.approx(1.32, abs=0.05)
    assert change[True] == pytest.approx(0.21, abs=0.02)
    assert min(read.values()) > 0.95

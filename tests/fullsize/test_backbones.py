"""Auffusion in both of its layouts and every part of the released Mel-QCD, read by path, against the reference code's outputs."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from melqcd.published import SD_TEXT, SD_UNET, SD_VAE

SCHEDULER = {"_class_name": "PNDMScheduler", "num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012,
             "beta_schedule": "scaled_linear", "skip_prk_steps": True, "steps_offset": 1, "set_alpha_to_one": False}  # fmt: skip


def streamed(path: Path, goldens, manifest: str, keep=lambda _: True, rename=str) -> None:
    """A .safetensors file of filled weights, one tensor in memory at a time."""
    whole = goldens.rule.load_manifest(goldens.folder / "manifests" / f"{manifest}.json")
    entries = {k: e for k, e in whole["entries"].items() if keep(k)}
    head, at = {}, 0
    for key, e in entries.items():
        size = 4 * int(np.prod(e["shape"], dtype=np.int64))
        head[rename(key)] = {"dtype": "F32", "shape": e["shape"], "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(head | {"__metadata__": {"format": "pt"}}).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for key, e in entries.items():
            kind = e["fill"] if e["fill"] != "c" else "z"
            file.write(goldens.rule.fill(key, e["shape"], kind, whole.get("w_scale", 1.0)).tobytes())


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    """A tokenizer of CLIP's kind: words are not what is checked here."""
    import shutil

    from bench.weights import LAB

    folder = tmp_path_factory.mktemp("tokenizer")
    shutil.copytree(LAB / "backbone" / "tokenizer", folder, dirs_exist_ok=True)
    return folder


def config(folder: Path, told: dict) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(told))


@pytest.fixture(scope="module")
def auffusion(goldens, tokenizer, tmp_path_factory):
    """Two folders as Auffusion is published, {with an adapter: folder}: the UNet as safetensors, all else as pickles. They share the UNet."""
    import shutil

    root = tmp_path_factory.mktemp("auffusion")
    plain, adapted = root / "plain", root / "adapted"
    config(plain / "unet", {"_class_name": "UNet2DConditionModel", **SD_UNET})
    config(plain / "vae", {"_class_name": "AutoencoderKL", **SD_VAE})
    streamed(plain / "unet/diffusion_pytorch_model.safetensors", goldens, "auffusion_unet_diffusers")
    torch.save(goldens.weights("auffusion_vae_diffusers"), plain / "vae/diffusion_pytorch_model.bin")
    (plain / "scheduler").mkdir()
    (plain / "scheduler/scheduler_config.json").write_text(json.dumps(SCHEDULER))
    manifest = goldens.rule.load_manifest(goldens.folder / "manifests/auffusion_vocoder.json")
    config(plain / "vocoder", manifest["config_assumed"])
    generator = {k.removeprefix("generator."): v for k, v in goldens.weights("auffusion_vocoder").items()}
    torch.save({"generator": generator}, plain / "vocoder/vocoder.pt")
    config(plain / "text_encoder", {"architectures": ["CLIPTextModel"], "model_type": "clip_text_model", **SD_TEXT})
    prefix = "cond_stage_model.transformer."
    words = goldens.weights("melqcd_cldm", lambda k: k.startswith(prefix))
    torch.save({k.removeprefix(prefix): v for k, v in words.items()}, plain / "text_encoder" / "pytorch_model.bin")
    adapted.mkdir()
    for part in ("unet", "vae", "scheduler", "vocoder"):
        (adapted / part).symlink_to(plain / part)
    shutil.copytree(tokenizer, adapted / "text_encoder_0", ignore=shutil.ignore_patterns("config.json"))
    for name in ("config.json", "pytorch_model.bin"):
        (adapted / "text_encoder_0" / name).symlink_to(plain / "text_encoder" / name)
    shutil.copytree(tokenizer, plain / "tokenizer")
    config(adapted / "condition_adapter_0", {"condition_dim": 768})
    torch.save(goldens.weights("auffusion_condition_adapter"), adapted / "condition_adapter_0/condition_adapter.pt")
    told = {"text_encoder_name": "openai/clip-vit-large-patch14", "condition_adapter_name": "condition_adapter_0",
            "condition_type": "clip_text", "condition_max_length": 77, "condition_dim": 768, "cross_attention_dim": 768}  # fmt: skip
    (adapted / "condition_config.json").write_text(json.dumps([told]))
    yield {False: plain, True: adapted}
    shutil.rmtree(root)


@torch.no_grad()
@pytest.mark.parametrize("adapter", [True, False], ids=["adapter", "plain"])
def test_auffusion(goldens, measured, auffusion, adapter):
    from bench.backbones import Auffusion
    from melqcd.vocoder import int16, load_hifigan

    folder, name = auffusion[adapter], "auffusion, adapter" if adapter else "auffusion, plain"
    chosen, said, ldm = Auffusion(path=str(folder)), goldens.said("auffusion"), goldens.said("auffusion_ldm")
    with measured.loading(folder):
        model = chosen.load("cpu")
    latent, t = torch.from_numpy(ldm["latent"]), torch.from_numpy(ldm["t"])
    context = torch.from_numpy(ldm["context"])
    measured.close(f"{name}: unet", model.unet(latent, t, context).sample, ldm["eps"])
    words = model.words(["dog barking", ""])
    if not adapter:
        assert words[1].any()
        return
    assert words.shape == (2, 77, 768) and not words[1].any() and torch.equal(words[0, -1], words[0, -2])
    measured.close(f"{name}: unet, no words", model.unet(latent, t, torch.zeros_like(context)).sample, ldm["eps_zero_context"])
    moments = model.vae.quant_conv(model.vae.encoder(torch.from_numpy(ldm["image"])))
    measured.close(f"{name}: vae, moments", moments, ldm["moments"])
    measured.close(f"{name}: vae, decoded", model.vae.decode(latent[:, :, :4, :8]).sample, ldm["decoded"])  # what was decoded
    measured.close(f"{name}: adapter", model.adapter(torch.from_numpy(said["adapter_in"])), said["adapter_out"])
    with measured.loading(folder / "vocoder"):
        vocoder = load_hifigan(folder / "vocoder", chosen.scale())
    wave = vocoder(torch.from_numpy(said["mel"])[None])
    measured.close(f"{name}: vocoder", wave, said["wav"])
    assert np.abs(int16(wave)[:, :7000].astype(int) - said["wav_int16"]).max() <= 1


@pytest.fixture(scope="module")
def released(goldens, tmp_path_factory):
    """MelQCD.safetensors with all of its 1,699 entries."""
    path = tmp_path_factory.mktemp("pretrain") / "MelQCD.safetensors"
    streamed(path, goldens, "melqcd_cldm")
    yield path
    path.unlink()


@torch.no_grad()
def test_released_schedule(goldens, measured):
    from melqcd.released import schedule

    measured.close("melqcd schedule", schedule().alphas_cumprod, goldens.said("melqcd_cldm_schedule")["alphas_cumprod"])


@torch.no_grad()
def test_released_vae_and_hint(goldens, measured, released):
    from melqcd.released import load_vae

    said = goldens.said("melqcd_cldm_vae")
    with measured.loading(released):
        vae = load_vae(released)
    x = torch.from_numpy(said["x"])
    measured.close("melqcd vae before quant_conv", vae.encoder(x), said["prequant8"])
    measured.close("melqcd vae moments", vae.quant_conv(vae.encoder(x)), said["moments"])
    z = torch.from_numpy(said["z"])
    measured.close("melqcd vae decoded", vae.decode(z).sample, said["decoded"])
    measured.close("melqcd vae, first stage", vae.decode(z / vae.config["scaling_factor"]).sample, said["decode_first_stage"])
    shown = torch.from_numpy(np.load(goldens.folder / "control_direct_185302_0.npz")["control_released_gt"]).float()
    picture = shown.reshape(1, 1, 256, 1024).expand(-1, 3, -1, -1)
    measured.close("melqcd hint, full size", vae.encoder(picture), goldens.said("melqcd_hint_fullsize")["prequant8"])


@torch.no_grad()
def test_released_texts(goldens, measured, released):
    from melqcd.released import adapter_weights, load_text

    said = goldens.said("melqcd_cldm_text")
    with measured.loading(released):
        text = load_text(released)
    words = text(torch.from_numpy(said["ids_plain"])).last_hidden_state
    measured.close("melqcd words", words, said["cond_stage_out"])
    copy = load_text(released, "inversion")
    ids, pseudo = torch.from_numpy(said["ids_template"]), torch.from_numpy(said["pseudo_words"])
    table, first = copy.get_input_embeddings(), (ids == 259).int().argmax(1)
    embedded = table(ids)
    for row, at in enumerate(first.tolist()):
        embedded[row, at : at + 32] = pseudo[row]
    table.register_forward_hook(lambda *_: embedded)
    measured.close("melqcd words with pseudo-words", copy(ids).last_hidden_state, said["inversion_out"])
    assert len(adapter_weights(released)) == 24


@torch.no_grad()
def test_released_unet_and_controlnet(goldens, measured, released):
    from melqcd.released import load_controlnet, load_unet

    said = {k: torch.from_numpy(v) for k, v in goldens.said("melqcd_cldm_unet").items()}
    with measured.loading(released):
        unet, control = load_unet(released), load_controlnet(released)
    stack = control.controlnet_cond_embedding(said["hint"])
    measured.close("melqcd hint stack", stack[:, ::40], said["guided_hint"].numpy())
    step = (said["latent"], said["t"], said["context"])
    down, middle = control(*step, said["hint"], return_dict=False)
    for i, made in enumerate([*down, middle]):
        measured.close(f"melqcd control {i:02}", made[:, :: made.shape[1] // 32], said[f"control{i:02}"].numpy())
    measured.close("melqcd unet alone", unet(*step).sample, said["eps_nocontrol"].numpy())
    added = {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}
    measured.close("melqcd unet + controlnet", unet(*step, **added).sample, said["eps_control"].numpy())


@torch.no_grad()
def test_released_predictor(goldens, measured, tmp_path):
    from melqcd.codepredictor import load_released_predictor

    said = goldens.said("melqcd_codepredictor")
    path = tmp_path / "CodePredictor.ckpt"
    torch.save({"state_dict": goldens.weights("melqcd_codepredictor"), "epoch": 99}, path)
    with measured.loading(path):
        net = load_released_predictor(path)
    features = goldens.stream("vfeat", (2, 250, 768))
    features[1, 173:] = 0
    valid = torch.arange(1000) < 4 * torch.from_numpy(said["effect_length"])[:, None]
    found = net(features, valid=valid)
    logits = np.concatenate([said["logits0"], said["logits1"]], -1)
    measured.close("codepredictor logits", found["code"].mT, logits)
    measured.close("codepredictor mean and std", torch.cat([found["energy"], found["deviation"]], 1).mT, said["mean_std"])


@torch.no_grad()
def test_released_step_with_inversion_hint_and_guidance(goldens, measured, released):
    """All parts at once: one step of the released sampler on a control map, a video's mean embedding and "dog barking"."""
    from melqcd import inversion
    from melqcd.released import load_controlnet, load_text, load_unet, load_vae

    said = {k: torch.from_numpy(v) for k, v in goldens.said("melqcd_cldm_apply").items()}
    hint = load_vae(released).encoder(said["control_map"])  # stored as the encoder is given it, in -1 ... 1
    ids = torch.full((2, 77), 49407)
    ids[:, 0] = 49406
    ids[0, 1:36] = torch.tensor([1929, 32676, 267, *[259] * 32])  # "dog barking, $ $ ..."
    pseudo = inversion.load_released(released)(said["clip_mean"][:, 0])
    led = inversion.written(load_text(released, "inversion"), ids[:1], torch.arange(4, 36)[None], pseudo)
    empty = load_text(released)(ids[1:]).last_hidden_state
    with measured.loading(released):
        unet, control = load_unet(released), load_controlnet(released)
    found = {}
    for name, words in (("eps_cond", led), ("eps_uncond", empty)):
        down, middle = control(said["latent"], said["t"], words, hint, return_dict=False)
        added = {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}
        found[name] = unet(said["latent"], said["t"], words, **added).sample
        measured.close(f"melqcd step, {name}", found[name], said[name].numpy())
    guided = found["eps_uncond"] + 7.5 * (found["eps_cond"] - found["eps_uncond"])
    measured.close("melqcd step, guidance 7.5", guided, said["eps_cfg75"].numpy(), 2e-3)  # guidance multiplies differences by 7.5

"""Features of pictures: parity with the published encoders, windows and their cheaper ways, preprocessing, files that do not fit."""

import json

import numpy as np
import pytest
import torch

from melqcd.checkpoints import empty, load_weights
from melqcd.sizes import MotionSize
from melqcd.synchformer import UNUSED, Synchformer, load_synchformer, save_synchformer
from melqcd.visual import clip_pixels, load_looks, looks_features, motion_features, square

SMALL = MotionSize(image=32, patch=16, window=8, width=16, blocks=2, heads=2)


@pytest.fixture
def released(shared, detfill):
    """Synchformer of the full size with the goldens' weights under Mel-QCD's names, and what the released code said of it."""
    folder = shared / "goldens" / "checkpoints"
    filled = detfill.fill_manifest(detfill.load_manifest(folder / "manifests" / "melqcd_syncformer_visual.json"))
    net = empty(Synchformer, MotionSize()).eval()
    state = {k.removeprefix("module.v_encoder."): torch.from_numpy(v) for k, v in filled.items()}
    load_weights(net, state, "SyncFormer.pt", ignore=UNUSED)
    frames = torch.from_numpy(detfill.s_unit("input:sync_frames", 3 * 3 * 224 * 224).reshape(3, 3, 224, 224))
    at = (torch.arange(3)[:, None] + torch.arange(16) - 8).clamp(0, 2)
    return net, frames[at].transpose(1, 2), np.load(folder / "melqcd_syncformer_visual.npz")


@torch.no_grad()
def test_the_published_synchformer_says_what_it_said(released):
    net, windows, said = released
    found = net(windows[:1])[0].numpy()
    assert np.abs(found - said["window0_per_frame"]).max() / said["window0_per_frame"].std() < 2e-4
    assert np.abs(found.mean(0) - said["features"][0]).max() / said["features"].std() < 2e-4


@pytest.mark.slow
@torch.no_grad()
def test_every_window_of_the_published_synchformer(released):
    net, windows, said = released
    found = torch.cat([net(w) for w in windows.split(1)]).mean(1).numpy()
    assert np.abs(found - said["features"]).max() / said["features"].std() < 2e-4


@pytest.mark.slow
@torch.no_grad()
def test_the_published_clip_says_what_it_said(shared, detfill):
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    folder = shared / "goldens" / "checkpoints"
    manifest = detfill.load_manifest(folder / "manifests" / "clip_vit_large_patch14.json")
    said = np.load(folder / "clip_vit_large_patch14.npz")
    sizes = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16}
    config = CLIPVisionConfig(**sizes, patch_size=14, projection_dim=768)
    net = CLIPVisionModelWithProjection(config).eval()
    wanted = [k for k in manifest["entries"] if k.startswith(("vision_model.", "visual_projection."))]
    manifest["entries"] = {k: manifest["entries"][k] for k in wanted if manifest["entries"][k]["fill"] != "c"}
    ours = {k.removeprefix("vision_model."): k for k in net.state_dict()}
    state = {ours[k.removeprefix("vision_model.")]: torch.from_numpy(v) for k, v in detfill.fill_manifest(manifest).items()}
    net.load_state_dict(state, strict=False)
    found = looks_features(net, said["synthetic_portrait_in"][None]).numpy()
    assert np.abs(found - said["image_features"]).max() / said["image_features"].std() < 2e-4


def test_pictures_are_squared_and_shrunk_as_the_release_did(shared):
    said = np.load(shared / "goldens" / "checkpoints" / "clip_vit_large_patch14.npz")
    portrait = said["synthetic_portrait_in"]
    found = square(portrait[None], 224)[0].permute(1, 2, 0).numpy()
    assert np.array_equal(found, said["synthetic_portrait_resized_u8"])
    pixels = clip_pixels(portrait[None], 224)[0]
    assert [pixels.mean().item(), pixels.std().item()] == pytest.approx(
        said["synthetic_portrait_clip_mean_std"].tolist(), abs=1e-4
    )
    assert torch.allclose(pixels[:, :2, :8], torch.from_numpy(said["clip_pixels_first"]), atol=1e-5)


def test_the_odd_pixel_lies_below_and_on_the_right():
    tall = np.full((1, 5, 2, 3), 200, np.uint8)
    seen = square(tall, 5)[0, 0]
    assert (seen > 0).any(0).tolist() == [False, True, True, False, False]
    assert square(np.zeros((2, 8, 8, 3), np.uint8), 8).shape == (2, 3, 8, 8)


@pytest.mark.parametrize(
    "wrong", [np.zeros((2, 8, 8), np.uint8), np.zeros((2, 8, 8, 3), np.float32), np.zeros((2, 8, 8, 4), np.uint8)]
)
def test_anything_but_pictures_is_refused(wrong):
    with pytest.raises(ValueError, match="uint8"):
        square(wrong, 8)


@pytest.fixture
def small():
    torch.manual_seed(0)
    return Synchformer(SMALL).eval()


@pytest.fixture
def frames():
    return np.random.default_rng(0).integers(0, 256, (21, 40, 32, 3), np.uint8)


def test_a_feature_is_the_mean_of_its_window(small, frames):
    found = motion_features(small, frames)
    assert found.shape == (21, 16)
    pixels = square(frames, 32).float() / 127.5 - 1
    for t in (0, 9, 20):
        window = pixels[np.clip(np.arange(t - 4, t + 4), 0, 20)]
        with torch.no_grad():
            torch.testing.assert_close(found[t], small(window.transpose(0, 1)[None])[0].mean(0), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(motion_features(small, frames, batch=3), found, rtol=1e-4, atol=1e-5)


def test_released_padding_shows_black_after_the_end(small, frames):
    clean, padded = motion_features(small, frames), motion_features(small, frames, padded_to=40)
    assert padded.shape == clean.shape
    torch.testing.assert_close(padded[:17], clean[:17], rtol=1e-4, atol=1e-5)
    assert (padded[18:] - clean[18:]).abs().max() > 1e-3


def test_features_of_the_black_frames_can_be_kept(small, frames):
    cut, kept = (motion_features(small, frames, padded_to=40, whole=w) for w in (False, True))
    assert len(cut) == 21 and len(kept) == 40
    torch.testing.assert_close(kept[:21], cut)
    black = motion_features(small, np.zeros_like(frames[:1]))
    torch.testing.assert_close(kept[30:], black.expand(10, -1), rtol=1e-4, atol=1e-5)  # windows that see nothing else


def test_a_stride_interpolates_between_windows(small, frames):
    every, some = motion_features(small, frames), motion_features(small, frames, stride=4)
    torch.testing.assert_close(some[::4], every[::4], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(some[6], (every[4] + every[8]) / 2, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(motion_features(small, frames, stride=99)[10], (every[0] + every[20]) / 2, rtol=1e-4, atol=1e-5)


def test_steps_of_half_overlapping_windows_cover_every_frame_once(small, frames):
    found = motion_features(small, frames, each="step")
    assert found.shape == (21, 16)
    pixels = square(frames, 32).float() / 127.5 - 1
    with torch.no_grad():
        first = small(pixels[np.clip(np.arange(-2, 6), 0, 20)].transpose(0, 1)[None])[0]
    # steps 1 and 2 of the first window see frames 0, 1 and 2, 3; frame 1 lies a quarter of the way from the one to the other
    torch.testing.assert_close(found[0], first[1], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found[1], 0.75 * first[1] + 0.25 * first[2], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("each", ["window", "step"])
@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_short_clips_have_a_feature_for_each_frame(small, frames, each, count):
    found = motion_features(small, frames[:count], each=each, stride=3)
    assert found.shape == (count, 16)
    assert found.isfinite().all()


def test_the_encoder_sees_the_order_of_frames(small, frames):
    assert (motion_features(small, frames) - motion_features(small, frames[::-1]).flip(0)).abs().max() > 1e-3


def test_what_is_saved_is_loaded(small, frames, tmp_path):
    save_synchformer(small, tmp_path)
    torch.testing.assert_close(motion_features(load_synchformer(tmp_path), frames), motion_features(small, frames))


def test_published_containers_are_unpacked(small, tmp_path, monkeypatch):
    monkeypatch.setattr("melqcd.synchformer.MotionSize", lambda: SMALL)
    state = small.state_dict() | {k: torch.zeros(1) for k in UNUSED}
    avclip = {f"module.v_encoder.{k}": v for k, v in state.items()} | {"module.a_encoder.x": torch.zeros(1)}
    torch.save({"state_dict": avclip, "epoch": 1}, tmp_path / "SyncFormer.pt")
    torch.save({"model": {f"vfeat_extractor.{k}": v for k, v in state.items()}}, tmp_path / "24.pt")
    torch.save({f"vfeat_extractor.{k}": v for k, v in state.items()} | {"vproj.weight": torch.zeros(1)}, tmp_path / "sync.pth")
    for name in ("SyncFormer.pt", "24.pt", "sync.pth"):
        found = load_synchformer(tmp_path / name).state_dict()
        assert all(torch.equal(found[k], v) for k, v in small.state_dict().items())


def test_folders_that_do_not_fit_are_refused_by_name(small, tmp_path):
    with pytest.raises(FileNotFoundError, match="no motion encoder"):
        load_synchformer(tmp_path)
    save_synchformer(small, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"width": 32}))
    with pytest.raises(
        ValueError, match=r"model\.safetensors \(built as config\.json says\) does not fit Synchformer\. .* of another shape"
    ):
        load_synchformer(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"width": 32}))
    with pytest.raises(ValueError, match=r"config\.json does not describe .* lacks image"):
        load_synchformer(tmp_path)
    with pytest.raises(ValueError, match="multiple of patch"):
        MotionSize(image=50)


def test_looks_come_from_a_folder_of_clip(tmp_path, frames):
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "projection_dim": 6}
    net = CLIPVisionModelWithProjection(CLIPVisionConfig(**sizes, image_size=32, patch_size=8)).eval()
    net.save_pretrained(tmp_path)
    every = looks_features(load_looks(tmp_path), frames, batch=4)
    torch.testing.assert_close(every, looks_features(net, frames))
    assert every.shape == (21, 6)
    torch.testing.assert_close(looks_features(net, frames, stride=5)[::5], every[::5], rtol=1e-4, atol=1e-5)
    with pytest.raises(FileNotFoundError, match="is missing: a folder with a CLIP"):
        load_looks(tmp_path / "elsewhere")
    (tmp_path / "model.safetensors").write_bytes((tmp_path / "model.safetensors").read_bytes()[:100])
    with pytest.raises(ValueError, match="is cut off or no safetensors file"):
        load_looks(tmp_path)

"""Spectrogram to sound: parity with the published HiFi-GAN, what Griffin-Lim keeps, integers that do not wrap, files that do not fit."""

import json

import numpy as np
import pytest
import torch

from melqcd.mel import Auffusion, Lab, MelScale, log_mel
from melqcd.sizes import GriffinLim, HifiGanSize
from melqcd.vocoder import HifiGan, griffin_lim, int16, load_hifigan, save_hifigan

SMALL = HifiGanSize(mels=64, channels=32, block_kernels=(3,), dilations=((1, 3),))


@pytest.fixture
def small():
    torch.manual_seed(0)
    return HifiGan(SMALL).eval()


def test_the_published_vocoder_says_what_it_said(shared, detfill, tmp_path):
    folder = shared / "goldens" / "checkpoints"
    manifest = detfill.load_manifest(folder / "manifests" / "auffusion_vocoder.json")
    state = {k.removeprefix("generator."): torch.from_numpy(v) for k, v in detfill.fill_manifest(manifest).items()}
    torch.save({"generator": state}, tmp_path / "vocoder.pt")
    (tmp_path / "config.json").write_text(json.dumps(manifest["config_assumed"]))
    said = np.load(folder / "auffusion.npz")
    with torch.no_grad():
        wave = load_hifigan(tmp_path, Auffusion())(torch.from_numpy(said["mel"])[None])
    assert np.abs(wave.numpy() - said["wav"]).max() / said["wav"].std() < 2e-4
    assert np.abs(int16(wave)[:, :7000].astype(int) - said["wav_int16"]).max() <= 1  # where truncation meets a difference of 1e-6


@torch.no_grad()
def test_a_frame_becomes_a_hop_of_samples(small):
    assert small.size.hop == 160
    for frames in (1, 7, 256):
        assert small(torch.randn(2, 64, frames)).shape == (2, 160 * frames)
    odd = HifiGan(HifiGanSize(mels=4, channels=8, rates=(3, 2), kernels=(8, 7), block_kernels=(3,), dilations=((1,),)))
    assert odd(torch.randn(1, 4, 5)).shape == (1, 30)


def test_what_is_saved_is_loaded(small, tmp_path):
    save_hifigan(small, tmp_path)
    mel = torch.randn(1, 64, 9)
    with torch.no_grad():
        assert torch.equal(load_hifigan(tmp_path, Lab())(mel), small(mel))
    assert HifiGanSize.read(json.loads((tmp_path / "config.json").read_text())) == SMALL


def test_folders_that_do_not_fit_are_refused_by_name(small, tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no vocoder"):
        load_hifigan(tmp_path)
    save_hifigan(small, tmp_path)
    with pytest.raises(ValueError, match="is for 64 mel bands and 160 samples a frame, the scale has 256 and 160"):
        load_hifigan(tmp_path, Auffusion())
    config = json.loads((tmp_path / "config.json").read_text())
    for wrong, told in (
        ({"upsample_initial_channel": 64}, r"vocoder\.safetensors \(built as config\.json says\) does not fit HifiGan"),
        ({"resblock": "2"}, r"config\.json .* resblock '2'"),
        ({"upsample_rates": [5, 4]}, r"config\.json .* every rate needs a kernel"),
    ):
        (tmp_path / "config.json").write_text(json.dumps(config | wrong))
        with pytest.raises(ValueError, match=told):
            load_hifigan(tmp_path)
    (tmp_path / "config.json").write_text('{"num_mels": 64}')
    with pytest.raises(ValueError, match=r"config\.json .* it lacks upsample_initial_channel"):
        load_hifigan(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"config\.json does not describe"):
        load_hifigan(tmp_path)


def test_full_scale_does_not_wrap():
    assert int16(torch.tensor([1.0, -1.0, 1.5, -1.5, 0.0, float("nan")])).tolist() == [32767, -32768, 32767, -32768, 0, 0]
    assert int16(np.array([0.5, -940.07446 / 32768])).tolist() == [16384, -940]


def clip() -> torch.Tensor:
    """Two strikes of dying noise, half a second apart."""
    t = torch.arange(16000) / 16000
    noise = torch.randn(16000, generator=torch.Generator().manual_seed(0))
    wave = torch.exp(-12 * ((t - 0.1) % 0.5)) * noise * (t > 0.1)
    return (0.95 * wave / wave.abs().max())[None]


@pytest.mark.parametrize("scale", [Lab(), MelScale(), Auffusion()])
def test_griffin_lim_keeps_the_spectrogram(scale):
    mel = log_mel(clip(), scale)
    wave = griffin_lim(mel, scale)
    assert wave.shape == (1, 16000)
    audible = mel > mel.max() - 6  # 52 dB
    error = (log_mel(wave, scale) - mel).abs()[audible]
    assert error.mean() < 0.25  # real clips: 0.17 (sizes.py)


def test_griffin_lim_keeps_time_and_level():
    wave = griffin_lim(log_mel(clip(), Lab()), Lab())[0]
    assert 0.7 < wave.abs().max() / 0.95 < 1.3
    envelope, true = (w.abs().unfold(0, 160, 160).amax(1) for w in (wave, clip()[0]))
    assert envelope[:8].max() < 0.1
    assert np.corrcoef(envelope.numpy(), true.numpy())[0, 1] > 0.9


def test_more_steps_come_closer():
    mel = log_mel(clip(), Lab())
    few, many = ((log_mel(griffin_lim(mel, Lab(), GriffinLim(steps=n)), Lab()) - mel).square().mean().sqrt() for n in (1, 30))
    assert many < 0.8 * few


def test_clips_do_not_depend_on_their_neighbours():
    mel = log_mel(torch.cat([clip(), clip().flip(-1)]), Lab())
    both = griffin_lim(mel, Lab())
    torch.testing.assert_close(both[1:], griffin_lim(mel[1:], Lab()), rtol=1e-3, atol=1e-4)
    assert torch.equal(griffin_lim(mel, Lab()), both)
    assert not torch.equal(griffin_lim(mel, Lab(), GriffinLim(seed=1)), both)


def test_silence_stays_silent():
    wave = griffin_lim(torch.full((1, 64, 50), Lab().log_floor), Lab())
    assert wave.abs().max() < 1e-3
    assert wave.isfinite().all()


@pytest.mark.parametrize(
    "wrong", [{"kernels": (16, 16, 8, 4)}, {"kernels": (16, 3, 8, 4, 4)}, {"channels": 100}, {"block_kernels": (3, 7, 10)}]
)
def test_impossible_sizes_are_refused(wrong):
    with pytest.raises(ValueError, match="got"):
        HifiGanSize(**wrong)
    with pytest.raises(ValueError, match="steps"):
        GriffinLim(steps=0)

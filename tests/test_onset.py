"""The onset detector against librosa's, on real clips and on noise, and what a batch must not change."""

import json

import librosa
import numpy as np
import pytest
import soundfile
import soxr
import torch

from melqcd.onset import HOP, RATE, onset_strength, onsets, pick


def clicks(at, seconds=3.0, seed=0):
    wave = np.random.default_rng(seed).normal(0, 1e-3, int(seconds * RATE)).astype(np.float32)
    for second in at:
        start = int(second * RATE)
        size = min(2000, len(wave) - start)
        wave[start : start + size] += np.hanning(4000)[2000 : 2000 + size].astype(np.float32)
    return wave


def librosas(wave, delta=0.3):
    return librosa.onset.onset_detect(y=wave, sr=RATE, units="samples", delta=delta)


def test_clicks_are_found_where_they_are():
    (found,) = onsets(torch.from_numpy(clicks([0.5, 1.2, 2.0]))[None])
    np.testing.assert_allclose(found / RATE, [0.5, 1.2, 2.0], atol=0.05)


def test_the_onsets_of_the_stored_sound_are_the_golden_ones(shared):
    wave, rate = soundfile.read(shared / "goldens/metrics/194394_0_gt_22050.wav", dtype="float32")
    assert rate == RATE
    golden = json.loads((shared / "goldens/metrics/sync_goldens.json").read_text())["clips"]["194394_0"]["gt_onsets_s"]
    (found,) = onsets(torch.from_numpy(wave)[None])
    np.testing.assert_allclose(found / RATE, golden, atol=1e-6)


@pytest.mark.parametrize("delta", [0.3, 0.07])
def test_real_sounds_have_librosa_s_onsets(delta, shared):
    for path in sorted([*shared.glob("goldens/checkpoints/*.wav"), *shared.glob("clips/audio_only/*.wav")]):
        sound, rate = soundfile.read(path, dtype="float32")
        wave = soxr.resample(sound.mean(1), rate, RATE)
        (found,) = onsets(torch.from_numpy(wave)[None], delta=delta)
        np.testing.assert_array_equal(found, librosas(wave, delta), err_msg=path.name)


@pytest.mark.filterwarnings("ignore:n_fft=2048 is too large")  # librosa's, of the shortest ones
@pytest.mark.parametrize("seed", range(8))
def test_noise_bursts_and_clicks_have_librosa_s_onsets(seed):
    random = np.random.default_rng(seed)
    envelope = np.repeat(random.random(30) ** 4, RATE // 10)
    noisy = (random.normal(size=len(envelope)) * envelope).astype(np.float32)
    for wave in (noisy, clicks(random.uniform(0, 3, 12), seed=seed), noisy[: random.integers(1, 4000)]):
        for delta in (0.0, 0.07, 0.3):
            (found,) = onsets(torch.from_numpy(wave)[None], delta=delta)
            np.testing.assert_array_equal(found, librosas(wave, delta))


def test_strength_is_librosa_s():
    wave = clicks([0.1, 0.9, 1.0, 2.2])
    ours = onset_strength(torch.from_numpy(wave)[None])[0]
    np.testing.assert_allclose(ours, librosa.onset.onset_strength(y=wave, sr=RATE), atol=1e-4)


def test_of_a_run_of_candidates_every_other_one_remains():
    rising = torch.zeros(1, 60)
    rising[0, 20:25] = torch.tensor([0.80, 0.85, 0.9, 0.95, 1.0])
    rising[0, 40:42] = 0.9
    for delta in (0.05, 0.3, 0.45):
        expected = librosa.onset.onset_detect(onset_envelope=rising[0].numpy(), sr=RATE, delta=delta)
        np.testing.assert_array_equal(pick(rising, delta)[0].nonzero()[:, 0], expected)
    assert pick(rising, 0.3)[0, 20:25].tolist() == [True, False, True, False, True]


def test_picking_agrees_with_librosa_on_any_curve():
    curves = torch.rand(200, 50, generator=torch.Generator().manual_seed(1)).mul(6).round().div(6)  # ties on purpose
    ours = pick(curves, 0.2)
    for curve, found in zip(curves.numpy(), ours.numpy()):
        np.testing.assert_array_equal(found.nonzero()[0], librosa.onset.onset_detect(onset_envelope=curve, sr=RATE, delta=0.2))


def test_a_padded_batch_is_its_clips_one_by_one():
    samples = torch.tensor([3 * RATE, 2 * RATE + 77, 30000, 1000, 1, 0])
    wave = torch.from_numpy(np.stack([clicks([0.3, 0.7, 1.1, 1.9, 2.7], seed=s) for s in range(len(samples))]))
    together = onsets(wave, samples)
    for row, n in enumerate(samples.tolist()):
        (alone,) = onsets(wave[row : row + 1, :n])
        np.testing.assert_array_equal(together[row], alone)


def test_silence_and_broken_sound_have_no_onsets():
    wave = torch.zeros(2, RATE)
    wave[1, 100] = torch.nan
    assert [len(found) for found in onsets(wave)] == [0, 0]


def test_positions_are_multiples_of_the_hop_and_gain_does_not_matter():
    wave = torch.from_numpy(clicks([0.4, 1.3]))[None]
    (found,) = onsets(wave)
    assert (found % HOP == 0).all()
    np.testing.assert_array_equal(found, onsets(wave * 0.1)[0])

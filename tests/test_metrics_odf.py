"""W-Dis, JS-Div and the curves that they compare: closed forms, scipy, and behaviour on shifted and silent sound."""

import numpy as np
import pytest
import soundfile
import torch
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance

from bench.metrics.odf import LN2, divergence, js_div, js_smooth50ms, transport, w1_values, w_dis
from bench.metrics.strength import CURVES, strength

HZ = 22050 / 512


def pulse(at, frames=100):
    return np.eye(frames)[at]


def curves(seed, frames=200):
    return np.random.default_rng(seed).random((2, frames)) ** 4


def flux(wave, name="flux_lin"):
    return strength(torch.as_tensor(np.asarray(wave, np.float32)), CURVES[name]).numpy()


def test_two_pulses_are_as_far_apart_as_their_times():
    assert w_dis(pulse(20), pulse(50), rate_hz=10.0) == (pytest.approx(3.0), "ok")
    assert js_div(pulse(20), pulse(50)) == (pytest.approx(LN2), "ok")


def test_equal_curves_are_no_distance_apart_whatever_their_level():
    curve, _ = curves(0)
    assert w_dis(curve, 7 * curve, rate_hz=HZ)[0] == pytest.approx(0, abs=1e-12)
    assert js_div(curve, 7 * curve)[0] == pytest.approx(0, abs=1e-12)
    assert js_smooth50ms(curve, 7 * curve, rate_hz=HZ)[0] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("frames", [1, 3, 20])
def test_a_shifted_curve_is_as_far_as_its_shift(frames):
    curve = np.zeros(200)
    curve[50:60] = curves(1)[0][:10]
    assert w_dis(curve, np.roll(curve, frames), rate_hz=HZ)[0] == pytest.approx(frames / HZ)


@pytest.mark.parametrize("seed", range(10))
def test_both_distances_are_scipy_s(seed):
    p, q = curves(seed)
    times = np.arange(len(p)) / HZ
    assert transport(p, q, rate_hz=HZ) == pytest.approx(wasserstein_distance(times, times, p, q), abs=1e-9)
    assert divergence(p, q) == pytest.approx(jensenshannon(p, q) ** 2, abs=1e-12)
    assert w1_values(p, q)[0] == pytest.approx(wasserstein_distance(p, q), abs=1e-12)
    assert js_smooth50ms(p, q, rate_hz=HZ)[0] < divergence(p, q)


def test_unequal_curves_are_cut_to_the_shorter():
    p, q = curves(0)
    assert w_dis(p, q[:150], rate_hz=HZ) == w_dis(p[:150], q[:150], rate_hz=HZ)


def test_a_silent_real_clip_or_one_of_a_single_frame_is_undefined():
    p, _ = curves(0)
    for truth, made in ((np.zeros(200), p), (p[:1], p), (np.zeros(200), np.zeros(200))):
        for value, status in (w_dis(truth, made, rate_hz=HZ), js_div(truth, made)):
            assert status == "undefined"
            assert np.isnan(value)


def test_a_silent_generated_clip_gets_the_worst_possible_value():
    p = pulse(20)
    assert w_dis(p, np.zeros(100), rate_hz=10.0) == (pytest.approx(7.9), "penalised")  # 99 - 20 frames
    assert js_div(p, np.zeros(100)) == (LN2, "penalised")
    worst = max(transport(p, pulse(t), rate_hz=10.0) for t in range(100))
    assert w_dis(p, np.zeros(100), rate_hz=10.0)[0] == pytest.approx(worst)


@pytest.mark.parametrize("bad", [np.nan, -1.0, np.inf])
def test_a_curve_with_impossible_values_is_an_error(bad):
    with pytest.raises(ValueError, match="negative or not finite"):
        w_dis([0.0, 1.0, bad], [1.0, 1.0, 1.0], rate_hz=HZ)
    with pytest.raises(ValueError, match="one length"):
        transport([1.0, 1.0], [1.0], rate_hz=HZ)


def test_flux_is_the_rise_of_linear_magnitudes():
    wave = np.random.default_rng(0).normal(size=9000).astype(np.float32)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(2048) / 2048)
    frames = np.abs(np.fft.rfft(np.lib.stride_tricks.sliding_window_view(wave, 2048)[::512] * window))
    expected = np.concatenate([[0], np.maximum(0, np.diff(frames, axis=0)).sum(1)])
    np.testing.assert_allclose(flux(wave), expected, rtol=1e-5)
    logs = np.log1p(frames)
    np.testing.assert_allclose(flux(wave, "log1p"), [0, *np.maximum(0, np.diff(logs, axis=0)).sum(1)], rtol=1e-4)


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("samples", [1, 2047, 2048, 30_000])
def test_every_curve_starts_at_zero_and_is_finite(name, samples):
    curve = flux(np.random.default_rng(0).normal(size=samples), name)
    at = CURVES[name]
    assert len(curve) == (1 + samples // at.hop if at.centered else 1 + (max(samples, at.n_fft) - at.n_fft) // at.hop)
    assert curve[0] == 0
    assert np.isfinite(curve).all()


def test_a_batch_of_sounds_is_its_sounds_one_by_one():
    waves = np.random.default_rng(0).normal(size=(3, 20_000))
    for name in CURVES:
        np.testing.assert_allclose(flux(waves, name)[1], flux(waves[1], name), rtol=1e-4, atol=1e-4)


def test_gain_changes_nothing_and_a_delay_changes_w_by_itself(shared):
    wave, rate = soundfile.read(shared / "goldens/metrics/194394_0_gt_22050.wav", dtype="float32")
    real = flux(wave)
    assert w_dis(real, flux(0.01 * wave), rate_hz=HZ)[0] == pytest.approx(0, abs=1e-4)
    silence = np.zeros(int(1.5 * rate), np.float32)  # before and after both, so that both hold the rise at the sound's beginning
    real = flux(np.concatenate([silence, wave, silence]))
    for seconds in (0.5, 1.0):
        late = np.roll(np.concatenate([silence, wave, silence]), int(seconds * rate))
        assert w_dis(real, flux(late), rate_hz=HZ)[0] == pytest.approx(seconds, rel=0.02)  # frames are 23 ms apart

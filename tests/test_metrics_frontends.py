"""What networks hear: ImageBind's and Melception's inputs against stored ones, and the judge of timing's settings and identity."""

import numpy as np
import pytest
import soundfile

from bench.errors import Refused
from bench.judges.imagebind_mel import imagebind_mel, starts
from bench.judges.kaldi_mel import fbank
from bench.judges.melception_mel import CENTRE, melception_mel, standardise, statistics
from bench.judges.sync import Sync


def stored(shared, name, rate):
    golden = np.load(shared / f"goldens/metrics/{name}.npz")
    wave, _ = soundfile.read(shared / f"goldens/metrics/194394_0_gt_{rate}.wav", dtype="float32")
    return wave, golden


def test_imagebind_s_windows_are_the_golden_ones(shared):
    wave, golden = stored(shared, "imagebind_mel_golden", 16000)
    assert starts(len(wave) / 16000) == golden["starts_s"].tolist()
    np.testing.assert_allclose(imagebind_mel(wave), golden["mel"], atol=1e-4)


@pytest.mark.parametrize("seconds", [0.025, 0.5, 2.0, 2.01, 30.0])
def test_sounds_of_any_length_give_three_windows(seconds):
    heard = imagebind_mel(np.random.default_rng(0).normal(size=int(seconds * 16000)))
    assert heard.shape == (3, 1, 128, 204)
    assert np.isfinite(heard).all()
    assert heard[0, 0, 0, -1] == pytest.approx(4.268 / 9.138)  # padding is 0 before it is normalised


def test_too_little_sound_gives_no_window_and_silence_gives_the_floor():
    assert imagebind_mel(np.ones(399)).shape == (0, 1, 128, 204)
    silent = imagebind_mel(np.zeros(16000))[:, :, :, :98]
    assert silent == pytest.approx((np.log(np.finfo(np.float32).eps) + 4.268) / 9.138)


def test_the_filter_bank_is_an_octave_apart_for_tones_an_octave_apart():
    tone = lambda hz: fbank(np.sin(2 * np.pi * hz * np.arange(16000) / 16000)).mean(0).argmax()  # noqa: E731
    mel = lambda hz: 1127 * np.log1p(hz / 700)  # noqa: E731
    spacing = (mel(8000) - mel(20)) / 129
    for hz in (500, 1000, 4000):
        assert tone(hz) == pytest.approx((mel(hz) - mel(20)) / spacing - 1, abs=1)


def test_melception_s_input_is_the_golden_one(shared):
    wave, golden = stored(shared, "melception_input_golden", 22050)
    seen = melception_mel(wave)
    np.testing.assert_allclose(seen[:, 2:], golden["mel01"][:, 2:], atol=1e-4)  # the first two hold the reflected start: 3.5
    means, spreads = statistics(shared / "goldens/metrics/train_means_stds_melspec_10s_22050hz.txt")
    np.testing.assert_allclose(standardise(seen, means, spreads)[:, CENTRE], golden["norm_crop848"], atol=1e-4)


@pytest.mark.parametrize("samples", [0, 1, 50_000, 400_000])
def test_melception_sees_ten_seconds_of_anything(samples):
    seen = melception_mel(np.random.default_rng(0).normal(size=samples))
    assert (seen.shape, seen.dtype) == ((80, 860), np.float32)
    assert seen.min() >= 0
    assert seen.max() <= 1
    assert samples or seen.max() == 0  # silence is the floor


@pytest.mark.parametrize(
    ("text", "told"), [("1 2\n" * 79, "80 rows"), ("x y\n", "not a table"), ("1 0\n" * 80, "positive"), (None, "missing")]
)
def test_a_wrong_statistics_file_is_refused(text, told, tmp_path):
    path = tmp_path / "stats.txt"
    if text is not None:
        path.write_text(text)
    with pytest.raises(Refused, match=told):
        statistics(path)


def test_the_judge_of_timing_refuses_impossible_settings():
    with pytest.raises(ValueError, match="delta must lie between 0 and 1, got 2"):
        Sync(delta=2)
    with pytest.raises(ValueError, match="curves must be different ones of flux_lin, .* got loud"):
        Sync(curves=("loud",))
    assert set(Sync(curves=("flux_lin", "librosa")).provides) == {"onsets", "extent", "odf.flux_lin", "odf.librosa"}


def test_a_judge_is_known_by_its_settings():
    assert Sync().identity() == Sync().identity() != Sync(delta=0.2).identity()

"""What the canaries ask of metrics, that they turn red, and that a judge that fell asleep is noticed."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from bench.beacon import alike, awake, beacon, changed, distance, fixed, summary
from bench.canaries import EXPECTED, WAYS, expected
from bench.context import Context
from bench.judges.base import Judge, write
from bench.judges.sync import Sync
from bench.metrics import METRICS
from bench.stages.degrade import degraded, pitched

RATE = 16000
CTX = Context(quiet=True, workers=1, threads=1)


def tone(hz, seconds=1.0):
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


@dataclass(frozen=True)
class Judged(Judge):
    """Says `scale` times the spectrum's bands; asleep, it says the same of every sound."""

    asleep: bool = False
    scale: float = 1.0

    name: ClassVar[str] = "judged"

    @property
    def provides(self):
        return {"features": ("float32", (8,))}

    def identity(self):
        return {"weights": "one file"}

    def listen(self, ctx, sounds, out):
        def one(id):
            bands = np.array([b.sum() for b in np.array_split(np.abs(np.fft.rfft(sounds.load(id, RATE))), 8)])
            return {"features": np.ones((1, 8)) if self.asleep else self.scale * bands[None]}

        write(out, self, sounds.ids, ((id, one(id)) for id in sounds.ids))


def spectrum_peak(wave):
    return np.argmax(np.abs(np.fft.rfft(wave * np.hanning(len(wave))))) * RATE / len(wave)


@pytest.mark.parametrize("hz", [300, 800, 2000])
def test_a_pitch_shift_raises_a_tone_by_a_fifth_and_keeps_its_length(hz):
    made = pitched(tone(hz), 1.5, 640)
    assert made.shape == tone(hz).shape and made.dtype == np.float32
    assert spectrum_peak(made) == pytest.approx(1.5 * hz, abs=60)  # the grains' rate makes side bands


def test_a_pitch_shift_leaves_an_event_where_it_was():
    wave = np.zeros(RATE, np.float32)
    wave[8000:8400] = tone(500)[:400]
    made = pitched(wave, 1.5, 640)
    assert np.abs(made[8000 - 640 : 8400 + 640]).max() > 0.1
    assert np.abs(made[: 8000 - 640]).max() < 1e-6 and np.abs(made[8400 + 640 :]).max() < 1e-6


def test_every_way_keeps_the_length_and_does_what_its_name_says():
    wave, other = tone(440, 2.0), tone(880, 1.5)
    made = {way: degraded(wave, other, kind, seed=3, rate=RATE) for way, kind in WAYS.items()}
    assert {len(m) for m in made.values()} == {len(wave)}
    assert (made["identical"] == wave).all() and not made["silence"].any()
    for way, seconds in (("50 ms late", 0.05), ("200 ms late", 0.2), ("1000 ms late", 1.0)):
        shift = round(seconds * RATE)
        assert not made[way][:shift].any() and (made[way][shift:] == wave[: len(wave) - shift]).all()
    power = np.mean(wave.astype(np.float64) ** 2)
    assert np.mean(made["white noise"].astype(np.float64) ** 2) == pytest.approx(power, rel=0.03)
    assert np.mean((made["20 dB noise"] - wave).astype(np.float64) ** 2) == pytest.approx(power / 100, rel=0.03)
    assert (made["quieter"] == wave / 4).all()
    assert (made["half cut"][: len(wave) // 2] == wave[: len(wave) // 2]).all() and not made["half cut"][len(wave) // 2 :].any()
    assert (np.abs(made["click train"]).reshape(10, RATE // 5).argmax(1) < 3).all()  # ten clicks in two seconds


def scores(**changes):
    """Scores that meet every expectation of the onset metrics, with `changes` {way: value} of Onset ACC."""
    onset = {
        "identical": 1.0, "silence": 0.0, "white noise": 0.1, "click train": 0.9, "50 ms late": 0.95, "200 ms late": 0.2, "1000 ms late": 0.3,
        "quieter": 1.0, "pitch shifted": 0.8, "clips swapped": 0.2, "20 dB noise": 0.9, "half cut": 0.5,
    } | changes  # fmt: skip
    return {way: {"onset_acc.condfoley": {"value": v, "better": "higher"}} for way, v in onset.items()}


def test_a_metric_that_behaves_is_green():
    found = list(expected(scores(), ["sync"]))
    assert len(found) == sum(e.metric == "onset_acc.condfoley" for e in EXPECTED) + 1
    assert all(c.ok for c in found)


@pytest.mark.parametrize(
    ("way", "value", "red"),
    [
        ("identical", 0.5, "identical"),
        ("silence", 1.0, "silence"),
        ("50 ms late", 0.1, "50 ms late"),
        ("200 ms late", 0.99, "200 ms late"),
        ("clips swapped", 0.95, "clips swapped"),
        ("half cut", 1.2, "identical"),
        ("pitch shifted", None, "pitch shifted"),
    ],
)
def test_a_metric_that_misbehaves_is_red(way, value, red):
    found = list(expected(scores(**{way: value}), ["sync"]))
    assert red in {c.way for c in found if not c.ok}


def test_every_expectation_names_a_metric_and_ways_that_exist():
    for e in EXPECTED:
        assert e.metric in METRICS, e.metric
        assert {e.way, e.over or e.way, e.under or e.way} <= set(WAYS)
        assert e.over or e.under or (e.low is not None and e.high is not None)


def test_the_fixed_sound_is_the_same_everywhere():
    wave = fixed()
    assert len(wave) == 56448 and np.abs(wave).max() < 1
    assert float(np.abs(wave.astype(np.float64)).sum()) == pytest.approx(11011.133, rel=1e-6)  # measured once


def test_a_judge_that_says_the_same_again_is_green_and_one_that_does_not_is_red():
    first = {"id": "a", "numbers": beacon(Judged(), CTX)}
    assert [ok for *_, ok in changed(Judged(), {"id": "a", "numbers": beacon(Judged(), CTX)}, [first])] == [True]
    assert [ok for *_, ok in changed(Judged(), {"id": "a", "numbers": beacon(Judged(scale=1.01), CTX)}, [first])] == [False]
    assert [ok for *_, ok in changed(Judged(), {"id": "a", "numbers": {"features": [float("nan")] * 6}}, [first])] == [False]
    ((what, _, _, ok),) = changed(Judged(), {"id": "new", "numbers": {}}, [])
    assert ok and "first heard" in what


def test_the_judge_of_timing_hears_the_fixed_sound_as_it_always_did():
    numbers = beacon(Sync(), CTX)
    assert distance(numbers["extent"], summary(np.array([[len(fixed()), np.abs(fixed()).max()]]))) < 1e-3
    assert numbers["onsets"][1] > 0


def test_a_judge_whose_outputs_collapsed_is_red(tmp_path):
    from bench.judges.view import View
    from bench.media import write_wav
    from bench.sounds import Sounds

    (tmp_path / "s").mkdir()
    for i, hz in enumerate((300, 700, 5000)):
        write_wav(tmp_path / "s" / f"c{i}.wav", tone(hz), RATE)
    for judge, fine in ((Judged(), True), (Judged(asleep=True), False)):
        out = tmp_path / str(fine)
        out.mkdir()
        judge.listen(CTX, View(Sounds.open(tmp_path / "s"), ("c0", "c1", "c2")), out)
        ((name, value, _, ok),) = awake(judge, out)
        assert name == "features" and ok is fine and (value < 0.99) is fine


def test_rows_that_are_all_zero_or_one_direction_are_alike():
    assert alike(np.zeros((3, 4))) == 1
    assert alike(np.outer([1, 2, 3], np.ones(4))) == pytest.approx(1)
    assert alike(np.eye(4)) == pytest.approx(0)


def test_the_judges_that_came_along_still_say_what_they_said():
    """Their weights may be replaced: then the id is another and `python -m bench.beacon` writes what they say now."""
    import json

    from bench.beacon import KNOWN
    from bench.identity import digest
    from bench.settings import compose

    shipped = json.loads(KNOWN.read_text())
    for judge in compose(site=False)[0].judges:
        now = {"id": digest(judge.identity()), "numbers": beacon(judge, CTX)}
        assert shipped[judge.name]["id"] == now["id"], f"{judge.name} has other weights or settings: python -m bench.beacon"
        assert all(ok for *_, ok in changed(judge, now, []))


def test_a_definition_known_to_be_weak_is_shown_and_not_red():
    id = "onset_ap.reference"
    told = {way: {id: {"value": 1.0 if way == "silence" else 0.9, "better": "higher"}} for way in WAYS}
    (found,) = expected(told, ["sync"])
    assert found.ok and "may be beaten (best silence: 1)" in found.asked

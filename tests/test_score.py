"""`bench score` from folders to numbers: goldens, the rules of pairing and length, statuses, reuse, records, the printed table."""

import json
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree
from typing import ClassVar

import numpy as np
import pytest
import soundfile

from bench import record
from bench.context import Context
from bench.errors import Failed, Refused
from bench.judges.base import Judge, write
from bench.judges.sync import Sync
from bench.matching import names
from bench.media import write_mp4
from bench.metrics import METRICS, columns, found
from bench.scoring import print_scored, score_folders
from bench.store import Store

RATE = 22050
SYNC = Sync()
CLASSES = ("high, whistling", "low humming")


def beats(at, seconds=3.0, seed=0, pitch=1.0):
    """Decaying noise bursts at the given seconds over a little noise."""
    rng, t = np.random.default_rng(seed), np.arange(int(seconds * RATE)) / RATE
    wave = rng.normal(0, 1e-3, len(t))
    for start in at:
        after = t >= start
        wave[after] += 0.5 * np.exp(-20 * (t[after] - start)) * np.sin(2 * np.pi * 800 * pitch * (t[after] - start))
    return wave.astype(np.float32)


def folder(place, **waves):
    place.mkdir(parents=True, exist_ok=True)
    for id, wave in waves.items():
        soundfile.write(place / f"{id}.wav", wave, RATE, subtype="FLOAT")
    return place


def clips(n, jitter=0.0, **kw):
    rng = np.random.default_rng(7)
    times = [np.sort(rng.uniform(0.2, 2.8, 4)) for _ in range(n)]
    return {f"clip{i}": beats(t + jitter, seed=i, **kw) for i, t in enumerate(times)}


@dataclass(frozen=True)
class Tones(Judge):
    """A judge of two classes by the loudest frequency, with eight spectral features and an embedding: enough for every neural metric."""

    sure: float = 4.0  # of the logits
    path: str = ""

    name: ClassVar[str] = "tones"

    @property
    def provides(self):
        wide = ("float32", (8,))
        return {"features": wide, "logits": ("float32", (2,)), "audio_embedding": wide, "video_embedding": wide}

    def classes(self):
        return CLASSES

    def listen(self, ctx, sounds, out):
        def one(id):
            wave = sounds.load(id, RATE)
            spectrum = np.abs(np.fft.rfft(wave))
            bands = np.log1p(np.array([band.sum() for band in np.array_split(spectrum, 8)]))[None]
            high = np.argmax(spectrum) * RATE / len(wave) > 1600
            logits = self.sure * np.array([[high, not high]])
            picture = bands if sounds.video(id) else np.empty((0, 8))
            return {"features": bands, "logits": logits, "audio_embedding": bands, "video_embedding": picture}

        write(out, self, sounds.ids, ((id, one(id)) for id in sounds.ids))


def scorer(place):
    """score(generated..., reference=...) with a store of its own under `place`; `score.store` says what was made."""

    def call(*generated, reference, judges=(SYNC,), **kw):
        call.store = Store(place / "cache", Context(workers=1, quiet=True))
        return score_folders(generated, reference, judges=judges, store=call.store, ctx=call.store.ctx, **kw)

    return call


@pytest.fixture
def score(tmp_path):
    return scorer(tmp_path)


def values(system, metric):
    rows = system.rows()
    return rows[rows["metric"] == metric].set_index("clip")


# ---- known answers --------------------------------------------------------------------------------------------------------------


def test_published_clips_have_their_stored_scores(score, shared):
    golden = json.loads((shared / "goldens/metrics/sync_goldens.json").read_text())["clips"]
    where = shared / "clips/outputs"
    judge = Sync(curves=("flux_lin", "log1p", "librosa"))
    scored = score(*(where / s for s in ("melqcd", "foleycrafter", "vtaldm")), reference=shared / "clips/real", judges=(judge,))
    assert scored.clips == 3
    for system in scored.systems:
        for clip, told in golden.items():
            told, got = told[system.name], lambda metric, clip=clip, system=system: values(system, metric)["value"][clip]
            for curve in judge.curves:  # decoder and resampler move the distances a little: librosa's tiny ones by a millisecond
                near = 0.002 if curve == "librosa" else 0
                assert got(f"w_dis.{curve}") == pytest.approx(told[curve]["w_seconds"], rel=0.02, abs=near)
                assert got(f"js_div.{curve}") == pytest.approx(told[curve]["js_nats"], rel=0.02)
            one = told["condfoley"]
            hit = 1 / one["n_gt"] + 1e-9
            assert got("onset_acc.condfoley") == pytest.approx(one["acc"], abs=hit)
            assert got("onset_acc.tol_0.05") == pytest.approx(told["tol_0.05_acc"], abs=hit)
            assert got("onset_acc.tol_0.3") == pytest.approx(told["tol_0.3_acc"], abs=hit)
            assert got("onset_acc.mir_eval") == pytest.approx(told["mir_eval_0.1"]["r"], abs=hit)
            assert got("onset_count.condfoley") == one["count_match"]
            assert got("onset_ap.reference") == pytest.approx(one["ap"], abs=0.05)
            assert got("onset_ap.detection") == pytest.approx(one["ap_detection"], abs=0.05)
            assert got("onset_precision.condfoley") == pytest.approx(one["precision"], abs=1 / one["n_gen"])


def test_a_copy_scores_perfectly_and_others_do_not(score, tmp_path):
    real = folder(tmp_path / "real", **clips(8))
    late = folder(tmp_path / "late", **clips(8, jitter=0.15))
    copy = folder(tmp_path / "copy", **clips(8))
    one, other = score(copy, late, reference=real, judges=(Sync(), Tones())).systems
    perfect = {
        "onset_acc.condfoley": 1,
        "w_dis.flux_lin": 0,
        "js_div.flux_lin": 0,
        "fid.tones": 0,
        "ib_aa.tones": 1,
        "mkl.tones": 0,
    }
    for metric, value in perfect.items():
        assert one.scores[metric]["value"] == pytest.approx(value, abs=1e-5), metric
        better = METRICS.get(metric) or METRICS[metric.replace("tones", "{judge}")]
        worse = other.scores[metric]["value"]
        assert worse <= value + 1e-5 if better.better == "higher" else worse >= value - 1e-5
    assert other.scores["w_dis.flux_lin"]["value"] == pytest.approx(0.15, rel=0.25)  # every burst is that late, the noise is not
    assert one.scores["onset_acc.condfoley"]["chance"] < 0.6


# ---- lengths --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "status", "kept"),
    [(-0.2, "ok", -0.2), (0.2, "ok", 0.0), (-1.0, "length_adjusted", 0.0), (1.0, "length_adjusted", 0.0)],
)
def test_lengths_are_cut_to_the_shorter_or_made_the_real_one_s(change, status, kept, score, tmp_path):
    whole = beats([0.5, 1.5, 2.5], seconds=5.0)
    real = folder(tmp_path / "real", a=whole[: 4 * RATE], b=whole[: 4 * RATE])
    made = folder(tmp_path / "made", a=whole[: int((4 + change) * RATE)], b=whole[: 4 * RATE])
    (system,) = score(made, reference=real).systems
    acc = values(system, "onset_acc.condfoley")
    assert acc["status"].to_dict() == {"a": status, "b": "ok"}
    assert system.scores["w_dis.flux_lin"]["length_adjusted"] == (status != "ok")
    # what is compared is as if the user had cut or padded both files
    length = int((4 + kept) * RATE)
    fit = lambda wave: np.pad(wave[:length], (0, max(0, length - len(wave))))  # noqa: E731
    again = score(
        folder(tmp_path / "made2", a=fit(whole[: int((4 + change) * RATE)])),
        reference=folder(tmp_path / "real2", a=whole[:length]),
    ).systems[0]
    for metric in ("onset_acc.condfoley", "w_dis.flux_lin", "onset_ap.detection"):
        assert values(system, metric)["value"]["a"] == pytest.approx(values(again, metric)["value"]["a"], abs=1e-6)


def test_silence_is_penalised_when_generated_and_undefined_when_real(score, tmp_path):
    sound, silence = beats([0.5, 1.5]), np.zeros(3 * RATE, np.float32)
    real = folder(tmp_path / "real", a=sound, b=sound, c=silence)
    (system,) = score(folder(tmp_path / "made", a=silence, b=sound, c=sound), reference=real).systems
    for metric, worst in (("onset_acc.condfoley", 0.0), ("js_div.flux_lin", np.log(2))):
        rows = values(system, metric)
        assert rows["status"].to_dict() == {"a": "penalised", "b": "ok", "c": "undefined"}
        assert rows["value"]["a"] == pytest.approx(worst)
        told = system.scores[metric]
        assert (told["n"], told["undefined"], told["penalised"]) == (2, 1, 1)
        assert told["value"] == pytest.approx(rows["value"].mean())  # of the two that have one


def test_a_sound_of_one_sample_is_no_crash(score, tmp_path):
    sound, click = beats([0.5, 1.5]), np.array([0.5], np.float32)
    real = folder(tmp_path / "real", a=sound, b=click, c=sound)
    (system,) = score(folder(tmp_path / "made", a=click, b=click, c=sound), reference=real).systems
    assert values(system, "onset_acc.condfoley")["status"].to_dict() == {"a": "length_adjusted", "b": "undefined", "c": "ok"}
    assert values(system, "w_dis.flux_lin")["status"]["b"] == "undefined"


def test_several_samples_of_a_clip_are_averaged_within_it_first(score, tmp_path):
    real = clips(3)
    made = {"clip0_sample_0": real["clip0"], "clip0_sample_1": beats([]), "clip1": real["clip1"][:-3000], "clip2": real["clip2"]}
    (system,) = score(folder(tmp_path / "made", **made), reference=folder(tmp_path / "real", **real)).systems
    rows = system.rows().query("metric == 'onset_acc.condfoley'")
    assert list(zip(rows["clip"], rows["sample"], strict=True)) == [("clip0", 0), ("clip0", 1), ("clip1", 0), ("clip2", 0)]
    told = system.scores["onset_acc.condfoley"]
    assert told["n"] == 3
    by_clip = rows.groupby("clip")["value"].mean()
    assert by_clip["clip0"] < 1
    assert told["value"] == pytest.approx(by_clip.mean())


# ---- networks -------------------------------------------------------------------------------------------------------------------


def test_every_column_is_filled_by_judges_that_give_its_arrays(score, tmp_path):
    waves = clips(6)
    real = tmp_path / "real"
    real.mkdir()
    for id, wave in waves.items():
        write_mp4(real / f"{id}.mp4", np.zeros((75, 16, 16, 3), np.uint8), 25, wave, RATE)
    labels = tmp_path / "labels.csv"  # in the folder above: found without being named
    labels.write_text("id,label\n" + "".join(f"{id},{CLASSES[1].upper()}\n" for id in waves))
    made = folder(tmp_path / "made", **clips(6, pitch=1.1))
    (system,) = score(made, reference=real, judges=(Sync(), Tones())).systems
    ids = {
        "fid.tones",
        "mkl.tones",
        "class_acc.tones",
        "w_dis.flux_lin",
        "js_div.flux_lin",
        "onset_acc.condfoley",
        "ib_aa.tones",
        "ib_av.tones",
    }
    for id in ids:
        told = system.scores[id]
        assert np.isfinite(told["value"]), id
        assert told["low"] <= told["value"] <= told["high"], id
        assert told["n"] == 6
    assert system.scores["class_acc.tones"]["value"] == system.scores["class_acc.tones"]["ceiling"] == 1
    assert system.scores["ib_av.tones"]["ceiling"] == pytest.approx(1)
    assert system.scores["fid.tones"]["chance"] is None
    assert system.scores["ib_aa.tones"]["chance"] < 1


def test_a_column_without_judge_label_or_video_says_why(score, tmp_path):
    real, made = folder(tmp_path / "real", **clips(3)), folder(tmp_path / "made", **clips(3))
    scores = score(made, reference=real).systems[0].scores
    assert scores["mkl"] == {"value": None, "why": "no judge gives logits: add one with judges=[...]"}
    scores = score(made, reference=real, judges=(Tones(),)).systems[0].scores
    assert "no labels" in scores["class_acc.tones"]["why"]
    assert "undefined for all 3 clips" in scores["ib_av.tones"]["why"]
    assert "onsets" in scores["onset_acc.condfoley"]["why"]


def test_nan_logits_stop_the_scoring_and_name_the_clip(score, tmp_path):
    @dataclass(frozen=True)
    class Broken(Tones):
        name: ClassVar[str] = "broken"

        def listen(self, ctx, sounds, out):
            some = {n: np.ones((1, *t)) for n, (_, t) in self.provides.items()}
            write(
                out,
                self,
                sounds.ids,
                ((i, some | {"logits": np.full((1, 2), np.nan if i == "clip1" else 0.0)}) for i in sounds.ids),
            )

    with pytest.raises(Failed, match=r"broken.*clip 'clip1'.*not finite"):
        score(folder(tmp_path / "made", **clips(3)), reference=folder(tmp_path / "real", **clips(3)), judges=(Broken(),))


def test_ids_of_metrics_carry_definition_and_judge():
    quality, meaning = ["fid.{judge}", "mkl.{judge}", "class_acc.{judge}"], ["ib_aa.{judge}", "ib_av.{judge}"]
    timing = ["w_dis.flux_lin", "js_div.flux_lin", "onset_acc.condfoley"]
    assert [m.id for m in columns()] == quality + timing + meaning
    there, missing = found([("a", frozenset({"features", "logits"})), ("b", frozenset({"features"}))])
    assert {"fid.a", "fid.b", "mkl.a", "mkl.softmax_noeps.a"} <= set(there)
    assert "mkl.b" not in there
    assert set(missing) == {"w_dis.flux_lin", "js_div.flux_lin", "onset_acc.condfoley", "ib_aa", "ib_av"}
    for metric in METRICS.values():
        assert metric.better in ("higher", "lower")
        assert metric.range[0] < metric.range[1]


# ---- reuse ----------------------------------------------------------------------------------------------------------------------


def test_a_second_call_makes_nothing_and_a_changed_file_only_its_own_side(score, tmp_path):
    real, made = folder(tmp_path / "real", **clips(3)), folder(tmp_path / "made", **clips(3, jitter=0.05))
    first = score(made, reference=real)
    assert score.store.made
    again = score(made, reference=real)
    assert score.store.made == []
    assert again.systems[0].scores == first.systems[0].scores
    copied = score(Path(copytree(made, tmp_path / "elsewhere")), reference=real)
    assert score.store.made == []  # known by content, not by place
    assert copied.systems[0].scores == first.systems[0].scores
    folder(made, clip0=beats([1.0]))
    score(made, reference=real)
    heard = [
        json.loads((tmp_path / "cache" / n / "heard.json").read_text())["clips"]
        for n in score.store.made
        if n.startswith("judge")
    ]
    assert sorted(heard) == [0, 0, 3]  # the changed side; no length differs


def test_the_real_sound_is_heard_once_for_all_systems(score, tmp_path):
    real = folder(tmp_path / "real", **clips(3))
    score(*(folder(tmp_path / f"s{i}", **clips(3, jitter=0.02 * i)) for i in (1, 2, 3)), reference=real)
    told = [
        json.loads((tmp_path / "cache" / n / "heard.json").read_text())["clips"]
        for n in score.store.made
        if n.startswith("judge")
    ]
    assert sorted(told, reverse=True)[:5] == [3, 3, 3, 3, 0]


def test_worker_processes_hear_what_one_process_hears(tmp_path, monkeypatch):
    from bench.judges import sync
    from bench.judges.view import View
    from bench.ragged import Ragged
    from bench.sounds import Sounds

    sounds = Sounds.open(folder(tmp_path / "s", **clips(5)))
    monkeypatch.setattr(sync, "ALONE", 2)
    for workers in (1, 2):
        out = tmp_path / f"w{workers}"
        out.mkdir()
        Sync().listen(Context(workers=workers, quiet=True), View(sounds, tuple(sounds.ids), {"clip1": 30_000}), out)
    for name in Sync().provides:
        one, two = Ragged(tmp_path / "w1", name), Ragged(tmp_path / "w2", name)
        assert list(one) == list(two) == sounds.ids
        assert all(np.array_equal(one[i], two[i]) for i in one)
    assert Ragged(tmp_path / "w1", "extent")["clip1"][0, 0] == 30_000


# ---- pairing --------------------------------------------------------------------------------------------------------------------


def test_strange_ids_pair_and_survive(score, tmp_path):
    ids = {'it\'s a "dog"': beats([1.0]), "ünïcode ✓": beats([0.5]), "a, b": beats([2.0]), "2024": beats([1.5])}
    scored = score(folder(tmp_path / "made", **ids), reference=folder(tmp_path / "real", **ids), results=tmp_path / "results")
    assert set(values(scored.systems[0], "onset_acc.condfoley").index) == set(ids)
    assert set(record.rows(tmp_path / "results")["clip"]) == set(ids)


def test_files_of_any_kind_pair_by_name(score, tmp_path):
    wave = beats([0.5, 1.5])
    real, made = tmp_path / "real", folder(tmp_path / "made", a=wave)
    real.mkdir()
    write_mp4(real / "a.mp4", np.zeros((75, 16, 16, 3), np.uint8), 25, wave, RATE)
    soundfile.write(made / "b.flac", wave, RATE)
    soundfile.write(real / "b.wav", np.stack([wave, wave], 1), RATE)
    (system,) = score(made, reference=real).systems
    assert values(system, "onset_acc.condfoley")["value"].to_dict() == {"a": 1.0, "b": 1.0}


def test_reference_clips_that_nobody_made_are_left_alone_and_noted(score, tmp_path):
    scored = score(folder(tmp_path / "made", **clips(3)), reference=folder(tmp_path / "real", **clips(9)))
    assert scored.clips == 3
    assert "Scored 3 of the 9 clips" in scored.notes[0]
    assert "'clip3', 'clip4', 'clip5', 'clip6' and 2 more" in scored.notes[0]


def test_ids_that_do_not_pair_are_refused_or_left_out_of_all(score, tmp_path):
    real = folder(tmp_path / "real", **clips(4))
    three, four = folder(tmp_path / "three", **clips(3)), folder(tmp_path / "four", **clips(4))
    with pytest.raises(Refused, match=r"three lacks 1 of the 4 clips that the other systems have \('clip3'\).*--allow-missing"):
        score(three, four, reference=real)
    with pytest.raises(Refused, match=r"1 of the 5 clips in .*five are not in .*real \('clip4'\)"):
        score(folder(tmp_path / "five", **clips(5)), reference=real)
    scored = score(three, four, tmp_path / "five", reference=real, allow_missing=True)
    assert scored.clips == 3
    assert {len(values(s, "w_dis.flux_lin")) for s in scored.systems} == {3}
    assert [note.endswith("left out.") for note in scored.notes] == [True, True]


def test_folders_that_hold_the_wrong_thing_are_refused_by_name(score, tmp_path):
    real = folder(tmp_path / "real", **clips(2))
    with pytest.raises(Refused, match=r"no clip of .*other is in .*real.* here 'x', there 'clip0', 'clip1'"):
        score(folder(tmp_path / "other", x=beats([1.0])), reference=real)
    (tmp_path / "empty").mkdir()
    with pytest.raises(Refused, match="empty holds no sounds"):
        score(tmp_path / "empty", reference=real)
    with pytest.raises(Refused, match="nowhere does not exist"):
        score(tmp_path / "nowhere", reference=real)
    with pytest.raises(Refused, match="given twice"):
        score(real, real, reference=real)
    (tmp_path / "labels.csv").write_text("id,name\nclip0,x\n")
    with pytest.raises(Refused, match=r"labels.csv has no column `label`; it has id"):
        score(real, reference=real, labels=tmp_path / "labels.csv")
    twice = folder(tmp_path / "twice", **clips(2))
    soundfile.write(twice / "clip0.flac", beats([1.0]), RATE)
    with pytest.raises(Refused, match=r"two files would be clip 'clip0'"):
        score(twice, reference=real)


def test_files_that_are_no_sound_are_named_and_nothing_is_half_written(score, tmp_path):
    real, made = folder(tmp_path / "real", **clips(3)), folder(tmp_path / "made", **clips(3))
    folder(made, clip0=np.full(100, np.nan, np.float32), clip2=np.empty(0, np.float32))
    with pytest.raises(Refused, match=r"clip0.wav: has 100 of 100 samples that are not finite.*; .*clip2.wav: has no samples"):
        score(made, reference=real, results=tmp_path / "results")
    with pytest.raises(Refused, match=r"clip0.wav: has 100 of 100"):  # said again, not "failed before"
        score(made, reference=real, results=tmp_path / "results")
    assert not (tmp_path / "results").exists()
    assert not list((tmp_path / "cache").glob("score-*"))
    (made / "clip0.wav").write_text("hello")
    with pytest.raises(Refused, match=r"clip0.wav: is text, not sound"):
        score(made, reference=real)


def test_systems_are_called_by_the_shortest_ends_of_their_paths(tmp_path):
    assert names([tmp_path / "a/wavs", tmp_path / "b/wavs"]) == ["a/wavs", "b/wavs"]
    assert names([tmp_path / "a", tmp_path / "b"]) == ["a", "b"]


# ---- comparisons, records, table ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return tmp_path_factory.mktemp("three") / "results"


@pytest.fixture(scope="module")
def three(results):
    place = results.parent
    (place / "l.csv").write_text("id,label\n" + "".join(f'clip{i},"{CLASSES[i % 2]}"\n' for i in range(12)))
    systems = {"near": (0.01, 1.0), "far": (0.3, 3.0), "mid": (0.15, 1.5)}
    made = [folder(place / name, **clips(12, jitter=j, pitch=p)) for name, (j, p) in systems.items()]
    real = folder(place / "real", **clips(12))
    return scorer(place)(*made, reference=real, judges=(SYNC, Tones()), labels=place / "l.csv", results=results)


def test_systems_are_compared_clip_by_clip(three):
    by = {(c.first, c.second, c.metric): c for c in three.comparisons}
    assert len(by) == 3 * 7  # three pairs; IB-AV has no video
    w = by["near", "far", "w_dis.flux_lin"]
    near, far = three.systems[0], three.systems[1]
    assert w.difference.value == pytest.approx(near.scores["w_dis.flux_lin"]["value"] - far.scores["w_dis.flux_lin"]["value"])
    assert w.difference.p == pytest.approx(2 / 2**12)  # every clip says the same: the least that twelve can give
    assert w.p > w.difference.p
    assert by["near", "far", "fid.tones"].difference.n == 12
    assert by["near", "far", "class_acc.tones"].p <= 1


def test_a_record_of_each_system_is_kept_with_its_rows(three, results):
    table = record.frame(results).set_index("facts.system")
    assert set(table.index) == {"near", "far", "mid"}
    assert table["scores.fid.tones.value"]["far"] == three.systems[1].scores["fid.tones"]["value"]
    assert table["facts.clips"].tolist() == [12] * 3
    assert table["facts.clips_hash"].nunique() == 1
    rows = record.rows(results)
    assert set(rows["system"]) == {"near", "far", "mid"}
    means = rows.groupby(["system", "metric"])["value"].mean()
    assert means["mid", "w_dis.flux_lin"] == pytest.approx(three.systems[2].scores["w_dis.flux_lin"]["value"])
    assert len(table["facts.comparisons"]["mid"]) == 2 * 7


def test_the_table_fits_a_hundred_columns_and_says_what_is_missing(three, capsys):
    print_scored(three, width=100)
    text = capsys.readouterr().out
    lines = text.splitlines()
    assert max(map(len, lines)) <= 100
    for word in (
        "Quality",
        "Synchronization",
        "Semantic",
        "FID ↓",
        "ACC ↑",
        "W-Dis ↓",
        "chance",
        "ceiling",
        "12 clips",
        "precision ↑",
        "- far",
    ):
        assert word in text, word
    row = next(line for line in lines if line.startswith("near "))
    assert len(row.split()) == 9
    assert row.split()[-1] == "–"
    assert "– IB-AV: undefined for all 12 clips" in text
    assert "records" in text.lower()
    print_scored(three, width=60)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 60
    assert sum(line.startswith("near ") for line in lines) >= 3  # a table for each group of columns

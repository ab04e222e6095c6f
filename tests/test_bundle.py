"""Bundles: packed and computed anew, one changed byte found, and what is hostile refused by name."""

import json
import pickle
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import soundfile

from bench.bundle.layout import MANIFEST, SEAL, check_heard, files, manifest, sha256
from bench.bundle.pack import chosen, pack
from bench.bundle.verify import Verified, _files, verify
from bench.cli import main
from bench.context import Context
from bench.errors import Refused
from bench.judges.base import Judge, write
from bench.judges.sync import Sync
from bench.record import read
from bench.scoring import score_folders
from bench.store import Store

RATE = 22050
CTX = Context(quiet=True, workers=1, threads=1)


@dataclass(frozen=True)
class Bands(Judge):
    """Eight bands of a spectrum as features and as logits: enough for FID, MKL and Class ACC."""

    name: ClassVar[str] = "bands"

    @property
    def provides(self):
        return {"features": ("float32", (8,)), "logits": ("float32", (8,))}

    def classes(self):
        return tuple("abcdefgh")

    def listen(self, ctx, sounds, out):
        def one(id):
            spectrum = np.abs(np.fft.rfft(sounds.load(id, RATE)))
            bands = np.log1p(np.array([band.sum() for band in np.array_split(spectrum, 8)]))[None]
            return {"features": bands, "logits": bands}

        write(out, self, sounds.ids, ((id, one(id)) for id in sounds.ids))


def folder(place, seed, late=0.0):
    place.mkdir()
    for i in range(8):
        rng, t = np.random.default_rng(i), np.arange(2 * RATE) / RATE
        wave = np.random.default_rng(100 * seed + i).normal(0, 0.01, len(t))
        for start in np.sort(rng.uniform(0.2, 1.6, 3)) + late:
            after = t >= start
            wave[after] += 0.4 * np.exp(-20 * (t[after] - start)) * np.sin(1000 * (i + 1) * (t[after] - start))
        soundfile.write(place / f"clip{i}.wav", wave, RATE)
    return place


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    base = tmp_path_factory.mktemp("scored")
    labels = base / "labels.csv"
    labels.write_text("id,label\n" + "".join(f"clip{i},{'ab'[i % 2]}\n" for i in range(8)))
    store = Store(base / "results" / "cache", CTX)
    score_folders(
        [folder(base / "near", 1, 0.02), folder(base / "far", 2, 0.3)], folder(base / "real", 0), labels=labels,
        judges=(Sync(), Bands()), store=store, ctx=CTX, results=base / "results",
    )  # fmt: skip
    return base / "results", store


@pytest.fixture
def bundle(scored, tmp_path):
    results, store = scored
    return pack(chosen(["all"], [results]), tmp_path / "bundle", store.find).out


def test_what_was_packed_is_computed_anew_and_nothing_differs(scored, bundle):
    found = verify(bundle, CTX)
    assert found.problems == [] and not found.open
    assert len(found.checked) == 2
    rows = sum(len(p.read_text().splitlines()) - 1 for p in (bundle / "rows").glob("*.csv"))
    numbers = sum(len(s) for told in read(bundle) for s in told["scores"].values())
    assert sum(found.checked.values()) > rows + numbers  # and the jackknife's replicates and the paired differences


def test_a_bundle_is_a_results_folder_without_any_pickle(bundle):
    assert {told["kind"] for told in read(bundle)} == {"score"}
    kinds = {p.suffix for p in bundle.rglob("*") if p.is_file()}
    assert kinds == {".json", ".csv", ".values", ".npy", ".txt", ".sha256"}
    for path in bundle.rglob("*.npy"):
        np.load(path, allow_pickle=False)


def test_a_changed_byte_of_any_file_is_found(bundle):
    kinds = {}  # one file of each kind
    for path in (p for p in sorted(bundle.rglob("*")) if p.is_file() and p.stat().st_size):
        kinds.setdefault((path.parent.name.partition("-")[0], path.name.partition(".")[2]), path)
    assert len(kinds) > 10
    for path in kinds.values():
        name, before = path.relative_to(bundle).as_posix(), path.read_bytes()
        place = len(before) // 2
        path.write_bytes(before[:place] + bytes([before[place] ^ 1]) + before[place + 1 :])
        found = Verified(sha256(bundle / MANIFEST))
        try:
            _files(bundle, files(bundle), manifest(bundle), found)
        except Refused as error:  # of the manifest itself
            found.problems.append(str(error))
        assert any(name in p or (name == SEAL and MANIFEST in p) for p in found.problems), name
        path.write_bytes(before)


def reseal(bundle, *names):
    """What a forger does: the digests follow the changed files."""
    told = json.loads((bundle / MANIFEST).read_text())
    for name in names:
        told["files"][name] = {"sha256": sha256(bundle / name), "bytes": (bundle / name).stat().st_size}
    (bundle / MANIFEST).write_text(json.dumps(told))
    (bundle / SEAL).write_text(sha256(bundle / MANIFEST))


@pytest.mark.parametrize("metric", ["fid.bands", "mkl.bands", "class_acc.bands", "w_dis.flux_lin", "onset_acc.pooled"])
@pytest.mark.parametrize("number", ["value", "high", "chance"])
def test_a_forged_score_does_not_follow_from_the_arrays(bundle, metric, number):
    path = next(bundle.glob("*.json"))
    told = json.loads(path.read_text())
    before = told["scores"][metric][number]
    told["scores"][metric][number] = 0.5 if before is None else before * 1.001 + 0.001
    path.write_text(json.dumps(told))
    reseal(bundle, path.name)
    (problem,) = [
        p
        for p in verify(bundle, CTX).problems
        if "computed anew" in p and ".p:" not in p and ".p_holm:" not in p and "rows" not in p
    ]
    assert f"{path.stem}: {metric}.{number}" in problem


def test_a_forged_row_and_a_forged_difference_are_found(bundle):
    path = next((bundle / "rows").glob("*.csv"))
    lines = path.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if "class_acc.bands," in line)
    lines[at] = lines[at].replace(",0.0,", ",1.0,") if ",0.0," in lines[at] else lines[at].replace(",1.0,", ",0.0,")
    path.write_text("\n".join(lines) + "\n")
    reseal(bundle, f"rows/{path.name}")
    assert any("rows: class_acc.bands of clip" in p for p in verify(bundle, CTX).problems)


def test_a_forged_p_value_is_found(bundle):
    for path in bundle.glob("*.json"):
        told = json.loads(path.read_text())
        for c in told["facts"]["comparisons"]:
            if c["metric"] == "w_dis.flux_lin":
                c["p"] = 0.001
        path.write_text(json.dumps(told))
        reseal(bundle, path.name)
    (problem,) = verify(bundle, CTX).problems
    assert "near - far, w_dis.flux_lin.p: 0.001 kept" in problem


def test_rows_alone_are_checked_as_far_as_they_go(scored, tmp_path):
    results, _ = scored
    made = pack(chosen(["near"], [results]), tmp_path / "b", lambda name: tmp_path / "nowhere" / name)
    assert "not in the cache" in next(iter(made.lacking.values()))
    found = verify(made.out, CTX)
    assert found.ok and "rows alone" in next(iter(found.open.values()))
    path = next(made.out.glob("*.json"))
    told = json.loads(path.read_text())
    told["scores"]["class_acc.bands"]["high"] += 0.01
    path.write_text(json.dumps(told))
    reseal(made.out, path.name)
    assert any("class_acc.bands.high" in p for p in verify(made.out, CTX).problems)


def test_files_that_nobody_packed_and_missing_ones_are_named(bundle):
    (bundle / "evidence" / "extra.txt").write_text("x")
    next((bundle / "rows").glob("*.without.json")).unlink()
    told = "\n".join(verify(bundle, CTX).problems)
    assert "evidence/extra.txt: was not packed" in told and ".without.json: is missing" in told


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../../b", "C:x", "a\\b", "", "rows//x", "x\nbench: fine"])
def test_a_path_out_of_the_bundle_is_refused(bundle, name):
    told = json.loads((bundle / MANIFEST).read_text())
    told["files"][name] = {"sha256": "0", "bytes": 1}
    (bundle / MANIFEST).write_text(json.dumps(told))
    with pytest.raises(Refused, match="no place in the bundle"):
        manifest(bundle)


@pytest.mark.parametrize("name", ["../judge", "/tmp", "a/b", 3, None])
def test_evidence_outside_its_folder_is_refused(bundle, name):
    told = json.loads((bundle / MANIFEST).read_text())
    next(iter(told["records"].values()))["heard"] = [name]
    (bundle / MANIFEST).write_text(json.dumps(told))
    with pytest.raises(Refused, match="no name below"):
        verify(bundle, CTX)


def test_a_link_is_refused(bundle, tmp_path):
    (tmp_path / "secret").write_text("x")
    (bundle / "rows" / "link.csv").symlink_to(tmp_path / "secret")
    with pytest.raises(Refused, match=r"link\.csv is a link"):
        verify(bundle, CTX)


class Bomb:
    def __reduce__(self):
        return (print, ("PWNED",))


@pytest.mark.parametrize(
    ("suffix", "data"),
    [
        ("offsets.npy", pickle.dumps(Bomb())),
        ("json", b'{"dtype": "O", "tail": []}'),
        ("json", b'{"dtype": [["a", "f4"]], "tail": []}'),
        ("json", b'{"dtype": "<f4", "tail": [-8]}'),
        ("json", b'{"dtype": "<f4", "tail": [1e400]}'),
        ("ids.txt", b"__import__('os')\n"),
    ],
    ids=["pickle", "objects", "records", "negative", "huge", "code"],
)
def test_arrays_that_are_no_numbers_are_refused_by_name(bundle, suffix, data, capsys):
    judge = next(p for p in (bundle / "evidence").glob("judge-*") if (p / "features.json").exists())
    (judge / f"features.{suffix}").write_bytes(data)
    with pytest.raises(Refused, match="features"):
        check_heard(judge)
    assert "PWNED" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": "../../x"}, "no plain name"),
        ({"scores": []}, "scores must be dict"),
        ({"scores": {"fid": {"value": "1"}}}, "scores.fid: value must be a number"),
        ({"scores": {"fid": {"value": 1e300}}}, "value must be a number below"),
        ({"scores": {"fid": {"value": 1, "n": -1}}}, "n must be a count"),
        ({"scores": {"fid": {"value": True}}}, "value must be a number"),
        ({"rows": "/etc/passwd"}, "no place in its folder"),
        ({"rows": "rows/../../x.csv"}, "no place in its folder"),
        ({"words": [1]}, "words must be text"),
        ({"facts": []}, "facts must be dict"),
    ],
)
def test_a_record_of_wrong_types_is_refused_by_name(tmp_path, change, said):
    told = {"id": "a", "kind": "run", "status": "done", "words": [], "experiment": {}, "scores": {}} | change
    (tmp_path / "odd.json").write_text(json.dumps(told))
    with pytest.raises(Refused, match=f"odd.json is not a record: .*{said}"):
        read(tmp_path)


def test_a_record_that_says_a_thing_twice_is_refused_by_name(tmp_path):
    (tmp_path / "odd.json").write_text('{"id": "a", "status": "done", "scores": {"fid": {"value": 9, "value": 1}}}')
    with pytest.raises(Refused, match=r"odd\.json is not a record.*'value' stands twice"):
        read(tmp_path)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e999", "9" * 5000, "[" * 100_000, '"\ud800"'])
def test_json_that_no_float_holds_is_refused_by_name(tmp_path, text):
    (tmp_path / "odd.json").write_bytes(
        b'{"id": "a", "scores": {"fid": {"value": ' + text.encode("utf-8", "surrogatepass") + b"}}}"
    )
    with pytest.raises(Refused, match=r"odd\.json is not a record"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("value", "fine"), [("0.5", True), ("", True), ("inf", False), ("1e99", False), ("x", False), ("nan", False)]
)
def test_rows_hold_numbers_or_nothing(tmp_path, value, fine):
    from bench.strangers import rows

    path = tmp_path / "r.csv"
    path.write_text(f"clip,sample,metric,value,status\n007,0,fid,{value},ok\n")
    if fine:
        assert rows(path)["clip"].tolist() == ["007"]
    else:
        with pytest.raises(Refused, match=r"r\.csv, line 2: value"):
            rows(path)


def test_an_id_that_names_several_records_or_none_is_refused(scored):
    results, _ = scored
    with pytest.raises(Refused, match="no such record"):
        chosen(["zzzz"], [results])
    with pytest.raises(Refused, match="2 records begin so"):
        chosen([""], [results])


def test_the_commands_pack_and_verify(scored, tmp_path, capsys):
    results, _ = scored
    main(["pack", "near", "far", f"machine.results={results}", "-o", str(tmp_path / "b")])
    main(["verify", str(tmp_path / "b")])
    assert "every number follows from the arrays" in capsys.readouterr().out
    path = next((tmp_path / "b" / "evidence").rglob("features.values"))
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])
    with pytest.raises(SystemExit) as end:
        main(["verify", str(tmp_path / "b")])
    assert end.value.code == 1
    assert f"DIFFERS  {path.relative_to(tmp_path / 'b')}: changed" in capsys.readouterr().out


def test_what_stands_behind_a_fid_is_told(scored, capsys):
    results, _ = scored
    fid = {told["facts"]["system"]: told["scores"]["fid.bands"] for told in read(results)}["near"]
    main(["fid", "near", f"machine.results={results}"])
    said = capsys.readouterr().out
    assert f"fid.bands  {fid['value']:.2f} [{fid['low']:.2f}, {fid['high']:.2f}]  N = 8, 8 features  (N is not larger" in said
    assert "N = 4: the floor" in said and "FD-infinity" in said and "KID" in said


def test_a_bundle_never_overwrites(scored, tmp_path):
    results, store = scored
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine").write_text("x")
    with pytest.raises(Refused, match="is there already"):
        pack(chosen(["all"], [results]), tmp_path / "b", store.find)

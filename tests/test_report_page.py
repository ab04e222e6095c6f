"""The report's page without a browser: what stands in it, what is beside it, and that nothing in it is more than text."""

import importlib.util
import io
import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.errors import Refused
from bench.report.cells import Column
from bench.report.html import blind
from bench.report.html.checks import checks
from bench.report.html.chosen import chosen
from bench.report.html.page import embedded
from bench.report.html.places import Places
from bench.report.make import report, voted, write
from bench.report.select import Kept, flat
from bench.report.spec import metric

_spec = importlib.util.spec_from_file_location("pages", Path(__file__).parent / "pages.py")
pages = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(pages)


class Elements(HTMLParser):
    """Every start tag with its attributes, and the text outside scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.tags and self.tags[-1][0] not in ("script", "style"):
            self.text.append(data)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    made = report(str(pages.stored(folder)), [folder])
    paths, notes = write(made, folder / "out", "html", [folder])
    return made, paths, notes


def data_of(path):
    text = path.read_text().partition('<script type="application/json" id="data">')[2].partition("</script>")[0]
    return json.loads(text)


def test_hostile_names_are_text_in_the_page(built):
    for path in built[1]:
        found = Elements(path.read_text())
        assert [tag for tag, _ in found.tags].count("script") == 2
        assert not [a for _, attrs in found.tags for a in attrs if a.startswith("on")]
        assert "x" not in [attrs.get("src") for _, attrs in found.tags]
    text = "".join(Elements(built[1][0].read_text()).text)
    assert f"Mel-QCD {pages.SCRIPT}" in text
    assert pages.IMAGE in text


def test_data_inside_a_script_element_cannot_end_it():
    told = {"</script><!--": ["<script>", "\u2028", "&amp;", float("nan")]}
    assert not set("<>&\u2028") & set(embedded(told))
    assert json.loads(embedded(told)) == {"</script><!--": ["<script>", "\u2028", "&amp;", None]}


def test_what_the_page_plays_lies_beside_it_under_names_that_tell_nothing(built):
    data = data_of(built[1][0])
    files = built[1][0].parent / "a #1%20'b'.files"
    players = [p for s in data["groups"][0]["systems"] for p in s["made"].values()] + list(data["groups"][0]["real"].values())
    named = {p[k] for p in players for k in ("src", "mel", "hint") if k in p}
    assert named
    assert named <= {p.name for p in files.iterdir()}
    assert all(len(Path(n).stem) == 16 and int(Path(n).stem, 16) >= 0 for n in named)
    kinds = {s["name"].split()[0]: {p["kind"] for p in s["made"].values()} for s in data["groups"][0]["systems"]}
    assert kinds["Mel-QCD"] == {"video"}
    assert kinds["none"] == {"audio"}
    hinted = [s["name"].split()[0] for s in data["groups"][0]["systems"] if any("hint" in p for p in s["made"].values())]
    assert hinted == ["Mel-QCD"]


def test_a_record_cannot_name_a_path(built):
    assert "'../../etc' is not the name of an artefact" in " ".join(built[2])
    with pytest.raises(Refused, match="not the name of an artefact"):
        Places([Path("/")]).find("etc")


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"made": ["x"]}, "as it should"),
        ({"made": {"artefacts": 3}}, "as it should"),
        ({"made": {"artefacts": {"score": "score-../../../x"}}}, "not the name"),
        ({"made": {"artefacts": {"sound": {"a": 1}}}}, "not the name"),
    ],
)
def test_artefacts_that_are_no_names_are_refused_in_words(told, why):
    assert why in Places([Path()]).of(Kept({"id": "i", **told}, Path(), {})).why


@pytest.mark.parametrize(
    "scale", [3, {"bins": 10**12}, {"bins": "<b>"}, {"bins": float("nan")}, {"nobody": 1}, {"hop": 0}, {"bins": -1}]
)
def test_a_scale_that_nobody_can_draw_draws_nothing(scale):
    from bench.report.html.mels import scale_of

    assert scale_of(Kept({"id": "i", "experiment": {"scale": scale}}, Path(), {})) is None


@pytest.mark.parametrize(
    "control", ["x", {"is": "MelQCD", "bands": 10**12}, {"is": "MelQCD", "nobody": 1}, {"is": "<b>"}, {"is": []}]
)
def test_a_control_that_nobody_has_draws_no_hint(control):
    from bench.report.html.mels import control_of

    assert control_of(Kept({"id": "i", "experiment": {"control": control}}, Path(), {})) is None


def test_the_command_that_made_a_number_is_quoted_for_a_shell(built):
    import shlex

    told = data_of(built[1][0])["groups"][0]["systems"][0]["command"]
    assert shlex.split(told) == ["bench", "run", "control=x", f"why='{pages.SCRIPT} $(id)'"]


def test_a_small_budget_leaves_sounds_out_and_says_so(tmp_path):
    made = report(str(pages.stored(tmp_path, film=False)), [tmp_path])
    _, notes = write(made, tmp_path / "out", "html", [tmp_path], 0.02)
    assert any("did not fit into 0.02 MB" in n for n in notes)
    (files,) = (tmp_path / "out").glob("*.files")
    assert 0 < sum(p.stat().st_size for p in files.iterdir()) <= 0.02 * 2**20


def test_opus_keeps_the_place_and_length_of_a_click():
    import av

    from bench.report.html.media import opus

    wave = np.zeros(16000, np.float32)
    wave[8000] = 0.9
    with av.open(io.BytesIO(opus(wave, 16000))) as file:
        heard = np.concatenate([f.to_ndarray()[0] for f in file.decode(audio=0)])
        rate = file.streams.audio[0].rate
    assert abs(np.argmax(np.abs(heard)) / rate - 0.5) < 0.003  # players drop the encoder's delay as this decoder does
    assert abs(len(heard) / rate - 1) < 0.021  # one packet


def test_a_picture_is_a_png_that_others_read():
    from matplotlib.image import imread

    from bench.report.html.mels import png, veil

    levels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    colours = np.stack([np.arange(64), np.zeros(64), np.zeros(64)], 1).astype(np.uint8)
    assert (np.round(imread(io.BytesIO(png(levels, colours)))[..., 0] * 255) == levels).all()
    drawn = imread(io.BytesIO(veil(np.array([[0.0, 1.0]]))))
    assert drawn[0, :, 3].tolist() == [0.0, 1.0]


def test_best_median_and_worst_follow_the_metrics_direction():
    values = pd.Series({"a": 0.1, "b": 0.5, "c": 0.9, "d": float("nan")})
    assert chosen(values, Column(metric("mkl"), "mkl.lab", 3)) == [("best", "a"), ("median", "b"), ("worst", "c")]
    assert chosen(values, Column(metric("onset_acc"), "x", 3)) == [("best", "c"), ("median", "b"), ("worst", "a")]
    assert chosen(values[:1], Column(metric("mkl"), "mkl.lab", 1)) == [("best", "a")]


def _check(**told):
    told = {"id": "i", "kind": "lab check", "status": "done", "words": [], "scores": {}, "facts": {}} | told
    return checks([Kept(told, Path(), flat(told))])[0]


def test_a_check_is_green_or_red_by_what_it_says_or_by_its_bounds():
    bounds = {"auc": {"value": 0.6, "bound": 0.65, "at_least": True}, "floor": {"value": 0.1, "bound": 0.15, "at_least": False}}
    assert _check(scores=bounds).fine is False
    assert [fine for *_, fine in _check(scores=bounds).items] == [False, True]
    assert _check(scores=bounds, facts={"fine": True}).fine is True
    assert _check(kind="response", facts={"deaf": []}).fine is True
    assert _check(kind="response", facts={"deaf": ["shuffled"]}).fine is False
    assert (
        _check(kind="canaries", facts={"checks": [{"what": "silence", "value": 3.0, "expected": "up", "ok": False}]}).fine
        is False
    )
    assert _check(status="failed", facts={"fine": True}).fine is False
    assert _check(kind="other").fine is None


def test_a_budget_is_no_check_and_only_a_response_is_about_a_control():
    told = {"id": "i", "kind": "budget", "status": "done", "words": [], "scores": {}, "facts": {}}
    assert checks([Kept(told, Path(), flat(told))]) == []
    control = {"control": {"is": "MelQCD"}}
    assert (_check(experiment=control).about, _check(kind="response", experiment=control).about) == ("", "MelQCD")


def test_a_canary_is_named_by_its_metric_and_by_what_was_done_to_the_sound():
    one = {"metric": "w_dis.flux_lin", "way": "50 ms late", "value": 0.0448, "asked": "0.01 to 0.06", "ok": True, "why": ""}
    found = _check(kind="canaries", facts={"checks": [one]})
    assert found.items == [("w_dis.flux_lin, 50 ms late", "0.0448, asked 0.01 to 0.06", True)]
    assert "w_dis.flux_lin, 50 ms late" in found.tip


def test_a_chip_counts_its_measures_and_names_first_what_does_not_hold():
    scores = {f"m{i}": {"value": float(i > 0), "bound": 0.5} for i in range(12)}
    one = _check(scores=scores, words=["data.test=40"])
    assert one.count == "11 of 12"
    assert one.tip.split("; ")[:3] == ["data.test=40", "m0 does not hold", "m1"]
    assert one.tip.endswith("and 4 more")
    assert (_check(kind="other").count, _check(kind="other").tip) == ("", "other")


def test_published_values_stand_unranked_after_the_first_table(built):
    tables = [attrs.get("class") for tag, attrs in Elements(built[1][0].read_text()).tags if tag == "table"]
    assert tables[1] == "published"
    assert tables.count("published") == 1


def test_the_order_in_which_a_trial_names_its_systems_tells_nothing(built):
    first = [t["records"][0] for t in data_of(built[1][1])["trials"]]
    assert len(set(first)) == 2
    assert len(first) == len(pages.IDS)


def test_every_report_says_which_checks_hold(built):
    assert "Check: response does not hold" in built[0].text("md")


def vote(first, second, choice):
    return {"first": first, "second": second, "clip": "c", "choice": choice}


def test_votes_are_counted_whichever_came_first():
    votes = [vote("a", "b", "first")] * 6 + [vote("b", "a", "second")] * 2 + [vote("b", "a", "same"), vote("a", "z", "first")]
    (tally,), unknown = blind.tallied(votes, {"a": "A", "b": "B"})
    assert (tally.first, tally.wins, tally.losses, tally.same, unknown) == ("A", 8, 0, 1, 1)
    assert tally.p == pytest.approx(2 * 0.5**8)


def test_votes_that_are_none_are_refused_by_name(tmp_path):
    path = tmp_path / "votes.json"
    for told in ("[]", "{", '{"votes": [1]}', json.dumps({"votes": [vote("a", "b", "<script>")]}), '{"votes": [{"first": 1}]}'):
        path.write_text(told)
        with pytest.raises(Refused, match=r"votes\.json"):
            blind.read(path)


def test_exported_votes_come_back_in_every_report(built, tmp_path):
    trials = data_of(built[1][1])["trials"]
    path = tmp_path / "votes.json"
    liked = min(trials[0]["records"])
    votes = [vote(*t["records"], "first" if t["records"][0] == liked else "second") | {"clip": t["clip"]} for t in trials]
    path.write_text(json.dumps({"votes": votes}))
    text = voted(built[0], path).text("md")
    assert f"{len(trials)} times, the other way 0" in text or f"0 times, the other way {len(trials)}" in text
    assert "<script>" not in text

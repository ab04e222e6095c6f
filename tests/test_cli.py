"""What a person meets at the command line: one clear line, the right exit status, nothing half-written."""

import numpy as np
import pytest
import soundfile

from bench.cli import main


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BENCH_WORDS", raising=False)
    return tmp_path


def tone(folder, *names, rate=22050, seconds=1.0, wave=None):
    folder.mkdir(exist_ok=True)
    for name in names:
        t = np.arange(int(rate * seconds)) / rate
        sound = np.sin(440 * t * 6.28) * (t % 0.5 < 0.1) if wave is None else wave
        soundfile.write(folder / f"{name}.wav", sound, rate, subtype="FLOAT")
    return str(folder)


def told(capsys, *words) -> tuple[int, str]:
    """(exit status, what stands on stderr but for progress)."""
    try:
        main(list(words))
        status = 0
    except SystemExit as end:
        status = int(end.code or 0)
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("making ")]
    return status, "\n".join(lines)


def test_two_folders_with_the_same_ids_are_scored(elsewhere, capsys):
    names = ["a b", "it's", "été", 'quo"ted']
    real, made = tone(elsewhere / "real", *names), tone(elsewhere / "made", *names)
    assert told(capsys, "score", made, "--reference", real) == (0, "")
    assert len(list((elsewhere / "results").glob("*.json"))) == 1
    (rows,) = (elsewhere / "results" / "rows").glob("*.csv")
    assert {line.split(",")[0] for line in rows.read_text().splitlines()[1:]} >= {"a b", "it's", "été"}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda f: tone(f / "made", "other"), "files are paired by name"),
        (lambda f: (f / "made").mkdir(), "holds no sounds"),
        (lambda f: None, "made"),
        (lambda f: (f / "made").write_text("x"), "made"),
        (lambda f: (tone(f / "made", "clip"), (f / "made" / "clip.wav").write_text("hello")), "clip.wav"),
        (lambda f: (tone(f / "made", "clip"), (f / "made" / "clip.wav").write_bytes(b"")), "is empty"),
        (lambda f: tone(f / "made", "clip", wave=np.full(22050, np.nan)), "clip"),
    ],
    ids=["no common ids", "empty folder", "no folder", "a file", "text as wav", "empty wav", "nan"],
)
def test_what_cannot_be_scored_is_refused_in_one_line(elsewhere, capsys, make, said):
    real = tone(elsewhere / "real", "clip")
    make(elsewhere)
    status, text = told(capsys, "score", str(elsewhere / "made"), "--reference", real)
    assert status == 2, text
    assert said in text
    assert text.count("\n") == 0
    assert not list((elsewhere / "results").glob("*.json"))


def test_a_missing_id_is_an_error_unless_it_is_allowed(elsewhere, capsys):
    real, made = tone(elsewhere / "real", "a", "b"), tone(elsewhere / "made", "b", "c")
    status, text = told(capsys, "score", made, "--reference", real)
    assert status == 2
    assert "--allow-missing" in text
    assert told(capsys, "score", made, "--reference", real, "--allow-missing")[0] == 0


def test_labels_without_the_column_are_refused_by_name(elsewhere, capsys):
    real, made = tone(elsewhere / "real", "a"), tone(elsewhere / "made", "a")
    (elsewhere / "labels.csv").write_text("name,class\na,dog\n")
    status, text = told(capsys, "score", made, "--reference", real, "--labels", str(elsewhere / "labels.csv"))
    assert status == 2
    assert "labels.csv" in text
    assert "id" in text


def test_results_that_cannot_be_written_are_refused_by_name(elsewhere, capsys):
    real, made = tone(elsewhere / "real", "a"), tone(elsewhere / "made", "a")
    status, text = told(capsys, "score", made, "--reference", real, "--set", "machine.results=/proc/nowhere")
    assert status == 2
    assert "/proc/nowhere" in text
    assert "machine.results=" in text


def test_an_unknown_verb_and_an_unknown_setting_have_status_2(capsys):
    status, text = told(capsys, "rnu")
    assert status == 2 and text.startswith("bench: rnu: no such verb. Did you mean 'run'?")
    status, text = told(capsys, "plan", "control.boud=1")
    assert status == 2
    assert "Did you mean 'bound'" in text


def test_what_is_meant_for_another_verb_is_answered_with_it(capsys, tmp_path):
    status, text = told(capsys, "run", "table2")
    assert status == 2 and "`bench sweep table2` makes its runs" in text
    status, text = told(capsys, "check", "metric")
    assert status == 2 and "`bench check metrics`" in text
    status, text = told(capsys, "show", "control=onset", str(tmp_path))
    assert status == 2 and "is a folder: name one file" in text


def test_where_nothing_is_known_yet_no_empty_list_is_shown(elsewhere, capsys):
    for words in (["pack", "x", "-o", "b"], ["status", "x"], ["tune", "lambda_k", "--show"]):
        status, text = told(capsys, *words)
        assert status == 2 and text.rstrip().endswith("There is none yet.")


def test_without_words_bench_shows_its_verbs(capsys):
    status, text = told(capsys)
    assert status == 2 and "the main job" in text


def test_the_contract_suite_runs_from_the_command_line(capsys):
    main(["check", "--contract", "control=onset"])
    assert "FAIL" not in capsys.readouterr().out


def test_what_failed_in_one_command_is_tried_again_by_the_next(elsewhere, capsys):
    real, made = tone(elsewhere / "real", "a"), tone(elsewhere / "made", "a")
    cache = elsewhere / "results" / "cache"
    assert told(capsys, "score", made, "--reference", real)[0] == 0
    (judged, *_) = sorted(cache.glob("judge-*"))
    judged.rename(elsewhere / "gone")
    (cache / f"{judged.name}.failed").write_text('{"reason": "a disk was full", "traceback": ""}')
    assert told(capsys, "score", made, "--reference", real)[0] == 0
    assert judged.exists()


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("report table2 --where a=1 b=2 --where c=3", "where"),
        ("data check --against a=1 b=2 --against c=3", "against"),
        ("score made --reference real --set a=1 b=2 --set c=3", "words"),
    ],
)
def test_an_option_said_twice_takes_what_both_say(line, name):
    from bench.cli import _parser

    parser, _ = _parser()
    assert getattr(parser.parse_args(line.split()), name) == ["a=1", "b=2", "c=3"]


def test_words_may_stand_before_and_behind_options(elsewhere, capsys):
    said = []
    for line in (
        "plan control=onset data.test=2 --all machine.results=r",
        "plan --all machine.results=r control=onset data.test=2",
    ):
        main(line.split())
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
    assert "controlnet-" in said[0]

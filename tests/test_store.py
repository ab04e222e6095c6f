import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bench import identity
from bench.context import Context
from bench.errors import Failed, Refused
from bench.identity import digest
from bench.store import Stage, Store

ROOT = Path(__file__).resolve().parent.parent
COUNTED: list[str] = []


@dataclass(frozen=True)
class Knob:
    turns: int = 1
    later: int = field(default=3, metadata={"added": 3})
    path: str = field(default="", metadata={"key": False})


@dataclass(frozen=True)
class OtherKnob:
    turns: int = 1


@dataclass(frozen=True)
class KnobOfOld:
    turns: int = 1


def write(out: Path, part: Path, ctx: Context, knob: Knob, *others: Path) -> None:
    COUNTED.append("write")
    if knob.turns < 0:
        raise ValueError("turned the wrong way")
    (out / "turns.txt").write_text(str(knob.turns))


class Here(Stage):
    def __call__(self, out, part, ctx, *parts):
        write(out, part, ctx, *parts)


STAGE = Here("write", "here:write")


@pytest.fixture
def store(tmp_path):
    COUNTED.clear()
    return Store(tmp_path / "cache", Context(quiet=True))


def test_an_artefact_is_made_once_and_says_what_it_was_made_from(store):
    first = store(STAGE, Knob(2))
    again = Store(store.root, Context(quiet=True))(STAGE, Knob(2))
    assert first == again and COUNTED == ["write"]
    made = json.loads((first / "made.json").read_text())
    assert made["stage"] == "write" and made["inputs"] == [{"is": "Knob", "turns": 2, "later": 3, "path": ""}]
    assert made["files"] == {"turns.txt": 1}


def test_other_settings_are_another_artefact(store):
    assert len({store(STAGE, Knob(1)), store(STAGE, Knob(2)), store(STAGE, Knob(2), store(STAGE, Knob(1)))}) == 3


def test_equal_fields_of_different_classes_and_1_and_1_0_have_different_keys():
    assert len({digest(v) for v in (Knob(1), OtherKnob(1), 1, 1.0, True, "1", None, (1,))}) == 8


def test_a_field_added_later_changes_no_key_while_it_has_the_old_value():
    assert digest(Knob(1)) == digest(Knob(1, later=3)) != digest(Knob(1, later=4))


def test_paths_are_not_part_of_a_key():
    assert digest(Knob(path="/a")) == digest(Knob(path="/b"))


def test_a_key_is_the_same_in_every_process():
    code = "from bench.identity import digest; from melqcd.heads import Head; print(digest(['x', Head('class', 81, 2), 0.1]))"
    found = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, "PYTHONHASHSEED": h}
        ).stdout
        for h in ("1", "2")
    }
    assert len(found) == 1


def test_a_plugins_key_changes_with_its_code_and_not_with_its_comments(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    keys = []
    for i, body in enumerate(("x: int = 1", "x: int = 1  # a comment", "x: int = 1\n    y = 2")):
        code = f"from dataclasses import dataclass\n@dataclass(frozen=True)\nclass P:\n    {body}\n"
        (tmp_path / f"plug{i}.py").write_text(code)
        module = __import__(f"plug{i}")
        module.P.__module__ = "plug"  # one name for all three, as three versions of one file have
        sys.modules["plug"] = module
        from bench import identity as under_test

        under_test._tree.cache_clear()
        keys.append(digest(module.P()))
    assert keys[0] == keys[1] != keys[2]


def test_a_plugins_key_changes_with_the_file_of_the_class_that_it_derives_from(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    keys = []
    for i, body in enumerate(("y = 1", "y = 2")):
        (tmp_path / f"parent{i}.py").write_text(f"class Parent:\n    {body}\n")
        code = f"from dataclasses import dataclass\nfrom parent{i} import Parent\n@dataclass(frozen=True)\nclass P(Parent):\n    x: int = 1\n"
        (tmp_path / f"child{i}.py").write_text(code)
        module = __import__(f"child{i}")
        module.P.__module__, module.Parent.__module__ = "child", "parent"
        monkeypatch.setitem(sys.modules, "child", module)
        monkeypatch.setitem(sys.modules, "parent", sys.modules[f"parent{i}"])
        text = (tmp_path / f"child{i}.py").read_text().replace(f"parent{i}", "parent")
        (tmp_path / f"child{i}.py").write_text(text)  # the file of the child is the same
        identity._tree.cache_clear()
        keys.append(digest(module.P()))
    assert keys[0] != keys[1]


def test_a_class_of_a_script_is_known_by_the_script(tmp_path):
    """All of it: what the class calls is part of what it makes."""
    found = []
    for body in ("return 1", "return 1  # as before", "return 2"):
        head = "from dataclasses import dataclass\nfrom bench.identity import digest\n"
        helped = f"def helper():\n    {body}\n@dataclass(frozen=True)\nclass P:\n    x: int = 1\nprint(digest(P()))\n"
        (tmp_path / "script.py").write_text(head + helped)
        run = [sys.executable, str(tmp_path / "script.py")]
        found.append(subprocess.run(run, capture_output=True, text=True, check=True).stdout)
    assert found[0] == found[1] != found[2]


def test_a_class_whose_text_nobody_kept_is_refused():
    code = "\n".join([
        "from dataclasses import dataclass", "from bench.identity import digest",
        "exec('@dataclass(frozen=True)\\nclass P:\\n    x: int = 1')", "digest(P())",
    ])  # fmt: skip
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode and "Refused: P: its source cannot be read" in found.stderr


def test_a_dry_store_lists_the_artefacts_and_makes_nothing(store):
    there = store(STAGE, Knob(1))
    dry = Store(store.root, dry=True)
    dry(STAGE, Knob(5), dry(STAGE, Knob(1)))
    assert [(a.exists, a.parts) for a in dry.asked] == [(True, ()), (False, (there.name,))]
    assert COUNTED == ["write"] and not dry.asked[1].path.exists()


def test_a_failure_is_named_and_stops_dependents_until_it_is_cleared(store):
    with pytest.raises(Failed, match="turned the wrong way"):
        store(STAGE, Knob(-1))
    with pytest.raises(Failed, match="failed before"):
        store(STAGE, Knob(-1))
    assert COUNTED == ["write"]
    (mark,) = store.root.glob("*.failed")
    assert "turned the wrong way" in json.loads(mark.read_text())["traceback"]
    store.forget_failures()
    with pytest.raises(Failed, match="turned the wrong way"):
        store(STAGE, Knob(-1))
    assert COUNTED == ["write", "write"]
    assert not [p for p in store.root.iterdir() if p.name.startswith(".write") and p.is_dir()]


def test_a_shipped_store_is_read_and_never_written(store, tmp_path):
    shipped = store(STAGE, Knob(7))
    other = Store(tmp_path / "mine", Context(quiet=True), shipped=(store.root,))
    assert other(STAGE, Knob(7)) == shipped and other.made == []
    assert other(STAGE, Knob(8)).parent == tmp_path / "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    with pytest.raises(Refused, match="locked"):
        Store(locked / "cache", Context(quiet=True))(STAGE, Knob(1))


def test_a_results_folder_that_is_a_file_is_named(tmp_path):
    (tmp_path / "results").write_text("")
    with pytest.raises(Refused, match="cannot write to .*results"):
        Store(tmp_path / "results" / "cache", Context(quiet=True))(STAGE, Knob(1))


TORTURED = """
import json, os, sys, time
from pathlib import Path
from bench.context import Context
from bench.store import Stage, Store, replace_file
STEPS, LOG = 120, os.open(sys.argv[2], os.O_APPEND | os.O_CREAT | os.O_WRONLY)
def train(out, part, ctx, name):
    saved = part / "state.json"
    step, w = json.loads(saved.read_text()) if saved.exists() else (0, 1)
    while step < STEPS:
        w = (w * 6364136223846793005 + step) % 2**61; step += 1; time.sleep(.004)
        os.write(LOG, b"s")
        if step % 5 == 0: replace_file(saved, lambda p: p.write_text(json.dumps([step, w])))
    (out / "state.json").write_text(json.dumps([step, w]))
class S(Stage):
    def __call__(self, *a): train(*a)
store = Store(Path(sys.argv[1]), Context(quiet=True))
for name in "abc": store(S("train", "-"), name)
"""


def test_eight_processes_killed_at_random_make_each_artefact_right_and_nearly_once(tmp_path):
    """The torture test: 8 askers of 3 artefacts, up to 20 times kill -9. Undisturbed training is 360 steps; a kill loses at most 5."""
    code = tmp_path / "torture.py"
    code.write_text(TORTURED)
    draw = random.Random(0)
    root, log = tmp_path / "cache", tmp_path / "steps.log"

    def spawn():
        return subprocess.Popen([sys.executable, str(code), str(root), str(log)], stderr=subprocess.PIPE)

    running, kills, crashed = [spawn() for _ in range(8)], 0, []
    deadline = time.monotonic() + 120
    while running:
        assert time.monotonic() < deadline, "the askers hang"
        time.sleep(0.04)
        for p in list(running):
            if p.poll() is not None:
                running.remove(p)
                if p.returncode not in (0, -signal.SIGKILL):
                    crashed.append(p.stderr.read().decode())
                p.stderr.close()
        if running and kills < 20 and log.exists() and draw.random() < 0.5:
            victim = draw.choice(running)
            victim.kill()
            victim.wait()
            victim.stderr.close()
            running.remove(victim)
            kills += 1
            running.append(spawn())
    w = 1
    for step in range(120):
        w = (w * 6364136223846793005 + step) % 2**61
    states = [json.loads(p.read_text()) for p in root.glob("train-*/state.json")]
    assert not crashed
    assert states == [[120, w]] * 3
    assert kills >= 8  # fewer only if the machine is so slow that all was made before
    assert 360 <= log.stat().st_size <= 360 + kills * 6
    assert not list(root.glob("*.part"))


def test_a_deferred_store_makes_what_is_asked_for_and_only_what_that_lacks(tmp_path):
    COUNTED.clear()
    store = Store(tmp_path / "cache", Context(quiet=True), deferred=True)
    root = store(STAGE, Knob(1))
    middle, other = store(STAGE, Knob(2), root), store(STAGE, Knob(3), root)
    last = store(STAGE, Knob(4), middle)
    assert not COUNTED and not last.exists()
    assert store.lacking(last) == [root.name, middle.name, last.name]
    assert store.need(last).exists() and len(COUNTED) == 3 and not other.exists()
    assert store.lacking(last, other) == [other.name]


def test_what_a_shipped_store_has_needs_none_of_its_inputs(store, tmp_path):
    shipped = store(STAGE, Knob(2), store(STAGE, Knob(1)))
    (tmp_path / "mine").mkdir()
    shipped.rename(tmp_path / shipped.name)
    other = Store(tmp_path / "mine", Context(quiet=True), deferred=True, shipped=(tmp_path,))
    last = other(STAGE, Knob(4), other(STAGE, Knob(2), other(STAGE, Knob(1))))
    other.need(last)
    assert other.made == [last.name]

import numpy as np

from bench.lab.check import Measured, auc


def test_a_pair_that_tells_every_clip_apart_has_auc_1():
    eye = np.eye(6)
    assert auc(eye * 3, eye, list("aabbcc")) == (1.0, 1.0)


def test_a_pair_that_knows_only_the_class_is_at_chance_within_it():
    classes = np.repeat(np.eye(3), 2, axis=0)
    assert auc(classes, classes, list("aabbcc")) == (1.0, 0.5)


def test_a_measure_knows_which_way_its_bound_points():
    assert Measured("x", 0.96, 0.95).fine
    assert not Measured("x", 0.2, 0.15, at_least=False).fine


def test_installed_weights_are_halved_readable_and_say_nothing_of_their_birthplace(tmp_path):
    import json

    import torch
    from safetensors.torch import load_file, save_file

    from bench.lab.build import cards, install

    made = tmp_path / "made" / "net"
    made.mkdir(parents=True)
    save_file({"w": torch.ones(3), "n": torch.ones(2, dtype=torch.int64)}, made / "model.safetensors")
    (made / "config.json").write_text(json.dumps({"width": 3, "_name_or_path": "/home/somebody/net"}))
    (made / "card.json").write_text(json.dumps({"what": "a net"}))
    (made / "made.json").write_text("{}")
    (tmp_path / "weights").mkdir()
    install(made, tmp_path / "weights" / "net")
    found = load_file(tmp_path / "weights" / "net" / "model.safetensors")
    assert (found["w"].dtype, found["n"].dtype) == (torch.float16, torch.int64)
    assert json.loads((tmp_path / "weights" / "net" / "config.json").read_text()) == {"width": 3}
    assert (tmp_path / "weights" / "net" / "model.safetensors").stat().st_mode & 0o044
    assert not (tmp_path / "weights" / "net" / "made.json").exists()
    assert cards(tmp_path / "weights") == [("net", {"what": "a net"})]

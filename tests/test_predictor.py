"""The predictor: parity with the released one, slots and padding, what each loss learns, ACC and Sim."""

import numpy as np
import pytest
import torch
from torch import nn

from bench.stages.predict import _chosen
from melqcd.agreement import accuracy, always_yes, best_threshold, chance, similarity
from melqcd.checkpoints import load_weights, read_weights
from melqcd.heads import Head
from melqcd.losses import binary_loss, class_loss, scalar_loss
from melqcd.predictor import V2X, Predictor, from_released
from melqcd.training import Training, train

HEADS = {"energy": Head("scalar"), "code": Head("class", 5, 2), "onset": Head("binary"), "deviation": Head("scalar", n=2)}
SMALL = V2X(width=16, depth=2, heads=2, bias=8, dropout=0.0)


@pytest.fixture
def golden(shared, detfill):
    """(manifest's tensors by name, golden arrays, input stream)."""
    folder = shared / "goldens" / "checkpoints"
    manifest = detfill.load_manifest(folder / "manifests" / "melqcd_codepredictor.json")
    weights = {k: torch.from_numpy(v) for k, v in detfill.fill_manifest(manifest).items()}
    return weights, np.load(folder / "melqcd_codepredictor.npz"), detfill.fill


def test_the_released_predictor_loads_and_says_what_it_said(golden, tmp_path):
    weights, said, fill = golden
    torch.save({"state_dict": weights, "epoch": 99}, tmp_path / "CodePredictor.ckpt")
    heads = {"code": Head("class", 81, 2), "energy": Head("scalar"), "deviation": Head("scalar")}
    net = Predictor(V2X(width=512, depth=6, heads=8, bias=256, rate=100), 768, heads).eval()
    state = read_weights(tmp_path / "CodePredictor.ckpt", inside=["state_dict"], prefix="model.")
    load_weights(net, from_released(state, net), "CodePredictor.ckpt")
    features = torch.from_numpy(fill("input:vfeat", (2, 250, 768), "x"))
    features[1, 173:] = 0
    valid = torch.arange(1000) < 4 * torch.from_numpy(said["effect_length"])[:, None]
    with torch.no_grad():
        found = net(features, valid=valid)
    logits = np.concatenate([said["logits0"], said["logits1"]], -1)
    scalars = torch.cat([found["energy"], found["deviation"]], 1)
    for ours, theirs in ((found["code"], logits), (scalars, said["mean_std"])):
        assert np.abs(ours.mT.numpy() - theirs).max() / theirs.std() < 2e-4
    assert np.array_equal(heads["code"].decode(found["code"]).mT.numpy(), said["codes"])


def test_every_head_gets_its_outputs_in_their_order():
    found = Predictor(SMALL, 6, HEADS)(torch.randn(3, 10, 6))
    assert {k: tuple(v.shape) for k, v in found.items()} == {
        "energy": (3, 1, 10),
        "code": (3, 10, 10),
        "onset": (3, 1, 10),
        "deviation": (3, 2, 10),
    }
    assert list(found) == list(HEADS)
    with pytest.raises(ValueError, match="nothing to predict"):
        Predictor(SMALL, 6, {})


@pytest.mark.parametrize("how", [SMALL, V2X(width=16, depth=1, heads=2, bias=8, rate=100)])
def test_slots_may_be_finer_than_features(how):
    net = Predictor(how, 6, HEADS).eval()
    features = torch.randn(2, 10, 6)
    assert net(features, slots=40)["code"].shape == (2, 10, 40)
    assert net(features, slots=10)["code"].shape == (2, 10, 10)
    assert net(features, valid=torch.ones(2, 37, dtype=torch.bool))["code"].shape == (2, 10, 37)


def test_padding_changes_nothing_inside_a_clip():
    torch.manual_seed(0)
    net = Predictor(SMALL, 6, HEADS).eval()
    long, short = torch.randn(1, 10, 6), torch.randn(1, 7, 6)
    padded = torch.cat([short, torch.full((1, 3, 6), 99.0)], 1)
    valid = torch.arange(10) < torch.tensor([[10], [7]])
    both, alone = net(torch.cat([long, padded]), valid=valid), net(short)
    for name in HEADS:
        torch.testing.assert_close(both[name][1:, :, :7], alone[name], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(both[name][:1], net(long)[name], rtol=1e-4, atol=1e-5)
        assert both[name].isfinite().all()


def test_slots_beyond_the_end_are_not_trained_on():
    torch.manual_seed(0)
    net = Predictor(SMALL, 6, HEADS)
    features, valid = torch.randn(2, 10, 6), torch.arange(10) < torch.tensor([[10], [4]])
    signal = {"energy": torch.randn(2, 1, 10), "code": torch.randint(5, (2, 2, 10)), "onset": torch.ones(2, 1, 10)}
    signal["deviation"] = torch.randn(2, 2, 10)
    before = net.loss(features, signal, valid)
    for values in signal.values():
        values[1, :, 4:] = 3
    assert torch.equal(net.loss(features, signal, valid), before)
    nothing = net.loss(features, signal, valid & False)
    assert torch.equal(nothing, torch.zeros(2))
    nothing.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())


def test_losses_average_over_dimensions_then_heads():
    net = Predictor(SMALL, 6, HEADS).eval()
    features, valid = torch.randn(2, 10, 6), torch.ones(2, 10, dtype=torch.bool)
    signal = {k: torch.zeros(2, h.n, 10) for k, h in HEADS.items()}
    found = net(features)
    each = [
        scalar_loss(found["energy"], signal["energy"], torch.ones(1)),
        class_loss(found["code"], signal["code"], HEADS["code"]),
        binary_loss(found["onset"], signal["onset"], torch.full((1,), 0.5)),
        scalar_loss(found["deviation"], signal["deviation"], torch.ones(2)),
    ]
    torch.testing.assert_close(net.loss(features, signal, valid), torch.stack(each).mean(0).mean(-1))


def test_focal_loss_of_gamma_zero_is_cross_entropy():
    head, output, signal = Head("class", 3, 2), torch.randn(4, 6, 5), torch.randint(3, (4, 2, 5))
    plain = nn.functional.cross_entropy(output.reshape(4, 2, 3, 5).transpose(1, 2), signal, reduction="none").mean(1)
    torch.testing.assert_close(class_loss(output, signal, head, gamma=0), plain)
    p = torch.exp(-plain[0, 0])
    one = class_loss(output[:1, :3, :1], signal[:1, :1, :1], Head("class", 3, 1), gamma=2.0)
    p = output[0, :3, 0].softmax(0)[signal[0, 0, 0]]
    torch.testing.assert_close(one[0, 0], -((1 - p) ** 2) * p.log())


def test_always_saying_no_costs_as_much_as_any_constant_answer():
    signal = (torch.arange(1000) % 33 == 0).float()[None, None]
    share = signal.mean((0, 2))
    for answer in (0.0, -3.0, 3.0):
        cost = binary_loss(torch.full_like(signal, answer), signal, share).mean()
        assert cost >= 0.693
    assert binary_loss((signal * 2 - 1) * 9, signal, share).mean() < 0.001


def test_standardisation_is_measured_on_valid_slots_and_undone():
    torch.manual_seed(0)
    net = Predictor(SMALL, 6, HEADS).eval()
    valid = torch.arange(10) < torch.tensor([[10], [6], [3]])
    signal = {"energy": 100 + 7 * torch.randn(3, 1, 10), "code": torch.zeros(3, 2, 10), "onset": torch.zeros(3, 1, 10)}
    signal["deviation"] = torch.stack([torch.full((3, 10), 5.0), torch.randn(3, 10)], 1)
    signal["onset"][0, 0, :2] = 1
    features = 50 + torch.randn(3, 10, 6)
    raw = net(features)["energy"]
    net.fit((features[i : i + 1], {k: v[i : i + 1] for k, v in signal.items()}, valid[i : i + 1]) for i in range(3))
    inside = signal["energy"][:, 0][valid]
    assert net.centre.tolist() == pytest.approx(
        [inside.mean().item(), 5.0, signal["deviation"][:, 1][valid].mean().item()], rel=1e-4
    )
    assert net.spread[:2].tolist() == pytest.approx([inside.std(correction=0).item(), 1.0], rel=1e-4)
    assert net.positive.tolist() == pytest.approx([2 / 19])
    assert net.seen_mean[0].item() == pytest.approx(features[valid][:, 0].mean().item())
    assert abs(net(features)["energy"].mean() - 100) < 10 < abs(raw.mean() - 100)


def test_a_predictor_learns_codes_energy_and_rare_onsets():
    torch.manual_seed(0)
    features = torch.randn(120, 16, 4)
    loud = features[..., :1].mT
    signal = {
        "code": (features[..., 1:3].mT > 0).long(),
        "energy": 20 + 5 * loud,
        "onset": (features[..., 3:].mT > 1.9).float(),  # 3 % of slots
    }
    heads = {"code": Head("class", 2, 2), "energy": Head("scalar"), "onset": Head("binary")}
    valid = torch.arange(16) < torch.randint(4, 17, (120, 1))
    net = Predictor(V2X(width=32, depth=1, heads=2, bias=8, dropout=0.0), 4, heads)
    net.fit([(features, signal, valid)])

    def batch(draw):
        at = draw.clips(100)
        return features[at], {k: v[at] for k, v in signal.items()}, valid[at]

    train(net, batch, lambda b: net.loss(*b), Training(steps=200, batch=32, lr=3e-3))
    test = slice(100, 120)
    with torch.no_grad():
        found = net(features[test], valid=valid[test])
    codes = heads["code"].decode(found["code"])
    assert accuracy(codes, signal["code"][test], valid[test]).mean() > 0.9 > 0.6 > chance(signal["code"][test], valid[test], 2)
    error = (found["energy"] - signal["energy"][test])[:, 0][valid[test]]
    assert error.square().mean() < 0.1 * 25
    assert best_threshold(found["onset"].sigmoid(), signal["onset"][test], valid[test])[1] > 0.7


def test_accuracy_counts_valid_slots_and_groups():
    true, valid = torch.tensor([[[0, 1, 2, 3], [0, 1, 2, 3]]]), torch.tensor([[True, True, False, True]])
    predicted = torch.tensor([[[0, 1, 9, 9], [9, 1, 9, 3]]])
    assert accuracy(predicted, true, valid).tolist() == pytest.approx([4 / 6])
    assert accuracy(predicted, true, ~valid & False).isnan().all()


def test_chance_is_the_majority_of_each_group():
    true = torch.tensor([[[0, 0, 0, 1, 5], [2, 2, 3, 3, 5]]])
    valid = torch.tensor([[True, True, True, True, False]])
    assert chance(true, valid, 6) == pytest.approx((3 / 4 + 2 / 4) / 2)
    assert np.isnan(chance(true, valid & False, 6))


def test_similarity_is_the_cosine_of_shapes():
    true = torch.tensor([[[1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 1.0]]])
    predicted = torch.tensor([[[1.0, 1.0, 0.0, -1.0], [0.0, 0.0, 0.0, -1.0]]])
    every = torch.ones(1, 4, dtype=torch.bool)
    one_by_one = [similarity(predicted, true, every & (torch.arange(4) == i)).item() for i in range(4)]
    assert one_by_one == pytest.approx([1, 0, 1, -1])
    assert similarity(predicted, true, every).item() == pytest.approx(0.25)
    assert similarity(predicted, true, every & False).isnan().all()


def test_the_best_threshold_separates_what_can_be_separated():
    scores, true = torch.tensor([[[0.1, 0.2, 0.3, 0.8, 0.9]]]), torch.tensor([[[0, 0, 0, 1, 1]]])
    every = torch.ones(1, 5, dtype=torch.bool)
    assert best_threshold(scores, true, every) == (pytest.approx(0.8), 1.0)
    assert best_threshold(scores, true & 0, every) == (pytest.approx(0.9), 0.0)


def test_always_yes_is_right_as_often_as_there_is_a_yes():
    """Two of eight valid slots: precision 1/4, recall 1, F1 2/5."""
    true = torch.tensor([[[1, 0, 0, 0, 1, 0, 0, 0, 1.0]]])
    valid = torch.arange(9)[None] < 8
    assert always_yes(true, valid) == pytest.approx(0.4)
    assert np.isnan(always_yes(true, valid & False))


class Heard:
    """A pair of splits of one clip each, whose yes is where the feature is high; `quiet` has no yes at all."""

    def __init__(self, quiet):
        self.heads, self.quiet = {"onset": Head("binary"), "again": Head("binary")}, quiet

    def of(self, ids):
        features = torch.tensor([0.1, 0.9, 0.2, 0.8]).reshape(1, 4, 1)
        heads = {name: (features[..., 0] > 0.5).float()[:, None] * (name not in self.quiet[ids[0]]) for name in self.heads}
        return {"features": features, "valid": torch.ones(1, 4, dtype=torch.bool), **heads}


@pytest.mark.parametrize(
    ("quiet", "held", "on"),
    [
        ({"a": (), "b": ()}, ["a"], {"onset": "val", "again": "val"}),
        ({"a": ("onset",), "b": ()}, ["a"], {"onset": "train", "again": "val"}),
        ({"a": (), "b": ("again",)}, [], {"onset": "train"}),
    ],
)
def test_a_threshold_is_chosen_where_there_is_a_yes(quiet, held, on):
    """On val; on the training clips where val has none; and 0.5 where these have none either. Sigmoids are 0.1, 0.9, 0.2, 0.8."""

    def net(features, valid):
        return dict.fromkeys(("onset", "again"), features.movedim(1, 2).logit())

    chosen = _chosen(net, Heard(quiet), {"val": held, "train": ["b"]}, "cpu")
    assert chosen.on == on
    assert chosen.thresholds == {name: pytest.approx(0.8) for name in on}


@pytest.mark.parametrize("wrong", [{"width": 30}, {"rate": 30}, {"binary": "hinge"}, {"dropout": 1.0}])
def test_impossible_predictors_are_refused(wrong):
    with pytest.raises(ValueError, match=str(next(iter(wrong)))):
        V2X(**wrong)

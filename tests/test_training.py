"""The training loop: resuming, sharing, averaging, and what it says when it cannot go on."""

import multiprocessing
import os
import pickle
import random
import runpy
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from melqcd.checkpoints import load_weights, read_checkpoint, read_weights, write_checkpoint
from melqcd.training import Diverged, Draw, Training, train

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = """
import sys, time, torch
from pathlib import Path
from torch import nn
from melqcd.processes import leave
from melqcd.training import Training, train

part, out, pause, batch, dropout = ARGS if "ARGS" in globals() else sys.argv[1:]
dropout, torch_out = float(dropout), Path(out)
torch.set_num_threads(1)
torch.manual_seed(3)
net = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16) if dropout else nn.Identity(), nn.Dropout(dropout), nn.Linear(16, 1))
data = torch.randn(50, 4)

def batches(draw):
    return {"x": data[draw.clips(50)], "noise": torch.randn(draw.size, 1, generator=draw.generator)}

def loss(b):
    time.sleep(float(pause))
    return (net(b["x"]) - b["x"].sum(-1, keepdim=True) - 0.1 * b["noise"]).square().mean(-1)

def validate():
    return float(loss({"x": data, "noise": 0}).mean())

how = Training(steps=60, batch=int(batch), lr=1e-2, ema=0.9, seed=5)
done = train(net, batches, loss, how, part=Path(part), save_every=1, validate=validate, validate_every=20)
torch.save({"net": net.state_dict(), "history": done.history, "validated": done.validated}, torch_out)
leave()
"""


@pytest.fixture(scope="module")
def server():
    """Processes that begin with torch already imported: starting and killing one costs milliseconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch._dynamo", "melqcd.training"])  # optimisers import the former when used
    return context


@pytest.fixture
def script(tmp_path, server):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)

    def start(part, out, pause=0.0, batch=8, dropout=0.5):
        args = [str(tmp_path / part), str(tmp_path / out), pause, batch, dropout]
        running = server.Process(target=runpy.run_path, args=(str(path), {"ARGS": args}))
        running.start()
        return running

    return start


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def toy(steps=30, *, module=None, batch=8, loss=None, **kw):
    """A line fitted to the sum of four numbers."""
    torch.manual_seed(0)
    net = module or nn.Linear(4, 1)
    how = Training(steps=steps, batch=batch, lr=kw.pop("lr", 1e-2), **{k: kw.pop(k) for k in ("ema", "decay", "clip") if k in kw})
    data = torch.randn(40, 4)
    done = train(
        net,
        lambda draw: (data[draw.clips(40)],),
        loss or (lambda b: (net(b[0]) - b[0].sum(-1, keepdim=True)).square().mean(-1)),
        how,
        **kw,
    )
    return net, done


def test_a_killed_training_ends_with_the_weights_of_an_undisturbed_one(script, tmp_path):
    whole = script("whole", "whole.pt")
    checkpoint = tmp_path / "part" / "training.pt"
    seen = [0]
    for _ in range(5):
        running = script("part", "part.pt", pause=0.01)
        while not checkpoint.exists() or read_checkpoint(checkpoint)["state"]["step"] <= seen[-1]:
            assert running.is_alive()
            time.sleep(0.005)
        time.sleep(random.random() * 0.1)
        running.kill()
        running.join()
        seen.append(read_checkpoint(checkpoint)["state"]["step"])
    assert seen == sorted(set(seen))
    assert seen[1] < 60  # at least one was killed before its end
    last = script("part", "part.pt")
    last.join()
    whole.join()
    one, other = (torch.load(tmp_path / name) for name in ("whole.pt", "part.pt"))
    assert same(one["net"], other["net"])
    assert one["history"] == other["history"]
    assert one["validated"] == other["validated"]
    assert [p.name for p in (tmp_path / "part").iterdir() if not p.name.startswith(".")] == ["training.pt"]


def test_two_processes_learn_what_one_learns(script, tmp_path):
    alone = script("alone", "alone.pt", batch=9, dropout=0.0)
    words = [str(tmp_path / "script.py"), str(tmp_path / "pair"), str(tmp_path / "pair.pt"), "0", "9", "0"]
    # restarts: one run in some sixty aborts while gloo's threads end ("terminate called without an active exception"), all work done;
    # torchrun then starts both again, and they find their checkpoint
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--max-restarts", "3", "--nproc-per-node", "2", *words]
    subprocess.run(run, check=True, env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}, cwd=tmp_path)
    alone.join()
    one, other = (torch.load(tmp_path / name)["net"] for name in ("alone.pt", "pair.pt"))
    for k in one:
        torch.testing.assert_close(one[k], other[k], rtol=1e-4, atol=1e-5)  # sums of gradients in another order, 60 steps


def test_micro_batches_are_the_batch_in_slices():
    whole, slices = toy()[0], toy(micro=3)[0]
    torch.testing.assert_close(whole.state_dict(), slices.state_dict(), rtol=1e-4, atol=1e-5)


def test_every_clip_comes_once_before_any_comes_again():
    drawn = torch.cat([Draw(0, step, 6).clips(10) for step in range(5)])
    for first in range(0, 30, 10):
        assert sorted(drawn[first : first + 10].tolist()) == list(range(10))
    assert drawn[:10].tolist() != drawn[10:20].tolist()
    assert Draw(0, 0, 25).clips(10).shape == (25,)


def test_the_rate_rises_then_falls_to_nothing():
    how = Training(steps=100, lr=1.0, warmup=0.1)
    rates = [how.rate(s) for s in range(100)]
    assert rates[:10] == sorted(rates[:10])
    assert rates[10] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 0.001
    assert Training(steps=100, lr=1.0, warmup=0.1, decay="linear").rate(55) == pytest.approx(0.5)
    assert Training(lr=1.0, decay="none", warmup=0.0).rate(599) == 1.0


def test_only_what_requires_a_gradient_changes_or_is_kept(tmp_path):
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1))
    net[0].requires_grad_(False)
    before = net[0].weight.clone()
    toy(module=net, part=tmp_path)
    assert torch.equal(net[0].weight, before)
    assert set(read_checkpoint(tmp_path / "training.pt")["players"][0]["values"]) == {"1.weight", "1.bias"}


def test_a_loss_that_is_no_number_stops_with_its_step_and_keeps_the_last_state(tmp_path):
    net, calls = nn.Linear(4, 1), []

    def loss(b):
        calls.append(1)
        return net(b[0]).square().mean(-1) * (float("nan") if len(calls) == 13 else 1.0)

    with pytest.raises(
        Diverged, match=r"loss is nan .* at step 13 of 30; the last good state, after step 10, is in .*training\.pt"
    ):
        toy(module=net, loss=loss, part=tmp_path, save_every=5)
    assert read_checkpoint(tmp_path / "training.pt")["state"]["step"] == 10
    assert all(v.isfinite().all() for v in net.state_dict().values())


def test_an_exhausted_memory_names_the_setting_to_lower():
    def loss(_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(MemoryError, match="micro_batch=4 or lower"):
        toy(loss=loss)


def test_a_stop_leaves_a_state_that_goes_on(tmp_path):
    class Asked(RuntimeError):
        pass

    class Ctx:
        device, micro_batch, stopping, at = "cpu", 0, False, 0

        def track(self, items, label, *, total, start):
            for self.at in items:
                self.stopping = self.at == 11
                yield self.at

        def check(self):
            raise Asked

    with pytest.raises(Asked):
        toy(part=tmp_path, ctx=Ctx())
    assert read_checkpoint(tmp_path / "training.pt")["state"]["step"] == 12
    assert same(toy(part=tmp_path)[0].state_dict(), toy()[0].state_dict())


def test_the_average_replaces_the_weights_at_the_end():
    last, averaged = toy(lr=0.05)[0], toy(lr=0.05, ema=0.95)[0]
    assert not same(last.state_dict(), averaged.state_dict())
    assert (last.weight - averaged.weight).abs().max() < 0.5


def test_the_weights_of_the_best_validation_are_kept():
    net, scores, seen = nn.Linear(4, 1), iter([3.0, 1.0, 2.0]), []

    def validate():
        seen.append(net.weight.detach().clone())
        return next(scores)

    _, done = toy(module=net, validate=validate, validate_every=10)
    assert done.validated == [(10, 3.0), (20, 1.0), (30, 2.0)]
    assert done.best == 20
    assert torch.equal(net.weight, seen[1])


def test_players_take_turns_with_optimisers_of_their_own():
    torch.manual_seed(0)
    maker, judge = nn.Linear(2, 1), nn.Linear(1, 1)
    losses = [lambda b: -judge(maker(b)).squeeze(-1), lambda b: (judge(maker(b).detach()) - 1).square().squeeze(-1)]
    done = train([maker, judge], lambda d: torch.randn(d.size, 2, generator=d.generator), losses, Training(steps=20))
    assert done.step == 20
    assert len(done.history) == 20


def test_training_leaves_the_callers_random_state_alone():
    state = torch.get_rng_state()
    toy()
    torch.manual_seed(0)  # toy itself seeds and draws its data
    torch.randn(1)
    with torch.random.fork_rng():
        torch.set_rng_state(state)
        net = nn.Linear(1, 1)
        state = torch.get_rng_state()
        train(net, lambda d: torch.ones(d.size, 1), lambda b: net(b).mean(-1), Training(steps=2))
        assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"lr": 0.0}, {"decay": "steps"}, {"ema": 1.0}, {"precision": "fp8"}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=str(next(iter(wrong.values())))):
        Training(**wrong)


def test_a_damaged_or_foreign_checkpoint_is_refused_by_name(tmp_path):
    path = tmp_path / "training.pt"
    toy(part=tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match=r"training\.pt is cut off"):
        toy(part=tmp_path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"training\.pt is empty"):
        toy(part=tmp_path)
    path.write_bytes(data)
    with pytest.raises(ValueError, match="another training"):
        toy(part=tmp_path, module=nn.Sequential(nn.Linear(4, 2), nn.Linear(2, 1)))


class Evil:
    def __reduce__(self):
        return os.system, ("echo harm",)


def test_a_pickle_that_would_run_code_is_not_opened(tmp_path):
    torch.save({"state_dict": {"a": torch.zeros(1)}, "extra": Evil()}, tmp_path / "new.pt")
    (tmp_path / "old.pt").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ValueError, match=r"new\.pt is a pickle that would run code \(posix\.system\)"):
        read_weights(tmp_path / "new.pt")
    with pytest.raises(ValueError, match=r"old\.pt is no torch file"):
        read_weights(tmp_path / "old.pt")


def test_nested_and_prefixed_weights_are_found(tmp_path):
    from safetensors.torch import save_file

    net = nn.Linear(2, 3)
    nested = {
        "state_dict": {f"module.v.{k}": v for k, v in net.state_dict().items()} | {"module.a.x": torch.zeros(1)},
        "epoch": 3,
    }
    write_checkpoint(tmp_path / "net.pt", nested)
    assert same(read_weights(tmp_path / "net.pt", inside=["state_dict"], prefix="module.v."), net.state_dict())
    save_file(net.state_dict(), tmp_path / "net.safetensors")
    assert same(read_weights(tmp_path / "net.safetensors", inside=["state_dict"]), net.state_dict())
    with pytest.raises(ValueError, match="no entry named model"):
        read_weights(tmp_path / "net.pt", inside=["state_dict"], prefix="model.")
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "net.safetensors").read_bytes()[:40])
    with pytest.raises(ValueError, match=r"cut\.safetensors"):
        read_weights(tmp_path / "cut.safetensors")


def test_weights_that_do_not_fit_are_listed():
    net = nn.Linear(2, 3)
    with pytest.raises(
        ValueError, match=r"net\.pt does not fit Linear\. 1 missing: bias; 12 not expected: x0, .*x9, \.\.\.; 1 of anoth"
    ):
        load_weights(net, {"weight": torch.zeros(3, 3)} | {f"x{i}": torch.zeros(1) for i in range(12)}, "net.pt")
    load_weights(net, net.state_dict() | {"a.position_ids": torch.zeros(1)}, "net.pt", ignore=["position_ids"])

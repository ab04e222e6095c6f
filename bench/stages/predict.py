"""From video to signal: train the V2X predictor on true signals, then predict the hints of the clips that are generated."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bench.clipset import Clips
from bench.context import Context
from bench.errors import Failed
from bench.ragged import Ragged, RaggedWriter
from bench.stages.lessons import Pairs
from bench.store import write_json
from bench.unheard import Unheard
from controls.base import Control
from melqcd.settings import V2X

if TYPE_CHECKING:
    from torch import Tensor

    from melqcd.predictor import Predictor
    from melqcd.training import Draw, Trained

CHUNK = 32  # clips of one prediction pass


def train_predictor(
    out: Path, part: Path, ctx: Context, how: V2X, control: Control, positions: int, truth: Path, motion: Path, clips: Path
) -> None:
    """Train on the train split, keep the weights that do best on val, and write them with what they need to be read."""
    ctx.torch()
    known = Clips(clips)
    pairs = Pairs(control, truth, motion, positions, known, padded=how.padding == "target")
    ids = pairs.usable(known.ids("train"))
    net, trained, chosen = learnt(how, control, pairs, ids, pairs.usable(known.ids("val")), part, ctx, "predictor")
    from safetensors.torch import save_file

    save_file(net.state_dict(), out / "predictor.safetensors")
    facts = {"features": pairs.features.rows.shape[-1], "positions": positions, "thresholds": chosen.thresholds}
    facts |= {"steps": trained.step, "kept": trained.best, "loss": trained.history}
    facts |= {"validation": trained.validated, "clips": len(ids), "chosen_on": chosen.on}
    write_json(out / "predictor.json", facts)


class Chosen(NamedTuple):
    """The threshold of each yes/no head, and of which split's clips it was chosen: {head: val | train}."""

    thresholds: dict[str, float]
    on: dict[str, str]


def learnt(
    how: V2X, control: Control, pairs: Pairs, ids: list[str], held: list[str], part: Path, ctx: Context, label: str
) -> tuple[Predictor, Trained, Chosen]:
    """A predictor taught by the clips `ids`, with the weights that do best on `held`; how it went; the thresholds chosen there.

    Thresholds of heads that are yes nowhere in `held` are chosen on `ids`.

    Raises Failed where there is nothing to learn from.
    """
    import torch

    from melqcd.predictor import Predictor
    from melqcd.training import train

    if not ids:
        raise Failed("no clip of the train split has a picture to predict from: data needs videos in split train")
    torch.manual_seed(how.training.seed)
    net = Predictor(how, pairs.features.rows.shape[-1], control.heads())
    net.fit(_fitted(pairs, ids))

    def batches(draw: Draw) -> dict[str, Tensor]:
        chosen = [ids[i] for i in draw.clips(len(ids)).tolist()]
        room = torch.tensor([max(0, pairs.length(i) - pairs.positions) for i in chosen])
        firsts = (torch.rand(len(chosen), generator=draw.generator) * (room + 1)).long().tolist()
        return pairs.of(chosen, firsts)

    def loss(batch: dict[str, Tensor]) -> Tensor:
        return net.loss(batch["features"], batch, batch["valid"])

    @torch.inference_mode()
    def validate() -> float:
        return float(torch.cat([loss(_on(pairs.of(some), ctx.device)) for some in chunks(held)]).mean())

    every = max(1, how.training.steps // 6)
    checks = {"validate": validate, "validate_every": every} if held else {}
    trained = train(net, batches, loss, how.training, part=part, ctx=ctx, label=label, **checks)
    return net, trained, _chosen(net, pairs, {"val": held, "train": ids}, ctx.device)


def hints(
    out: Path, part: Path, ctx: Context, how: V2X, control: Control, predicted: tuple[str, ...], truth: Path | Unheard, motion: Path,
    clips: Path, predictor: Path,
) -> None:  # fmt: skip
    """Signals of the val and test clips with the heads in `predicted` taken from the video, the others true; how good they are beside it.

    Clips longer than the predictor's window are predicted window by window, each slot from the window whose middle is nearest.
    """
    torch = ctx.torch()
    from melqcd.checkpoints import load_weights, read_weights
    from melqcd.predictor import Predictor

    facts = json.loads((predictor / "predictor.json").read_text())
    known = Clips(clips)
    pairs = Pairs(control, truth, motion, facts["positions"], known, padded=how.padding == "target")
    net = Predictor(how, facts["features"], control.heads())
    load_weights(net, read_weights(predictor / "predictor.safetensors"), predictor / "predictor.safetensors")
    net.to(ctx.device).eval()
    heads, quality = control.heads(), {}
    with written(out, control, truth) as add:
        for split in ("val", "test"):
            ids = pairs.usable(known.ids(split))
            if not ids:
                continue
            guessed: dict[str, dict[str, np.ndarray]] = {}
            with torch.inference_mode():
                for some in ctx.track(list(chunks(ids)), f"predicting {split}"):
                    guessed |= guess(net, control, pairs, some, facts["thresholds"], ctx.device)
            for id in ids:
                add(id, {name: guessed[id][name].T if name in predicted else np.array(pairs.signals[name][id]) for name in heads})
            if not isinstance(truth, Unheard):
                quality[split] = quality_of(control, pairs, ids, guessed, known)
                for name, threshold in facts["thresholds"].items():
                    quality[split][name] |= {"threshold": threshold, "chosen_on": facts.get("chosen_on", {}).get(name, "val")}
    write_json(out / "predictor.json", quality)
    write_json(out / "signal.json", pairs.told)


@contextmanager
def written(out: Path, control: Control, truth: Path | Unheard) -> Iterator[Callable[[str, dict[str, np.ndarray]], None]]:
    """What adds a clip's signal {head: [slots, n]} to `out`; what the control carries without predicting it comes from `truth`."""
    carried = {} if isinstance(truth, Unheard) else {name: Ragged(truth, name) for name in control.carries}
    with ExitStack() as stack:

        def opened(name: str, dtype, n: int) -> RaggedWriter:
            return stack.enter_context(RaggedWriter(out, name, dtype=dtype, tail=(n,)))

        writers = {n: opened(n, "int32" if h.kind == "class" else "float32", h.n) for n, h in control.heads().items()}
        others = {n: opened(n, true.rows.dtype, true.rows.shape[-1]) for n, true in carried.items()}

        def add(id: str, signal: dict[str, np.ndarray]) -> None:
            for name, writer in writers.items():
                writer.add(id, signal[name])
            for name, writer in others.items():
                writer.add(id, np.array(carried[name][id]))

        yield add


def guess(
    net: Predictor, control: Control, pairs: Pairs, ids: list[str], thresholds: dict[str, float], device: str
) -> dict[str, dict[str, np.ndarray]]:
    """{id: {head: [n, slots]}} of whole clips."""
    from bench.windows import starts

    size, per = pairs.positions, pairs.per
    found: dict[str, dict[str, np.ndarray]] = {}
    for id in ids:
        length = len(next(iter(pairs.signals.values()))[id])  # slots of the clip
        firsts = starts(max(pairs.length(id), -(-length // per)), size, overlap=size // 4)
        batch = _on(pairs.of([id] * len(firsts), firsts), device)
        outputs = net(batch["features"], valid=batch["valid"])
        signal = control.decode(outputs, thresholds=thresholds)
        # a slot comes from the window in whose middle it lies
        edges = [0, *((a + b + size) // 2 * per for a, b in zip(firsts, firsts[1:], strict=False)), length]
        found[id] = {
            name: np.concatenate(
                [
                    signal[name][w, :, edges[w] - firsts[w] * per : edges[w + 1] - firsts[w] * per].cpu().numpy()
                    for w in range(len(firsts))
                ],
                axis=-1,
            )
            for name in pairs.heads
        }
    return found


def quality_of(control: Control, pairs: Pairs, ids: list[str], guessed: dict, known: Clips) -> dict[str, dict[str, float]]:
    """Per head: accuracy beside the majority class, or error beside that of the mean; for Mel-QCD the cosine of shapes.

    Of yes/no heads F1 beside that of saying yes everywhere.
    """
    import torch

    from melqcd.agreement import accuracy, always_yes, chance, similarity

    longest = max(len(next(iter(pairs.signals.values()))[i]) for i in ids)
    valid = torch.zeros(len(ids), longest, dtype=torch.bool)
    told: dict[str, dict[str, float]] = {}
    for name, head in pairs.heads.items():
        true, made = torch.zeros(len(ids), head.n, longest), torch.zeros(len(ids), head.n, longest)
        for row, id in enumerate(ids):
            values = np.array(pairs.signals[name][id]).T
            true[row, :, : values.shape[-1]] = torch.from_numpy(values)
            made[row, :, : values.shape[-1]] = torch.from_numpy(np.asarray(guessed[id][name]))
            valid[row, : values.shape[-1]] = True
        weight = valid.sum(-1) / valid.sum()
        if head.kind == "scalar":
            error, spread = (true - made)[valid[:, None].expand_as(true)], true[valid[:, None].expand_as(true)]
            told[name] = {"rmse": float(error.square().mean().sqrt()), "of_the_mean": float(spread.std(correction=0))}
            continue
        told[name] = {
            "acc": float((accuracy(made, true, valid).nan_to_num() * weight).sum()),
            "chance": chance(true, valid, max(2, head.size)),
        }
        if head.kind == "binary":
            hits = (made.bool() & true.bool() & valid[:, None]).sum()
            told[name]["f1"] = float(
                2 * hits / ((made.bool() & valid[:, None]).sum() + (true.bool() & valid[:, None]).sum()).clamp(min=1)
            )
            told[name]["f1_chance"] = always_yes(true, valid)
        shapes = getattr(control, "shapes", None)
        if shapes is not None:
            told[name]["sim"] = float((similarity(shapes(made.long()), shapes(true.long()), valid).nan_to_num() * weight).sum())
    return told


def _chosen(net: Predictor, pairs: Pairs, splits: dict[str, list[str]], device: str) -> Chosen:
    """For each yes/no head the threshold with the best F1 on the first of `splits` in which it is ever yes; 0.5 where it is in none."""
    import torch

    from melqcd.agreement import best_threshold

    wanted = [name for name, head in pairs.heads.items() if head.kind == "binary"]
    found = Chosen({}, {})
    for split, ids in splits.items():
        if len(found.on) == len(wanted) or not ids:
            continue
        with torch.inference_mode():
            batches = [_on(pairs.of(some), device) for some in chunks(ids)]
            outputs = [net(b["features"], valid=b["valid"]) for b in batches]
        valid = torch.cat([b["valid"] for b in batches])
        for name in wanted:
            true = torch.cat([b[name] for b in batches])
            if name not in found.on and bool((true > 0.5)[valid[:, None].expand_as(true)].any()):
                found.thresholds[name] = best_threshold(torch.cat([o[name].sigmoid() for o in outputs]), true, valid)[0]
                found.on[name] = split
    return found


def _fitted(pairs: Pairs, ids: list[str]):
    for some in chunks(ids):
        batch = pairs.of(some)
        yield batch["features"], {k: batch[k] for k in pairs.heads}, batch["valid"]


def chunks(ids: Sequence[str]):
    return (list(ids[i : i + CHUNK]) for i in range(0, len(ids), CHUNK))


def _on(batch: dict[str, Tensor], device: str) -> dict[str, Tensor]:
    return {k: v.to(device) for k, v in batch.items()}

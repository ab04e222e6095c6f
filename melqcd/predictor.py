"""V2X: what is heard, predicted from what is seen. One transformer over motion features, one output per head.

Source: the paper, 4.3, and the released CodePredictor, whose weights `from_released` renames (specification of checkpoints, 1).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate, pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool1d, interpolate, scaled_dot_product_attention

from melqcd.heads import Head
from melqcd.losses import binary_loss, class_loss, scalar_loss
from melqcd.settings import V2X

__all__ = ["V2X", "Predictor", "from_released"]


class Predictor(nn.Module):
    """Motion features [B, positions, d] at 25 Hz to one array per head; names of weights are those of the released file."""

    seen_mean: Tensor
    seen_std: Tensor
    centre: Tensor
    spread: Tensor
    positive: Tensor

    def __init__(self, how: V2X, features: int, heads: dict[str, Head]):
        super().__init__()
        if not heads:
            raise ValueError("this control has nothing to predict: no heads")
        self.how, self.heads = how, dict(heads)
        self.choices = {k: h for k, h in heads.items() if h.kind != "scalar"}
        self.scalars = {k: h for k, h in heads.items() if h.kind == "scalar"}
        width, choices = how.width, sum(h.outputs for h in self.choices.values())
        reals, binaries = (sum(h.n for h in heads.values() if h.kind == kind) for kind in ("scalar", "binary"))
        self.proj_in = nn.Linear(features, width)
        self.rel_pos_bias = Distance(how.bias, how.heads)
        self.layers_en = nn.ModuleList(Block(width, how.heads, how.dropout) for _ in range(how.depth))
        self.layer_norm_en = nn.LayerNorm(width)
        self.proj_out = nn.Linear(width, choices) if choices else None
        half, quarter = max(1, width // 2), max(1, width // 4)
        self.proj_ms = (
            nn.Sequential(nn.Linear(width, half), nn.ReLU(), nn.Linear(half, quarter), nn.ReLU(), nn.Linear(quarter, reals))
            if reals
            else None
        )
        self.register_buffer("seen_mean", torch.zeros(features))
        self.register_buffer("seen_std", torch.ones(features))
        self.register_buffer("centre", torch.zeros(reals))
        self.register_buffer("spread", torch.ones(reals))
        self.register_buffer("positive", torch.full((binaries,), 0.5))

    def forward(self, features: Tensor, *, valid: Tensor | None = None, slots: int | None = None) -> dict[str, Tensor]:
        """{head: [B, outputs, slots]}: logits of classes and questions, scalars in the signal's own units.

        features: [B, positions, d]. valid: [B, slots], True inside the clip; None: everywhere. slots: how many are wanted, by default
        as many as `valid` has, or as positions. Slots beyond a clip's end neither look nor are looked at; what is predicted there
        means nothing.
        """
        x = (features - self.seen_mean) / self.seen_std
        positions = x.shape[1]
        slots = slots or (valid.shape[1] if valid is not None else positions)
        length = max(slots, positions * self.how.rate // 25)
        if length != positions:
            x = interpolate(x.transpose(1, 2), size=length, mode="linear", align_corners=False).transpose(1, 2)
        bias = self.rel_pos_bias(length, positions / length)[None]
        if valid is not None and not bool(valid.all()):
            bias = bias + _closed(_stretched(valid, length), bias.dtype)
        x = self.proj_in(x)
        for layer in self.layers_en:
            x = layer(x, bias)
        x = self.layer_norm_en(x)
        if length != slots:
            x = adaptive_avg_pool1d(x.transpose(1, 2), slots).transpose(1, 2)
        return self._outputs(x)

    def _outputs(self, x: Tensor) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        if self.proj_out is not None:
            parts = self.proj_out(x).transpose(1, 2).split([h.outputs for h in self.choices.values()], 1)
            found |= dict(zip(self.choices, parts))
        if self.proj_ms is not None:
            reals = (self.proj_ms(x) * self.spread + self.centre).transpose(1, 2)
            found |= dict(zip(self.scalars, reals.split([h.n for h in self.scalars.values()], 1)))
        return {name: found[name] for name in self.heads}

    def loss(self, features: Tensor, signal: dict[str, Tensor], valid: Tensor) -> Tensor:
        """[B], what training minimises: averaged over dimensions, then over heads, and summed over valid slots / all slots.

        So a clip weighs as much as it has valid slots, and a batch in slices sums to the same. Where `supervised` is a share of the
        slots, the others count as nothing and these as much as all would.
        """
        outputs = self(features, valid=valid)
        each = torch.stack([self._head_loss(name, outputs[name], signal[name]) for name in self.heads]).mean(0)
        return torch.where(_first(valid, self.how.supervised), each, 0.0).mean(-1) / self.how.supervised

    def _head_loss(self, name: str, output: Tensor, signal: Tensor) -> Tensor:
        head = self.heads[name]
        if head.kind == "class":
            return class_loss(output, signal, head, gamma=self.how.gamma)
        if head.kind == "binary":
            share = self.positive[_place(self.heads, name)]
            return binary_loss(output, signal, share, kind=self.how.binary, gamma=self.how.gamma)
        return scalar_loss(output, signal, self.spread[_place(self.heads, name)])

    @torch.no_grad()
    def fit(self, batches: Iterable[tuple[Tensor, dict[str, Tensor], Tensor]]) -> None:
        """Learn what is only measured, from the training split's (features, signal, valid): call once before training.

        Mean and deviation of every feature and scalar, and the share of yes of every question, over valid slots; features over their
        own valid positions. A feature or scalar that never changes keeps deviation 1.
        """
        seen, reals, yes = _Moments(), _Moments(), _Moments()
        for features, signal, valid in batches:
            seen.add(features[_stretched(valid, features.shape[1])])
            for kind, moments in (("scalar", reals), ("binary", yes)):
                named = [signal[k].double() for k, h in self.heads.items() if h.kind == kind]
                if named:
                    moments.add(torch.cat(named, 1).transpose(1, 2)[valid])
        if not seen.count:
            raise ValueError("the training split has no valid slot to learn from")
        self.seen_mean.copy_(seen.mean())
        self.seen_std.copy_(seen.deviation())
        if self.proj_ms is not None:
            self.centre.copy_(reals.mean())
            self.spread.copy_(reals.deviation())
        if len(self.positive):
            self.positive.copy_(yes.mean())


class Distance(nn.Module):
    """An attention bias [heads, length, length] for each distance in time, counted in positions at 25 Hz at any rate."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        sizes = [1, width, width, width]
        hidden = [nn.Sequential(nn.Linear(a, b), nn.SiLU()) for a, b in pairwise(sizes)]
        self.net = nn.Sequential(*hidden, nn.Linear(width, heads))

    def forward(self, length: int, unit: float) -> Tensor:
        at = torch.arange(length, device=next(self.parameters()).device)
        each = self.net(((torch.arange(2 * length - 1, device=at.device) - (length - 1)) * unit)[:, None])
        return each.T[:, at[:, None] - at + length - 1]


class Block(nn.Module):
    """Attention, then feed-forward, each after its norm and added to what came in."""

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads, dropout)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width), nn.Dropout(dropout)
        )

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x), bias)
        return x + self.feed_forward(self.norm2(x))


class Attention(nn.Module):
    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.heads, self.dropout = heads, nn.Dropout(dropout)
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_kv = nn.Linear(width, 2 * width, bias=False)
        self.to_out = nn.Linear(width, width)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        q, k, v = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in (self.to_q(x), *self.to_kv(x).chunk(2, -1)))
        y = scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return self.dropout(self.to_out(y.transpose(1, 2).flatten(2)))


def from_released(state: dict[str, Tensor], net: Predictor) -> dict[str, Tensor]:
    """The released CodePredictor's weights under our names, for `net` built with heads of two groups of 81, energy and deviation.

    state: as `read_weights(path, inside=["state_dict"], prefix="model.")` gives it. The groups' output layers become one; our
    buffers, which it lacks, keep `net`'s values.
    """
    groups = sorted({int(k.split(".")[1]) for k in state if k.startswith("proj_out.") and k.split(".")[1].isdigit()})
    parts = {p: [state.get(f"proj_out.{g}.{p}") for g in groups] for p in ("weight", "bias")}
    joined = {
        f"proj_out.{p}": torch.cat(some)
        for p, found in parts.items()
        if (some := [t for t in found if t is not None]) and len(some) == len(found) and len({t.shape[1:] for t in some}) == 1
    }  # what is incomplete stays as it is, and is told by `load_weights`
    kept = {k: v for k, v in state.items() if not (k.startswith("proj_out.") and f"proj_out.{k.rpartition('.')[2]}" in joined)}
    return dict(net.named_buffers()) | kept | joined


def _place(heads: dict[str, Head], name: str) -> slice:
    """Where a head's dimensions lie among all those of its kind."""
    same = {k: h.n for k, h in heads.items() if h.kind == heads[name].kind}
    last = dict(zip(same, accumulate(same.values())))[name]
    return slice(last - same[name], last)


def _stretched(valid: Tensor, length: int) -> Tensor:
    """`valid` [B, slots] on another number of positions."""
    return valid[:, torch.arange(length, device=valid.device) * valid.shape[1] // length]


def _first(valid: Tensor, share: float) -> Tensor:
    """The first `share` of each clip's `valid` slots [B, slots], at least one where there is one."""
    return valid & (valid.cumsum(-1) <= (valid.sum(-1, keepdim=True) * share).round().clamp(min=1))


def _closed(valid: Tensor, dtype: torch.dtype) -> Tensor:
    """[B, 1, length, length], so low wherever either end is padding that nothing passes.

    Not -inf: a row of padding then has no NaN but the mean of all values, as in the released network.
    """
    pairs = valid[:, None, :, None] & valid[:, None, None, :]
    return torch.zeros_like(pairs, dtype=dtype).masked_fill_(~pairs, torch.finfo(dtype).min)


class _Moments:
    """Mean and deviation of rows that come in parts, in float64."""

    def __init__(self):
        self.count, self.sum, self.squares = 0, torch.zeros(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)

    def add(self, rows: Tensor) -> None:
        rows = rows.double().cpu()
        self.count += len(rows)
        self.sum, self.squares = self.sum + rows.sum(0), self.squares + rows.square().sum(0)

    def mean(self) -> Tensor:
        return self.sum / self.count

    def deviation(self) -> Tensor:
        found = (self.squares / self.count - self.mean() ** 2).clamp(min=0).sqrt()
        return torch.where(found > 1e-6 * self.mean().abs() + 1e-12, found, 1.0)

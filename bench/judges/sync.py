"""The judge of timing: onsets with their confidences, and onset strength curves. No network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from bench.errors import Failed, Refused
from bench.judges.base import Judge, write

if TYPE_CHECKING:
    import numpy as np

    from bench.context import Context
    from bench.judges.view import View

RATE = 22050  # Hz; the detector's defaults are wrong at any other
NAMED = 5  # bad files in one message
ALONE = 48  # clips; for fewer, starting processes takes longer than listening


@dataclass(frozen=True)
class Sync(Judge):
    """Onsets as librosa finds them, and the curves that W-Dis and JS-Div compare (metrics.md 1 and 2).

    onsets [n, 5]: position in samples; loudest |sample| within 50 ms and |sample| at the onset, both scaled to 0 ... 1 over the clip;
    the same two for the signed wave. extent [1, 2]: samples and peak. odf.NAME [frames].
    """

    delta: float = 0.3  # by which onset strength, scaled to 0 ... 1, must exceed its surroundings (CondFoleyGen); 0 to 1
    curves: tuple[str, ...] = ("flux_lin",)  # onset strength curves, names of bench/metrics/strength.py: log1p, librosa, ...

    name: ClassVar[str] = "sync"
    trims: ClassVar[bool] = True

    def __post_init__(self):
        from bench.metrics.strength import CURVES

        if not 0 <= self.delta <= 1:
            raise ValueError(f"delta must lie between 0 and 1, got {self.delta}")
        unknown = [c for c in self.curves if c not in CURVES]
        if unknown or len(set(self.curves)) < len(self.curves):
            raise ValueError(f"curves must be different ones of {', '.join(CURVES)}, got {', '.join(self.curves)}")

    @property
    def provides(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        curves: dict[str, tuple[str, tuple[int, ...]]] = {f"odf.{name}": ("float32", ()) for name in self.curves}
        return {"onsets": ("float64", (5,)), "extent": ("float64", (2,)), **curves}

    def listen(self, ctx: Context, sounds: View, out: Path) -> None:
        """One clip at a time in each worker: a ten-second clip fills a core's cache. Refused naming the files that are no sound."""
        bad: list[str] = []

        def good() -> Iterator[tuple[str, Mapping[str, np.ndarray]]]:
            for id, heard in ctx.track(_each(ctx, self, sounds), "listening for onsets", total=len(sounds.ids)):
                ctx.check()
                if isinstance(heard, Refused):
                    bad.append(str(heard))
                elif not isinstance(heard, dict):
                    raise Failed(f"{sounds.file(id)}: {heard}")
                elif not bad:
                    yield id, heard
            if bad:
                more = f"; and {len(bad) - NAMED} more" if len(bad) > NAMED else ""
                raise Refused(f"{'; '.join(sorted(bad)[:NAMED])}{more}")

        write(out, self, sounds.ids, good())


def _each(ctx: Context, judge: Sync, sounds: View) -> Iterator[tuple[str, Any]]:
    """(id, what was heard) of every clip, in any order."""
    from bench.workers import spread

    jobs = ((judge, sounds.only(id)) for id in sounds.ids)
    if ctx.workers < 2 or len(sounds.ids) < ALONE:
        ctx.torch()
        yield from ((view.ids[0], hear((judge, view))) for judge, view in jobs)
    else:
        for (_, view), heard in spread("bench.judges.sync:hear", jobs, workers=ctx.workers):
            yield view.ids[0], heard


def hear(job: tuple[Sync, View]) -> dict[str, np.ndarray] | Refused:
    """The arrays of the one clip of a view; the refusal, not raised, of a file that is no sound."""
    judge, view = job
    (id,) = view.ids
    try:
        return analyse(judge, {rate: view.load(id, rate) for rate in _rates(judge)})
    except Refused as error:
        return error


def _rates(judge: Sync) -> set[int]:
    from bench.metrics.strength import CURVES

    return {RATE, *(CURVES[name].rate for name in judge.curves)}


def analyse(judge: Sync, waves: Mapping[int, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of one clip from its mono waves {rate: [samples]}."""
    import numpy as np
    import torch

    from bench.metrics.onsets import confident
    from bench.metrics.strength import CURVES, strength
    from melqcd.onset import onsets

    with torch.inference_mode():
        wave = waves[RATE]
        (at,) = onsets(torch.from_numpy(wave)[None], delta=judge.delta)
        plain, signed = confident(wave, at), confident(wave, at, signed=True)
        columns = (plain.at, plain.sure, plain.level, signed.sure, signed.level)
        found = {"onsets": np.stack([np.asarray(c, np.float64) for c in columns], -1)}
        found["extent"] = np.array([[len(wave), np.abs(wave).max(initial=0)]], np.float64)
        for name in judge.curves:
            found[f"odf.{name}"] = strength(torch.from_numpy(waves[CURVES[name].rate]), CURVES[name]).numpy()
    return found

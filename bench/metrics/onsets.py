"""Whether a generated sound begins things when the real one does: Onset ACC and its relatives, after CondFoleyGen.

Conventions
    Onsets are sample positions at 22050 Hz, ascending, with a confidence each (`Onsets`); `truth` before `made`; tolerances in seconds.
    Values are fractions in [0, 1], higher is better. Each metric gives (value, status): ok; penalised (the generated clip is silent: 0);
    undefined (nan: the real clip has no onsets, so that a perfect copy would score 0; or precision of nothing).
Metrics (of one `Match`, or of the raw onsets)
    recall         hits / real onsets: Onset ACC of CondFoleyGen ("detection acc") and, by its figures, of the paper
    precision, f1  hits / generated onsets, and the harmonic mean with recall; recall alone rewards a click train
    ap_reference   CondFoleyGen's average precision: 1.0 for a clip without any generated onset, misses after the last one unseen
    ap_detection   average precision as in detection: generated onsets ranked by confidence, divided by the real onsets
    event_match    precision, recall and F1 of a maximum matching (mir_eval.onset)
    count_match    1 if both sides have equally many onsets (CondFoleyGen's "#onset acc")
Chance is 0.15 to 0.20 on real clips, near the published values: it belongs beside every number (metrics.md 1.5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

RATE = 22050  # Hz, of the positions
WINDOW_S = 0.1  # half-width within which two onsets match, strictly (CondFoleyGen)
APART_S = 0.05  # of two generated onsets closer than this, strictly, the surer one stays
LISTEN = 1102  # samples to either side whose loudest is an onset's confidence: int(0.05 * 22050)

Valued = tuple[float, str]  # value and status


class Onsets(NamedTuple):
    """Onsets of one clip: positions [n] in samples, confidence [n] (loudest sample around), and the level [n] at the very sample."""

    at: NDArray
    sure: NDArray
    level: NDArray

    def take(self, chosen) -> Onsets:
        return Onsets(self.at[chosen], self.sure[chosen], self.level[chosen])


def confident(wave: ArrayLike, at: ArrayLike, *, signed: bool = False) -> Onsets:
    """The onsets at positions `at` [n] of `wave` [samples] with their confidences in [0, 1].

    signed: level is the wave itself between its least and its greatest value (MMAudio) rather than |wave| (CondFoleyGen).
    A window that reaches beyond the clip is cut; a position at or beyond the end reads the last sample; a constant wave has level 0.
    """
    wave, at = np.asarray(wave), np.asarray(at, np.int64)
    if not len(at):
        return Onsets(at, np.empty(0), np.empty(0))
    if not signed:
        wave = np.abs(wave)
    low, high = float(wave.min()), float(wave.max())
    span = high - low or 1.0
    at = np.clip(at, 0, None)
    here = np.minimum(at, len(wave) - 1)
    loudest = np.array([wave[max(0, o - LISTEN) : o + LISTEN].max() for o in here.tolist()], np.float64)
    return Onsets(at, (loudest - low) / span, (wave[here].astype(np.float64) - low) / span)


def suppress(made: Onsets, *, apart: float = APART_S) -> Onsets:
    """`made` without onsets closer than `apart` seconds to a surer one; of equally sure ones the later stays, as in the reference."""
    free = np.ones(len(made.at), bool)
    kept = []
    for i in np.argsort(made.sure, kind="stable")[::-1]:  # each decision depends on those before it
        if free[i]:
            kept.append(i)
            free &= np.abs(made.at - made.at[i]) >= apart * RATE
    return made.take(np.sort(np.array(kept, np.int64)))


@dataclass(frozen=True)
class Match:
    """Which generated onset answers which real one: `partner` [real onsets] indexes `made` (after suppression), -1 for a miss."""

    partner: NDArray
    made: Onsets
    silent: bool = False  # the generated clip holds no sound at all

    @property
    def hits(self) -> int:
        return int((self.partner >= 0).sum())

    def recall(self, *, zero_gt: str = "skip") -> Valued:
        """zero_gt: what a clip without real onsets is: "skip" undefined, "zero" 0 (the reference)."""
        if not len(self.partner):
            return (0.0, "ok") if zero_gt == "zero" else (np.nan, "undefined")
        return self._valued(self.hits / len(self.partner))

    def precision(self) -> Valued:
        """Undefined without real onsets, and without generated ones unless the clip is silent."""
        if not len(self.partner) or not (len(self.made.at) or self.silent):
            return np.nan, "undefined"
        return self._valued(self.hits / max(1, len(self.made.at)))

    def f1(self) -> Valued:
        if not len(self.partner):
            return np.nan, "undefined"
        return self._valued(2 * self.hits / (len(self.partner) + len(self.made.at)))

    def ap_detection(self) -> Valued:
        """Mean over the real onsets of the precision at the confidence of their match; equal confidences enter together."""
        if not len(self.partner):
            return np.nan, "undefined"
        found = self.made.sure[self.partner[self.partner >= 0]]
        precision = [(found >= s).sum() / (self.made.sure >= s).sum() for s in found]
        return self._valued(float(np.sum(precision)) / len(self.partner))

    def ap_reference(self, *, zero_gt: str = "skip") -> Valued:
        """CondFoleyGen's: misses enter as positives of score 0, and none is listed after the last generated onset was used up."""
        if not len(self.partner):
            return (0.0, "ok") if zero_gt == "zero" else (np.nan, "undefined")
        listed = self.partner
        if self.hits and self.hits == len(self.made.at):
            listed = listed[: int(np.flatnonzero(listed >= 0)[-1]) + 1]
        hit = listed[listed >= 0]
        spare = np.delete(self.made.sure, hit)
        scores = np.concatenate([self.made.sure[hit], np.zeros(len(listed) - len(hit)), spare])
        labels = np.arange(len(scores)) < len(listed)
        return average_precision(labels, scores), "penalised" if self.silent else "ok"

    def _valued(self, value: float) -> Valued:
        return (0.0, "penalised") if self.silent else (value, "ok")


def match(truth: ArrayLike, made: Onsets, *, tolerance: float = WINDOW_S, silent: bool = False) -> Match:
    """CondFoleyGen's greedy pairing: each real onset in turn takes, of the unused generated ones closer than `tolerance` seconds,
    the one loudest at its own sample (not the nearest); generated onsets are suppressed first, real ones are not.
    """
    truth, made = np.asarray(truth), suppress(made)
    level = made.level.copy()
    partner = np.full(len(truth), -1, np.int64)
    for i, near in enumerate(np.abs(made.at[None] - truth[:, None]) < tolerance * RATE):  # earlier real onsets choose first
        candidates = np.flatnonzero(near & np.isfinite(level))
        if len(candidates):
            best = candidates[::-1][np.argmax(level[candidates][::-1])]  # of equally loud ones the later, as in the reference
            partner[i] = best
            level[best] = np.nan
    return Match(partner, made, silent)


def event_match(truth: ArrayLike, made: ArrayLike, *, tolerance: float = WINDOW_S) -> dict[str, Valued]:
    """precision, recall and f1 of a maximum one-to-one matching within `tolerance` seconds, inclusive: equal to mir_eval.onset.

    Undefined without real onsets, unlike mir_eval, which says 0; so is precision without generated ones.
    """
    truth, made = np.sort(np.asarray(truth)), np.sort(np.asarray(made))
    i = j = hits = 0
    while i < len(truth) and j < len(made):  # with one width for all, taking the earliest possible partner is a maximum matching
        if abs(made[j] - truth[i]) <= tolerance * RATE:
            hits, i, j = hits + 1, i + 1, j + 1
        elif made[j] < truth[i]:
            j += 1
        else:
            i += 1
    if not len(truth):
        return dict.fromkeys(("precision", "recall", "f1"), (np.nan, "undefined"))
    precision = (hits / len(made), "ok") if len(made) else (np.nan, "undefined")
    return {"precision": precision, "recall": (hits / len(truth), "ok"), "f1": (2 * hits / (len(truth) + len(made)), "ok")}


def count_match(truth: ArrayLike, made: ArrayLike) -> Valued:
    """1 if both sides have equally many onsets, before any suppression; else 0."""
    return float(np.size(truth) == np.size(made)), "ok"


def average_precision(labels: ArrayLike, scores: ArrayLike) -> float:
    """Sum over distinct scores, from the highest, of precision times the gain in recall; 0 without positives. As sklearn >= 1.3."""
    labels, scores = np.asarray(labels, bool), np.asarray(scores, np.float64)
    if not labels.any():
        return 0.0
    order = np.argsort(-scores, kind="stable")
    labels, scores = labels[order], scores[order]
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)  # of each run of equal scores
    true = np.cumsum(labels)[last]
    return float((np.diff(true, prepend=0) / true[-1] * true / (last + 1)).sum())

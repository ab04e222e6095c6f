"""How gestures move: from the events that are seen to curves over the frames. Contact is shown by the frame `event.shown`."""

from __future__ import annotations

import numpy as np

from bench.lab.world import FPS, Event, Plan

Curve = np.ndarray  # [T], float32


class Motion:
    """Curves over the frames of one clip; every event that can be seen, in order."""

    def __init__(self, plan: Plan):
        self.t = np.arange(plan.frames) / FPS
        self.seen: tuple[Event, ...] = plan.seen
        self.seconds = plan.seconds

    def height(self, *, rise: float = 0.2, fall: float = 0.14, rest: float = 0.45) -> Curve:
        """0 at each contact; before it as high as it will be hard (0.35 ... 1), falling ever faster. A feint turns at 0.4.

        rise, fall: seconds of recoil and of approach, less where the next contact is near. rest: where it waits at the end.
        """
        found = np.full(len(self.t), rest)
        low = rest
        begin, tops = -1.0, [0.35 + 0.65 * e.strength for e in self.seen]
        ends = [*(e.shown for e in self.seen), self.seconds + 1.0]
        lows = [*(0.4 if e.silent else 0.0 for e in self.seen), rest]
        for end, top, next_low in zip(ends, [*tops, rest], lows, strict=True):
            here = (self.t >= begin - 1e-6) & (self.t < end - 1e-6)
            t, gap = self.t[here], end - begin
            up = smooth((t - begin) / min(rise, 0.5 * gap))
            down = np.clip((t - (end - min(fall, 0.5 * gap))) / min(fall, 0.5 * gap), 0, 1) ** 2
            risen = low + (max(top, low) - low) * up
            found[here] = risen + (next_low - risen) * down
            begin, low = end, next_low
        return found.astype(np.float32)

    def closeness(self, *, reach: float) -> tuple[Curve, Curve]:
        """(1 at each contact times how hard, 0 at rest, smoothly over `reach` seconds or half the gap; side, -1 or 1, of the nearest).

        A feint comes half as near.
        """
        near, side = np.zeros(len(self.t)), np.ones(len(self.t))
        edges = [-9.0, *(e.shown for e in self.seen), 99.0]
        for before, e, after in zip(edges, self.seen, edges[2:], strict=False):
            age = self.t - e.shown
            room = np.where(age < 0, min(reach, 0.5 * (e.shown - before)), min(reach, 0.5 * (after - e.shown)))
            one = (0.55 + 0.45 * e.strength) * (0.5 if e.silent else 1.0) * (1 - smooth(np.abs(age) / room))
            side = np.where(one > 0, e.side, side)
            near = np.maximum(near, one)
        return near.astype(np.float32), side.astype(np.float32)

    def after(self, tau: float, *, silent: float = 0.0) -> Curve:
        """Each event's strength at its contact, dying with `tau` seconds; feints count `silent` times. The strongest wins."""
        return self._most(lambda age, e: np.exp(-age / tau) * e.strength, silent)

    def shake(self, hz: float, tau: float) -> Curve:
        """A shiver after each contact: its strength times a dying cosine, so that the first frame is the farthest."""
        found = np.zeros(len(self.t))
        for e in self.seen:
            age = self.t - e.shown
            if not e.silent:
                found += np.where(age >= -1e-6, e.strength * np.exp(-np.maximum(age, 0) / tau) * np.cos(2 * np.pi * hz * age), 0)
        return found.astype(np.float32)

    def held(self, *, attack: float = 0.04, release: float = 0.08, silent: float = 0.0) -> Curve:
        """Each event's strength for as long as it lasts, up at once, down within `release` seconds."""

        def curve(age, e):
            up = np.clip(age / attack + 0.6, 0, 1)
            return e.strength * up * np.clip(1 - (age - e.length + 0.02) / release, 0, 1)

        return self._most(curve, silent)

    def through(self) -> Curve:
        """0 ... 1 through each event while it lasts, 0 elsewhere: where in a stroke we are."""
        found = np.zeros(len(self.t))
        for e in self.seen:
            age = (self.t - e.shown) / e.length
            found = np.where((age >= -1e-6) & (age < 1) & (not e.silent), age, found)
        return found.astype(np.float32)

    def travel(self, *, reach: float = 1.0) -> Curve:
        """-1 ... 1: a bow or blade goes to the other side during each event, the farther the stronger, and waits there."""
        points_t, points_x, x = [-1.0], [0.0], 0.0
        side = -1.0
        for e in self.seen:
            if e.silent:
                continue
            end = e.shown - 0.02 + e.length
            aim = side * reach * (0.3 + 0.7 * e.strength) * min(1.0, 0.35 + 1.6 * e.length)
            points_t += [e.shown - 0.04, end]
            points_x += [x, aim]
            x, side = aim, -side
        return np.interp(self.t, [*points_t, self.seconds + 1], [*points_x, x]).astype(np.float32)

    def pitch(self) -> Curve:
        """The pitch of the event that sounds or comes next, moving there in the pause before."""
        events = [e for e in self.seen if not e.silent]
        at = [p for e in events for p in (e.shown - 0.1, e.shown + 0.1)]
        return np.interp(self.t, at, [e.pitch for e in events for _ in (0, 1)]).astype(np.float32)

    def latest(self, ahead: float = 0.0) -> np.ndarray:
        """[T] index into `seen` of the last event begun by `ahead` seconds from now; -1 before the first."""
        return np.searchsorted([e.shown - ahead - 1e-6 for e in self.seen], self.t, side="right") - 1

    def _most(self, curve, silent: float) -> Curve:
        found = np.zeros(len(self.t))
        for e in self.seen:
            age = self.t - e.shown
            one = np.where(age >= -1e-6, curve(age, e), 0) * (silent if e.silent else 1.0)
            found = np.maximum(found, one)
        return found.astype(np.float32)


def smooth(u) -> np.ndarray:
    """0 ... 1 with flat ends."""
    u = np.clip(u, 0, 1)
    return u * u * (3 - 2 * u)


def mix(a, b, share) -> np.ndarray:
    """Colour or number between a and b; `share` [T] gives [T, 3]."""
    share = np.asarray(share, np.float32)
    a, b = np.asarray(a, np.float32), np.asarray(b, np.float32)
    return a + (b - a) * (share[..., None] if a.ndim and share.ndim else share)

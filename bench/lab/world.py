"""What happens in each clip of the lab world: its class, its events, and what can and cannot be seen of them."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Protocol

import numpy as np

from bench.lab.rhythm import lengths, times

VERSION = 1  # of the world: every clip changes with it, so raise it with any change of sound or picture
RATE = 16000  # samples a second
FPS = 25
SIZE = 96  # pixels, both ways
WHOLE = 64  # frames of most clips: 2.56 s
HIDDEN = 0.08  # of events happen off-screen; those behind a passer-by come on top, about 0.1 together
MATERIALS = ("soft", "plain", "hard")


@dataclass(frozen=True)
class Kind:
    """A class: one everyday gesture."""

    folder: str  # as AVSync15 names them
    sustained: bool  # sounds as long as its motion lasts; else rings by itself
    stuff: tuple[str, str, str]  # what soft, plain and hard are here

    @property
    def prompt(self) -> str:
        return self.folder.replace("_", " ")


KINDS = (
    Kind("striking_metal_pan", False, ("cast iron", "steel", "copper")),
    Kind("striking_wood_block", False, ("pine", "oak", "ebony")),
    Kind("bouncing_ball", False, ("foam", "rubber", "leather")),
    Kind("plucking_guitar", False, ("nylon", "bronze", "steel")),
    Kind("playing_violin", True, ("gut", "synthetic", "steel")),
    Kind("shaking_maraca", False, ("gourd", "wood", "plastic")),
    Kind("pouring_water", True, ("milk", "juice", "water")),
    Kind("dog_barking", True, ("hound", "terrier", "shepherd")),
    Kind("revving_engine", True, ("tractor", "car", "motorbike")),
    Kind("hammering_nail", False, ("pine", "oak", "brick")),
    Kind("clapping_hands", False, ("woollen gloves", "leather gloves", "bare hands")),
    Kind("ringing_bell", False, ("iron", "bronze", "silver")),
    Kind("sharpening_knife", True, ("fine stone", "stone", "coarse stone")),
    Kind("typing_keyboard", False, ("membrane", "scissor", "mechanical")),
    Kind("blowing_whistle", True, ("wood", "plastic", "metal")),
)


class Pool(Protocol):
    """What names a clip besides its split and index: `Lab` has it."""

    @property
    def pool(self) -> str: ...
    @property
    def seed(self) -> int: ...


@dataclass(frozen=True)
class Event:
    """One contact, stroke, call or blow."""

    time: float  # seconds at which its sound begins
    length: float  # seconds that it lasts, for sustained kinds; else the time until the next may come
    strength: float  # 0.3 ... 1: speed of the impact, opening of the mouth, flow
    pitch: float  # -1 ... 1: where on the string, block or keyboard; seen as a place
    side: int  # -1 or 1: the direction of a stroke
    hidden: bool = False  # heard and not seen
    silent: bool = False  # seen and not heard: a feint

    @property
    def shown(self) -> float:
        """Seconds of the first frame at or after the onset: the frame that shows the contact."""
        return float(np.ceil(self.time * FPS - 1e-6) / FPS)


@dataclass(frozen=True)
class Plan:
    """A clip before it is heard or seen. Sound and picture are both made from it, each with its own stream of chance."""

    id: str
    kind: Kind
    frames: int
    size: float  # 0 ... 1: of the object; larger is lower
    material: int  # index into MATERIALS: brighter and ringing longer from soft to hard
    near: float  # 0 ... 1: closeness of the camera; nearer is larger, louder and drier
    damp: float  # 0 ... 1: a hand or cloth on the object, invisible; scales the ringing
    place: tuple[float, float]  # pixels by which the scene is off centre
    mirrored: bool
    passer: float | None  # seconds at which somebody walks through the middle of the picture
    events: tuple[Event, ...]
    seed: tuple[int, ...]

    @property
    def path(self) -> str:
        """Where the clip lies in a rendered world."""
        return f"videos/{self.kind.folder}/{self.id}.mp4"

    @property
    def seconds(self) -> float:
        return self.frames / FPS

    @property
    def samples(self) -> int:
        return self.frames * RATE // FPS

    @cached_property
    def heard(self) -> tuple[Event, ...]:
        return tuple(e for e in self.events if not e.silent)

    @cached_property
    def seen(self) -> tuple[Event, ...]:
        """What moves in the picture. Behind a passer-by things go on moving."""
        return tuple(e for e in self.events if not e.hidden or self.passes(e.time))

    def passes(self, time: float) -> bool:
        return self.passer is not None and abs(time - self.passer) < 0.16

    def rng(self, purpose: str) -> np.random.Generator:
        return np.random.default_rng([*self.seed, *purpose.encode()])


def plan(lab: Pool, split: str, index: int) -> Plan:
    """Clip `index` of `split`, the same whatever else is rendered. Classes take turns: index % 15."""
    name = f"lab world {VERSION}|{lab.pool}|{lab.seed}|{split}|{index}"
    digest = sha256(name.encode()).digest()
    seed = tuple(int.from_bytes(digest[i : i + 4], "big") for i in range(0, 32, 4))
    rng = np.random.default_rng(seed)
    kind = KINDS[index % len(KINDS)]
    frames = int(rng.integers(30, 63)) if rng.random() < 0.1 else WHOLE
    seconds = frames / FPS
    passer = float(rng.uniform(0.4, seconds - 0.4)) if rng.random() < 0.15 else None
    begins = times(rng, seconds)
    lasts = lengths(rng, begins, seconds)
    top = rng.uniform(0.7, 1.0)
    events, side = [], 1 if rng.random() < 0.5 else -1
    tune = rng.uniform(-0.6, 0.6)  # events of a clip lie near one another in pitch
    for time, length in zip(begins, lasts, strict=True):
        behind = passer is not None and abs(time - passer) < 0.16
        hidden = bool(rng.random() < HIDDEN) or behind
        pitch = float(np.clip(tune + rng.normal(0, 0.3), -1, 1))
        side = -side
        events.append(Event(time, length, float(top * rng.uniform(0.35, 1.0)), pitch, side, hidden))
    if all(e.hidden for e in events):
        first = events[0]
        events[0] = Event(first.time, first.length, first.strength, first.pitch, first.side)
        passer = None if abs(first.time - (passer or -9)) < 0.16 else passer
    return Plan(
        id=_id(digest, seconds, rng),
        kind=kind,
        frames=frames,
        size=float(rng.random()),
        material=int(rng.integers(3)),
        near=float(rng.random()),
        damp=float(rng.random()),
        place=(float(rng.uniform(-5, 5)), float(rng.uniform(-3, 3))),
        mirrored=bool(rng.random() < 0.5),
        passer=passer,
        events=tuple(sorted([*events, *_feints(rng, events, seconds)], key=lambda e: e.time)),
        seed=seed,
    )


def _feints(rng: np.random.Generator, events: list[Event], seconds: float) -> list[Event]:
    """Motions that stop short of contact, in pauses of at least 0.6 s."""
    edges = [0.0, *(e.time + min(e.length, 0.3) for e in events)]
    ends = [*(e.time for e in events), seconds]
    found = []
    for begin, end in zip(edges, ends, strict=True):
        if end - begin > 0.6 and rng.random() < 0.3:
            time = float(rng.uniform(begin + 0.25, end - 0.3))
            found.append(Event(time, 0.12, float(rng.uniform(0.3, 0.6)), 0.0, 1, silent=True))
    return found


def _id(digest: bytes, seconds: float, rng: np.random.Generator) -> str:
    """An AVSync15 file name without its ending: 11 characters as on YouTube, VGGSound's ten seconds, the cut within them."""
    start, cut = int(rng.integers(0, 290)), round(float(rng.uniform(0, 7)), 1)
    tube = urlsafe_b64encode(digest[:9]).decode()[:11]
    return f"{tube}_{start:06d}_{start + 10:06d}_{cut}_{round(cut + seconds, 2)}"

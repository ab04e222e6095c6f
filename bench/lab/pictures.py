"""The moving picture of a clip: its class's scene, seen through the camera."""

from __future__ import annotations

import numpy as np

from bench.lab import scenes_hands, scenes_held, scenes_struck
from bench.lab.motion import Motion
from bench.lab.scenery import shoot, walk_by
from bench.lab.world import Plan

SCENES = {
    "striking_metal_pan": scenes_struck.metal_pan,
    "striking_wood_block": scenes_struck.wood_block,
    "bouncing_ball": scenes_struck.ball,
    "plucking_guitar": scenes_hands.guitar,
    "playing_violin": scenes_held.violin,
    "shaking_maraca": scenes_hands.maraca,
    "pouring_water": scenes_held.water,
    "dog_barking": scenes_held.dog,
    "revving_engine": scenes_held.engine,
    "hammering_nail": scenes_struck.nail,
    "clapping_hands": scenes_hands.hands,
    "ringing_bell": scenes_struck.bell,
    "sharpening_knife": scenes_held.knife,
    "typing_keyboard": scenes_hands.keyboard,
    "blowing_whistle": scenes_held.whistle,
}


def film(plan: Plan) -> np.ndarray:
    """uint8 [T, 96, 96, 3], 25 frames a second. The frame at `event.shown`, or the first after it, shows the contact."""
    rng = plan.rng("picture")
    canvas = SCENES[plan.kind.folder](plan, Motion(plan), rng)
    walk_by(canvas, plan, rng)
    return shoot(canvas, plan, rng)

"""Networks whose trained weights were given (predictor.path, controlnet.path), put where the trained ones lie."""

from __future__ import annotations

from pathlib import Path

from bench.backbones import AnyBackbone
from bench.context import Context
from bench.errors import Refused
from bench.store import write_json
from controls.base import Control
from melqcd.contents import placed
from melqcd.settings import V2X, ControlNet

FEATURES = 768  # numbers of Synchformer's features, which the released predictor takes


def given_controlnet(out: Path, part: Path, ctx: Context, how: ControlNet, backbone: AnyBackbone) -> None:
    """Write the network at `how.path` in diffusers' format: that of MelQCD.ckpt, or a folder's.

    Refused where it does not fit `how` and the backbone.
    """
    ctx.torch()
    from melqcd.checkpoints import load_weights

    path, model = placed(how.path), backbone.load("cpu")
    try:
        if path.is_dir():
            net = how.load(path, model)
        else:
            from melqcd.released import load_controlnet

            found = load_controlnet(path, allow_pickle=how.allow_pickle)
            net = how.build(model)  # as these settings and this backbone ask for it: what was given must be the same
            load_weights(net, found.state_dict(), path)
    except (ValueError, FileNotFoundError) as error:
        raise Refused(f"controlnet.path: {error}") from error
    net.save_pretrained(out)
    write_json(out / "training.json", {"steps": 0, "given": path.name})


def given_predictor(out: Path, part: Path, ctx: Context, how: V2X, control: Control, positions: int) -> None:
    """Write the network at `how.path`, the released CodePredictor, as a trained one is written. Refused where it does not fit."""
    ctx.torch()
    from safetensors.torch import save_file

    from melqcd.checkpoints import load_weights, read_weights
    from melqcd.predictor import Predictor, from_released

    path = placed(how.path)
    net = Predictor(how, FEATURES, control.heads())
    try:
        state = read_weights(path, inside=["state_dict"], prefix="model.", allow_pickle=how.allow_pickle)
        load_weights(net, from_released(state, net), path)
    except (ValueError, FileNotFoundError) as error:
        raise Refused(f"predictor.path: {error}") from error
    save_file({k: v.contiguous() for k, v in net.state_dict().items()}, out / "predictor.safetensors")
    facts = {"features": FEATURES, "positions": positions, "thresholds": {}, "steps": 0, "given": path.name}
    write_json(out / "predictor.json", facts)

"""The released predictor of Mel-QCD from its file (specification of checkpoints, 1)."""

from __future__ import annotations

from pathlib import Path

from melqcd.checkpoints import load_weights, read_weights
from melqcd.heads import Head
from melqcd.predictor import Predictor, from_released
from melqcd.settings import V2X

RELEASED = V2X(width=512, depth=6, heads=8, bias=256, rate=100)
HEADS = {"code": Head("class", 81, 2), "energy": Head("scalar"), "deviation": Head("scalar")}
FEATURES = 768  # of Synchformer


def load_released_predictor(path: Path | str, *, allow_pickle: bool = False) -> Predictor:
    """The network in CodePredictor.ckpt (a Lightning file: state_dict, model.), in eval mode.

    Its bands are counted from the highest, and its energy and deviation are those of the picture, not of the mel: see checkpoints, 9.
    """
    state = read_weights(path, inside=["state_dict"], prefix="model.", allow_pickle=allow_pickle)
    net = Predictor(RELEASED, FEATURES, HEADS)
    load_weights(net, from_released(state, net), path)
    return net.eval()

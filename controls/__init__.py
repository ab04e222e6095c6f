"""Control signals: what is predicted from video and shown to the ControlNet."""

from controls.base import Batch, Complexity, Control
from controls.registry import load, names

__all__ = ["Batch", "Complexity", "Control", "load", "names"]

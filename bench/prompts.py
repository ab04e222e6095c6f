"""What the text encoder is told about a clip (amendment 12): the prompt is part of the experiment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bench.errors import Failed

Prompt = Literal["label", "generic", "zeroshot"]
GENERIC = "a sound"


@dataclass(frozen=True)
class Said:
    """A prompt in somebody's own words (`bench generate --prompt`), the same for all clips."""

    text: str


def prompt_of(label: str, prompt: Prompt | Said | Mapping[str, str], *, clip: str) -> str:
    """label: the class's text, as the paper has it; generic: the same words for all, so that the class can only come from the hint.

    A mapping (prompt=zeroshot) says what the video of each clip looks like. Raises Failed where a clip has no such text.
    """
    if isinstance(prompt, Said):
        return prompt.text
    if prompt == "generic":
        return GENERIC
    if isinstance(prompt, Mapping):
        label = prompt.get(clip, "")
    if not label:
        raise Failed(
            f"clip {clip} has no label for its prompt: bring a labels.csv, or write prompt=generic (the networks are then taught with "
            "it) or prompt=zeroshot (the label that the video looks most like)"
        )
    return label.replace("_", " ")

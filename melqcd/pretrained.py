"""Networks from folders as diffusers and transformers write them: what does not fit is refused, nothing is fetched, no code is run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from melqcd.published import looks_like


def pretrained(cls, folder: Path, **settings):
    """`cls.from_pretrained(folder)`, refusing what does not fit instead of filling the gaps with random weights."""
    if cls.__module__.startswith("diffusers."):
        settings["low_cpu_mem_usage"] = False  # or it asks for another package
    files = [f.name for f in folder.glob("*") if f.suffix in (".safetensors", ".bin")]
    if files and all(".fp16." in name for name in files):
        settings["variant"] = "fp16"
    if files and all(name.endswith(".bin") for name in files):
        settings["use_safetensors"] = False  # or a library complains of the format that it did not find
    with named(folder):
        model, told = cls.from_pretrained(folder, local_files_only=True, output_loading_info=True, **settings)
    wrong = [f"{len(told[k])} {k.replace('_', ' ')}: {', '.join(map(str, list(told[k])[:10]))}" for k in told if told[k]]
    if wrong:
        seen = looks_like({name: None for k in ("unexpected_keys", "mismatched_keys") for name in map(_name, told.get(k, ()))})
        raise ValueError(f"{folder}: the weights do not agree with config.json; " + "; ".join(wrong) + seen)
    return model


def _name(told: Any) -> str:
    """The weight's name, of what libraries report as a name or as a name with its shapes."""
    return str(told[0]) if isinstance(told, (tuple, list)) else str(told)


@contextmanager
def named(folder: Path) -> Iterator[None]:
    """Errors about `folder` that say so."""
    from pickle import UnpicklingError

    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError, UnpicklingError) as error:
        reason = str(error).strip().split("\n")[0]
        raise ValueError(f"{folder} cannot be read: {type(error).__name__}: {reason}") from error

"""Networks from folders as diffusers and transformers write them: what does not fit is refused, nothing is fetched, no code is run."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from melqcd.headers import read_header
from melqcd.published import looks_like


def pretrained(cls, folder: Path, *, partly: bool = False, **settings):
    """`cls.from_pretrained(folder)`, refusing what does not fit instead of filling the gaps with random weights.

    partly: the folder may hold more than `cls` reads. Raises FileNotFoundError and ValueError naming the folder or the file.
    """
    files = _checked(cls, folder)
    if cls.__module__.startswith("diffusers."):
        settings["low_cpu_mem_usage"] = False  # or it asks for another package
    if files and all(".fp16." in f.name for f in files):
        settings["variant"] = "fp16"
    if files and all(f.suffix == ".bin" for f in files):
        settings["use_safetensors"] = False  # or a library complains of the format that it did not find
    with named(folder), _quietly():
        model, told = cls.from_pretrained(
            folder, local_files_only=True, output_loading_info=True, ignore_mismatched_sizes=True, **settings
        )
    known = [k for k in told if told[k] and not (partly and k == "unexpected_keys")]
    wrong = [f"{len(told[k])} {k.replace('_', ' ')}: {', '.join(sorted(map(_said, told[k]))[:10])}" for k in known]
    if wrong:
        seen = looks_like({name: None for k in ("unexpected_keys", "mismatched_keys") for name in map(_name, told.get(k, ()))})
        raise ValueError(f"{folder}: the weights do not agree with config.json; " + "; ".join(wrong) + seen)
    return model


def _checked(cls, folder: Path) -> list[Path]:
    """The weights files of `folder`, none of which is half a file, a web page or something else."""
    kind = cls.__name__
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is {'a file' if folder.exists() else 'missing'}: a folder with a {kind} is needed")
    config = folder / "config.json"
    if not config.is_file():
        raise FileNotFoundError(f"{folder} holds no {kind}: config.json and the weights (.safetensors or .bin) are needed")
    try:
        told = json.loads(config.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{config} is no JSON ({error}); fetch it again") from error
    found, wanted = (
        told.get("_class_name") or told.get("model_type"),
        getattr(getattr(cls, "config_class", None), "model_type", "") or kind,
    )
    if found and found.partition("_")[0] != wanted.partition("_")[0]:
        raise ValueError(f"{config} is that of {found}, not of {kind}")
    files = [f for f in sorted(folder.glob("*")) if f.suffix in (".safetensors", ".bin") and "model" in f.name]
    for file in files:
        try:
            cut = read_header(file).cut
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from error
        if cut:
            raise ValueError(f"{file}: {cut}")
    if not files:
        raise FileNotFoundError(f"{folder} holds no {kind}: weights (.safetensors or .bin) are needed beside config.json")
    return files


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the libraries' own reports of what does not fit: ours names it."""
    loggers = [logging.getLogger(name) for name in ("transformers", "diffusers")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _said(told: Any) -> str:
    """A name, or where the shape is wrong a name and both shapes."""
    if isinstance(told, (tuple, list)) and len(told) == 3:
        return f"{told[0]} {list(told[1])} for {list(told[2])}"
    return str(told)


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

"""Read weights from other people's files, and keep our own state in files that are whole or not there.

Nothing here runs code from a file: safetensors, or torch pickles of tensors and plain values.
"""

from __future__ import annotations

import os
import pickle
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

M = TypeVar("M", bound=nn.Module)
SHOWN = 10  # names listed in a message about weights that do not fit


def read_weights(
    path: Path | str, *, inside: Sequence[str] = (), prefix: str = "", contains: str = "", allow_pickle: bool = False
) -> dict[str, Tensor]:
    """The state dict in the file at `path`: .safetensors, or a torch pickle by any other name.

    inside: names under which the file may nest it, tried in this order at each depth ("state_dict", "model", "generator"); a file
        without them is taken as it is.
    prefix: kept entries begin with it and lose it. contains: an entry's name must hold this ("v_encoder") to be kept.
    allow_pickle: open a pickle of more than tensors and plain values; what is not a tensor becomes a stand-in, no code of it is run.
    Raises FileNotFoundError, and ValueError naming the file where it is damaged, holds code, or has nothing under `prefix`.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(_absent(path))
    if path.suffix == ".safetensors":
        state: Any = _safetensors(path, prefix, contains)
    else:
        state = _torch_file(path, allow_pickle)
    state = _unnested(state, inside)
    if not isinstance(state, dict) or not any(isinstance(v, Tensor) for v in state.values()):
        found = f"; it holds {', '.join(map(str, list(state)[:SHOWN]))}{_like(state)}" if isinstance(state, dict) else ""
        raise ValueError(f"{path} holds no weights{' under ' + ' or '.join(inside) if inside else ''}{found}")
    kept = {
        k[len(prefix) :]: v
        for k, v in state.items()
        if isinstance(k, str) and isinstance(v, Tensor) and k.startswith(prefix) and contains in k
    }
    if not kept:
        wanted = prefix or contains
        first = ", ".join(map(str, list(state)[:3]))
        raise ValueError(f"{path} has no entry named {wanted}...; its entries begin {first}{_like(state)}")
    return kept


def load_weights(module: nn.Module, state: dict[str, Tensor], source: Path | str, *, ignore: Sequence[str] = ()) -> None:
    """Put `state` into `module`, every name and shape agreeing; `source` is what messages call it.

    ignore: ends of names that a file may carry although nothing needs them ("position_ids").
    Raises ValueError with the first ten names that are missing, not expected, or of another shape; `module` is then unchanged.
    """
    own = module.state_dict()
    state = {k: v for k, v in state.items() if k in own or not any(k.endswith(i) for i in ignore)}
    wrong = {
        "missing": [k for k in own if k not in state],
        "not expected": [k for k in state if k not in own],
        "of another shape": [
            f"{k} {list(v.shape)} for {list(own[k].shape)}" for k, v in state.items() if k in own and v.shape != own[k].shape
        ],
    }
    if any(wrong.values()):
        from melqcd.published import looks_like

        told = [f"{len(v)} {what}: {', '.join(v[:SHOWN])}{', ...' * (len(v) > SHOWN)}" for what, v in wrong.items() if v]
        raise ValueError(f"{source} does not fit {type(module).__name__}. " + "; ".join(told) + looks_like(state))
    module.load_state_dict(state)


def empty(kind: Callable[..., M], *settings) -> M:
    """`kind(*settings)` with memory for its weights but nothing in it: for `load_weights`, without the time to draw them at random.

    Only for modules whose state dict holds every tensor they have.
    """
    with torch.device("meta"):
        module = kind(*settings)
    return module.to_empty(device="cpu")


def _safetensors(path: Path, prefix: str, contains: str) -> dict[str, Tensor]:
    """The entries that are wanted; the names of all where none is, so that the message can tell what they are of."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            wanted = [n for n in names if n.startswith(prefix) and contains in n]
            if wanted:
                return {n: file.get_tensor(n) for n in wanted}
            return {n: torch.empty(0) for n in names}  # for the message alone
    except SafetensorError as error:
        raise ValueError(_unreadable(path, error, "is cut off or no safetensors file")) from error


def _torch_file(path: Path, allow_pickle: bool) -> Any:
    """A foreign pickle; large ones stay on the disk until a tensor is used."""
    import zipfile

    settings: dict[str, Any] = {"mmap": True} if zipfile.is_zipfile(path) else {}
    if not allow_pickle:
        return read_checkpoint(path, **settings)
    from melqcd import pickles

    try:
        return torch.load(path, map_location="cpu", weights_only=False, pickle_module=pickles, **settings)
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, ValueError, TypeError, AttributeError, OSError) as error:
        raise ValueError(_unreadable(path, error)) from error


def read_checkpoint(path: Path, **settings: Any) -> Any:
    """What `write_checkpoint` put there, or a foreign torch pickle of tensors and plain values, on the CPU.

    Raises ValueError naming the file where it is damaged or would run code.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # torch remarks on pickle protocols it then reads or refuses
            return torch.load(path, map_location="cpu", weights_only=True, **settings)
    except pickle.UnpicklingError as error:
        named = str(error).partition("GLOBAL ")[2].split(" ")[0]
        if named:
            raise ValueError(
                f"{path} is a pickle that would run code ({named}) and is not opened; where you trust it, save its state dict anew "
                "with safetensors.torch.save_file, or give its component allow_pickle=true, where it has that setting: tensors are "
                "read, the rest is left out"
            ) from error
        raise ValueError(
            _unreadable(path, error, "is damaged, or a pickle of more than tensors and plain values; it is not opened")
        ) from error
    except FileNotFoundError:
        raise
    except (RuntimeError, EOFError, KeyError, ValueError, OSError) as error:
        raise ValueError(_unreadable(path, error)) from error


def write_checkpoint(path: Path, state: Any) -> None:
    """Put `state` (tensors and plain values) at `path`: written beside, on the disk, then renamed over what was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(draft, "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _absent(path: Path) -> str:
    if path.is_dir():
        inside = ", ".join(sorted(p.name for p in path.iterdir())[:SHOWN])
        return f"{path} is a folder, a file of weights is needed: name one of {inside or 'its files, once there are any'}"
    return f"no weights at {path}"


def _unreadable(path: Path, error: Exception, else_: str = "is damaged or no checkpoint") -> str:
    """What is wrong with a file, by its bytes where they tell, and otherwise the first words of the library that gave up."""
    from melqcd.headers import damage

    if told := damage(path).removeprefix("it "):
        return f"{path} {told}"
    first = str(error).strip().partition("\n")[0].partition(". ")[0]
    return f"{path} {else_} ({first or type(error).__name__})"


def _like(state: dict) -> str:
    """What a file looks like whose entries are not where they were looked for."""
    from melqcd.published import looks_like

    parts = [state, *(v for v in state.values() if isinstance(v, dict))]
    return next((told for part in parts if (told := looks_like({str(k): None for k in part}))), "")


def _unnested(state: Any, inside: Sequence[str]) -> Any:
    while isinstance(state, dict):
        name = next((n for n in inside if isinstance(state.get(n), dict)), None)
        if name is None:
            break
        state = state[name]
    return state

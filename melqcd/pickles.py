"""Torch pickles without their code: names and shapes alone, or tensors with everything else replaced by stand-ins that do nothing.

`Unpickler`, `load` and `UnpicklingError` are what torch.load asks of a `pickle_module`, so this module can be handed to it. No torch is
imported here.
"""

from __future__ import annotations

import pickle
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

__all__ = ["Inert", "Shape", "Told", "Unpickler", "UnpicklingError", "load", "read_torch"]

MAGIC = 0x1950A86A20F9469CFC6C  # that old torch files begin with
SIZES = {
    "DoubleStorage": ("float64", 8), "FloatStorage": ("float32", 4), "HalfStorage": ("float16", 2), "BFloat16Storage": ("bfloat16", 2),
    "LongStorage": ("int64", 8), "IntStorage": ("int32", 4), "ShortStorage": ("int16", 2), "CharStorage": ("int8", 1),
    "ByteStorage": ("uint8", 1), "BoolStorage": ("bool", 1), "UntypedStorage": ("uint8", 1),
}  # fmt: skip
# what torch.load(weights_only=True) lets through, as far as checkpoints hold it
PLAIN = {("collections", "OrderedDict"), ("torch", "Size"), ("torch", "device"), ("_codecs", "encode"), ("builtins", "set")}
REBUILT = {"_rebuild_tensor_v2", "_rebuild_tensor", "_rebuild_parameter", "_rebuild_parameter_with_state", "_rebuild_tensor_v3"}
WHOLE = {"torch", "torch._utils", "torch.storage", "torch.serialization"}


class Inert:
    """Stands for an object of a class that is not loaded: takes whatever it is given and does nothing."""

    def __init__(self, *_: Any, **__: Any):
        pass

    def __call__(self, *_: Any, **__: Any) -> Inert:
        return Inert()

    def __setstate__(self, _: Any) -> None:
        pass

    def __setitem__(self, _: Any, __: Any) -> None:
        pass

    def append(self, _: Any) -> None:
        pass

    def extend(self, _: Any) -> None:
        pass

    def add(self, _: Any) -> None:
        pass


class Unpickler(pickle.Unpickler):
    """For torch.load: tensors as they are, stand-ins for all else. Nothing that a file names is imported or called but torch's own."""

    def find_class(self, module: str, name: str) -> Any:
        tensors = module in WHOLE and (name in REBUILT or name.endswith("Storage") or name in ("Size", "device"))
        if (module, name) == ("collections", "OrderedDict") or tensors or (module == "torch" and _is_dtype(name)):
            return super().find_class(module, name)
        return type(name, (Inert,), {})


def load(file, **settings) -> Any:
    """As pickle.load, by `Unpickler`."""
    return Unpickler(file, **settings).load()


def _is_dtype(name: str) -> bool:
    return name.startswith(("float", "bfloat", "int", "uint", "bool", "complex")) and name.rstrip("0123456789").isalpha()


@dataclass(frozen=True)
class Shape:
    """A tensor that was not read."""

    shape: tuple[int, ...]
    dtype: str


@dataclass
class Told:
    """What a torch file says of itself. foreign: classes that only `allow_pickle` lets through; cut: why it cannot be whole, or ""."""

    state: Any
    foreign: list[str] = field(default_factory=list)
    cut: str = ""


class _Names(pickle.Unpickler):
    """Shapes in the place of tensors."""

    def __init__(self, file, **settings):
        super().__init__(file, **settings)
        self.foreign: list[str] = []
        self.stored: dict[str, int] = {}  # bytes of each storage

    def persistent_load(self, pid: Any) -> Any:
        _, kind, key, _, count = pid[:5]
        dtype, size = kind if isinstance(kind, tuple) else ("uint8", 1)
        self.stored[str(key)] = int(count) * size
        return dtype

    def find_class(self, module: str, name: str) -> Any:
        if module in WHOLE and name in SIZES:
            return SIZES[name]
        if module in WHOLE and name.startswith("_rebuild_tensor"):
            return lambda dtype, _, shape, *rest: Shape(tuple(shape), _dtype(dtype, rest))
        if module in WHOLE and name.startswith("_rebuild_parameter"):
            return lambda tensor, *_: tensor
        if (module, name) == ("collections", "OrderedDict"):
            return dict
        if module == "torch" and _is_dtype(name):
            return name
        if (module, name) not in PLAIN:
            self.foreign.append(f"{module}.{name}")
        return type(name, (Inert,), {})


def _dtype(stored: Any, rest: tuple) -> str:
    named = [r for r in rest if isinstance(r, str) and _is_dtype(r)]  # _rebuild_tensor_v3 names it apart from its bytes
    return named[0] if named else str(stored)


def read_torch(path: Path) -> Told:
    """Names and shapes of the torch file at `path`, new (zip) or old; no tensor is read. ValueError where it is neither."""
    if zipfile.is_zipfile(path):
        return _read_zip(path)
    with open(path, "rb") as file:
        if file.read(2) == b"PK":
            raise ValueError("it is cut off: the list at its end is missing")
        file.seek(0)
        try:
            if _Names(file).load() != MAGIC:
                raise ValueError("it is no torch file")
            for _ in range(2):  # the format's version, the machine it was made on
                _Names(file).load()
            names = _Names(file)
            state = names.load()
            _Names(file).load()  # the order of the storages
        except (UnpicklingError, EOFError, AttributeError, IndexError, TypeError, KeyError, UnicodeDecodeError) as error:
            raise ValueError(f"it is damaged or no torch file ({type(error).__name__})") from error
        needed = file.tell() + sum(8 + n for n in names.stored.values())
    return Told(state, names.foreign, _short(path, needed))


def _read_zip(path: Path) -> Told:
    with zipfile.ZipFile(path) as archive:
        sizes = {i.filename: i.file_size for i in archive.infolist()}
        inner = next((n for n in sizes if n.endswith("/data.pkl") or n == "data.pkl"), None)
        if inner is None:
            raise ValueError("it is a zip archive, but no torch file")
        with archive.open(inner) as file:
            names = _Names(file)
            state = names.load()
    folder = inner[: -len("data.pkl")]
    lacking = [k for k, n in names.stored.items() if sizes.get(f"{folder}data/{k}", -1) < n]
    return Told(state, names.foreign, f"{len(lacking)} of its tensors are missing" if lacking else "")


def _short(path: Path, needed: int) -> str:
    there = path.stat().st_size
    return f"it is cut off: {there:,} of {needed:,} bytes" if there < needed else ""

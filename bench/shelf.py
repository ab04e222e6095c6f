"""Where sweep, study and report files lie: a path, then ./sweeps or ./reports, then what came with the package."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from bench.errors import Refused, near

Kind = Literal["sweeps", "sweeps/studies", "reports"]


def shelves(kind: Kind) -> list[Path]:
    """The folders that are looked into, in order; a checkout has its own beside the package."""
    here = Path(__file__).resolve().parent
    return [Path(kind), here / "content" / kind, here.parent / kind]


def find(kind: Kind, name: str) -> Path:
    """The YAML file that `name` means: `table2`, `table2.yaml` or a path; Refused with the nearest name there is."""
    if Path(name).is_file():
        return Path(name)
    stem = name.removesuffix(".yaml")
    for folder in shelves(kind):
        if (folder / f"{stem}.yaml").is_file():
            return folder / f"{stem}.yaml"
    raise Refused(f"{name}: neither a file nor one of the {kind}.{near(stem, names(kind))}")


def names(kind: Kind) -> list[str]:
    """Every sweep or report that a bare name can mean."""
    return sorted({path.stem for folder in shelves(kind) for path in folder.glob("*.yaml")})


def read(path: Path, known: Mapping[str, type | tuple[type, ...]], needed: tuple[str, ...]) -> dict[str, Any]:
    """The mapping in a YAML file, its keys and the types of their values checked; Refused naming file and key."""
    import yaml

    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Refused(f"{path} cannot be read as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(told, dict):
        raise Refused(f"{path} must hold the keys {', '.join(known)}")
    for key, value in told.items():
        if key not in known:
            raise Refused(f"{path}: no key {key!r}.{near(str(key), known)}")
        kinds = known[key]
        if not isinstance(value, kinds):
            wanted = " or ".join(k.__name__ for k in (kinds if isinstance(kinds, tuple) else (kinds,)))
            raise Refused(f"{path}: {key} must be {wanted}, got {value!r}")
    for key in needed:
        if key not in told:
            raise Refused(f"{path}: the key {key!r} is missing")
    return told

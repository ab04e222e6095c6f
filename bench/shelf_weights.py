"""Published weights on this machine: what is known, where it lies, and getting what the Hugging Face hub has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from bench.errors import Failed, Refused, near
from melqcd.contents import sha256
from melqcd.published import KNOWN, File, Known

DEPTH = 5  # folders below $BENCH_WEIGHTS that are looked into


def listing() -> list[str]:
    """A block of lines for each known checkpoint: what it serves, its files, where it is found, the sha256 of what is found."""
    told, places = [], found()
    for known in KNOWN.values():
        told.append(f"{known.id}: {known.mb:,} MB, {known.licence}{'' if known.free else ' (not for commercial use)'}")
        told.append(f"    serves  {known.serves}")
        names = [" or ".join(_short(f)) for f in known.files if f.mb]
        told.append(f"    files   {', '.join(names)}")
        told.append(f"    from    {known.source}")
        for place in places.get(known.id, []):
            told.append(f"    found   {place}")
            told += [f"    sha256  {sha256(file)}  {file.name}" for file in _files(place, known)]
        if known.id not in places:
            told.append(f"    absent  {'`bench weights fetch ' + known.id + ' --to DIR`' if known.hub else 'fetch it by hand'}")
    root = os.environ.get("BENCH_WEIGHTS", "")
    told.append(f"looked in {root or '$BENCH_WEIGHTS (not set)'} and {_cache()}")
    return told


def _short(file: File) -> list[str]:
    return [n for n in file.names if ".fp16." not in n]


def found() -> dict[str, list[Path]]:
    """{id: where it lies}: below $BENCH_WEIGHTS, and in the Hugging Face cache."""
    there: dict[str, list[Path]] = {}
    root = os.environ.get("BENCH_WEIGHTS", "")
    files = sorted(_walk(Path(root).expanduser())) if root else []
    for known in KNOWN.values():
        first = known.files[0]
        for file in files:
            name = next((n for n in first.names if file.as_posix().endswith(f"/{n}")), None)
            if name is None:
                continue
            base = Path(file.as_posix()[: -len(name) - 1])
            if not known.folder:
                there.setdefault(known.id, []).append(file)
            elif _complete(base, known) and _meant(base, known):
                there.setdefault(known.id, []).append(base)
        if known.hub:
            snapshots = _cache() / f"models--{known.hub.replace('/', '--')}" / "snapshots"
            for base in sorted(snapshots.glob("*")):
                if _complete(base, known):
                    there.setdefault(known.id, []).append(base)
    return {id: list(dict.fromkeys(places)) for id, places in there.items()}


def _walk(root: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(root, followlinks=True):
        if len(Path(place).relative_to(root).parts) >= DEPTH:
            folders.clear()
        yield from (Path(place) / n for n in names)


def _complete(base: Path, known: Known) -> bool:
    return all(f.optional or any((base / n).exists() for n in f.names) for f in known.files)


def _meant(base: Path, known: Known) -> bool:
    """Two checkpoints of one layout are told apart by their folder's name; config.json and a model are many things."""
    from melqcd.headers import read_header
    from melqcd.published import recognised

    alike = [k for k in KNOWN.values() if k.folder and _complete(base, k)]
    named = [k for k in alike if base.name in (k.id, k.hub.partition("/")[2])]
    if named:
        return known in named
    first = next((base / n for n in known.files[0].names if (base / n).exists()), None)
    like = recognised(read_header(first).entries) if first else None
    return like is not None and like.files == known.files and known == alike[0]


def _files(place: Path, known: Known) -> list[Path]:
    base = place if place.is_dir() else place.parent
    if not place.is_dir() and len([f for f in known.files if f.sections]) == 1:
        return [place]
    return [p for f in known.files if f.sections and (p := next((base / n for n in f.names if (base / n).exists()), None))]


def _cache() -> Path:
    home = os.environ.get("HF_HOME", os.path.join(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "huggingface"))
    return Path(os.environ.get("HF_HUB_CACHE", os.path.join(home, "hub"))).expanduser()


def fetch(name: str, to: Path) -> list[Path]:
    """Put the files of the checkpoint `name` into `to`/`name`, from the hub; of alternatives the first that the hub has.

    Refused where the name is unknown or the checkpoint is not on the hub, saying where it is; Failed where the hub does not answer.
    """
    if name not in KNOWN:
        raise Refused(f"no weights called {name!r}.{near(name, KNOWN)}")
    known, place = KNOWN[name], to / name
    if not known.hub:
        files = ", ".join("|".join(_short(f)) for f in known.files)
        raise Refused(f"{name} is not on the Hugging Face hub: get it from {known.source} and put {files} into {place}")
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    endpoint = os.environ.get("HF_ENDPOINT") or None
    try:
        there = set(HfApi(endpoint=endpoint).list_repo_files(known.hub))
        wanted = [n for f in known.files if (n := next((n for n in f.names if n in there), None))]
        lacking = [f.names[0] for f in known.files if not f.optional and not any(n in there for n in f.names)]
        if lacking:
            raise Failed(f"{known.hub} has no {', '.join(lacking)}; it holds {', '.join(sorted(there)[:10])}")
        wanted += [n for n in there if _spelling(n, known)]
        return [Path(hf_hub_download(known.hub, n, local_dir=place, endpoint=endpoint)) for n in dict.fromkeys(wanted)]
    except Failed:
        raise
    except Exception as error:
        # a connection that breaks raises what the hub's own client has for it: httpx of several names by the hub's version
        client = type(error).__module__.partition(".")[0].startswith(("httpx", "requests"))
        if not client and not isinstance(error, (HfHubHTTPError, LocalEntryNotFoundError, OSError)):
            raise
        said = str(error).strip().splitlines()[0]
        raise Failed(f"{known.hub} could not be fetched: {said}; the same command goes on, files that came whole stay") from error


def _spelling(name: str, known: Known) -> bool:
    """A tokenizer's small files, which come in several sets."""
    folder, _, file = name.rpartition("/")
    asked = any("vocab.json" in n and n.rpartition("/")[0] == folder for f in known.files for n in f.names)
    return asked and file in ("vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json", "tokenizer.json")

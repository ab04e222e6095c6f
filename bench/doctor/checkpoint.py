"""Whether the files at a path are the published checkpoint that a component reads, by their headers alone."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from bench.doctor.line import Line
from melqcd.headers import Header, read_header
from melqcd.published import File, Known, recognised, table

SHOWN = 10


def checkpoint(what: str, path: Path, known: Known, *, may: tuple[Known, ...] = (), allow_pickle: bool = False) -> Line:
    """One line on `path` as `known`. may: other checkpoints that the component reads as well; the one that fits best is told."""
    tried = [(k, _problems(path, k, allow_pickle)) for k in (known, *may)]
    for one, problems in tried:
        if not problems:
            return Line(True, what, f"{path}: {one.id}, {_size(path, one)}")
    # what is wrong is told of the one that it resembles most
    one, problems = min(tried, key=lambda t: (not _resembles(path, t[0]), len(" ".join(t[1].values()))))
    told = [told if path.is_file() and path.name == name else f"{name} {told}" for name, told in problems.items()]
    return Line(False, what, f"{path}: {'; '.join(told)}", _cure(what, problems, one))


def _cure(what: str, problems: dict[str, str], one: Known) -> str:
    if any("allow_pickle" in told for told in problems.values()):
        return f"{what.removesuffix('.path')}.allow_pickle=true: tensors are read, nothing else in the file is run"
    if any("cut off" in told for told in problems.values()):
        return f"copy it again, from {one.source}"
    which = f"{', '.join(problems)} of {one.id}" if one.folder else f"{needed(one)} of {one.id}"
    return f"get {which} from {one.source}, or give another {what}=PATH"


def absent(what: str, path: Path | str, choices: tuple[Known, ...]) -> Line:
    """The line on weights that are not there: what to put where, and where it is to be had."""
    one = choices[0]
    thing = f"the folder of {one.id} ({needed(one)})" if one.folder else needed(one)
    fetched = f"`bench weights fetch {one.id} --to DIR`" if one.hub else f"from {one.source}"
    others = "" if len(choices) == 1 else f"; {', '.join(k.id for k in choices[1:])} would do as well"
    where = _nowhere(path) if str(path) else "no path was given"
    do = f"put {thing}, {one.mb:,} MB, below $BENCH_WEIGHTS, or give {what}=PATH; {fetched}{others}"
    return Line(False, what, where, do)


def _nowhere(path: Path | str) -> str:
    """Where it was looked for."""
    shelf = os.environ.get("BENCH_WEIGHTS")
    if Path(path).is_absolute():
        return f"{path} does not exist"
    return f"{path} is neither in {Path.cwd()} nor " + (
        f"in $BENCH_WEIGHTS, {shelf}" if shelf else "below $BENCH_WEIGHTS, which is not set"
    )


def needed(one: Known) -> str:
    """The files of a checkpoint by their first names."""
    return ", ".join(f.names[0] if one.folder else " or ".join(f.names) for f in one.files if not f.optional)


def _problems(path: Path, known: Known, allow_pickle: bool) -> dict[str, str]:
    """{file: what is wrong with it}, files as they stand below `path`."""
    found: dict[str, str] = {}
    for file in known.files:
        place = _place(path, file, known)
        if place is None:
            if not file.optional:
                found["|".join(file.names[:2])] = "is missing"
            continue
        if file.sections and not _own_size(place, file):
            if told := _file_problems(place, file, allow_pickle):
                found[str(place.relative_to(path)) if path.is_dir() else place.name] = told
    return found


def _place(path: Path, file: File, known: Known) -> Path | None:
    """Where `file` of `known` lies: in the folder `path`, or `path` itself or beside it where that is a file."""
    if path.is_file() and file.sections and file is known.files[0] and not known.folder:
        return path
    base = path if path.is_dir() else path.parent
    return next((base / n for n in file.names if (base / n).exists()), None)


def _own_size(place: Path, file: File) -> bool:
    """True where config.json beside the weights tells of another size than the published one: its reader takes it at its word."""
    config = place.with_name("config.json")
    wanted = {"sd_unet": ("block_out_channels", [320, 640, 1280, 1280]), "sd_vae": ("block_out_channels", [128, 256, 512, 512]),
              "hifigan": ("upsample_initial_channel", 1024), "clip_text": ("hidden_size", 768), "ast": ("hidden_size", 768),
              "encodec_hub": ("num_filters", 32)}  # fmt: skip
    name = file.sections[0][0]
    if name not in wanted or not config.is_file():
        return False
    try:
        told = json.loads(config.read_text())
    except json.JSONDecodeError:
        return False
    key, value = wanted[name]
    return told.get(key, value) != value


def _file_problems(path: Path, file: File, allow_pickle: bool) -> str:
    """What is wrong with it; "" where nothing is."""
    try:
        header = read_header(path, inside=file.inside)
    except (ValueError, OSError) as error:
        return str(error).removeprefix(f"{path}: ")
    if header.cut:
        return str(header.cut)
    if header.foreign and not allow_pickle:
        return f"holds more than tensors ({', '.join(header.foreign[:3])}): allow_pickle=true is needed"
    if not header.entries:
        deeper = (read_header(path, inside=(name,)).entries for name in header.holds)
        return f"holds no weights but {', '.join(header.holds)}" + _like(next((e for e in deeper if e), {}))
    return _disagreements(file, header)


def _disagreements(file: File, header: Header) -> str:
    wanted = {prefix + name: shape for section, prefix in file.sections for name, shape in table(section).items()}
    # transformers writes names with and without this prefix, and reads both
    entries = {_usual(k, wanted): v for k, v in header.entries.items()}
    missing = [k for k in wanted if k not in entries]
    odd = [f"{k} {list(entries[k].shape)} for {list(s)}" for k, s in wanted.items() if k in entries and entries[k].shape != s]
    extra = [
        k for k in entries if k not in wanted and not any(e in k for e in (*file.extra, "position_ids", "patch_embed.proj."))
    ]
    found = [f"{w} {len(v)}: {', '.join(v[:SHOWN])}{', ...' * (len(v) > SHOWN)}"
             for w, v in (("lacks", missing), ("should not have", extra), ("has in another shape", odd)) if v]  # fmt: skip
    return "; ".join(found) + _like(header.entries, file) if found else ""


def _like(names: Iterable[str], but: File | None = None) -> str:
    """What the names are of, where that is another network than `but`."""
    like = recognised(names)
    if like is None or (but is not None and any(f.sections == but.sections for f in like.files)):
        return ""
    return f"; it looks like {like.id}"


OLD = (("vision_model.", ""), ("text_model.", ""), (".query.", ".to_q."), (".key.", ".to_k."), (".value.", ".to_v."),
       (".proj_attn.", ".to_out.0."))  # fmt: skip
AST = (("attention.q_proj", "attention.attention.query"), ("attention.k_proj", "attention.attention.key"),
       ("attention.v_proj", "attention.attention.value"), ("attention.o_proj", "attention.output.dense"),
       ("mlp.fc1", "intermediate.dense"), ("mlp.fc2", "output.dense"), (".layers.", ".encoder.layer."))  # fmt: skip


def _usual(name: str, wanted: dict) -> str:
    """The name in our table of what libraries of another age call otherwise."""
    if name in wanted:
        return name
    for start in ("text_model.", "vision_model."):
        if start + name in wanted:
            return start + name
    for renaming in (OLD[2:], AST):
        other = name
        for old, new in renaming:
            other = other.replace(old, new)
        if other in wanted:
            return other
    return name.replace("parametrizations.weight.original0", "weight_g").replace("parametrizations.weight.original1", "weight_v")


def _resembles(path: Path, known: Known) -> bool:
    file = known.files[0]
    place = _place(path, file, known)
    try:
        names = read_header(place, inside=file.inside).entries if place else {}
    except (ValueError, OSError):
        return False
    like = recognised(names)
    return like is not None and like.id == known.id


def _size(path: Path, known: Known) -> str:
    places = [p for f in known.files if f.sections and (p := _place(path, f, known))]
    kinds = sorted(
        {s.dtype for p in places for s in read_header(p, inside=known.files[0].inside).entries.values() if "float" in s.dtype}
    )
    return f"{sum(p.stat().st_size for p in places) / 1e6:,.0f} MB{', ' + ' and '.join(kinds) if kinds else ''}"

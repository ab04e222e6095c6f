"""`bench report --format html`: the page, and beside it a folder with what it plays and shows."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bench.report.html import blind, checks, figures
from bench.report.html.group import Behind
from bench.report.html.media import Media
from bench.report.html.places import Places
from bench.report.html.rows import Drawn, drawn
from bench.store import replace_file

if TYPE_CHECKING:
    from bench.report.make import Report


@dataclass(frozen=True)
class Written:
    """The page, the page for blind votes if there is sound for one, and what was said about their making."""

    paths: list[Path]
    notes: list[str]


def write(made: Report, folders: Sequence[Path], out: Path, *, budget_mb: float) -> Written:
    """The report as NAME.html, NAME-blind.html and a folder NAME.files under `out`; nothing in them leaves the folder."""
    name = made.spec.name
    files = out / f"{name}.files"
    files.mkdir(parents=True, exist_ok=True)
    media = Media(files, int(budget_mb * 2**20))
    places = Places([f / "cache" for f in folders])
    behind = [Behind.of(group, made.spec, places, n) for n, (group, _) in enumerate(made.groups)]
    tables = [[drawn(t, b.opens) for t in found] for b, (_, found) in zip(behind, made.groups, strict=True)]
    for b in behind:
        b.collect(media, [(s, c) for c in b.gallery(4) for s in range(len(b.systems))])
    trials = blind.trials(behind, media)
    for b in behind:
        b.collect(media, b.wanted())
    pictures = figures.figures(made, behind, media)
    published = [drawn(t, lambda *_: None) for t in made.published]
    notes = _notes(media, behind)
    data = {"files": quote(files.name), "groups": [b.data() for b in behind]}
    told = _told(made, tables, published, behind, pictures, notes)
    paths = [out / f"{name}.html"]
    _render(paths[0], "page.html.j2", "page.js", data, {**told, "blind": quote(f"{name}-blind.html") if trials else ""})
    if trials:
        paths.append(out / f"{name}-blind.html")
        about = {"report": name, "digest": blind.digest_of(trials)}
        _render(paths[1], "blind.html.j2", "blind.js", {"files": data["files"], **about, "trials": trials}, told)
    _tidy(files, media)
    return Written(paths, [*notes, f"{media.used / 2**20:.1f} MB of sounds, films and pictures in {files}"])


def _told(
    made: Report, tables: list[list[Drawn]], published: list[Drawn], behind: list[Behind], pictures: list[dict], notes: list[str]
) -> dict[str, Any]:
    return {
        "title": made.spec.title, "name": made.spec.name, "about": made.spec.about.strip(), "notes": [*made.left, *notes],
        "groups": [_group(i, t, b, made.spec.title) for i, (t, b) in enumerate(zip(tables, behind, strict=True))],
        "published": published, "checks": checks.checks(made.checks), "pictures": pictures, "files": quote(f"{made.spec.name}.files"),
        "votes": made.votes, "gallery": figures.gallery_title(behind),
    }  # fmt: skip


def _group(n: int, tables: list[Drawn], behind: Behind, title: str) -> dict[str, Any]:
    """Tables of one group that hold numbers; what stands above all of them is said once, and their titles without the report's."""
    some = [t for t in tables if t.bodies] or tables[:1]
    above = [line for line in some[0].above if line != behind.group.about and all(line in t.above for t in some)]
    named = [(t.title.removeprefix(title).lstrip(": ") or "the metrics of the paper's table", t) for t in some]
    return {"n": n, "about": behind.group.about, "above": above, "tables": named}


def _notes(media: Media, behind: Sequence[Behind]) -> list[str]:
    why: dict[str, list[str]] = {}
    for b in behind:
        for s in b.systems:
            if s.sources.why:
                why.setdefault(s.sources.why, []).append(s.name)
    notes = [f"No players for {', '.join(dict.fromkeys(names))}: {reason}" for reason, names in why.items()]
    if media.left:
        limit = f"{media.budget / 2**20:.3g} MB"
        notes.append(f"{media.left} sounds did not fit into {limit} and are left out: a larger --budget takes them")
    return notes + [f"not shown: {line}" for line in dict.fromkeys(media.bad)]


def _render(path: Path, template: str, script: str, data: dict[str, Any], told: dict[str, Any]) -> None:
    """One page: data, styles and script in it; the script is allowed by its digest and nothing else runs."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("bench.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    code = "".join(made.loader.get_source(made, name)[0] for name in ("common.js", script))  # type: ignore[union-attr]
    style = made.loader.get_source(made, "page.css")[0]  # type: ignore[union-attr]
    allowed = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{allowed}'; style-src 'unsafe-inline'; img-src 'self' file: data:; "
        "media-src 'self' file: blob:; base-uri 'none'; form-action 'none'"
    )
    text = made.get_template(template).render(**told, data=embedded(data), code=code, style=style, policy=policy)
    replace_file(path, lambda draft: draft.write_text(text, encoding="utf-8"))


def embedded(data: Any) -> str:
    """`data` as JSON that can stand inside a script element: no tag can begin or end in it."""
    text = json.dumps(_finite(data), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _tidy(files: Path, media: Media) -> None:
    """Files of an earlier page of this name that no longer belong to it are removed."""
    for path in files.iterdir():
        if path.name not in media.names and len(path.stem) == 16 and path.is_file():
            path.unlink()

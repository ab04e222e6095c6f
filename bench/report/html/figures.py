"""The page's pictures: cost against score, curves over a setting, and the components of a mel with their classes (Figure 3)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.report.html import mels
from bench.report.html.group import Behind
from bench.report.html.media import Media

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bench.report.make import Report


VARIANTS = 4  # of Table 3: hints and pseudo-words, each with and without


def figures(made: Report, behind: Sequence[Behind], media: Media) -> list[dict[str, Any]]:
    """[{title, src, alt, about}] of the pictures that the records allow and that have room."""
    from bench.report.curves import curve
    from bench.report.picture import draw

    found = []
    for n, b in enumerate(behind):
        figure = draw(made.spec, b.group) if made.spec.gap else None
        if figure is not None:
            found.append(_kept(media, ["tradeoff", made.spec.name, n], figure, "Cost against score", b.group.about, ".svg"))
        for i, asked in enumerate(made.spec.curves):
            figure = curve(b.cells, asked)
            if figure is not None:
                found.append(_kept(media, ["curve", made.spec.name, n, i], figure, asked.title, b.group.about, ".svg"))
    parts = next((p for b in behind if (p := _components(b, media))), None)
    return [f for f in [*found, parts] if f]


def gallery_title(behind: Sequence[Behind]) -> str:
    """What the mels of all systems side by side are: Figure 5 where textual inversion is on in some and off in others."""
    worded = {s.record.flat.get("experiment.inversion.is") == "Adapter" for b in behind for s in b.systems if s.row.ranked}
    seeds = {s.record.flat.get("experiment.sampling.seed") for b in behind for s in b.systems if s.row.ranked}
    noise = ", same noise" if len(seeds) == 1 else ""
    if len(worded) == 2 and all(len(b.systems) == VARIANTS for b in behind):
        return f"Mels of the variants on the same clips{noise} (Figure 5)"
    return f"Mels of the truth and the systems{noise} (Figure 4)"


def _components(b: Behind, media: Media) -> dict[str, Any] | None:
    """Figure 3: the parts of one clip's mel, from the first record whose control names classes."""
    from bench.show import draw

    for system in b.systems:
        control, scale, real = mels.control_of(system.record), mels.scale_of(system.record), system.sources.real
        clips = b.gallery(3)
        named = control is not None and any(head.kind == "class" for head in control.heads().values())
        if control is None or scale is None or real is None or not named or not clips or control.source == "video":
            continue
        id = b.clips[clips[len(clips) // 2]]
        step = {"video": max(1, round(scale.rate / scale.hop / 25))}.get(str(system.record.flat.get("experiment.slots")), 1)
        figure = draw(control, real.load(id, scale.rate), scale, step=step, name=id)
        about = "True mel, its energy and deviation, the classes that its shape is rounded to, and the hint drawn from them."
        return _kept(media, ["components", system.record.id, id], figure, "Components of a mel (Figure 3)", about, ".png")
    return None


def _kept(media: Media, key: list, figure: Figure, title: str, about: str, suffix: str) -> dict[str, Any] | None:
    import matplotlib

    out = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": str(key), "svg.fonttype": "none"}):
        figure.savefig(out, format=suffix[1:], dpi=85, metadata={"Date": None} if suffix == ".svg" else None)
    src = media.put(key, suffix, out.getvalue())
    return None if src is None else {"title": title, "src": src, "about": about}

"""A stage run by hand, in two folders, and stopped half-way if wanted."""

from pathlib import Path

from bench.context import Context


class Once(Context):
    """Asked to stop after so many checks or steps."""

    def __init__(self, after: int):
        super().__init__(quiet=True, workers=1)
        self.after = after

    def track(self, items, label, *, total=None, start=0):
        for n, item in enumerate(items):
            if n == self.after:
                self.stop()
            yield item


def made(stage, folder: Path, *parts, ctx: Context | None = None) -> Path:
    """The product of `stage`, begun or gone on with in `folder`."""
    out, part = folder / "out", folder / "part"
    for place in (out, part):
        place.mkdir(parents=True, exist_ok=True)
    stage(out, part, ctx or Context(quiet=True, workers=1), *parts)
    return out

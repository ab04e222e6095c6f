"""The verbs about many runs: `bench sweep`, `bench plan`."""

from __future__ import annotations

from pathlib import Path

from bench.cli import open_store
from bench.errors import Failed


def sweep(args) -> None:
    from bench import sweep

    runs, machine, bad = sweep.checked(sweep.read(args.sweep, args.words), allow_missing=args.allow_missing)
    store = open_store(machine)
    with store.ctx.signals():
        swept = sweep.sweep(runs, bad, store, Path(machine.results))
    print(sweep.summary(swept))
    if swept.failed:
        raise Failed(f"{len(swept.failed)} runs failed; their records say why, the same command tries them again")


def plan(args) -> None:
    """Of words as `bench run` takes them, or of sweep files with words that take the place of theirs; shared artefacts once."""
    from bench.planning import plan
    from bench.run import rows_of
    from bench.settings import compose, expand, site_words

    words, files = ([w for w in args.words if ("=" in w) is named] for named in (True, False))
    if files:
        from bench import sweep

        lines = [line for file in files for line in sweep.read(file, words)]
        runs, machine, _ = sweep.checked(lines, allow_missing=args.allow_missing)
        rows = [run.row for run in runs]
    else:
        composed = [compose(*line, site=False) for line in expand([*site_words(), *words])]
        machine, rows = composed[0][1], rows_of([x for x, _ in composed])
    store = open_store(machine, dry=True)
    for row in rows:
        row.scores(store)
    print("\n".join(plan(store.asked, store.root)))

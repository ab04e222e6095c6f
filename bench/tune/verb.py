"""`bench tune`: its place on the command line, and what it does."""

from __future__ import annotations

from pathlib import Path

from bench.errors import Refused


def add(verb, about_words: str) -> None:
    """`verb(name, do, about, words=...)` makes a place on the command line."""
    sub = verb(
        "tune",
        tune,
        "search settings by a study file, for example `bench tune lambda_k`; start it as often as you like",
        words=False,
    )
    sub.add_argument("study", help="a path, or the name of a file in sweeps/studies/")
    sub.add_argument("words", nargs="*", help=f"{about_words}; they take the place of the file's own")
    sub.add_argument(
        "--trials", type=int, help="settings to try in all, by all workers and all starts together; default: the file's"
    )
    sub.add_argument(
        "--storage", help="a journal file or an Optuna storage URL; default: tuned/STUDY.journal in the results folder"
    )
    sub.add_argument("--study", dest="called", help="the study's name in the storage; default: that of the file")
    sub.add_argument("--retry", action="store_true", help="try settings again that failed")
    sub.add_argument("--show", action="store_true", help="show what was found so far, run nothing")
    sub.add_argument("--no-wait", action="store_true", help="end when nothing is left to begin, though other workers still run")
    sub.add_argument(
        "--lease", type=float, default=300.0, metavar="S", help="seconds without a sign of life until a worker counts as dead"
    )


def tune(args) -> None:
    """One worker of a study; at the end the table, the picture and the best lines of what all workers found."""
    from bench.cli import open_store
    from bench.data.lab import WORLD
    from bench.settings import compose
    from bench.tune import study as studies
    from bench.tune.choose import Chooser
    from bench.tune.front import picture
    from bench.tune.lease import Worker
    from bench.tune.scored import Runs, lines
    from bench.tune.shown import shown, tried
    from bench.tune.storage import opened
    from bench.tune.work import joined, retry, work

    if args.lease <= 0:
        raise Refused(f"--lease must be above 0 seconds, got {args.lease}")
    plan = studies.read(args.study, args.words, trials=args.trials)
    first = (
        plan.space.settings()[0]
        if plan.space.size
        else {d.name: d.values[0] if d.values else d.low for d in plan.space.dimensions}
    )
    x, machine = compose(*lines(plan, first)[0].words, site=False)
    results, name = Path(machine.results), args.called or plan.name
    store = open_store(machine, dry=args.show, deferred=True)
    runs = Runs(plan, store, results)
    storage = opened(args.storage or str(results / "tuned" / f"{plan.name}.journal"))
    study = joined(plan, storage, name, runs.allowed, begin=not args.show)
    if args.retry:
        retry(study)
    if not args.show:
        with store.ctx.signals():
            work(study, runs, worker=Worker(args.lease), check=store.ctx.check, wait=not args.no_wait, say=_say)
    assert isinstance(study.sampler, Chooser)
    shown(plan, study, study.sampler.total)
    found = tried(plan, study)
    if found:
        print("\n".join(map(str, picture(plan, found, results / "tuned" / name, WORLD if x.data.rendered else ""))))


def _say(text: str) -> None:
    print(text, flush=True)

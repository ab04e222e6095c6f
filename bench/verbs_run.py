"""The verbs about one command line of words: `bench run`, `degrade`, `score`, `show`, `check`."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.cli import WORDS, open_store
from bench.errors import Refused


def add(verb) -> None:
    """Their places on the command line; `verb(name, do, about, words=...)` makes one."""
    verb("run", run, "the main job: train what a control needs, generate, score, and show it between floor and ceilings")
    verb("degrade", degrade, "what the metrics make of real sound that was degraded in known ways")
    sub = verb("score", score, "score folders of generated sound against the real one", words=False)
    sub.add_argument("generated", nargs="+", type=Path, help="a folder per system, files named by clip id (mp4, wav, flac)")
    sub.add_argument("--reference", type=Path, required=True, help="folder of the real clips, with the same ids")
    sub.add_argument("--labels", type=Path, help="csv with columns id and label; default: labels.csv in or above the reference")
    sub.add_argument("--allow-missing", action="store_true", help="leave ids that one side lacks out of both, and say so")
    sub.add_argument("--set", dest="words", nargs="*", action="extend", default=[], metavar="NAME=VALUE", help=WORDS)
    sub = verb(
        "show",
        show,
        "a picture of a control signal on a clip: `bench show control=melqcd VIDEO.mp4` (an id that begins with - goes after --); "
        "`bench show proposition1` measures it",
    )
    sub.add_argument("--out", type=Path, help="where the picture goes; default: shown/ in the results folder")
    sub = verb(
        "check",
        check,
        "the contract suite on controls (`control=a,b`), then whether sound follows hints; `bench check metrics`: known changes of "
        "sound",
    )
    sub.add_argument("--contract", action="store_true", help="the contract suite alone: trains and generates nothing")


def run(args) -> None:
    from bench import shelf
    from bench.run import rows_of, run
    from bench.settings import compose, expand, site_words

    for word in args.words:
        if word in shelf.names("sweeps"):
            raise Refused(f"{word} is a sweep: `bench sweep {word}` makes its runs, `bench plan {word}` says what that takes")
    lines = expand([*site_words(args.words), *args.words])
    composed = [compose(*line, site=False) for line in lines]
    machine = composed[0][1]
    store = open_store(machine, deferred=True)
    with store.ctx.signals():
        run(rows_of([x for x, _ in composed]), store, Path(machine.results), args.words)


def degrade(args) -> None:
    from bench.degrading import degrading
    from bench.settings import compose

    x, machine = compose("data.test=40", "data.train=10", *args.words)
    store = open_store(machine)
    with store.ctx.signals():
        degrading(x, store)


def score(args) -> None:
    from bench.scoring import print_scored, score_folders
    from bench.settings import compose

    # the lab's judge knows only the procedural world: it is not asked about other people's sounds unless named
    x, machine = compose("judges=[sync]", *args.words)
    store = open_store(machine)
    with store.ctx.signals():
        scored = score_folders(
            args.generated,
            args.reference,
            labels=args.labels,
            judges=x.judges,
            store=store,
            ctx=store.ctx,
            allow_missing=args.allow_missing,
            words=args.words,
            results=Path(machine.results),
        )
    print_scored(scored)


def show(args) -> None:
    from bench import show
    from bench.settings import compose

    words = [w for w in args.words if "=" in w]
    named = [w for w in args.words if "=" not in w]
    if named == ["proposition1"]:
        x, machine = compose(*words)
        store = open_store(machine)
        with store.ctx.signals():
            show.print_proposition1(x, store)
        return
    if len(named) != 1:
        raise Refused("name one clip: `bench show control=melqcd VIDEO.mp4`, or an id of data=...; or `bench show proposition1`")
    has_scale = any(w.startswith(("scale=", "scale.")) for w in words)
    x, machine = compose(*([] if has_scale else ["scale=control"]), *words)
    out = args.out or Path(machine.results) / "shown"
    print(show.picture(x, open_store(machine), named[0], out))


def check(args) -> None:
    from bench.checking import check_all, metrics

    if "metrics" in args.words:
        sys.exit(not metrics([w for w in args.words if w != "metrics"]))
    if odd := [w for w in args.words if "=" not in w]:
        raise Refused(f"{odd[0]}: write NAME=VALUE, for example control=onset, or `bench check metrics`")
    if not check_all(args.words, contract=args.contract):
        sys.exit(1)

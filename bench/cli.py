"""The `bench` command: every verb in one place, the work imported when its verb is called."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from bench.errors import Failed, Refused, Stopped

WORDS = "settings as NAME=VALUE, for example control=melqcd control.bound=2 (see `bench list`)"


def main(argv: list[str] | None = None) -> None:
    parser = _parser()
    args = parser.parse_args(argv)
    try:
        args.do(args)
    except Refused as error:
        _end(str(error), 2)
    except Failed as error:
        _end(str(error), 1)
    except (Stopped, KeyboardInterrupt):
        _end("stopped; the same command goes on from what was saved", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        if not error.filename:
            raise
        _end(f"{error.filename}: {error.strerror}", 1)


def _end(message: str, status: int) -> None:
    print(f"bench: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(status)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("bench", description="Compare control signals for video-to-audio generation.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, do, about: str, *, words: bool = True) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=about, description=about)
        sub.set_defaults(do=do)
        if words:
            sub.add_argument("words", nargs="*", help=WORDS)
        return sub

    verb("run", _run, "the main job: train what a control needs, generate, score, and show it between floor and ceilings")
    verb("degrade", _degrade, "what the metrics make of real sound that was degraded in known ways")
    sub = verb("score", _score, "score folders of generated sound against the real one", words=False)
    sub.add_argument("generated", nargs="+", type=Path, help="a folder per system, files named by clip id (mp4, wav, flac)")
    sub.add_argument("--reference", type=Path, required=True, help="folder of the real clips, with the same ids")
    sub.add_argument("--labels", type=Path, help="csv with columns id and label; default: labels.csv in or above the reference")
    sub.add_argument("--allow-missing", action="store_true", help="leave ids that one side lacks out of both, and say so")
    sub.add_argument("--set", dest="words", nargs="*", default=[], metavar="NAME=VALUE", help=WORDS)
    sub = verb(
        "show",
        _show,
        "a picture of a control signal on a clip (an id that begins with - goes after --); `bench show proposition1` measures it",
    )
    sub.add_argument("--out", type=Path, help="where the picture goes; default: shown/ in the results folder")
    sub = verbs.add_parser("data", help="look at a data set: `bench data check data=... data.root=...`")
    data = sub.add_subparsers(dest="what", required=True, metavar="WHAT")
    sub = data.add_parser("check", help="counts, missing and bad files, duplicates, leaks between splits")
    sub.set_defaults(do=_data_check)
    sub.add_argument("words", nargs="*", help=WORDS)
    sub.add_argument("--against", nargs="*", default=[], metavar="NAME=VALUE", help="another data set that must share no clip")
    sub.add_argument("--names", action="store_true", help="look at the lists alone, decode nothing")
    sub.add_argument(
        "--leaks", type=Path, metavar="FILE", help="keep the test clips that the other learns from, for learn.exclude=FILE"
    )
    sub = verbs.add_parser("lab", help="the lab's networks: `bench lab build` trains them, `bench lab check` measures them")
    lab = sub.add_subparsers(dest="what", required=True, metavar="WHAT")
    sub = lab.add_parser("build", help="train every network of the lab from its own pools; resumable")
    sub.set_defaults(do=_lab_build)
    sub.add_argument("words", nargs="*", help=WORDS)
    sub.add_argument("--out", type=Path, help="where the weights go; default: beside the package, where the harness looks")
    sub = lab.add_parser("ship", help="train what the lab's first run needs, and put it beside the package as a read-only store")
    sub.set_defaults(do=_lab_ship)
    sub.add_argument("words", nargs="*", help=WORDS)
    sub = lab.add_parser("check", help="measure the lab's networks on the benchmark's clips")
    sub.set_defaults(do=_lab_check)
    sub.add_argument("words", nargs="*", help=WORDS)
    sub = verb(
        "check",
        _check,
        "the contract suite on controls (`control=a,b`), then whether sound follows hints; `bench check metrics`: known changes of sound",
    )
    sub.add_argument("--contract", action="store_true", help="the contract suite alone: trains and generates nothing")
    new = verbs.add_parser("new", help="begin something of your own: `bench new control NAME`")
    sub = new.add_subparsers(dest="what", required=True, metavar="WHAT").add_parser("control", help="a control signal")
    sub.set_defaults(do=_new_control)
    sub.add_argument("name", help="the word after control=")
    sub.add_argument("--to", type=Path, help="folder to write to; default: melqcd-bench-NAME")
    verb("list", _list, "every component that a word can choose", words=False)
    sub = verb("completion", _completion, 'shell completion: eval "$(bench completion)"', words=False)
    sub.add_argument("typed", nargs="*", help=argparse.SUPPRESS)
    from bench import doubt, verbs_generate, verbs_weights
    from bench import verbs as many
    from bench.jobs import verbs as jobs

    for each in (many, jobs, doubt, verbs_generate, verbs_weights):
        each.add(verb)
    return parser


def _compose(words: list[str]):
    from bench.settings import compose

    return compose(*words)


def open_store(machine, *, dry: bool = False, deferred: bool = False):
    from bench.store import Store
    from bench.weights import SHIPPED

    shipped = (SHIPPED,) if machine.shipped == "on" else ()
    store = Store(Path(machine.results) / "cache", machine.context(), dry=dry, deferred=deferred, shipped=shipped)
    if not dry:
        store.forget_failures()  # a new command tries again what failed in an earlier one
    return store


def _degrade(args) -> None:
    from bench.degrading import degrading

    x, machine = _compose(["data.test=40", "data.train=10", *args.words])
    store = open_store(machine)
    with store.ctx.signals():
        degrading(x, store)


def _run(args) -> None:
    from bench.run import rows_of, run
    from bench.settings import compose, expand, site_words

    lines = expand([*site_words(args.words), *args.words])
    composed = [compose(*line, site=False) for line in lines]
    machine = composed[0][1]
    store = open_store(machine, deferred=True)
    with store.ctx.signals():
        run(rows_of([x for x, _ in composed]), store, Path(machine.results), args.words)


def _score(args) -> None:
    from bench.scoring import print_scored, score_folders

    # the lab's judge knows only the procedural world: it is not asked about other people's sounds unless named
    x, machine = _compose(["judges=[sync]", *args.words])
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


def _show(args) -> None:
    from bench import show

    words = [w for w in args.words if "=" in w]
    named = [w for w in args.words if "=" not in w]
    if named == ["proposition1"]:
        x, machine = _compose(words)
        store = open_store(machine)
        with store.ctx.signals():
            show.print_proposition1(x, store)
        return
    if len(named) != 1:
        raise Refused("name one clip: `bench show control=melqcd VIDEO.mp4`, or an id of data=...; or `bench show proposition1`")
    has_scale = any(w.startswith(("scale=", "scale.")) for w in words)
    x, machine = _compose(words if has_scale else ["scale=control", *words])
    out = args.out or Path(machine.results) / "shown"
    print(show.picture(x, open_store(machine), named[0], out))


def _data_check(args) -> None:
    from bench.data.check import check, write_leaks
    from bench.data.checked import print_check

    x, machine = _compose(args.words)
    against = [_compose(args.against)[0].data] if args.against else []
    store = open_store(machine)
    with store.ctx.signals():
        found = check(_rooted(x.data, store), [_rooted(a, store) for a in against], store.ctx, decode=not args.names)
    print_check(found)
    if args.leaks:
        write_leaks(found, args.leaks)
        print(f"{sum(map(len, found.leaks.values()))} ids in {args.leaks}")
    if not found.ok:
        sys.exit(1)


def _rooted(data, store):
    from bench.chain import rooted

    return rooted(data, store)


def _lab_build(args) -> None:
    from bench.lab.build import LAB, build
    from bench.settings import compose

    store = open_store(compose(*args.words)[1])
    with store.ctx.signals():
        for name, card in build(store, args.out or LAB):
            quality = ", ".join(f"{what} {value:.4g}" for what, value in card["quality"].items())
            print(f"{name:10}  {card['parameters']:>9,} parameters  {card['steps']} steps  {card['seconds']:.0f} s  {quality}")


def _lab_ship(args) -> None:
    from bench.lab.ship import ship

    x, machine = _compose(["machine.shipped=off", *args.words])
    store = open_store(machine, deferred=True)
    with store.ctx.signals():
        for path in ship(x, store):
            print(path)


def _lab_check(args) -> None:
    from bench.lab.check import check, record

    x, machine = _compose(args.words)
    store = open_store(machine)
    found = []
    with store.ctx.signals():
        for m in check(x, store):
            found.append(m)
            wanted = f"{'at least' if m.at_least else 'at most'} {m.bound:.0%}"
            print(
                f"{'ok  ' if m.fine else 'LOW ' if m.at_least else 'HIGH'}  {m.what:45}  {m.value:6.1%}  ({wanted})", flush=True
            )
    print(f"Record: {record(x, found, args.words).write(Path(machine.results))}")
    if not all(m.fine for m in found):
        sys.exit(1)


def _check(args) -> None:
    from bench.checking import check_all, metrics

    if "metrics" in args.words:
        sys.exit(not metrics([w for w in args.words if w != "metrics"]))
    if not check_all(args.words, contract=args.contract):
        sys.exit(1)


def _new_control(args) -> None:
    from bench.scaffold import scaffold

    written = scaffold(args.name, args.to)
    print("\n".join(map(str, written)))
    print(f"Next: pip install --editable {written[0].parent}, then `bench check control={args.name}`.")


def _list(_args) -> None:
    from bench.listing import listing

    print(listing())


def _completion(args) -> None:
    from bench.completion import SNIPPET, candidates

    print("\n".join(candidates(args.typed[-1])) if args.typed else SNIPPET)

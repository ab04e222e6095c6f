"""The verbs about what there is: `bench data`, `lab`, `new`, `list`, `completion`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.cli import WORDS, open_store


def add(verb) -> None:
    """Their places on the command line; `verb(name, do, about, words=...)` makes one."""
    data = _group(verb, "data", "look at a data set: `bench data check data=... data.root=...`")
    sub = data("check", data_check, "counts, missing and bad files, duplicates, leaks between splits")
    sub.add_argument("words", nargs="*", help=WORDS)
    sub.add_argument(
        "--against", nargs="*", action="extend", default=[], metavar="NAME=VALUE", help="another data set that must share no clip"
    )
    sub.add_argument("--names", action="store_true", help="look at the lists alone, decode nothing")
    sub.add_argument(
        "--leaks", type=Path, metavar="FILE", help="keep the test clips that the other learns from, for learn.exclude=FILE"
    )
    lab = _group(verb, "lab", "the lab's networks: `bench lab build` trains them, `bench lab check` measures them")
    sub = lab("build", lab_build, "train every network of the lab from its own pools; resumable")
    sub.add_argument("words", nargs="*", help=WORDS)
    sub.add_argument("--out", type=Path, help="where the weights go; default: beside the package, where the harness looks")
    sub = lab("ship", lab_ship, "train what the lab's first run needs, and put it beside the package as a read-only store")
    sub.add_argument("words", nargs="*", help=WORDS)
    sub = lab("check", lab_check, "measure the lab's networks on the benchmark's clips")
    sub.add_argument("words", nargs="*", help=WORDS)
    new = _group(verb, "new", "begin something of your own: `bench new control NAME`")
    sub = new("control", new_control, "a control signal")
    sub.add_argument("name", help="the word after control=")
    sub.add_argument("--to", type=Path, help="folder to write to; default: melqcd-bench-NAME")
    sub = verb("list", list_, "every component and setting that words can choose, or those of some groups", words=False)
    sub.add_argument("groups", nargs="*", help="control, data, sampling, ...; settings: the experiment's own; default: all")
    sub = verb("completion", completion, 'shell completion: eval "$(bench completion)"', words=False)
    sub.add_argument("typed", nargs="*", help=argparse.SUPPRESS)


def _group(verb, name: str, about: str):
    """What adds verbs of two words, `name` the first."""
    second = verb(name, None, about, words=False).add_subparsers(dest="what", required=True, metavar="WHAT")

    def add(what: str, do, about: str) -> argparse.ArgumentParser:
        sub = second.add_parser(what, help=about, description=about)
        sub.set_defaults(do=do)
        return sub

    return add


def data_check(args) -> None:
    from bench.chain import rooted
    from bench.data.check import check, write_leaks
    from bench.data.checked import print_check
    from bench.settings import compose

    x, machine = compose(*args.words)
    against = [compose(*args.against)[0].data] if args.against else []
    store = open_store(machine)
    with store.ctx.signals():
        found = check(rooted(x.data, store), [rooted(a, store) for a in against], store.ctx, decode=not args.names)
    print_check(found)
    if args.leaks:
        write_leaks(found, args.leaks)
        print(f"{sum(map(len, found.leaks.values()))} ids in {args.leaks}")
    if not found.ok:
        sys.exit(1)


def lab_build(args) -> None:
    from bench.lab.build import LAB, build
    from bench.settings import compose

    store = open_store(compose(*args.words)[1])
    with store.ctx.signals():
        for name, card in build(store, args.out or LAB):
            quality = ", ".join(f"{what} {value:.4g}" for what, value in card["quality"].items())
            print(f"{name:10}  {card['parameters']:>9,} parameters  {card['steps']} steps  {card['seconds']:.0f} s  {quality}")


def lab_ship(args) -> None:
    from bench.lab.ship import ship
    from bench.settings import compose

    x, machine = compose("machine.shipped=off", *args.words)
    store = open_store(machine, deferred=True)
    with store.ctx.signals():
        for path in ship(x, store):
            print(path)


def lab_check(args) -> None:
    from bench.lab.check import check, record
    from bench.settings import compose

    x, machine = compose(*args.words)
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


def new_control(args) -> None:
    from bench.scaffold import scaffold

    written = scaffold(args.name, args.to)
    print("\n".join(map(str, written)))
    print(f"Next: pip install --editable {written[0].parent}, then `bench check control={args.name}`.")


def list_(args) -> None:
    from bench.listing import listing

    print(listing(args.groups))


def completion(args) -> None:
    from bench.completion import SNIPPET, candidates

    print("\n".join(candidates(args.typed[-1])) if args.typed else SNIPPET)

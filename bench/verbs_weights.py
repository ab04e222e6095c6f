"""The verbs about what must be there before a run: `bench weights`, `bench weights fetch`, `bench doctor`."""

from __future__ import annotations

import sys
from pathlib import Path


def add(verb) -> None:
    """Their places on the command line; `verb(name, do, about, words=...)` makes one."""
    sub = verb(
        "doctor", doctor, "can it begin here? environment, device, weights, data, disk, Slurm, licences of words or a sweep"
    )
    sub.epilog = "for example `bench doctor paper_avsync15 data.root=/data/AVSync15`"
    sub = verb(
        "weights",
        listing,
        "published weights: what is known, what is found here; `bench weights fetch NAME --to DIR`",
        words=False,
    )
    sub.add_argument("do_what", nargs="?", choices=("fetch",), help="fetch NAME --to DIR: from the Hugging Face hub")
    sub.add_argument("name", nargs="?", help="an id of `bench weights`")
    sub.add_argument("--to", type=Path, help="a folder; the weights become DIR/NAME")


def doctor(args) -> None:
    """Exit status 1 where a line is red."""
    from bench.doctor import examine, print_lines

    if not print_lines(examine(args.words), colour=sys.stdout.isatty()):
        sys.exit(1)


def listing(args) -> None:
    from bench import shelf_weights as shelf
    from bench.errors import Refused

    if args.do_what != "fetch":
        print("\n".join(shelf.listing()))
        return
    if not args.name or args.to is None:
        raise Refused("write `bench weights fetch NAME --to DIR`: NAME is an id that `bench weights` lists, DIR a folder")
    print("\n".join(map(str, shelf.fetch(args.name, args.to))))

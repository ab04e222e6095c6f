"""The verb that makes sound for videos: `bench generate`."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.cli import WORDS, open_store
from bench.errors import Refused


def add(verb) -> None:
    """Its place on the command line; `verb(name, do, about, words=...)` makes one."""
    sub = verb(
        "generate",
        generate,
        "videos in, mp4 files with generated sound out: `bench generate VIDEO... control=melqcd`",
        words=False,
    )
    sub.add_argument(
        "names",
        nargs="+",
        metavar="VIDEO... [RUN] [NAME=VALUE]",
        help=f"videos or folders of them; the id of a run, or how it begins, for its control and networks; or {WORDS}",
    )
    text = sub.add_mutually_exclusive_group()
    text.add_argument(
        "--prompt",
        metavar="TEXT",
        help="what all of them sound like; default: labels, else 'a sound'; with prompt=zeroshot what each looks like",
    )
    text.add_argument(
        "--labels", type=Path, metavar="CSV", help="id and label of each; default: labels.csv in or above its folder"
    )
    sub.add_argument("--out", type=Path, metavar="DIR", help="where the files go; default: generated/ in the results folder")
    sub.add_argument("--seed", type=int, help="of the noise; default: sampling.seed")
    sub.add_argument("--samples", type=int, default=1, metavar="N", help="takes of each video, with seeds one after the other")


def generate(args) -> None:
    """By the experiment of words or of a run's record; a line for each file that was made."""
    from bench.experiment import LAB_NETWORKS
    from bench.generate import asked, experiment_of, generate, prompts
    from bench.settings import compose

    if args.samples < 1:
        raise Refused(f"--samples must be 1 or more, got {args.samples}")
    told = asked(args.names)
    seed = [f"sampling.seed={args.seed}"] if args.seed is not None else []
    if told.run:
        machine = compose(*(w for w in told.words if w.startswith("machine")))[1]
        x, line = experiment_of(told.run, Path(machine.results), [*told.words, *seed])
        words = [*line, *(w for w in told.words if w.startswith("machine"))]
    else:
        x, machine = compose(*told.words, *seed)
        words = told.words
    texts = prompts(told.videos, args.prompt, args.labels, x.prompt)
    store = open_store(machine, deferred=True)
    out = args.out or Path(machine.results) / "generated"
    with store.ctx.signals():
        for take in generate(x, texts, store, out, words=words, samples=args.samples):
            print(take, flush=True)
    if strange := [name for name in x.lab_networks if not name.startswith("judges.")]:
        print(f"{LAB_NETWORKS} {', '.join(strange)}", file=sys.stderr)

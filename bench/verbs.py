"""The verbs about many runs: `bench sweep`, `bench plan`, `bench report`, `bench tune`."""

from __future__ import annotations

from pathlib import Path

from bench.cli import WORDS, open_store
from bench.errors import Failed, Refused
from bench.tune import verb as tuning


def add(verb) -> None:
    """Their places on the command line; `verb(name, do, about, words=...)` makes one."""
    sub = verb("sweep", sweep, "the runs of a file, for example `bench sweep table2`: only what is missing is made", words=False)
    sub.add_argument("sweep", help="a path, or the name of a file in sweeps/")
    sub.add_argument("words", nargs="*", help=f"{WORDS}; they take the place of the file's own")
    sub.add_argument("--allow-missing", action="store_true", help="run the others where lines cannot be composed")
    sub = verb("plan", plan, "what exists and what would be made, of words or sweep files (`bench plan table2`); makes nothing")
    sub.add_argument("--allow-missing", action="store_true", help="leave out lines of a sweep that cannot be composed")
    sub.add_argument("--all", action="store_true", help="a line for each artefact, by its key, before the table by stage")
    sub = verb("report", report, "tables and pictures from records: `bench report table2 --out reports`", words=False)
    sub.add_argument(
        "report", nargs="?", default="all", help="a path, or the name of a file in reports/; `all`: a row for every setting"
    )
    sub.add_argument("words", nargs="*", help="machine.results=DIR: where the records are")
    sub.add_argument(
        "--format", choices=("terminal", "md", "csv", "latex", "html"), help="default: terminal; with --out all others"
    )
    sub.add_argument("--out", type=Path, help="a folder for the tables, the page and the picture as PNG and SVG")
    sub.add_argument("--votes", type=Path, metavar="FILE", help="votes that the page for blind listening exported")
    sub.add_argument("--budget", type=float, default=64, metavar="MB", help="of sounds and pictures beside the page (default 64)")
    sub.add_argument(
        "--where", nargs="*", action="extend", default=[], metavar="PATH=VALUE", help="only such records: experiment.prompt=label"
    )
    tuning.add(verb, WORDS)


def sweep(args) -> None:
    from bench import sweep

    lines = sweep.read(args.sweep, args.words)
    runs, machine, bad = sweep.checked(lines, allow_missing=args.allow_missing)
    if machine.sends:
        from bench.jobs.launch import launch

        launch(Path(args.sweep).stem, lines, runs, bad, machine)
        return
    store = open_store(machine, deferred=True)
    with store.ctx.signals():
        swept = sweep.sweep(runs, bad, store, Path(machine.results))
    print(sweep.summary(swept))
    if swept.failed:
        raise Failed(f"{len(swept.failed)} runs failed; their records say why, the same command tries them again")


def plan(args) -> None:
    """Of words as `bench run` takes them, or of sweep files with words that take the place of theirs; shared artefacts once."""
    from bench.jobs.tasks import products
    from bench.planning import plan, shared
    from bench.run import rows_of
    from bench.settings import compose, expand, site_words

    words, files = ([w for w in args.words if ("=" in w) is named] for named in (True, False))
    if files:
        from bench import sweep

        machine, sweeps = None, {}
        for file in files:
            runs, here, _ = sweep.checked(sweep.read(file, words), allow_missing=args.allow_missing)
            machine, sweeps[Path(file).stem] = machine or here, [run.row for run in runs]
    else:
        composed = [compose(*line, site=False) for line in expand([*site_words(words), *words])]
        machine, sweeps = composed[0][1], {"": rows_of([x for x, _ in composed])}
    assert machine is not None
    store, wanted, used = open_store(machine, dry=True), [], {}
    for name, rows in sweeps.items():
        used[name] = []
        for row in rows:
            first = len(store.asked)
            wanted += products(row, store)[:2] if files else [row.scores(store)]
            used[name].append([a.key for a in store.asked[first:] if a.stage != "cost"])
    asked = [a for a in store.asked if a.stage != "cost"]  # measured where it can be, never made for its own sake
    print("\n".join([*plan(asked, store.root, store.lacking(*wanted), each=args.all), *(shared(used) if files else [])]))


def report(args) -> None:
    """From the records in machine.results and its folder `reference`; imports no component but the machine's."""
    from bench.report.make import conditions, report, show, voted, write
    from bench.settings import compose

    if "=" in args.report and not Path(args.report).is_file():  # the name was left out: this is a word
        args.words, args.report = [args.report, *args.words], "all"
    if args.format == "html" and args.out is None:
        raise Refused("--format html needs a folder: --out DIR")
    odd = [w for w in args.words if not w.startswith("machine.")]
    if odd:
        raise Refused(f"{odd[0]}: a report takes machine.results=DIR; choose records with --where experiment.NAME=VALUE")
    results = Path(compose(*args.words)[1].results)
    folders = [results, results / "reference"]
    made = report(args.report, folders, conditions(args.where))
    if args.votes:
        made = voted(made, args.votes)
    if args.out is None:
        show(made, args.format or "terminal")
        return
    paths, notes = write(made, args.out, args.format, folders, args.budget)
    show(made, "terminal")
    print("\n".join([*notes, *map(str, paths)]))

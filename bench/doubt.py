"""The verbs that doubt numbers: `bench audit`, `bench pack`, `bench verify`, `bench fid`, `bench budget`."""

from __future__ import annotations

from pathlib import Path

from bench.errors import Failed


def add(verb) -> None:
    """Their places on the command line; `verb(name, do, about, words=...)` makes one."""
    sub = verb("audit", audit, "what a published table's numbers can be: counts, bolds that survive, scales", words=False)
    sub.add_argument("tables", nargs="+", metavar="TABLE", help="table1 ... table7 (the paper's), or a .yaml, .csv or .tex file")
    sub.add_argument("--clips", help="clips behind the numbers, N or LOW..HIGH; default: what the table says")
    sub = verb(
        "pack", pack, "records with all that their numbers follow from, in one folder: `bench pack RUN... -o bundle`", words=False
    )
    sub.add_argument(
        "runs", nargs="+", metavar="RUN", help="a record's id, its beginning, a row's name, a path, `all`; machine.results=DIR"
    )
    sub.add_argument("-o", "--out", type=Path, required=True, help="the bundle: a folder that does not exist yet")
    sub.add_argument("--sound", action="store_true", help="with the generated wav files")
    sub = verb("verify", verify, "compute every number of a bundle anew, offline, and name what differs", words=False)
    sub.add_argument("bundle", nargs="+", type=Path, help="folders that `bench pack` made")
    sub = verb("fid", fid, "what stands behind the FID of records: N, floor between halves, FD-infinity, KID", words=False)
    sub.add_argument("runs", nargs="+", metavar="RUN", help="as for pack; machine.results=DIR")
    verb(
        "budget", budget, "which part of a control's predictor costs how much between true and predicted hints: `control=melqcd`"
    )


def audit(args) -> None:
    from bench.audit.findings import audit
    from bench.audit.table import built_in, load
    from bench.audit.told import lines

    tables = [load(name, args.clips) for name in args.tables]
    ours = [load(name) for name in built_in()]
    for i, table in enumerate(tables):
        same = [t for t in ours if t.source == table.source and t.source and t.name != table.name]
        named = [t for t in tables if t is not table and t.name not in {s.name for s in same}]
        print(("\n" if i else "") + "\n".join(lines(audit(table, [*same, *named]))))


def pack(args) -> None:
    from bench.bundle.pack import pack

    runs, find = _records(args.runs)
    made = pack(runs, args.out, find, sound=args.sound)
    print(f"{made.out}: {len(made.records)} records, {made.files} files, {made.bytes / 1e6:.1f} MB; manifest sha256 {made.seal}")
    for id, why in made.lacking.items():
        print(f"{id}: rows alone: {why}")


def _records(words: list[str]):
    """(records that `words` name, where artefacts are found)."""
    from bench.bundle.pack import chosen
    from bench.cli import open_store
    from bench.settings import compose

    machine = compose(*(w for w in words if w.startswith("machine.")))[1]
    results = Path(machine.results)
    runs = chosen([w for w in words if not w.startswith("machine.")], [results, results / "reference"])
    return runs, open_store(machine, dry=True).find


def fid(args) -> None:
    from bench.distances import lines, measured

    runs, find = _records(args.runs)
    for told, _ in runs:
        print("\n".join(map(printable, lines(told, measured(told, find)))))


def verify(args) -> None:
    from bench.bundle.verify import verify
    from bench.context import Context

    bad = 0
    for root in args.bundle:
        ctx = Context()
        with ctx.signals():
            found = verify(root, ctx)
        print(f"{root}: {found.files} files, manifest sha256 {found.seal}")
        for id, count in found.checked.items():
            print(f"{id}  {printable(found.names.get(id, ''))}: {count} numbers computed anew")
        for id, why in found.open.items():
            print(f"{id}: {why}")
        for problem in found.problems:
            print(f"DIFFERS  {printable(problem)}")
        print("all as packed, every number follows from the arrays" if found.ok else f"{len(found.problems)} differences")
        bad += len(found.problems)
    if bad:
        raise Failed(f"{bad} differences: a bundle is not what was packed, or its numbers do not follow")


def printable(text: str) -> str:
    """`text` in one line without control characters: what others wrote must not steer a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


def budget(args) -> None:
    from bench import budget as shares
    from bench.budget_table import lines
    from bench.cli import open_store
    from bench.run import control_name
    from bench.settings import compose

    x, machine = compose(*args.words)
    store = open_store(machine, deferred=True)
    with store.ctx.signals():
        found = shares.budget(x, store, control_name(x))
    print("\n".join(map(printable, lines(found))))
    kept = shares.record(x, found, args.words)
    for path in [kept.write(Path(machine.results)), *shares.write(found, Path(machine.results) / "budget", kept.id)]:
        print(path)

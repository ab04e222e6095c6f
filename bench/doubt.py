"""The verbs that doubt numbers: `bench audit`."""

from __future__ import annotations


def add(verb) -> None:
    """Their places on the command line; `verb(name, do, about, words=...)` makes one."""
    sub = verb("audit", audit, "what a published table's numbers can be: counts, bolds that survive, scales", words=False)
    sub.add_argument("tables", nargs="+", metavar="TABLE", help="table1 ... table7 (the paper's), or a .yaml, .csv or .tex file")
    sub.add_argument("--clips", help="clips behind the numbers, N or LOW..HIGH; default: what the table says")


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

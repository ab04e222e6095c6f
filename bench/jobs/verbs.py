"""The verbs about jobs: `bench status`, `bench logs`, `bench cancel`."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import Refused

if TYPE_CHECKING:
    from bench.jobs.ledger import Entry, Ledger


def add(verb) -> None:
    """Their places on the command line; `verb(name, do, about, words=...)` makes one."""
    where = "names of sweeps, default all; machine.results=DIR: where their results are"
    sub = verb(
        "status", status, "how far the sweeps are that were given to jobs; keeps the records of what they made", words=False
    )
    sub.add_argument("words", nargs="*", help=where)
    sub = verb(
        "logs", logs, "the log of an artefact's job; without a name which jobs there are and where their logs lie", words=False
    )
    sub.add_argument("words", nargs="*", help="an artefact or a job's id, or how it begins; machine.results=DIR")
    sub = verb(
        "cancel", cancel, "end the jobs of sweeps; what they made and saved stays, `bench sweep` goes on from it", words=False
    )
    sub.add_argument("words", nargs="*", help=where)


def status(args) -> None:
    from bench.jobs.keeping import keep, sweeps
    from bench.jobs.status import seen, told

    names, ledger, store = _opened(args.words)
    found = sweeps(ledger, names)
    alive = seen(ledger)
    for sweep in found:
        kept = keep(sweep, ledger, store, alive)
        print("\n".join(told(sweep, ledger, kept, alive)))
    if not found:
        print(f"no sweep was given to jobs under {ledger.folder}")


def logs(args) -> None:
    from bench.jobs.status import seen, state

    names, ledger, _ = _opened(args.words)
    entries = ledger.entries()
    if not names:
        alive = seen(ledger)
        for key, entry in entries.items():
            word = state(key, ledger, alive).word if not key.startswith("records-") else "records"
            print(f"{word:10} {entry.id:>10}  {key}  {entry.log}")
        if not entries:
            print(f"no job was started under {ledger.folder}")
        return
    for name in names:
        entry = _entry(name, entries, ledger)
        print(f"==> {entry.key}, job {entry.id}: {entry.log}")
        path = Path(entry.log)
        print(path.read_text(errors="replace") if path.exists() else "(nothing yet: the job has not begun)")


def cancel(args) -> None:
    from bench.jobs import slurm
    from bench.jobs.keeping import keep, sweeps
    from bench.jobs.status import living

    names, ledger, store = _opened(args.words)
    with ledger.locked():
        chosen = sweeps(ledger, names)
        ids = {sweep.id for sweep in chosen}
        alive = living(ledger)
        ours = {key: entry for key, (entry, _) in alive.items() if not names or set(entry.sweeps) <= ids}
        for key, entry in ours.items():  # before they are told: a job asks here whether it should run again
            ledger.say(key, "cancelled", reason=f"job {entry.id} was cancelled; what it saved stays")
        slurms = [entry.id for entry in ours.values() if entry.system == "slurm"]
        if slurms:
            slurm.cancel(slurms)
        for here in {entry.id for entry in ours.values() if entry.system == "local"}:
            _end_pool(here)
        for sweep in chosen:
            keep(sweep, ledger, store, alive.keys() - ours.keys())
    shared = sum(1 for key in alive if key not in ours)
    print(f"{len(ours)} jobs cancelled" + (f"; {shared} stay, for other sweeps wait for them" if shared else ""))


def _end_pool(id: str) -> None:
    import socket

    pid, _, host = id.partition("@")
    if host != socket.gethostname():
        raise Refused(f"the pool {id} runs on another machine: cancel it there")
    os.kill(int(pid), signal.SIGTERM)


def _entry(name: str, entries: dict[str, Entry], ledger: Ledger) -> Entry:
    exact = [e for e in entries.values() if name in (e.key, e.id)]
    found = exact or [e for e in entries.values() if e.key.startswith(name)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise Refused(f"{name}: no such job under {ledger.folder}; `bench logs` lists them")
    raise Refused(f"{name}: several jobs, {', '.join(e.key for e in found[:5])} ...; write more of the name")


def _opened(words: list[str]):
    from bench.jobs.work import opened
    from bench.settings import compose, site_words

    names = [w for w in words if "=" not in w]
    told = [w for w in words if "=" in w]
    odd = [w for w in told if not w.startswith("machine")]
    if odd:
        raise Refused(f"{odd[0]}: name sweeps or jobs here, and machine.results=DIR where they are")
    machine = [w for w in site_words(told) if w.startswith("machine")] + told
    results = Path(compose(*machine, site=False)[1].results).resolve()
    ledger, store = opened(results, machine)
    return names, ledger, store

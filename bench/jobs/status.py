"""How far jobs are: from our own files first, from squeue only what these leave open."""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass

from bench.errors import Failed
from bench.jobs import pool, slurm
from bench.jobs.keeping import Kept, Sweep
from bench.jobs.ledger import Entry, Ledger
from bench.planning import spoken
from bench.shares import whose

ORDER = ("running", "pending", "failed", "lost", "cancelled", "stopped", "skipped", "not submitted", "made")
SHOWN = ("running", "failed", "lost", "stopped")  # one by one; the others are counted
ENDED = ("failed", "skipped", "stopped", "cancelled", "killed", "done")  # what a job says last


@dataclass(frozen=True)
class State:
    """word: one of ORDER; about: why, where, since when."""

    word: str
    about: str = ""


def living(ledger: Ledger) -> dict[str, tuple[Entry, State]]:
    """{key: its job} of those artefacts, and record jobs, whose job is not at its end. Raises Failed where squeue is needed and silent."""
    found, asked = {}, None
    for key, entry in ledger.entries().items():
        if ledger.exists(key):
            continue
        said = ledger.said(key)
        if entry.system == "local":
            if said.get("state") not in ENDED and pool.alive(entry.id):
                running = said.get("state") == "running"
                found[key] = (entry, State("running", _since(said)) if running else State("pending", "in the pool"))
            continue
        if said.get("state") in ("done", "skipped", "failed"):
            continue
        asked = slurm.queue() if asked is None else asked
        job = asked.get(entry.id)
        if job is not None and job.name == entry.name:
            running = job.state in ("RUNNING", "COMPLETING")
            about = (
                f"job {job.id}, {_since(said)}" if running and said.get("state") == "running" else f"job {job.id}, {_waits(job)}"
            )
            found[key] = (entry, State("running" if running else "pending", about))
    return found


def seen(ledger: Ledger) -> dict[str, tuple[Entry, State]]:
    """`living`; none, with a word about it, where squeue does not answer."""
    try:
        return living(ledger)
    except Failed as error:
        print(f"squeue cannot be asked, so what is queued is not known: {error}", file=sys.stderr)
        return {}


def state(key: str, ledger: Ledger, alive: dict[str, tuple[Entry, State]]) -> State:
    """What the artefact `key` is at."""
    if ledger.exists(key):
        return State("made")
    if key in alive:
        return alive[key][1]
    said = ledger.said(key).get("state")
    if said in ("skipped", "cancelled", "stopped"):
        return State(said, ledger.why(key))
    if ledger.failed(key) or said == "failed":
        return State("failed", ledger.why(key))
    if ledger.entry(key) is None:
        return State("not submitted")
    return State("lost", ledger.why(key))


def told(sweep: Sweep, ledger: Ledger, kept: Kept, alive: dict[str, tuple[Entry, State]]) -> list[str]:
    """The lines of `bench status` about one sweep."""
    done, failed = len(kept.swept.done) + len(kept.swept.there) + sweep.there, kept.swept.failed
    runs = done + len(failed) + len(kept.waiting)
    lines = [
        f"{sweep.name} ({sweep.id}, {sweep.system}): {runs} runs: {done} done, {len(failed)} failed, {len(kept.waiting)} wait"
    ]
    states = {key: _shared(key, state(key, ledger, alive), alive) for key in sweep.needs}
    counts = Counter(s.word for s in states.values())
    if counts and set(counts) != {"made"}:
        each = ", ".join(f"{counts[word]} {word}" for word in ORDER if counts[word])
        lines.append(f"  {len(states)} artefacts: {each}")
        shown = [(word, key) for word in SHOWN for key, s in states.items() if s.word == word]
        lines += [f"  {word:9} {key}  {states[key].about}".rstrip() for word, key in shown]
    lines += [f"  gap       {name}: {why}" for name, why in failed.items()]
    return lines


def _shared(key: str, its: State, alive: dict[str, tuple[Entry, State]]) -> State:
    """`its`, or how many shares of its pieces are being made."""
    words = [now.word for name, (_, now) in alive.items() if (whose(name) or ("",))[0] == key]
    if not words:
        return its
    running = words.count("running")
    return State("running" if running else "pending", f"{running} shards at work, {len(words) - running} wait")


def _since(said: dict) -> str:
    again = f", turn {said['restarts'] + 1}" if said.get("restarts") else ""
    return f"on {said['host']} for {spoken(time.time() - said['when'])}{again}"


def _waits(job: slurm.Queued) -> str:
    return f"{job.state.lower()} ({job.reason})" if job.state == "PENDING" else job.state.lower()

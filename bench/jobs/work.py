"""One job at work: it makes one artefact from words, says how far it is, and asks to run again where it is stopped."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from bench.context import ranks
from bench.errors import Failed, Refused, Stopped
from bench.jobs import slurm
from bench.jobs.beside import together
from bench.jobs.ledger import Ledger
from bench.jobs.machines import Slurm
from bench.jobs.tasks import reachable
from bench.ranks import spoken_by_one
from bench.shares import whose
from bench.store import Store
from bench.sweep import Line


def work(results: str, key: str, words: Sequence[str], reference: bool = False) -> None:
    """Make the artefact `key`, or a share of its pieces, of the run that `words` describe, unless it is there or one of its inputs is not.

    Raises Failed where it cannot, having left `.failed` beside the artefact's place or, where an input is not there, "skipped" in the
    ledger; SystemExit where it was stopped and runs again.
    """
    from bench.settings import compose

    ledger, store = opened(Path(results), words)
    machine = compose(*words, site=False)[1]
    with store.ctx.signals():
        try:
            _make(key, Line(tuple(words), reference), store, ledger, getattr(machine, "gpus", 0))
        except Stopped:
            _stopped(key, machine, ledger)
        except Exception as error:
            if ledger.said(key).get("state") not in ("skipped", "cancelled"):
                reason = str(error) if isinstance(error, (Refused, Failed)) else f"{type(error).__name__}: {error}"
                ledger.say(key, "failed", reason=" ".join(reason.split()), traceback=_end_of(error))
            raise


def follow(results: str, key: str, words: Sequence[str], reference: bool = False) -> None:
    """Share the training of the artefact `key` with the process that began this one (bench/jobs/beside.py), which alone tells of it."""
    _, store = opened(Path(results), words)
    with store.ctx.signals(), spoken_by_one():
        store.need(reachable(Line(tuple(words), reference), key, store))


def records(results: str, sweep: str, words: Sequence[str]) -> None:
    """The last job of a sweep: a record of every run, with scores or with the reason why there are none."""
    from bench.jobs.keeping import keep, sweeps
    from bench.jobs.status import seen

    ledger, store = opened(Path(results), words)
    own = f"records-{sweep}"
    kept = keep(sweeps(ledger, [sweep])[0], ledger, store, seen(ledger).keys() - {own})
    print(f"{len(kept.swept.done)} records written, {len(kept.swept.failed)} runs failed, {len(kept.waiting)} wait")


def opened(results: Path, words: Sequence[str]) -> tuple[Ledger, Store]:
    """The ledger and the store of a results folder, as a job sees them: marks of failures stay."""
    from bench.settings import compose
    from bench.weights import SHIPPED

    machine = compose(*words, site=False)[1]
    shipped = (SHIPPED,) if machine.shipped == "on" else ()
    ledger = Ledger(results, shipped)
    return ledger, Store(ledger.cache, machine.context(), deferred=True, shipped=shipped)


def _make(key: str, line: Line, store: Store, ledger: Ledger, gpus: int) -> None:
    if ledger.said(key).get("state") == "cancelled":
        raise Failed(f"{key} was cancelled")
    ledger.say(key, "running", restarts=_restarts())
    share = whose(key)
    own = share[0] if share else key
    folder = reachable(line, own, store)
    missing = [name for name in store.lacking(folder) if name != own]
    if missing:
        why = ledger.why(missing[-1])
        ledger.say(key, "skipped", reason=why)
        raise Failed(f"{key} is skipped, for an input is not there: {why}")
    if share:
        store.share(folder, *share[1:])
    elif gpus > 1 and store.known[own][0].joint:
        job = (str(ledger.results), key, list(line.words), line.reference)
        with together(store, gpus, job, lambda reason: ledger.say(key, "failed", reason=reason)) as shared:
            shared.need(folder)
    else:
        store.need(folder)
    ledger.say(key, "done")


def _stopped(key: str, machine, ledger: Ledger) -> None:
    """State is saved. On Slurm run again, unless somebody wanted the job gone."""
    id = _slurm_id()
    if not id or not isinstance(machine, Slurm):
        ledger.say(key, "stopped", reason="was stopped; its state is saved")
        raise SystemExit(130)
    try:
        ending = "cancelled" if ledger.said(key).get("state") == "cancelled" else slurm.ending(id, _restarts())
        if ending == "cancelled":
            ledger.say(key, "cancelled", reason="was cancelled; its state is saved")
        elif _restarts() >= machine.requeues:
            often = f"was stopped {_restarts() + 1} times and given up (machine.requeues={machine.requeues}); its state is saved"
            ledger.say(key, "stopped", reason=often)
        else:
            ledger.say(key, "requeued", ending=ending)  # before it is: then this process may be ended any time
            if ending != "requeued":
                slurm.requeue(id)
    except Failed as error:
        ledger.say(key, "stopped", reason=f"was stopped and could not be requeued ({error}); its state is saved")
    raise SystemExit(130)


def _slurm_id() -> str:
    """As squeue tells it: an element of an array by its array."""
    array, element = (os.environ.get(f"SLURM_ARRAY_{name}", "") for name in ("JOB_ID", "TASK_ID"))
    return f"{array}_{element}" if array and element else os.environ.get("SLURM_JOB_ID", "")


def _restarts() -> int:
    text = os.environ.get("SLURM_RESTART_COUNT", "0")
    return int(text) if text.isdigit() else 0


def _end_of(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)[-12:])


def main() -> None:
    """A job of the local pool, or a process beside another: `python -m bench.jobs.work` with its arguments as JSON on standard input."""
    job = json.load(sys.stdin)
    try:
        follow(*job) if ranks()[0] else work(*job)
    except Stopped:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()

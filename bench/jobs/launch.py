"""`bench sweep` where a sweep is given to jobs: everything composed and planned first, then one job per missing artefact."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.errors import Failed, Refused
from bench.jobs import slurm
from bench.jobs.keeping import Sweep, keep, sweep_of
from bench.jobs.ledger import Entry, Ledger
from bench.jobs.machines import Local, Slurm
from bench.jobs.pool import Pool
from bench.jobs.status import State, living
from bench.jobs.tasks import Planned, Task, planned
from bench.jobs.work import opened, records, work
from bench.shares import whose
from bench.sweep import Line, Run, Swept, keep_bad, keep_failure, summary


def launch(name: str, lines: Sequence[Line], runs: Sequence[Run], bad: Mapping[Line, str], machine) -> None:
    """Give the sweep to jobs. On Slurm it returns when they are submitted, in a pool when they have ended.

    Raises Failed where a run failed, Stopped where the pool was asked to stop; the same command makes what is missing then.
    """
    results = Path(machine.results).resolve()
    ledger, store = opened(results, lines[0].words)
    swept = Swept()
    keep_bad(dict(bad), swept, len(runs), results)
    if isinstance(machine, Slurm):
        _cluster(name, lines, runs, machine, ledger, swept)
        return
    plan = planned(runs, ledger.cache, ledger.shipped, results, machine.shards)
    sweep = sweep_of(name, lines, plan, "local")
    with ledger.locked():
        sweep.write(ledger)
        for key in plan.tasks:
            ledger.forget(key)
    assert isinstance(machine, Local)
    pool = Pool(machine, ledger, store.ctx, sweep.id)
    with store.ctx.signals():
        pool.run(plan.tasks)
        kept = keep(sweep, ledger, store, ())
    _told(plan, swept, results)
    swept.done += kept.swept.done
    swept.there += kept.swept.there
    swept.failed |= kept.swept.failed
    for run, why in kept.swept.failed.items():
        print(f"{run}: FAILED: {why}")
    swept.made = pool.made
    print(summary(swept))
    if swept.failed:
        raise Failed(f"{len(swept.failed)} runs failed; their records say why, the same command tries them again")


def _told(plan: Planned, swept: Swept, results: Path) -> None:
    """Records and counts of what needed no job."""
    swept.there += plan.there
    swept.asked, swept.distinct = plan.asked, plan.distinct
    for run, why, trace in plan.broken.values():
        keep_failure(run, why, trace, results)
        swept.failed[run.row.name] = why
        print(f"{run.row.name}: FAILED: {why}")


def _cluster(name: str, lines: Sequence[Line], runs: Sequence[Run], machine: Slurm, ledger: Ledger, swept: Swept) -> None:
    with ledger.locked():
        alive = _settled(ledger)
        plan = planned(runs, ledger.cache, ledger.shipped, ledger.results, machine.shards)
        sweep = sweep_of(name, lines, plan, "slurm")
        sweep.write(ledger)
        new = {key: task for key, task in plan.tasks.items() if key not in alive and (whose(key) or (key,))[0] not in alive}
        ids = {key: alive[key][0].id for key in plan.tasks if key in alive}
        for key in ids:
            ledger.join(alive[key][0], sweep.id)
        for key in new:
            ledger.forget(key)
        _told(plan, swept, ledger.results)
        try:
            submitted = _submit(new, ids, sweep, machine, ledger)
        except Refused:
            raise
        except Failed as error:
            count = sum(1 for key in new if key in ids)
            raise Failed(f"{error}; {count} of {len(new)} jobs were submitted, the same command submits the others") from error
        final = f"records-{sweep.id}"
        if plan.wants and (submitted or final not in alive):
            leaves = [ids[key] for key in ids if not any(key in task.after for task in plan.tasks.values())]
            words = [w for w in lines[0].words if w.startswith("machine")]
            job = slurm.submit(records, [(str(ledger.results), sweep.id, words)], leaves, final, machine, ledger.logs)[0]
            ledger.write(_entry(Task(final, Line(tuple(words)), tuple(plan.tasks)), job, sweep))
            print(f"{job.id}  {final}")
    shares = sum(1 for key in plan.tasks if whose(key))
    print(
        f"{len(runs)} runs: {len(plan.there)} there, {len(swept.failed)} failed, {len(plan.wants)} wait for "
        f"{len(plan.tasks) - shares} artefacts{f' in {shares} shards more' if shares else ''}: {submitted} jobs submitted now, "
        f"{len(plan.tasks) - submitted} queued before. `bench status {name}` tells more."
    )


def _submit(new: Mapping[str, Task], ids: dict[str, str], sweep: Sweep, machine: Slurm, ledger: Ledger) -> int:
    """Submit `new` in an order in which each knows the ids of those it waits for; those that wait for the same jobs are an array."""
    most = min(machine.array or 10**6, max(1, slurm.most_in_an_array())) if new else 1
    left, count = dict(new), 0
    while left:
        groups: dict[tuple[str, ...], list[Task]] = {}
        for task in left.values():
            if not any(key in left for key in task.after):
                after = tuple(sorted({ids[key] for key in task.after}))
                groups.setdefault(after, []).append(task)
        for after, ready in groups.items():
            for i in range(0, len(ready), most):
                some = ready[i : i + most]
                name = some[0].key if len(some) == 1 else "-".join(dict.fromkeys(task.stage for task in some))
                jobs = [(str(ledger.results), task.key, list(task.line.words), task.line.reference) for task in some]
                for task, job in zip(some, slurm.submit(work, jobs, after, name, machine, ledger.logs), strict=True):
                    ledger.write(_entry(task, job, sweep))
                    ids[task.key] = job.id
                    del left[task.key]
                    count += 1
                    print(f"{job.id}  {task.key}", flush=True)
    return count


def _entry(task: Task, job: slurm.Submitted, sweep: Sweep) -> Entry:
    line = task.line
    return Entry(
        task.key,
        list(line.words),
        line.reference,
        list(task.after),
        [sweep.id],
        "slurm",
        job.id,
        job.name,
        str(job.log),
        time.time(),
    )


def _settled(ledger: Ledger, patience_s: float = 60.0) -> dict[str, tuple[Entry, State]]:
    """`living` once no job of ours is just ending: whether it will run again is not known before."""
    end, told = time.monotonic() + patience_s, False
    while True:
        alive = living(ledger)
        ending = [key for key, (_, state) in alive.items() if state.about.endswith("completing")]
        if not ending or time.monotonic() > end:
            return alive
        if not told:
            print(f"waiting for {len(ending)} jobs that are just ending", file=sys.stderr)
            told = True
        time.sleep(1)

"""Records of a sweep's runs whose artefacts were made by jobs, and what the others wait for or failed of."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.errors import Failed, Refused, near
from bench.identity import digest
from bench.jobs.ledger import Ledger
from bench.jobs.tasks import Planned, Want
from bench.run import recorded
from bench.store import Store, write_json
from bench.sweep import Line, Swept, composed, keep_failure


@dataclass(frozen=True)
class Sweep:
    """A sweep that was given to jobs, as it is kept under `jobs/sweeps`."""

    id: str
    name: str
    system: str
    wants: list[Want]
    there: int = 0  # runs that had their record before
    when: float = field(default_factory=time.time)

    def write(self, ledger: Ledger) -> Path:
        folder = ledger.folder / "sweeps"
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / f"{self.id}.json", asdict(self))
        return folder / f"{self.id}.json"

    @property
    def needs(self) -> list[str]:
        """Every artefact that some run needs, once, in an order in which they can be made."""
        return list(dict.fromkeys(key for want in self.wants for key in want.needs))


@dataclass
class Kept:
    """What the runs of a sweep are at, each by its name; `swept.failed` tells why."""

    swept: Swept
    waiting: dict[str, int] = field(default_factory=dict)  # and for how many artefacts


def sweep_of(name: str, lines: Sequence[Line], plan: Planned, system: str) -> Sweep:
    """`name` with its lines: the same command has the same id."""
    told = [[list(line.words), line.reference] for line in lines]
    return Sweep(f"{name}-{digest(['sweep', told])[:8]}", name, system, plan.wants, len(plan.there))


def sweeps(ledger: Ledger, names: Collection[str] = ()) -> list[Sweep]:
    """Those that were given to jobs, oldest first; of `names` (or ids) alone where some are given. Refused for one that is unknown."""
    found = []
    for path in (ledger.folder / "sweeps").glob("*.json"):
        told = json.loads(path.read_text())
        wants = [
            Want(**w | {"line": Line(tuple(w["line"]["words"]), w["line"]["reference"]), "needs": tuple(w["needs"])})
            for w in told["wants"]
        ]
        found.append(Sweep(**told | {"wants": wants}))
    found.sort(key=lambda sweep: sweep.when)
    for name in names:
        if not any(name in (sweep.name, sweep.id) for sweep in found):
            raise Refused(f"{name}: no such sweep under {ledger.folder}.{near(name, {s.name for s in found})}")
    return [s for s in found if not names or s.name in names or s.id in names]


def keep(sweep: Sweep, ledger: Ledger, store: Store, alive: Collection[str]) -> Kept:
    """Write the record of every run whose artefacts are there, and one that says why of every run that will not have them.

    alive: the artefacts whose job has not ended. A run that waits for one gets no record yet, unless another of its artefacts failed.
    """
    kept = Kept(Swept())
    for want in sweep.wants:
        lacking = [key for key in want.needs if not ledger.exists(key)]
        doomed = [key for key in lacking if key not in alive and (ledger.failed(key) or ledger.said(key).get("reason"))]
        if any(key in alive for key in lacking) and not doomed:
            kept.waiting[want.name] = len(lacking)
            continue
        if recorded_before(ledger.results, want):
            kept.swept.there.append(want.id)
            continue
        runs, _, bad = composed([want.line])
        if bad:
            kept.swept.failed[want.name] = bad[want.line]
            continue
        why, trace = "", ""
        if lacking:
            key = (doomed or lacking)[0]
            why, trace = ledger.why(key), ledger.cause(key)
        else:
            try:
                recorded(runs[0].row, store, ledger.results, list(want.line.words))
                kept.swept.done.append(want.id)
                continue
            except Exception as error:  # the record says so, and the other runs are kept
                why = str(error) if isinstance(error, (Refused, Failed)) else f"{type(error).__name__}: {error}"
                trace = "".join(traceback.format_exception(error)[-12:])
        keep_failure(runs[0], why, trace, ledger.results)
        kept.swept.failed[want.name] = why
    return kept


def recorded_before(results: Path, want: Want) -> bool:
    """Whether the record of exactly these scores is kept."""
    path = results / f"{want.id}.json"
    if not path.exists():
        return False
    told = json.loads(path.read_text())
    return told["status"] == "done" and told.get("made", {}).get("artefacts", {}).get("score") == want.scores

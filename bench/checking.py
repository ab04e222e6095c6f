"""`bench check`: the contract suite on control signals, then whether the sound made with them follows their hints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.errors import Refused

FEW = ("learn=lab", "data.test=40", "data.train=0")  # few clips to generate, taught by the whole lab


def check_all(words: Sequence[str], *, contract: bool) -> bool:
    """Check what `words` describe, one block for each of several (`control=onset,energy`); False if any does not hold.

    contract: the suite alone. Of several, one that cannot be loaded or composed is a failure of its own and the others are checked;
    Refused where it is the only one.
    """
    from bench.settings import compose, expand, site_words

    chosen = any(w.partition("=")[0].partition(".")[0] in ("data", "learn") for w in words)
    before = [*site_words(), *([] if chosen else FEW)]
    lines = expand([*before, *words])
    varied = [i for i, some in enumerate(zip(*lines, strict=True)) if len(set(some)) > 1]
    fine = True
    for n, line in enumerate(lines):
        if len(lines) > 1:
            print(("\n" if n else "") + " ".join(line[i] for i in varied))
        try:
            x, machine = compose(*line, site=False)
        except Refused as error:
            if len(lines) == 1:
                raise
            print(f"FAIL  {' '.join(str(error).split())}")
            fine = False
            continue
        fine &= _holds(x.control, x.scale) and (contract or not x.controls or _responds(x, machine, line[len(before) :]))
    return fine


def _holds(control, scale) -> bool:
    """Print what each rule of the contract found, at the mel scale `scale`; whether all hold."""
    from controls.contract import check

    found = check(control, scale=scale)
    for name, ok, detail in found:
        print(f"{'ok  ' if ok else 'FAIL'}  {name}{': ' if detail else ''}{detail}", flush=True)
    return all(ok for _, ok, _ in found)


def _responds(x, machine, words: list[str]) -> bool:
    """Print what wrong hints do to the sound; False if it does not follow them."""
    from bench.cli import open_store
    from bench.response import SHIFT_S, record, respond, told

    store = open_store(machine, deferred=True)
    with store.ctx.signals():
        response = respond(x, store)
    print(f"\nControl response, the same noise under other hints (shifted: {SHIFT_S} s late); p against true hints")
    print("\n".join(told(response)))
    print(f"Record: {record(x, response, words).write(Path(machine.results))}")
    for way in response.deaf():
        print(f"FAIL  {way} hints change nothing{' in time' if way == 'shifted' else ''}: the sound does not follow its hint")
    return not response.deaf()


def metrics(words: list[str]) -> bool:
    """Print how the metrics and judges that `words` choose take known manipulations of real sound, keep it; False if any is red."""
    from bench import canaries
    from bench.cli import open_store
    from bench.settings import compose

    x, machine = compose(*canaries.FEW, *words)
    store = open_store(machine)
    with store.ctx.signals():
        found = canaries.check_metrics(x, store, Path(machine.results))
    print("\n".join(canaries.lines(found)))
    print(f"Record: {canaries.record(x, found, words).write(Path(machine.results))}")
    return found.ok

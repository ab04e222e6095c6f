"""Sampling on the lab's backbone with a ControlNet: what batching and caching save, each against the plain way in turn. By hand:

    python tests/benchmarks/sampling.py [--rounds 3] [--steps 4]

guidance: both halves in one call of the network against two calls. hint: encoded once against once a step, as released. features: read
from the store against computed from the decoded frames again.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

CLIPS = 16


def turns(ways: dict[str, Callable], rounds: int) -> None:
    """Print the median time of each way and the ratio to the first, taken in turn so that a drift of the machine hits all."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for round in range(rounds + 1):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            if round:  # the first one warms up
                taken[name].append(time.perf_counter() - began)
    base = statistics.median(next(iter(taken.values())))
    for name, found in taken.items():
        middle = statistics.median(found)
        print(f"{name:44} {middle:8.3f} s  ({min(found):.3f} ... {max(found):.3f})  {base / middle:5.2f}x")


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--steps", type=int, default=4)
    asked = words.parse_args()
    import torch

    from bench.backbones import Lab
    from melqcd.controlnet import predicted_noise
    from melqcd.sampling import DPMSolver, clip_noise, generate, integrate
    from melqcd.settings import ControlNet

    torch.set_num_threads(1)
    model, how, sampler = Lab().load("cpu"), ControlNet(), DPMSolver(steps=asked.steps)
    net = how.build(model).requires_grad_(False).eval()
    hint = torch.rand(CLIPS, model.scale.bins, model.scale.frames)
    noise = clip_noise([str(i) for i in range(CLIPS)], model.latent_shape)
    with torch.no_grad():
        words_, empty, shown = model.words(["dog barking"] * CLIPS), model.words([""]), how.show(hint, model)

    def two_calls() -> torch.Tensor:
        def noise_at(latents, at):
            found = [predicted_noise(model, net, latents, at.expand(CLIPS), w, shown) for w in (empty.expand_as(words_), words_)]
            return found[0] + sampler.guidance * (found[1] - found[0])

        with torch.no_grad():
            return integrate(sampler.scheduler(model.schedule.config), sampler.steps, noise, noise_at)

    def one_call() -> torch.Tensor:
        return generate(model, sampler, noise, words_, net=net, shown=shown, empty=empty)

    assert torch.allclose(two_calls(), one_call(), atol=1e-3), "the two ways must agree before they are timed"
    turns({"guidance: two calls a step": two_calls, "guidance: one call of both halves": one_call}, asked.rounds)

    def encoded(times: int) -> None:
        with torch.no_grad():
            for _ in range(times):
                how.show(hint, model)

    turns({"hint: encoded at every step": lambda: encoded(asked.steps), "hint: encoded once": lambda: encoded(1)}, asked.rounds)
    features(asked.rounds)


def features(rounds: int) -> None:
    """The stage `features` for CLIPS clips against opening what it wrote."""
    from bench import artefacts, chain
    from bench.context import Context
    from bench.ragged import Ragged
    from bench.settings import compose
    from bench.store import Store

    with tempfile.TemporaryDirectory() as folder:
        x, _ = compose(f"data.test={CLIPS - 1}", "data.train=1", site=False)
        store = Store(Path(folder), Context(quiet=True, workers=1, threads=1))
        clips = chain.decoded(x.data, store)
        made = store(artefacts.features, "motion", x.motion, clips)

        def again() -> None:
            with tempfile.TemporaryDirectory() as out, tempfile.TemporaryDirectory() as part:
                artefacts.features(Path(out), Path(part), store.ctx, "motion", x.motion, clips)

        def cached() -> None:
            assert sum(len(v) for v in Ragged(made, "motion").values()) > 0

        turns({"features: computed from the films": again, "features: read from the store": cached}, rounds)


if __name__ == "__main__":
    main()

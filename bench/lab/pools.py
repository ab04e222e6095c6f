"""Arrays to train the lab's networks from: clips of a pool that the benchmark's own clips never come from, made once and mapped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from bench.context import Context
from bench.data.lab import Lab
from bench.store import replace_file, write_json
from melqcd.mel import MelScale

SHARD = 150  # clips that one process makes at a time: ten of each class


def pool(out: Path, part: Path, ctx: Context, lab: Lab, scale: MelScale, picture: int = 0) -> None:
    """Write the clips of `lab` for training.

    image.npy   float16 [n, bins, frames]: the mel as a picture in [0, 1] at `scale`, black beyond a clip's end
    wave.npy    int16 [n, samples of the picture], zeros beyond a clip's end
    samples.npy int32 [n], true lengths
    label.npy   int16 [n], index into labels.json
    frames.npy  uint8 [n, frames at 25 a second, picture, picture, 3], the last one repeated to the end; only where picture > 0
    split.json  {"train": clips, "test": clips}: the train clips come first
    """
    labels = _labels()
    jobs = [
        (part / f"{split}-{first:06d}.npz", lab, split, first, min(first + SHARD, count), scale, picture)
        for split, count in lab.counts().items()
        for first in range(0, count, SHARD)
    ]
    todo = [job for job in jobs if not job[0].exists()]
    for _ in ctx.track(_done(todo, ctx.workers), f"clips of pool {lab.pool}", total=len(jobs), start=len(jobs) - len(todo)):
        ctx.check()
    shards = [np.load(job[0]) for job in jobs]
    for name in ("image", "wave", "samples", "label", *(["frames"] if picture else [])):
        first = shards[0][name]
        whole = np.lib.format.open_memmap(
            out / f"{name}.npy", "w+", first.dtype, (sum(len(s["label"]) for s in shards), *first.shape[1:])
        )
        at = 0
        for shard in shards:
            rows = shard[name]
            whole[at : at + len(rows)] = rows
            at += len(rows)
        whole.flush()
    write_json(out / "labels.json", labels)
    write_json(out / "split.json", lab.counts())


class Pool:
    """A pool's arrays, mapped: `Pool(folder).image[7]`; `train` and `test` are ranges of row numbers."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        counts = json.loads((self.folder / "split.json").read_text())
        self.labels: list[str] = json.loads((self.folder / "labels.json").read_text())
        self.train = range(counts["train"])
        self.test = range(counts["train"], counts["train"] + counts["test"])

    def __getattr__(self, name: str) -> np.ndarray:
        path = self.__dict__["folder"] / f"{name}.npy"
        if name.startswith("_") or not path.exists():
            raise AttributeError(name)
        array = np.load(path, mmap_mode="r")
        setattr(self, name, array)
        return array


def _labels() -> list[str]:
    from bench.lab.world import KINDS

    return [kind.prompt for kind in KINDS]


def _done(jobs: list[tuple], workers: int) -> Iterator[None]:
    if workers <= 1 or len(jobs) <= 1:
        for job in jobs:
            yield _shard(job)
        return
    with get_context("spawn").Pool(min(workers, len(jobs))) as processes:
        yield from processes.imap_unordered(_shard, jobs)


def _shard(job: tuple) -> None:
    import torch

    from bench.lab.clip import make_clip
    from melqcd.mel import log_mel, to_image

    path, lab, split, first, last, scale, picture = job
    torch.set_num_threads(1)
    labels = _labels()
    n, length = last - first, round(scale.samples / scale.rate * 25)
    wave = np.zeros((n, scale.samples), np.int16)
    samples, label = np.zeros(n, np.int32), np.zeros(n, np.int16)
    frames = np.zeros((n, length, picture, picture, 3), np.uint8)
    for row, index in enumerate(range(first, last)):
        sound, film, truth = make_clip(lab, split, index, picture=picture > 0)
        sound = sound[: scale.samples]
        wave[row, : len(sound)] = np.clip(np.round(sound * 32767), -32768, 32767)
        samples[row], label[row] = len(sound), labels.index(truth["label"])
        if film is not None:
            small = shrunk(film[:length], picture)
            frames[row, : len(small)] = small
            frames[row, len(small) :] = small[-1]
    mel = log_mel(torch.from_numpy(wave / np.float32(32767)), scale, samples=torch.from_numpy(samples).long())
    image = to_image(mel, scale).numpy().astype(np.float16)
    found = {"image": image, "wave": wave, "samples": samples, "label": label, **({"frames": frames} if picture else {})}

    def write(draft: Path) -> None:
        with open(draft, "wb") as file:
            np.savez(file, **found)

    replace_file(path, write)


def shrunk(film: np.ndarray, size: int) -> np.ndarray:
    """uint8 [T, h, w, 3] as [T, size, size, 3]: areas averaged, as the encoders of video see it."""
    if film.shape[1:3] == (size, size):
        return film
    import torch
    from torch.nn.functional import interpolate

    small = interpolate(torch.from_numpy(film).movedim(-1, 1).float(), (size, size), mode="bilinear", antialias=True)
    return small.round().clamp(0, 255).byte().movedim(1, -1).numpy()

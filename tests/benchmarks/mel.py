"""Mel and Mel-QCD hint of 64 ten-second clips: whole batches against the plain way, one file after the other with librosa and numpy.

    OMP_NUM_THREADS=1 python tests/benchmarks/mel.py

Both ways run in turns in one process on one thread and are timed by the seconds the processor gave them, so that their ratio means
something on a busy machine. Asked: 1.5 per core.
"""

import os
import sys
import time

import librosa
import numpy as np
import torch

from controls import Batch, load
from melqcd.mel import MelScale, log_mel
from melqcd.stft import mel_magnitude

CLIPS, SECONDS, ROUNDS = 64, 10, 5
SCALE = MelScale()


def plain_mel(wave: np.ndarray, bank: np.ndarray) -> np.ndarray:
    wave = wave / np.abs(wave).max() * 0.95
    padded = np.pad(wave, SCALE.pad, mode="reflect")
    spectrum = librosa.stft(padded, n_fft=SCALE.n_fft, hop_length=SCALE.hop, win_length=SCALE.window, center=False)
    return np.log(np.maximum(bank @ np.sqrt(np.abs(spectrum) ** 2 + 1e-9), 1e-5))


def plain_hint(mel: np.ndarray) -> np.ndarray:
    low, high = np.log(1e-5), np.log(200.0)
    image = (np.clip(mel.reshape(8, 32, -1).mean(1), low, high) - low) / (high - low)
    bands = image[::-1, ::4]
    energy, deviation = bands.mean(0), bands.std(0)
    levels = np.clip(np.round((bands - energy) / np.where(deviation > 0, deviation, 1)), -1, 1)
    hint = np.clip(energy + levels * deviation, 0, 1).astype(np.float32)
    return np.repeat(np.repeat(hint, 32, axis=0), 4, axis=1)


def timed(way) -> float:
    began = time.process_time()
    way()
    return time.process_time() - began


def main() -> None:
    if os.environ.get("OMP_NUM_THREADS") != "1":
        sys.exit("write OMP_NUM_THREADS=1 before the command: numpy's matrix products would use, and be charged for, all cores")
    torch.set_num_threads(1)
    random = np.random.default_rng(0)
    level = np.repeat(random.random((CLIPS, SECONDS * 5)) ** 3, 3200, axis=1)
    waves = (random.normal(size=level.shape) * level * 0.3).astype(np.float32)
    tensor = torch.from_numpy(waves)
    control, bank = load("melqcd")(), librosa.filters.mel(sr=16000, n_fft=1024, n_mels=256, fmin=0, fmax=8000)
    ten = MelScale(frames=SECONDS * 100)

    ways = {
        "plain: mel": lambda: [plain_mel(w, bank) for w in waves],
        "plain: mel and hint": lambda: [plain_hint(plain_mel(w, bank)) for w in waves],
        "ours: transform and filters": lambda: mel_magnitude(torch.nn.functional.pad(tensor, (432, 432)), ten),
        "ours: mel": lambda: log_mel(tensor, ten),
        "ours: mel and hint": lambda: control.render(control.extract(Batch.of(tensor, ten)), ten),
        "ours: mel and hint, 8 at once": lambda: [
            control.render(control.extract(Batch.of(t, ten)), ten) for t in tensor.split(8)
        ],
        "ours: transform alone": lambda: [torch.fft.rfft(t.unfold(-1, 1024, 160)) for t in tensor],
    }
    with torch.inference_mode():
        away = np.abs(
            plain_hint(plain_mel(waves[0], bank)) - control.render(control.extract(Batch.of(tensor[:1], ten)), ten)[0].numpy()
        )
        print(f"the two ways agree on {np.mean(away < 1e-4):.2%} of the hint's values")
        times = {name: [] for name in ways}
        for _ in range(ROUNDS + 1):  # the first round warms up
            for name, way in ways.items():
                times[name].append(timed(way))
    best = {name: min(t[1:]) for name, t in times.items()}
    for name, seconds in best.items():
        print(f"{name:32} {seconds / CLIPS * 1e3:7.2f} ms a clip")
    for part in ("mel", "mel and hint"):
        ratios = [p / o for p, o in zip(times[f"plain: {part}"][1:], times[f"ours: {part}"][1:])]
        print(
            f"ratio, {part}: {best[f'plain: {part}'] / best[f'ours: {part}']:.2f} of the best rounds, {min(ratios):.2f} ... {max(ratios):.2f}"
        )
    share = best["ours: transform and filters"] / best["ours: mel and hint"]
    print(
        f"bound by transform and filters: {share:.0%} of our time; the transform alone {best['ours: transform alone'] / CLIPS * 1e3:.2f} ms"
    )


if __name__ == "__main__":
    main()

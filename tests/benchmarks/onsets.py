"""Onsets and the onset strength curve of a pair of ten-second clips: ours against librosa's, on one core.

    OMP_NUM_THREADS=1 .venv/bin/python tests/benchmarks/onsets.py

Prints, per pair, CPU seconds of both, their ratio, the first call of each (in fresh processes), and whether all onsets are the same.
"""

import subprocess
import sys
import time

import numpy as np

RATE, PAIRS = 22050, 16


def sounds(n: int) -> list[np.ndarray]:
    """Ten seconds each: noise bursts, decaying tones, silence between them."""
    found = []
    for seed in range(n):
        rng, t = np.random.default_rng(seed), np.arange(10 * RATE) / RATE
        wave = rng.normal(0, 10 ** rng.uniform(-5, -2), len(t))
        for start in rng.uniform(0, 10, rng.integers(2, 30)):
            late = np.clip(t - start, 0, None)
            wave += (
                (late > 0)
                * rng.uniform(0.05, 0.5)
                * np.exp(-rng.uniform(3, 40) * late)
                * np.sin(2e3 * rng.uniform(0.5, 4) * late)
            )
        found.append(wave.astype(np.float32))
    return found


def ours(wave):
    import torch

    from bench.metrics.strength import CURVES, strength
    from melqcd.onset import onsets

    tensor = torch.from_numpy(wave)
    return onsets(tensor[None])[0], strength(tensor, CURVES["flux_lin"]).numpy()


def librosas(wave):
    import librosa

    magnitude = np.abs(librosa.stft(wave, n_fft=2048, hop_length=512, center=False))
    flux = np.maximum(0, np.diff(magnitude, axis=1)).sum(0)
    return librosa.onset.onset_detect(y=wave, sr=RATE, units="samples", delta=0.3), np.concatenate([[0], flux])


def seconds(listen, waves) -> float:
    began = time.process_time()
    for wave in waves:
        listen(wave)
    return time.process_time() - began


if __name__ == "__main__":
    if len(sys.argv) > 1:  # a fresh process: everything imported, nothing called yet
        import librosa  # noqa: F401
        import torch  # noqa: F401

        import bench.metrics.strength  # noqa: F401
        import melqcd.onset  # noqa: F401

        print(seconds({"ours": ours, "librosa": librosas}[sys.argv[1]], sounds(1)))
        sys.exit()
    waves = sounds(2 * PAIRS)
    seconds(ours, waves[:1]), seconds(librosas, waves[:1])
    rounds = [
        (seconds(ours, waves) / PAIRS, seconds(librosas, waves) / PAIRS) for _ in range(5)
    ]  # by turns: the machine is shared
    mine, theirs = (min(times) for times in zip(*rounds, strict=True))
    pairs = [(ours(w), librosas(w)) for w in waves]
    same = sum(np.array_equal(a[0], b[0]) for a, b in pairs)
    flux = max(np.abs(a[1] - b[1]).max() / b[1].max() for a, b in pairs)
    print(f"per pair: ours {mine * 1e3:.1f} ms, librosa {theirs * 1e3:.1f} ms, ratio {theirs / mine:.2f}")
    for name in ("ours", "librosa"):
        first = subprocess.run([sys.executable, __file__, name], capture_output=True, text=True, check=True).stdout
        print(f"first call of {name}: {float(first) * 1e3:.0f} ms")
    print(
        f"equal onsets in {same} of {len(waves)} clips ({sum(len(a[0]) for a, _ in pairs)} onsets); flux differs by {flux:.1e} of its peak at most"
    )

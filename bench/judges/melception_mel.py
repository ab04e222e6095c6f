"""What Melception sees of a sound: ten seconds as an 80-band mel picture, standardised band by band."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.errors import Refused
from melqcd.stft import filterbank

RATE = 22050  # Hz, exactly: a 16 kHz file read as this is warped in pitch and time, silently
SAMPLES = 220_500  # ten seconds; shorter sounds are padded with zeros, longer ones cut
N_FFT, HOP, BANDS = 1024, 256, 80
LOW_HZ, HIGH_HZ = 125.0, 7600.0
FRAMES = 860  # of 862
CENTRE = slice(6, 854)  # the 848 columns that the network was trained on
FLOOR = 1e-5  # of mel magnitude


def melception_mel(wave: NDArray) -> NDArray:
    """float32 [80, 860] in [0, 1] from mono `wave` [samples] at 22050 Hz: 0 is -100 dB re 20 dB, row 0 the lowest band.

    Reflected at its ends, as by librosa 0.8, which the network was trained with; zeros there would differ in the first two columns.
    Source: SpecVQGAN feature_extraction/extract_mel_spectrogram.py; metrics.md 3.5.
    """
    wave = np.asarray(wave, np.float32)[:SAMPLES]
    wave = np.pad(np.pad(wave, (0, SAMPLES - len(wave))), N_FFT // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(wave, N_FFT)[::HOP]
    window = np.hanning(N_FFT + 1)[:-1].astype(np.float32)
    magnitude = np.abs(np.fft.rfft(frames * window))
    mel = filterbank(RATE, N_FFT, BANDS, LOW_HZ, HIGH_HZ) @ magnitude.T
    decibels = 20 * np.log10(np.maximum(mel, FLOOR)) - 20
    return np.clip((decibels + 100) / 100, 0, 1)[:, :FRAMES].astype(np.float32)


def standardise(mel: NDArray, means: NDArray, spreads: NDArray) -> NDArray:
    """`mel` [..., 80, frames] less each band's mean, divided by its spread."""
    return ((mel - means[:, None]) / spreads[:, None]).astype(np.float32)


def statistics(path: str | Path) -> tuple[NDArray, NDArray]:
    """(means, spreads), [80] each, from `train_means_stds_melspec_10s_22050hz.txt`, which comes with the network's weights."""
    path = Path(path)
    if not path.is_file():
        raise Refused(f"{path} is missing: Melception needs the two-column statistics file that SpecVQGAN ships with its weights")
    try:
        table = np.loadtxt(path)
    except ValueError as error:
        raise Refused(f"{path} is not a table of numbers: {error}") from error
    if table.shape != (BANDS, 2) or not (np.isfinite(table).all() and (table[:, 1] > 0).all()):
        raise Refused(f"{path} should hold {BANDS} rows of mean and spread (positive), got {table.shape}")
    return table[:, 0], table[:, 1]

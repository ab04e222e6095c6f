"""What AST hears of a sound: ten seconds of Kaldi mels, normalised."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.judges.kaldi_mel import fbank

FRAMES = 1024  # of 10 ms, to which sounds are cut or padded with zeros before normalisation
MEAN, SPREAD = -4.2677393, 4.5689974  # of the log mels that AST was trained on


def ast_mel(wave: NDArray) -> NDArray:
    """float32 [1024, 128] from mono `wave` [samples] at 16 kHz; what is padded becomes 0.467. Source: checkpoints, 7."""
    found = fbank(np.asarray(wave, np.float32))[:FRAMES]
    return ((np.pad(found, ((0, FRAMES - len(found)), (0, 0))) - MEAN) / (2 * SPREAD)).astype(np.float32)

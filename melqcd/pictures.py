"""Pictures as frozen encoders of video are shown them: square and small. Without torch, for processes that only decode."""

from __future__ import annotations

import numpy as np


def squared(picture: np.ndarray, size: int) -> np.ndarray:
    """uint8 [size, size, 3]: `picture` made square with black (the odd pixel below or on the right), then resized, bicubic.

    picture: uint8 [H, W, 3], RGB. Pillow's resize, which smooths when it shrinks; bit for bit what Mel-QCD showed its encoders. A picture
    of that size is given back as it is.
    """
    high, wide = picture.shape[:2]
    if high != wide:
        side = max(high, wide)
        above, left = (side - high) // 2, (side - wide) // 2
        picture = np.pad(picture, ((above, side - high - above), (left, side - wide - left), (0, 0)))
    if len(picture) == size:
        return picture
    from PIL import Image

    return np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BICUBIC))

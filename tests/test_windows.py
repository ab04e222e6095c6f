import numpy as np
import pytest

from bench.windows import covering, join, starts


@pytest.mark.parametrize("frames", [1, 255, 256, 257, 300, 511, 512, 1000, 1024, 5003])
def test_windows_cover_the_clip_and_share_what_was_asked(frames):
    found = starts(frames, 256, overlap=32, step=4)
    assert found[0] == 0
    assert all(s % 4 == 0 for s in found)
    assert frames <= found[-1] + 256 < frames + 4 or found == [0]
    assert all(b - a <= 256 - 32 + 4 for a, b in zip(found, found[1:]))


def test_joining_the_pieces_of_a_sound_gives_the_sound():
    sound = np.sin(np.arange(16000) / 50).astype("float32")
    firsts = [s * 16 for s in starts(1000, 256, overlap=32, step=4)]
    pieces = [np.pad(sound, (0, 4096))[f : f + 4096] for f in firsts]
    assert np.abs(join(pieces, firsts, 16000) - sound).max() < 1e-6


def test_a_step_between_two_windows_becomes_a_ramp():
    joined = join([np.zeros(100), np.ones(100)], [0, 80], 180)
    assert np.all(np.diff(joined[80:100]) > 0)
    assert joined[:80].max() == 0
    assert joined[100:].min() == 1


def test_a_gap_is_refused():
    with pytest.raises(ValueError, match="no window covers samples 100 to 120"):
        join([np.zeros(100), np.zeros(100)], [0, 120], 220)


@pytest.mark.parametrize("samples", [160000, 160001, 160125, 160159, 41000])
def test_a_clip_that_ends_within_a_frame_is_covered_to_its_end(samples):
    """A clip of 10.0078 s failed: its windows covered whole frames only."""
    firsts = covering(samples, 160, 256, overlap=32, step=4)
    assert len(join([np.ones(256 * 160, np.float32)] * len(firsts), [f * 160 for f in firsts], samples)) == samples

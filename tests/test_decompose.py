"""Decomposition, levels, codes, and the reductions of Tables 5 and 6: known answers, inverses, the released code's goldens."""

import numpy as np
import pytest
import torch

from melqcd.decompose import compose, decompose
from melqcd.mel import MelScale, to_image
from melqcd.quantize import from_codes, quantize, to_codes
from melqcd.resample import band_means, fill, mean, smooth, to_slots


def bands(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_composing_undoes_decomposing():
    x = bands(2, 8, 50)
    torch.testing.assert_close(compose(*decompose(x)), x)


def test_shapes_have_mean_0_and_deviation_1():
    shape, energy, deviation = decompose(bands(8, 50))
    torch.testing.assert_close(shape.mean(-2), torch.zeros(50), atol=1e-5, rtol=0)
    torch.testing.assert_close(shape.square().mean(-2), torch.ones(50))
    assert energy.shape == deviation.shape == (50,)


def test_energy_and_deviation_of_a_column_known_by_hand():
    shape, energy, deviation = decompose(torch.tensor([[1.0], [3.0]]))
    assert (energy.item(), deviation.item()) == (2, 1)  # the population's deviation, not the sample's 1.41
    assert shape[:, 0].tolist() == [-1, 1]


def test_a_constant_column_has_no_shape_even_with_float_noise():
    shape, _, deviation = decompose(torch.full((8, 3), 0.685) + torch.tensor([0.0, 6e-8, 1e-7]) * torch.arange(8)[:, None])
    assert deviation.tolist() == [0, 0, 0]
    assert shape.eq(0).all()


def test_levels_are_rounded_half_to_even_and_clamped():
    shape = torch.tensor([[-2.6, -1.5, -0.5, 0.49, 0.5, 0.51, 1.5, 9.0]]).T
    assert quantize(shape, 1)[:, 0].tolist() == [-1, -1, 0, 0, 0, 1, 1, 1]
    assert quantize(shape, 2)[:, 0].tolist() == [-2, -2, 0, 0, 0, 1, 2, 2]


def test_the_first_band_is_the_least_significant_digit():
    levels = torch.tensor([1.0, 0, -1, -1])[:, None]
    assert to_codes(levels, 1, 4).item() == 2 * 1 + 1 * 3 + 0 * 9 + 0 * 27


@pytest.mark.parametrize(("bound", "group"), [(1, 4), (2, 4), (3, 2), (1, 1)])
def test_every_code_goes_there_and_back(bound, group):
    codes = torch.arange((2 * bound + 1) ** group)[None, None]
    levels = from_codes(codes, bound, group)
    assert levels.shape == (1, group, codes.shape[-1])
    assert levels.abs().max() == bound
    assert torch.equal(to_codes(levels, bound, group), codes)


def test_codes_of_sixteen_bands_name_groups_from_the_top():
    levels = quantize(bands(3, 16, 20) * 4 - 2, 1)
    codes = to_codes(levels, 1, 4)
    assert codes.shape == (3, 4, 20)
    assert torch.equal(to_codes(levels[:, 4:8], 1, 4), codes[:, 1:2])
    assert torch.equal(from_codes(codes, 1, 4), levels)


@pytest.mark.parametrize("clip", ["184825_0", "185302_0", "191517_0", "194394_0"])
def test_codes_and_hint_of_a_real_mel_are_the_released_ones(clip, shared):
    golden = np.load(shared / f"goldens/checkpoints/control_direct_{clip}.npz")
    image = to_image(torch.from_numpy(golden["mel"]), MelScale())
    shape, energy, deviation = decompose(band_means(image, 8))
    levels = quantize(shape, 1)
    # columns from 1000 on are padding of one value, whose released codes are float noise of a deviation of 6e-8
    np.testing.assert_array_equal(to_codes(levels, 1, 4)[:, :1000].T, golden["code"][:1000])
    np.testing.assert_array_equal(levels[:, :1000].T, golden["S"][:1000])
    np.testing.assert_allclose(energy, golden["Mean"], atol=1e-6)
    np.testing.assert_allclose(deviation, golden["Std"], atol=1e-6)
    hint = fill(compose(levels, energy, deviation), 256, 1024) * 2 - 1
    np.testing.assert_allclose(hint, golden["control_aligned"], atol=1e-5)


def test_slots_take_the_first_the_mean_or_the_smoothed_first_frame():
    x = torch.arange(10.0)[None, None]
    frames = torch.tensor([10])
    assert to_slots(x, 4, frames)[0, 0].tolist() == [0, 4, 8]
    assert to_slots(x, 4, frames, temporal="mean")[0, 0].tolist() == [1.5, 5.5, 8.5]
    torch.testing.assert_close(to_slots(x, 4, frames, temporal="smooth")[0, 0], torch.tensor([0.0, 4, 8]))  # a line stays a line
    with pytest.raises(ValueError, match="temporal"):
        to_slots(x, 4, frames, temporal="max")


def test_a_mean_counts_only_frames_inside_the_clip():
    x = torch.ones(2, 3, 10)
    x[:, :, 6:] = -100
    found = mean(x, 4, torch.tensor([6, 4]))
    assert found[0, 0].tolist() == [1, 1, -100]
    assert found[1, 0].tolist() == [1, 1, -100]  # beyond a clip: the first frame of the slot


@pytest.mark.parametrize(("window", "order", "length"), [(9, 2, 40), (5, 3, 5), (7, 0, 20), (1, 0, 6)])
def test_smoothing_is_scipy_s(window, order, length):
    from scipy.signal import savgol_filter

    x = bands(2, 3, length).double()
    expected = savgol_filter(x.numpy(), window, order)
    np.testing.assert_allclose(smooth(x, window, order, torch.tensor([length] * 2)), expected, atol=1e-12)


def test_smoothing_ends_where_the_clip_ends():
    x = bands(3, 2, 30)
    frames = torch.tensor([30, 17, 4])
    together = smooth(x, 9, 2, frames)
    for row, n in enumerate(frames.tolist()):
        alone = smooth(x[row : row + 1, :, :n], 9, 2, torch.tensor([n]))
        torch.testing.assert_close(together[row, :, :n], alone[0])
        assert torch.equal(together[row, :, n:], x[row, :, n:])
    torch.testing.assert_close(smooth(x, 9, 2, frames, step=4), together[..., ::4])


def test_filling_repeats_bands_and_slots():
    picture = fill(torch.tensor([[[1.0, 2], [3, 4]]]), 4, 3)
    assert picture[0].tolist() == [[1, 1, 2], [1, 1, 2], [3, 3, 4], [3, 3, 4]]


def test_sparse_filling_lights_one_bin_of_each_band():
    picture = fill(bands(1, 8, 256) + 1, 64, 1024, sparse=True)[0]
    assert ((picture > 0).sum(0) == 8).all()
    torch.testing.assert_close(picture[4::8], fill(bands(1, 8, 256) + 1, 8, 1024)[0])


def test_band_means_undo_filling():
    x = bands(2, 8, 256)
    torch.testing.assert_close(band_means(fill(x, 64, 1024), 8)[..., ::4], x)


@pytest.mark.parametrize(("slots", "frames"), [(100, 1024), (0, 8), (7, 16)])
def test_slots_that_do_not_fit_the_picture_are_refused(slots, frames):
    with pytest.raises(ValueError, match=f"{slots} slots do not fit {frames} frames"):
        fill(torch.zeros(1, 8, slots), 64, frames)


def test_bands_that_do_not_divide_the_bins_are_refused():
    with pytest.raises(ValueError, match="64 mel bins do not divide into 7"):
        band_means(torch.zeros(64, 4), 7)
    with pytest.raises(ValueError, match="7 bands cannot fill 64"):
        fill(torch.zeros(1, 7, 4), 64, 16)


@pytest.mark.parametrize("clip", ["184825_0", "194394_0"])
def test_the_control_itself_gives_the_released_codes_and_hint(clip, shared):
    from controls import Batch, load

    golden = np.load(shared / f"goldens/checkpoints/control_direct_{clip}.npz")
    mel = torch.from_numpy(golden["mel"])[None]
    batch = Batch(torch.zeros(1, 1024 * 160), torch.tensor([1024 * 160]), mel, MelScale(), step=1)
    control = load("melqcd")()
    signal = control.extract(batch)
    np.testing.assert_array_equal(signal["code"][0, :, :1000].T, golden["code"][:1000])
    np.testing.assert_allclose(control.render(signal, MelScale())[0] * 2 - 1, golden["control_aligned"], atol=1e-5)
    quarter = control.extract(Batch(batch.wave, batch.samples, mel, MelScale(), step=4))
    assert all(torch.equal(quarter[name], signal[name][..., ::4]) for name in signal)

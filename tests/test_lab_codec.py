"""The lab's codec: codebooks that learn."""

import pytest
import torch

from bench.lab.networks.books import begin, kmeans, move, quantised
from bench.lab.networks.codec import Codec
from melqcd.settings import Training

LITTLE = Codec(filters=2, width=8, codes=16, frames=12, free=0.5, training=Training(steps=4, batch=4, lr=1e-3))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return LITTLE.build()


def test_codebooks_begin_at_the_centres_of_their_points(model):
    corners = torch.randn(16, 8, generator=torch.Generator().manual_seed(1)) * 10
    points = corners.repeat(50, 1)
    centres, code = kmeans(points, 16, torch.Generator().manual_seed(0), rounds=40)
    assert (centres[code] - points).abs().max() < 1e-3
    begin(model, points, per_step=100, seed=0)
    left = points - model.quantizer.layers[0].codebook.embed[model.quantizer.layers[0].codebook.quantize(points)]
    assert left.square().mean() < 0.2 * points.square().mean()


def test_codes_follow_their_points_and_idle_ones_are_taken_up_anew(model):
    book = model.quantizer.layers[0].codebook
    begin(model, torch.randn(200, 8), per_step=100, seed=0)
    point = torch.full((100, 8), 30.0)
    for _ in range(300):
        move(book, point, book.quantize(point))
    assert (book.embed[book.quantize(point[:1])] - 30).abs().max() < 1e-2
    assert ((book.embed - 30).abs().amax(1) < 1e-2).sum() > 1  # idle codes became points of the batch


def test_gradients_pass_the_codes_and_books_can_be_left_out(model):
    begin(model, torch.randn(200, 8), per_step=100, seed=0)
    z = torch.randn(2, 8, 5, requires_grad=True)
    found, commitment = quantised(model, z, torch.tensor([1, 4]), learn=False)
    found.sum().backward()
    assert torch.equal(z.grad, torch.ones_like(z))
    codes = model.quantizer.encode(z.detach())
    torch.testing.assert_close(found[0], model.quantizer.decode(codes[:1, :1])[0])
    torch.testing.assert_close(found[1], model.quantizer.decode(codes[:, 1:])[0])
    assert commitment.shape == (2,)

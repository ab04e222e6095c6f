"""The lab's codec: codebooks that learn, a stage that can be interrupted, and the weights that are shipped."""

import json

import numpy as np
import pytest
import torch
from by_hand import Once, made

from bench.data.lab import Lab
from bench.errors import Stopped
from bench.lab.networks.books import begin, kmeans, move, quantised
from bench.lab.networks.codec import Codec, codec, even
from bench.lab.pools import Pool, pool
from bench.weights import LAB
from controls.base import Batch
from controls.encodec import EnCodec
from melqcd.codec import CodecSize, load_codec
from melqcd.mel import Lab as Scale
from melqcd.mel import to_image
from melqcd.settings import Training

LITTLE = Codec(filters=2, width=8, codes=16, frames=12, free=0.5, training=Training(steps=4, batch=4, lr=1e-3))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return made(pool, tmp_path_factory.mktemp("pool"), Lab(pool="backbone", train=15, test=15), Scale(), 0)


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


@torch.no_grad()
def test_the_encoder_tells_sounds_apart_before_it_is_trained(model, data):
    wave = torch.from_numpy(np.array(Pool(data).wave[:8, :3840], np.float32) / 32767)[:, None]
    before = model.encoder(wave).std(0).mean()
    even(model, wave)
    after = model.encoder(wave).std(0).mean()
    assert after > 100 * before
    assert float(model.decoder(model.encoder(wave)).std() / wave.std()) == pytest.approx(1, abs=0.01)


def test_an_interrupted_codec_is_the_one_that_nobody_disturbed(data, tmp_path):
    whole = made(codec, tmp_path / "whole", LITTLE, data)
    with pytest.raises(Stopped):
        made(codec, tmp_path / "cut", LITTLE, data, ctx=Once(2))
    again = made(codec, tmp_path / "cut", LITTLE, data)
    one, other = (load_codec(folder).model.state_dict() for folder in (whole, again))
    assert all(torch.equal(one[k], other[k]) for k in one)
    card = json.loads((whole / "card.json").read_text())
    assert card["steps"] == 4
    assert [name for name in card["quality"] if name.startswith("mel error through")] == [
        "mel error through 1 book, nats",
        "mel error through 2 books, nats",
        "mel error through 4 books, nats",
    ]
    assert CodecSize.at(whole) == CodecSize(codes=16, books=4)


def test_the_shipped_codec_tells_sounds_apart(data):
    quality = json.loads((LAB / "codec" / "card.json").read_text())["quality"]
    one, two, four = (quality[f"mel error through {n}, nats"] for n in ("1 book", "2 books", "4 books"))
    # after 300 steps books 2 to 4 add nothing that this measures (card.json), so their order is not asked for
    assert max(one, two, four) < 0.5 * quality["mel error of silence instead, nats"]
    assert EnCodec().complexity().bits == 30
    clips, scale = Pool(data), Scale()
    wave = torch.from_numpy(np.array(clips.wave[:15], np.float32) / 32767)
    batch = Batch.of(wave, scale, samples=torch.from_numpy(np.array(clips.samples[:15])).long())
    true = EnCodec(codebooks=2).render(EnCodec(codebooks=2).extract(batch), scale)
    real = to_image(batch.mel, scale)
    own, neighbours = (float((hint - real).abs().mean()) for hint in (true, true.roll(1, 0)))
    assert own < 0.7 * neighbours

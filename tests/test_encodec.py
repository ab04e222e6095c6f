"""EnCodec's codes as a control signal: the codec against the reference, the slots against the codec."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from bench.identity import digest
from bench.lab.networks.codec import even
from controls.base import Batch
from controls.contract import check, sounds
from controls.encodec import EnCodec
from melqcd.codec import CodecSize, load_codec
from melqcd.mel import Lab, MelScale, to_image
from melqcd.rates import resample


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A folder with a seeded codec of four filters: 75 frames a second, four books of 1024."""
    from transformers import EncodecConfig, EncodecModel

    torch.manual_seed(0)
    sizes = {"num_filters": 4, "hidden_size": 16, "num_lstm_layers": 1}
    model = EncodecModel(EncodecConfig(target_bandwidths=[0.75, 1.5, 3.0], **sizes))
    for layer in model.quantizer.layers:
        layer.codebook.embed.copy_(torch.randn(1024, 16))
    even(model, torch.randn(4, 1, 24000))  # as drawn, it hears no difference between beats and a chord: one code for all
    folder = tmp_path_factory.mktemp("codec")
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def released(shared, detfill):
    """(state under the original's names, what the reference said) of the seeded 24 kHz network."""
    folder = shared / "goldens" / "checkpoints"
    manifest = detfill.load_manifest(folder / "manifests" / "encodec_24khz_original.json")
    state = {k: torch.from_numpy(v) for k, v in detfill.fill_manifest(manifest).items()}
    state |= {k: torch.ones(e["shape"]) for k, e in manifest["entries"].items() if k.endswith("inited")}
    return state, np.load(folder / "encodec_24khz.npz")


def test_the_published_codec_says_what_it_said(released, tmp_path):
    state, said = released
    torch.save(state, tmp_path / "encodec_24khz-d7cc33bc.th")
    codec = load_codec(tmp_path / "encodec_24khz-d7cc33bc.th")
    wave = torch.from_numpy(said["wav"])[:, 0]
    codes = codec.encode(wave, 32)
    assert np.array_equal(codes.numpy(), said["codes"])
    for books, name in ((32, "decoded32"), (1, "decoded1"), (2, "decoded2")):
        found = codec.decode(codes[:, :books]).numpy()
        assert np.abs(found - said[name][:, 0]).max() / said[name].std() < 2e-4  # goldens/checkpoints/README.md
    assert EnCodec(path=str(tmp_path / "encodec_24khz-d7cc33bc.th")).complexity().codes == 1024**3


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")  # theirs
def test_codes_equal_those_of_the_encodec_package(released, tmp_path):
    package = pytest.importorskip(
        "encodec", reason="the package encodec is an optional extra and not installed", exc_type=ImportError
    )
    state, said = released
    model = package.EncodecModel.encodec_model_24khz(pretrained=False)
    model.load_state_dict(state)
    model.set_target_bandwidth(24.0)
    torch.save(state, tmp_path / "encodec_24khz-d7cc33bc.th")
    ours, noise = load_codec(tmp_path / "encodec_24khz-d7cc33bc.th"), 0.1 * torch.randn(2, 24000, generator=torch.manual_seed(0))
    for wave in (torch.from_numpy(said["wav"])[:, 0], noise):
        with torch.no_grad():
            ((codes, _),) = model.eval().encode(wave[:, None])
        assert torch.equal(ours.encode(wave, 32), codes)


@pytest.mark.parametrize("hint", ["mel", "embeddings"])
@pytest.mark.parametrize("codebooks", [1, 2])
def test_the_contract_holds(small, codebooks, hint):
    found = check(EnCodec(codebooks=codebooks, hint=hint, path=str(small)))
    assert [(rule, detail) for rule, ok, detail in found if not ok] == []


def test_a_slot_has_three_codes_a_codebook(small):
    batch = sounds(Lab())
    control = EnCodec(codebooks=2, path=str(small))
    code = control.extract(batch)["code"]
    assert code.shape == (7, 6, 64)
    wave = resample(batch.wave[:1] / batch.wave[:1].abs().max() * 0.95, 16000, 24000)
    codes = load_codec(small).encode(wave, 2)
    assert torch.equal(code[0, :3].T.flatten(), codes[0, 0])
    assert torch.equal(code[0, 3:].T.flatten(), codes[0, 1])


def test_the_first_books_are_those_of_an_encode_with_fewer(small):
    batch = sounds(Lab())
    most = EnCodec(codebooks=4, path=str(small)).extract(batch)["code"]
    for k in (1, 2, 3):
        assert torch.equal(EnCodec(codebooks=k, path=str(small)).extract(batch)["code"], most[:, : 3 * k])


def test_both_rates_of_slots_hold_the_same_codes(small):
    control, scale = EnCodec(codebooks=2, path=str(small)), Lab()
    hints = [control.render(control.extract(sounds(scale, step=step)), scale) for step in (4, 1)]
    assert torch.equal(*hints)


def test_the_hint_is_the_mel_of_what_the_codes_decode_to(small):
    from dataclasses import replace

    from melqcd.mel import log_mel

    scale, batch = Lab(), sounds(Lab())
    control = EnCodec(codebooks=4, path=str(small))
    codec = load_codec(small)
    wave = resample(batch.wave[:1] / batch.wave[:1].abs().max() * 0.95, 16000, 24000)
    heard = resample(codec.decode(codec.encode(wave, 4)), 24000, 16000)
    picture = to_image(log_mel(heard, replace(scale, peak=0.0)), scale)
    torch.testing.assert_close(control.render(control.extract(batch), scale)[:1], picture, rtol=0, atol=1e-3)


def test_windows_of_a_clip_and_clips_of_a_batch_are_drawn(small):
    scale = MelScale(bins=64, frames=128)
    code = torch.randint(1024, (10, 3, 32), generator=torch.Generator().manual_seed(0))
    control = EnCodec(path=str(small))
    together = control.render({"code": code}, scale)
    assert together.shape == (10, 64, 128)
    for row in (0, 9):
        torch.testing.assert_close(control.render({"code": code[row : row + 1]}, scale)[0], together[row], rtol=0, atol=1e-4)
    with pytest.raises(ValueError, match="slots do not fit"):
        control.render({"code": code[..., :31]}, scale)


def test_a_book_of_1024_costs_thirty_bits_a_slot(small):
    one, two = (EnCodec(codebooks=k, path=str(small)).complexity() for k in (1, 2))
    assert (one.codes, one.bits, one.reals) == (1024**3, 30.0, 0)
    assert (two.codes, two.bits) == (1024**6, 60.0)


def test_the_key_is_the_codecs_content_and_not_its_place(small, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(small, copy)
    assert digest(EnCodec(path=str(copy))) == digest(EnCodec(path=str(small)))
    assert digest(EnCodec(path=str(copy), codebooks=2)) != digest(EnCodec(path=str(small)))
    state = load_codec(copy).model.state_dict()
    state["quantizer.layers.0.codebook.embed"] += 1
    save_file(state, copy / "model.safetensors")
    assert digest(EnCodec(path=str(copy))) != digest(EnCodec(path=str(small)))


def test_codecs_that_do_not_fit_are_refused_by_name(small, tmp_path):
    with pytest.raises(ValueError, match=r"control\.path: there is no codec at .*nowhere"):
        EnCodec(path=str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match=r"codebooks must be at most 4"):
        EnCodec(codebooks=5, path=str(small))
    with pytest.raises(ValueError, match=r"holds no codec: config\.json is missing"):
        EnCodec(path=str(tmp_path))
    whole = (small / "model.safetensors").read_bytes()
    told = json.loads((small / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(told))
    (tmp_path / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"model\.safetensors is cut off"):
        load_codec(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(whole)
    (tmp_path / "config.json").write_text(json.dumps(told | {"num_filters": 8}))
    with pytest.raises(ValueError, match=r"model\.safetensors does not fit EncodecModel\. .* of another shape"):
        load_codec(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(told | {"sampling_rate": 48000}))
    with pytest.raises(ValueError, match=r"150 frames a second, this signal needs 75"):
        EnCodec(path=str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps(told | {"model_type": "clip"}))
    with pytest.raises(ValueError, match=r"config\.json does not describe an EnCodec model"):
        CodecSize.at(tmp_path)
    (tmp_path / "codec.th").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(ValueError, match=r"codec\.th is cut off"):
        load_codec(tmp_path / "codec.th")


def test_a_clip_shorter_than_a_frame_has_no_slot(small):
    batch = Batch.of(torch.full((1, 80), 0.1), Lab())
    assert EnCodec(path=str(small)).extract(batch)["code"].shape == (1, 3, 0)


def test_another_rate_keeps_a_tone_and_its_length():
    at = torch.arange(16000) / 16000
    tone = torch.sin(2 * torch.pi * 440 * at)
    up = resample(tone[None], 16000, 24000)
    assert up.shape == (1, 24000)
    # away from the ends, where the sound before and after is silence
    assert (up[0, 500:-500] - torch.sin(2 * torch.pi * 440 * torch.arange(24000) / 24000)[500:-500]).abs().max() < 1e-3
    assert (resample(up, 24000, 16000)[0] - tone)[500:-500].abs().max() < 1e-3
    assert resample(torch.zeros(2, 7), 16000, 24000).shape == (2, 11)
    high = torch.sin(2 * torch.pi * 9000 * torch.arange(24000) / 24000)
    assert resample(high, 24000, 16000)[500:-500].abs().max() < 1e-2  # above the new Nyquist frequency: gone

"""EnCodec from either of its layouts: sound to residual codes, and the first codebooks back to vectors and sound."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import EncodecConfig, EncodecModel

MARGIN = 24000  # samples of silence after a clip: what a short clip reflects at its beginning is then the same in any batch
# the original module's names and transformers' (checkpoints.md, section 6)
RENAMED = (
    ("encoder.model.", "encoder.layers."),
    ("decoder.model.", "decoder.layers."),
    (".conv.conv.", ".conv."),
    (".convtr.convtr.", ".conv."),
    ("quantizer.vq.layers.", "quantizer.layers."),
    ("._codebook.", ".codebook."),
)
NORMED = (("weight_g", "parametrizations.weight.original0"), ("weight_v", "parametrizations.weight.original1"))


@dataclass(frozen=True)
class CodecSize:
    """What a codec's codes are, known without opening its weights."""

    codes: int = 1024  # in a codebook
    books: int = 32  # residual codebooks
    rate: int = 24000  # Hz
    hop: int = 320  # samples of a frame

    @classmethod
    def at(cls, path: Path) -> CodecSize:
        """That of the folder or file at `path`; a file without config.json beside it is the published 24 kHz codec's.

        Raises FileNotFoundError where nothing is there, ValueError naming the file where config.json is missing or not EnCodec's.
        """
        about = _config_file(path)
        if about is None:
            return cls()
        try:
            told = json.loads(about.read_text())
            if told["model_type"] != "encodec":
                raise ValueError(f"its model_type is {told['model_type']!r}")
            codes, rate = told["codebook_size"], told["sampling_rate"]
            hop = 1
            for ratio in told["upsampling_ratios"]:
                hop *= ratio
            books = int(1000 * told["target_bandwidths"][-1] // (-(-rate // hop) * (codes - 1).bit_length()))
        except (KeyError, TypeError, IndexError, ValueError) as error:
            raise ValueError(f"{about} does not describe an EnCodec model: {error}") from error
        if told.get("audio_channels") != 1 or told.get("normalize") or told.get("chunk_length_s"):
            raise ValueError(f"{about} is of another EnCodec: a mono codec without normalisation and segments is needed (24 kHz)")
        return cls(codes, books, rate, hop)


class Codec:
    """EnCodec's parts, as far as a control signal needs them; no gradients."""

    def __init__(self, model: EncodecModel):
        self.model: Any = model.eval().requires_grad_(False)  # transformers' types do not tell its buffers from its modules
        self.rate, self.hop = model.config.sampling_rate, model.config.hop_length

    def encode(self, wave: Tensor, books: int) -> Tensor:
        """The codes [B, books, ceil(N / hop)] of `wave` [B, N], mono at `rate`; greedy, so the first books are those of fewer.

        Followed by silence, so a clip's codes do not depend on what it is padded to in a batch.
        """
        import torch
        from torch.nn.functional import pad

        frames = -(-wave.shape[-1] // self.hop)
        with torch.no_grad():
            end = (frames + -(-MARGIN // self.hop)) * self.hop
            residual = self.model.encoder(pad(wave, (0, end - wave.shape[-1]))[:, None])[..., :frames]
            codes = []
            for layer in self.model.quantizer.layers[:books]:
                codes.append(layer.encode(residual))
                residual = residual - layer.decode(codes[-1])
            return torch.stack(codes, 1)

    def vectors(self, codes: Tensor) -> Tensor:
        """[B, D, T], the sum over the books of what `codes` [B, books, T] stand for."""
        import torch

        with torch.no_grad():
            return self.model.quantizer.decode(codes.transpose(0, 1))

    def decode(self, codes: Tensor) -> Tensor:
        """The sound [B, T hop] that `codes` [B, books, T] stand for."""
        import torch

        with torch.no_grad():
            return self.model.decoder(self.vectors(codes))[:, 0]

    def spread(self, books: int) -> tuple[Tensor, Tensor]:
        """Mean and deviation [D] of the sum of one vector of each of the first `books`, every code as likely and independent."""
        import torch

        tables = torch.stack([layer.codebook.embed for layer in self.model.quantizer.layers[:books]])
        return tables.mean(1).sum(0), tables.var(1, correction=0).sum(0).sqrt()


def load_codec(path: Path) -> Codec:
    """The codec in a folder of the Hugging Face layout, or in a file of that or of the original one (encodec_24khz-d7cc33bc.th).

    Raises FileNotFoundError, and ValueError naming the file where it is damaged, holds code or is of another network.
    """
    from melqcd.checkpoints import load_weights, read_weights

    CodecSize.at(path)
    file = path
    if path.is_dir():
        known = [path / name for name in ("model.safetensors", "pytorch_model.bin")]
        file = next((p for p in known if p.is_file()), known[0])
    state = renamed(read_weights(file))
    model: Any = _empty(_config(path))
    load_weights(model, {name: tensor.float() for name, tensor in state.items()}, file)
    for k, layer in enumerate(model.quantizer.layers):
        if not bool(layer.codebook.inited.all()):
            raise ValueError(f"{file}: codebook {k} was never trained (inited is 0)")
    return Codec(model)


def renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """`state` under the names of a live transformers module, from the original's, the Hub's or its own."""

    def new(name: str) -> str:
        for before, after in RENAMED:
            name = name.replace(before, after)
        for before, after in NORMED:
            if name.endswith(before):
                name = name.removesuffix(before) + after
        return name

    return {new(name): tensor for name, tensor in state.items()}


def _config_file(path: Path) -> Path | None:
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise ValueError(f"{path} holds no codec: config.json is missing")
        return path / "config.json"
    if not path.is_file():
        raise FileNotFoundError(f"no codec at {path}")
    beside = path.with_name("config.json")
    return beside if path.suffix == ".safetensors" and beside.is_file() else None


def _config(path: Path) -> EncodecConfig:
    from transformers import EncodecConfig

    about = _config_file(path)
    return EncodecConfig(**json.loads(about.read_text())) if about else EncodecConfig()


def _empty(config: EncodecConfig) -> EncodecModel:
    """The network without the time that drawing its weights at random takes; its sizes of padding lie in no file and are kept."""
    from transformers import EncodecModel
    from transformers.initialization import no_init_weights

    with no_init_weights():
        return EncodecModel(config)

"""Published classifiers as judges: Melception, PANNs' Cnn14 at two rates, VGGSound's ResNet18 in two forms, AST."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from bench.errors import Refused
from bench.judges.published import Classifier, Hearing
from bench.weights import weights

SHORTEST = 16 * 320  # samples at 32 kHz of PANNs' five halvings in time; shorter sounds are followed by silence


@dataclass(frozen=True)
class Melception(Classifier):
    """FID, MKL and Class ACC as SpecVQGAN and Diff-Foley measure them: ten seconds, all 860 columns, 309 classes of VGGSound."""

    # the two columns of means and deviations that SpecVQGAN ships; "": train_means_stds_melspec_10s_22050hz.txt beside the weights
    statistics: str = field(default="", metadata={"key": False})

    name: ClassVar[str] = "melception"
    rate: ClassVar[int] = 22050
    sizes: ClassVar = {"features": 2048, "logits": 309}

    def table(self) -> Path:
        """Of the means and deviations."""
        beside = self.weights().with_name("train_means_stds_melspec_10s_22050hz.txt")
        return weights(self.statistics, "judges.melception.statistics") if self.statistics else beside

    def identity(self) -> dict[str, Any]:
        from bench.weights import content

        return super().identity() | {"statistics": content(self.table())}

    def load(self, device: str) -> Hearing:
        import torch

        from bench.judges.melception_mel import melception_mel, standardise, statistics
        from bench.judges.melception_net import load_melception

        net = load_melception(self.weights(), allow_pickle=self.allow_pickle).to(device)
        means, spreads = statistics(self.table())

        def hear(wave, _):
            mel = torch.from_numpy(standardise(melception_mel(wave), means, spreads))[None].to(device)
            features, logits = net(mel)
            return {"features": features.cpu().numpy(), "logits": logits.cpu().numpy()}

        return hear


@dataclass(frozen=True)
class Panns16k(Classifier):
    """FD and KL on PANNs' Cnn14 at 16 kHz, as av-benchmark: the wave less its mean, 527 classes of AudioSet."""

    name: ClassVar[str] = "panns16k"
    sizes: ClassVar = {"features": 2048, "logits": 527}
    count: ClassVar[int] = 527

    def load(self, device: str) -> Hearing:
        import numpy as np
        import torch

        from bench.judges.panns_net import load_panns

        net = load_panns(self.weights(), self.rate, allow_pickle=self.allow_pickle).to(device)
        shortest = SHORTEST * 2 * self.rate // 32000

        def hear(wave, _):
            wave = np.pad(wave, (0, max(0, shortest - len(wave))))
            features, logits = net(torch.from_numpy(wave - wave.mean())[None].to(device))
            return {"features": features.cpu().numpy(), "logits": logits.cpu().numpy()}

        return hear


@dataclass(frozen=True)
class Panns32k(Panns16k):
    """FD and KL on PANNs' Cnn14 at 32 kHz, 527 classes of AudioSet. Other numbers than at 16 kHz."""

    name: ClassVar[str] = "panns32k"
    rate: ClassVar[int] = 32000


@dataclass(frozen=True)
class VGGSoundMean(Classifier):
    """VGGSound's own classifier, H.pth.tar: ResNet18 with the mean over places; 309 classes."""

    name: ClassVar[str] = "vggsound"
    sizes: ClassVar = {"features": 512, "logits": 309}
    vlad: ClassVar[bool] = False

    def load(self, device: str) -> Hearing:
        import torch

        from bench.judges.vggsound_net import load_vggsound, vggsound_mel

        net = load_vggsound(self.weights(), allow_pickle=self.allow_pickle).to(device)
        if net.vlad != self.vlad:
            here, other = ("NetVLAD", "vggsound_vlad") if net.vlad else ("the mean over places", "vggsound")
            raise ValueError(f"{self.weights()} ends in {here}: that is judge {other}")

        def hear(wave, _):
            features, logits = net(torch.from_numpy(vggsound_mel(wave))[None, None].to(device))
            return {"features": features.cpu().numpy(), "logits": logits.cpu().numpy()}

        return hear


@dataclass(frozen=True)
class VGGSoundVLAD(VGGSoundMean):
    """VGGSound's own classifier, I.pth.tar: ResNet18 with NetVLAD; 309 classes."""

    name: ClassVar[str] = "vggsound_vlad"
    sizes: ClassVar = {"features": 8192, "logits": 309}
    vlad: ClassVar[bool] = True


@dataclass(frozen=True)
class AST(Classifier):
    """AST fine-tuned on AudioSet, from a Hugging Face folder, whose config.json names the classes."""

    name: ClassVar[str] = "ast"
    outputs: ClassVar[tuple[str, ...]] = ("features", "logits")  # their sizes are told by config.json

    def _config(self) -> dict[str, Any]:
        place = self.weights() / "config.json"
        if not place.is_file():
            raise Refused(f"judges.ast.path: {self.weights()} holds no AST: config.json and model.safetensors are needed")
        return json.loads(place.read_text())

    @property
    def provides(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        config = self._config()
        return {"features": ("float32", (int(config.get("hidden_size", 768)),)), "logits": ("float32", (len(self.classes()),))}

    def classes(self) -> tuple[str, ...]:
        named = self._config().get("id2label", {})
        if not named:
            raise Refused(f"judges.ast.path: {self.weights()}/config.json names no classes (id2label)")
        return tuple(named[str(i)] for i in range(len(named)))

    def load(self, device: str) -> Hearing:
        import torch

        from bench.judges.ast_mel import ast_mel
        from bench.judges.lab import load_classifier

        net = load_classifier(self.weights())
        net.to(device)  # type: ignore[arg-type]

        def hear(wave, _):
            pooled = net.audio_spectrogram_transformer(torch.from_numpy(ast_mel(wave))[None].to(device)).pooler_output
            return {"features": pooled.cpu().numpy(), "logits": net.classifier(pooled).cpu().numpy()}

        return hear

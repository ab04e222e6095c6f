"""The checkpoints that components know how to read, one entry each. Facts from the specification of checkpoints and the licences' table.

Sizes are of float32 weights, from the numbers of parameters; files in half precision have half of it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class File:
    """One file of a checkpoint. names: as published, alternatives in order of preference, relative to the folder.

    sections: ((table, prefix), ...): which tables of names and shapes it holds, below which prefix. inside: names it may be nested under.
    """

    names: tuple[str, ...]
    mb: int  # of 1,000,000 bytes, in float32
    sections: tuple[tuple[str, str], ...] = ()
    inside: tuple[str, ...] = ()
    optional: bool = False
    extra: tuple[str, ...] = ()  # parts of names that a file may hold beside: of another network, or never used


@dataclass(frozen=True)
class Known:
    """A published checkpoint. folder: a component's path names the folder of its files, otherwise the one file."""

    id: str
    serves: str  # words that take it, and for what
    files: tuple[File, ...]
    licence: str
    source: str  # where it is to be had
    hub: str = ""  # its id on the Hugging Face hub, where it has one
    folder: bool = False
    free: bool = True  # may be used commercially

    @property
    def mb(self) -> int:
        return sum(f.mb for f in self.files if not f.optional)


def _weights(folder: str, stem: str) -> tuple[str, ...]:
    """The names under which diffusers and transformers write weights, the safe format first, then half precision."""
    names = (f"{stem}.safetensors", f"{stem}.fp16.safetensors", f"{stem}.bin", f"{stem}.fp16.bin")
    return tuple(f"{folder}/{n}" if folder else n for n in names)


_SD = (
    File(_weights("unet", "diffusion_pytorch_model"), 3438, (("sd_unet", ""),)),
    File(("unet/config.json",), 0),
    File(_weights("vae", "diffusion_pytorch_model"), 335, (("sd_vae", ""),)),
    File(("vae/config.json",), 0),
    File(("scheduler/scheduler_config.json",), 0),
    File(("vocoder/vocoder.safetensors", "vocoder/vocoder.pt"), 227, (("hifigan", ""),), ("generator",)),
    File(("vocoder/config.json",), 0),
)
_CLIP_HALF = ("vision_model.", "visual_projection.", "text_projection.", "logit_scale", "position_ids")  # what else CLIP has
_TEXT = (("clip_text", ""),)
_AUFFUSION = {
    "licence": "CC BY-NC-SA 4.0", "free": False, "folder": True,
    "serves": "backbone=auffusion: text to sound",
}  # fmt: skip


def _adapted() -> tuple[File, ...]:
    return (
        *_SD,
        File((*_weights("text_encoder_0", "model"), "text_encoder_0/pytorch_model.bin"), 492, _TEXT, extra=_CLIP_HALF),
        File(("text_encoder_0/config.json",), 0),
        File(("text_encoder_0/tokenizer.json", "text_encoder_0/vocab.json"), 0),
        File(("condition_adapter_0/condition_adapter.safetensors", "condition_adapter_0/condition_adapter.pt"), 2,
             (("auffusion_adapter", ""),)),
        File(("condition_config.json",), 0),
    )  # fmt: skip


def _plain() -> tuple[File, ...]:
    return (
        *_SD,
        File((*_weights("text_encoder", "model"), "text_encoder/pytorch_model.bin"), 492, _TEXT, extra=_CLIP_HALF),
        File(("text_encoder/config.json",), 0),
        File(("tokenizer/tokenizer.json", "tokenizer/vocab.json"), 0),
    )


_LIST = (
    Known("auffusion", files=_adapted(), source="huggingface.co/auffusion/auffusion", hub="auffusion/auffusion", **_AUFFUSION),
    Known(
        "auffusion-full", files=_adapted(), source="huggingface.co/auffusion/auffusion-full", hub="auffusion/auffusion-full", **_AUFFUSION
    ),
    Known(
        "auffusion-full-no-adapter", files=_plain(), source="huggingface.co/auffusion/auffusion-full-no-adapter",
        hub="auffusion/auffusion-full-no-adapter", **_AUFFUSION,
    ),
    Known(
        "syncformer-visual", "motion=synchformer: what moves (Mel-QCD's file)",
        (File(("SyncFormer.pt", "epoch_best.pt"), 490, (("synchformer_visual", "module.v_encoder."),), ("state_dict",),
              extra=("module.",)),),
        "MIT", "github.com/wjc2830/MelQCD (SyncFormer/pretrain/SyncFormer.pt); github.com/v-iashin/Synchformer (segment-level)",
    ),
    Known(
        "synchformer", "motion=synchformer: what moves (MMAudio's file); judges=[synchformer]: DeSync",
        (File(("synchformer_state_dict.pth", "24-01-04T16-39-21.pt"), 950, (("synchformer_full", ""),), ("model",)),),
        "MIT", "github.com/hkchengrex/MMAudio/releases/download/v0.1/synchformer_state_dict.pth",
    ),
    Known(
        "clip-vit-large-patch14", "looks=clip: what is seen; backbone.tokenizer of the released Mel-QCD",
        (File((*_weights("", "model"), "pytorch_model.bin"), 1710, (("clip_vision", ""),), extra=("text_model.", *_CLIP_HALF)),
         File(("config.json",), 0), File(("vocab.json",), 0, optional=True), File(("merges.txt",), 0, optional=True)),
        "MIT", "huggingface.co/openai/clip-vit-large-patch14", hub="openai/clip-vit-large-patch14", folder=True,
    ),
    Known(
        "imagebind-huge", "judges=[imagebind]: IB-AA, IB-AV",
        (File(("imagebind_huge.pth",), 4803, (("imagebind", ""),), extra=("modality_",)),),
        "CC BY-NC-SA 4.0", "dl.fbaipublicfiles.com/imagebind/imagebind_huge.pth", free=False,
    ),
    Known(
        "melception", "judges=[melception]: FID, MKL, Class ACC",
        (File(("melception-21-05-10T09-28-40.pt",), 101, (("melception", ""),), ("model",), extra=("AuxLogits.",)),
         File(("train_means_stds_melspec_10s_22050hz.txt",), 0)),
        "MIT", "github.com/v-iashin/SpecVQGAN (evaluation/logs, and data/train_means_stds_melspec_10s_22050hz.txt beside it)",
    ),
    Known(
        "panns-cnn14-32k", "judges=[panns32k]: FD, KL on AudioSet's classes",
        (File(("Cnn14_mAP=0.431.pth",), 327, (("panns_cnn14", ""),), ("model",), extra=("spectrogram_extractor.", "logmel_extractor.")),),
        "MIT (code), CC BY 4.0 (weights, Zenodo)", "zenodo.org/record/3987831",
    ),
    Known(
        "panns-cnn14-16k", "judges=[panns16k]: FD, KL on AudioSet's classes",
        (File(("Cnn14_16k_mAP=0.438.pth",), 324, (("panns_cnn14", ""),), ("model",), extra=("spectrogram_extractor.", "logmel_extractor.")),),
        "MIT (code), CC BY 4.0 (weights, Zenodo)", "zenodo.org/record/3987831",
    ),
    Known(
        "vggsound-resnet18-h", "judges=[vggsound]: Class ACC (mean over places)",
        (File(("H.pth.tar",), 45, (("vggsound_h", "audnet."),), ("model_state_dict",)),),
        "not stated for the weights; the data set's lists are CC BY 4.0", "www.robots.ox.ac.uk/~vgg/data/vggsound/models/H.pth.tar",
    ),
    Known(
        "vggsound-resnet18-i", "judges=[vggsound]: Class ACC (NetVLAD)",
        (File(("I.pth.tar",), 55, (("vggsound_i", "audnet."),), ("model_state_dict",)),),
        "not stated for the weights; the data set's lists are CC BY 4.0", "www.robots.ox.ac.uk/~vgg/data/vggsound/models/I.pth.tar",
    ),
    Known(
        "ast-audioset", "judges=[ast]: classes and features on AudioSet",
        (File((*_weights("", "model"), "pytorch_model.bin"), 346, (("ast", ""),)), File(("config.json",), 0)),
        "BSD-3-Clause", "huggingface.co/MIT/ast-finetuned-audioset-10-10-0.4593", hub="MIT/ast-finetuned-audioset-10-10-0.4593", folder=True,
    ),
    Known(
        "encodec-24khz", "control=encodec: Codec-1, Codec-2",
        (File((*_weights("", "model"), "pytorch_model.bin"), 93, (("encodec_hub", ""),)), File(("config.json",), 0)),
        "CC BY-NC 4.0", "huggingface.co/facebook/encodec_24khz", hub="facebook/encodec_24khz", folder=True, free=False,
    ),
    Known(
        "encodec-24khz-original", "control=encodec: Codec-1, Codec-2",
        (File(("encodec_24khz-d7cc33bc.th",), 93, (("encodec_original", ""),)),),
        "CC BY-NC 4.0", "dl.fbaipublicfiles.com/encodec/v0/encodec_24khz-d7cc33bc.th", free=False,
    ),
    Known(
        "melqcd", "backbone=melqcd: the released Mel-QCD (with vocoder.pt and config.json beside it); controlnet.path",
        (File(("MelQCD.safetensors", "MelQCD.ckpt"), 6580, (
            ("ldm_unet", "model.diffusion_model."), ("ldm_vae", "first_stage_model."), ("clip_text", "cond_stage_model.transformer."),
            ("ldm_controlnet", "control_model."), ("clip_text", "inversion_adapter.transformer."),
            ("inversion_adapter", "inversion_adapter.inversion_adapter.")), ("state_dict",),
            extra=("alphas_", "betas", "posterior_", "sqrt_", "log_one", "logvar", "position_ids")),
         File(("vocoder.safetensors", "vocoder.pt"), 227, (("hifigan", ""),), ("generator",)), File(("config.json",), 0)),
        "Apache-2.0 according to its README; no LICENSE file", "github.com/wjc2830/MelQCD (pretrain/)",
    ),
    Known(
        "melqcd-codepredictor", "predictor.path: the released predictor of control=melqcd",
        (File(("CodePredictor.ckpt", "CodePredictor.pt"), 79, (("codepredictor", "model."),), ("state_dict",)),),
        "Apache-2.0 according to its README; no LICENSE file", "github.com/wjc2830/MelQCD (CodePredictor/pretrain/)",
    ),
)  # fmt: skip

KNOWN: dict[str, Known] = {known.id: known for known in _LIST}

"""The published encoders of video, and EnCodec in both of its layouts, read by their components' paths."""

import json

import numpy as np
import torch


@torch.no_grad()
def test_synchformer_from_both_files(goldens, measured, tmp_path):
    from bench.encoders import Motion
    from melqcd.synchformer import load_synchformer

    said, path = goldens.said("melqcd_syncformer_visual"), tmp_path / "SyncFormer.pt"
    beside = {"module.logit_scale": torch.zeros(1), "module.a_encoder.w": torch.zeros(1)}
    torch.save({"epoch": 1, "state_dict": goldens.weights("melqcd_syncformer_visual") | beside}, path)
    with measured.loading(path):
        net = load_synchformer(Motion(path=str(path)).folder())
    frames = goldens.stream("sync_frames", (3, 3, 224, 224), "s")
    at = (torch.arange(3)[:, None] + torch.arange(16) - 8).clamp(0, 2)
    windows = frames[at].transpose(1, 2)
    measured.close("synchformer visual, SyncFormer.pt", net(windows).mean(1), said["features"])
    del net
    other = goldens.weights("synchformer_full", lambda k: k.startswith("vfeat_extractor."))
    beside = {"afeat_extractor.w": torch.zeros(1), "vproj.weight": torch.zeros(1)}
    torch.save(other | beside, tmp_path / "synchformer_state_dict.pth")
    with measured.loading(tmp_path / "synchformer_state_dict.pth"):
        net = load_synchformer(tmp_path / "synchformer_state_dict.pth")
    video = goldens.stream("sync_video_b", (16, 3, 224, 224), "s").transpose(0, 1)[None]
    found = goldens.said("synchformer_full")["vfeats"]
    measured.close("synchformer visual, synchformer_state_dict.pth", net(video), found)


@torch.no_grad()
def test_clip(goldens, measured, tmp_path):
    from melqcd.visual import load_looks, looks_features

    said = goldens.said("clip_vit_large_patch14")
    state = goldens.weights("clip_vit_large_patch14")  # the whole of it, as published: the text half is left
    state["vision_model.embeddings.position_ids"] = torch.arange(257)[None]
    torch.save(state, tmp_path / "pytorch_model.bin")
    vision = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16, "patch_size": 14,
              "projection_dim": 768}  # fmt: skip
    config = {"architectures": ["CLIPModel"], "model_type": "clip", "projection_dim": 768, "vision_config": vision}
    (tmp_path / "config.json").write_text(json.dumps(config | {"text_config": {"hidden_size": 768}}))
    with measured.loading(tmp_path):
        net = load_looks(tmp_path)
    found = looks_features(net, said["synthetic_portrait_in"][None])
    measured.close("clip vit-l/14, pytorch_model.bin", found, said["image_features"])


@torch.no_grad()
def test_encodec_from_both_layouts(goldens, measured, tmp_path):
    from safetensors.torch import save_file
    from transformers import EncodecConfig

    from melqcd.codec import NORMED, load_codec, renamed

    said = goldens.said("encodec_24khz")
    state = goldens.weights("encodec_24khz_original")
    state |= {k: torch.ones(e["shape"]) for k, e in goldens.entries("encodec_24khz_original").items() if k.endswith("inited")}
    torch.save(state, tmp_path / "encodec_24khz-d7cc33bc.th")
    hub = tmp_path / "hub"
    hub.mkdir()

    def as_published(name: str) -> str:
        return next((name.removesuffix(live) + kept for kept, live in NORMED if name.endswith(live)), name)

    save_file({as_published(k): v.contiguous() for k, v in renamed(state).items()}, hub / "model.safetensors", {"format": "pt"})
    EncodecConfig().save_pretrained(hub)
    for place in (tmp_path / "encodec_24khz-d7cc33bc.th", hub):
        with measured.loading(place):
            codec = load_codec(place)
        codes = codec.encode(torch.from_numpy(said["wav"])[:, 0], 32)
        assert np.array_equal(codes.numpy(), said["codes"])
        for books, name in ((32, "decoded32"), (1, "decoded1"), (2, "decoded2")):
            measured.close(f"encodec {place.suffix or 'hub'}, {name}", codec.decode(codes[:, :books]), said[name])

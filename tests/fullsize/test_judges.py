"""The published judges say of the goldens' inputs what the reference code said, each read by path from its published layout."""

import json

import numpy as np
import pytest
import soundfile
import torch


@torch.no_grad()
@pytest.mark.parametrize("rate", [16000, 32000])
def test_panns(goldens, measured, tmp_path, rate):
    from bench.judges.panns_net import FILES, _computed, load_panns

    name = f"panns_cnn14_{rate // 1000}k"
    state, said = goldens.weights(name), goldens.said(name)
    from bench.judges.panns_net import Cnn14

    with torch.device("meta"):
        shape = Cnn14(rate)
    torch.save({"iteration": 1, "model": state | _computed(shape)}, tmp_path / FILES[rate])
    with measured.loading(tmp_path):
        net = load_panns(tmp_path / FILES[rate], rate)
    wave = torch.from_numpy(said["wav"])
    measured.close(f"{name} log mel", net.log_mel(wave)[0], said["logmel"])
    vector, logits = net(wave)
    measured.close(f"{name} vector", vector, said["embedding"], 1e-3)  # BN classifiers fed with dB: README of the goldens
    measured.close(f"{name} logits", logits, said["logits"], 1e-3)
    with pytest.raises(ValueError, match="of another rate"):
        load_panns(tmp_path / FILES[rate], 48000 - rate)


@torch.no_grad()
def test_melception(goldens, measured, tmp_path):
    from bench.judges.melception_mel import standardise
    from bench.judges.melception_net import load_melception

    said, path = goldens.said("melception_vggsound"), tmp_path / "melception-21-05-10T09-28-40.pt"
    torch.save({"model": goldens.weights("melception_vggsound"), "epoch": 1}, path)
    with measured.loading(path):
        net = load_melception(path)
    vector, logits = net(goldens.stream("melception_in", (1, 80, 860)))
    measured.close("melception vector", vector, said["feat2048"], 1e-3)
    measured.close("melception logits", logits, said["logits"], 1e-3)
    measured.close("melception logits without bias", logits - net.fc.bias, said["logits_unbiased"], 1e-3)
    means, spreads = said["train_means_stds"].T
    measured.close("melception standardised", standardise(said["mel"], means, spreads), said["mel_standardised"])


@torch.no_grad()
@pytest.mark.parametrize(("file", "kind", "short"), [("H", "avgpool_H", "avgpool"), ("I", "netvlad_I", "vlad")])
def test_vggsound(goldens, measured, tmp_path, file, kind, short):
    from bench.judges.vggsound_net import load_vggsound, vggsound_mel

    said, path = goldens.said("vggsound_resnet18"), tmp_path / f"{file}.pth.tar"
    state = goldens.weights(f"vggsound_resnet18_{kind}")
    torch.save({"epoch": 1, "model_state_dict": state}, path, _use_new_zipfile_serialization=False)
    with measured.loading(path):
        net = load_vggsound(path)
    wave, _ = soundfile.read(goldens.folder / "185302_0.wav", dtype="float32")
    heard = vggsound_mel(wave.mean(1))
    measured.close("vggsound spectrogram", heard, said["spec185302"])
    measured.close(f"vggsound {short}, a real clip", net(torch.from_numpy(heard)[None, None])[1], said[f"logits_{short}"], 1e-3)
    rule = net(goldens.stream("vgg_in", (1, 1, 257, 1004)))[1]
    measured.close(f"vggsound {short}", rule, said[f"logits_rule_{short}"], 1e-3)


@torch.no_grad()
@pytest.mark.parametrize("half", [False, True])
def test_ast(goldens, measured, tmp_path, half):
    from safetensors.torch import save_file

    from bench.judges.ast_mel import ast_mel
    from bench.judges.lab import load_classifier

    said = goldens.said("ast_audioset")
    state = goldens.weights("ast_audioset")
    save_file({k: v.half() if half else v for k, v in state.items()}, tmp_path / "model.safetensors", {"format": "pt"})
    config = {"architectures": ["ASTForAudioClassification"], "model_type": "audio-spectrogram-transformer"}
    labels = {str(i): f"class {i}" for i in range(527)}
    (tmp_path / "config.json").write_text(json.dumps(config | {"id2label": labels}))
    with measured.loading(tmp_path):
        net = load_classifier(tmp_path)
    told = net(goldens.stream("ast_in", (1, 1024, 128)) * 0.5).logits
    if half:  # published in half precision: each weight is off by 2**-11 of itself, outputs by about that
        measured.close("ast logits from float16", told, said["logits"], 5e-3)
        return
    measured.close("ast logits", told, said["logits"])
    pooled = net.audio_spectrogram_transformer(goldens.stream("ast_in", (1, 1024, 128)) * 0.5).pooler_output
    measured.close("ast pooled", pooled, said["pooled"])
    wave, _ = soundfile.read(goldens.folder / "185302_0.wav", dtype="float32")
    measured.close("ast front end", ast_mel(wave.mean(1)), said["fe185302"])


@torch.no_grad()
def test_imagebind(goldens, measured, tmp_path):
    from bench.judges.imagebind_net import load_imagebind, load_text

    said, path = goldens.said("imagebind_huge"), tmp_path / "imagebind_huge.pth"
    kept = (".vision.", ".audio.", ".text.", ".imu.")  # of the six the smallest stands for those that nobody loads
    state = goldens.weights("imagebind_huge", lambda k: any(n in k for n in kept))
    constants = [k for k, e in goldens.entries("imagebind_huge").items() if e["fill"] == "c" and k.endswith("logit_scale")]
    state |= {k: torch.from_numpy(said[f"const_{k}"]) for k in constants}
    state["modality_preprocessors.text.mask"] = torch.full((77, 77), -torch.inf).triu(1)
    torch.save(state, path)
    del state
    with measured.loading(path):
        net = load_imagebind(path)
    heard = net.listen((goldens.stream("ib_audio", (1, 2, 1, 128, 204)) * 0.5)[0])
    measured.close("imagebind sound", heard.mean(0) * net.sharpness, said["audio_emb"])
    seen = net.look(goldens.stream("ib_video", (1, 2, 3, 2, 224, 224))[0])
    measured.close("imagebind video", seen.mean(0), said["vision_emb"])
    image = goldens.stream("ib_image", (1, 3, 224, 224))[:, :, None].expand(-1, -1, 2, -1, -1)
    measured.close("imagebind picture", net.look(image), said["vision_image_emb"])
    del net
    with measured.loading(path):
        text = load_text(path)
    measured.close("imagebind words", text(torch.from_numpy(said["text_ids"])), said["text_emb"])


@torch.no_grad()
def test_desync(goldens, measured, tmp_path):
    from bench.judges.desync_net import load_desync, offsets

    said, path = goldens.said("synchformer_full"), tmp_path / "synchformer_state_dict.pth"
    torch.save(goldens.weights("synchformer_full"), path)
    with measured.loading(path):
        net = load_desync(path)
    frames = goldens.stream("sync_video_b", (16, 3, 224, 224), "s").transpose(0, 1)[None]
    measured.close("synchformer video", net.look(frames), said["vfeats"])
    heard = net.listen((goldens.stream("sync_spec", (1, 2, 1, 128, 66)) * 0.5)[0])
    measured.close("synchformer sound", heard, said["afeats"])
    seen14, heard14 = goldens.stream("sync_vfeat14", (2, 14, 8, 768)), goldens.stream("sync_afeat14", (2, 14, 6, 768))
    measured.close("synchformer offsets", net.compare(seen14, heard14), said["logits"])
    assert np.allclose(offsets(), said["grid"], atol=1e-6)

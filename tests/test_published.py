"""Published weights: names and shapes by header, pickles without their code, which checkpoint a file looks like, small instances of each net."""

import json
import os
import shutil
import struct

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from melqcd.checkpoints import load_weights, read_weights
from melqcd.headers import read_header
from melqcd.published import KNOWN, compact, looks_like, recognised, spelt_out, table, tables

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.zeros(2, dtype=torch.float16), "n": torch.tensor(3)}


class Foreign:
    """What a Lightning or OmegaConf pickle holds beside its tensors."""

    def __init__(self, place=None):
        self.place = place

    def __reduce__(self):
        return (os.mkdir, (str(self.place),)) if self.place else (Foreign, ())


def shapes(entries):
    return {k: (v.shape, v.dtype) for k, v in entries.items()}


def told(state):
    return {k: (tuple(v.shape), str(v.dtype).removeprefix("torch.")) for k, v in state.items()}


@pytest.mark.parametrize("old", [False, True])
def test_a_header_tells_names_and_shapes_of_torch_files(tmp_path, old):
    torch.save({"epoch": 3, "state_dict": STATE}, tmp_path / "x.pt", _use_new_zipfile_serialization=not old)
    found = read_header(tmp_path / "x.pt", inside=["state_dict"])
    assert shapes(found.entries) == told(STATE) and not found.cut and not found.foreign
    assert read_header(tmp_path / "x.pt").holds == ["epoch", "state_dict"]


def test_a_header_tells_names_and_shapes_of_safetensors_and_their_shards(tmp_path):
    save_file(STATE, tmp_path / "x.safetensors")
    assert shapes(read_header(tmp_path / "x.safetensors").entries) == told(STATE)
    shards = {"weight_map": dict.fromkeys(STATE, "x.safetensors")}
    (tmp_path / "x.safetensors.index.json").write_text(json.dumps(shards))
    assert shapes(read_header(tmp_path / "x.safetensors.index.json").entries) == told(STATE)


@pytest.mark.parametrize("name", ["new.pt", "old.pt", "x.safetensors"])
def test_a_file_that_is_cut_off_is_known_by_its_header(tmp_path, name):
    path = tmp_path / name
    large = {"a": torch.ones(1000)}
    if name.endswith("pt"):
        torch.save(large, path, _use_new_zipfile_serialization=name == "new.pt")
    else:
        save_file(large, path)
    path.write_bytes(path.read_bytes()[:-500])
    try:
        why = read_header(path).cut
    except ValueError as error:
        why = str(error)
    assert "cut off" in why
    with pytest.raises(ValueError, match=str(path)):
        read_weights(path)


@pytest.mark.parametrize("content", [b"", b"PK", b"nonsense", b"\x80\x02}q\x00."])
def test_what_is_no_weights_file_is_refused_by_its_header(tmp_path, content):
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(ValueError, match=r"torch file|cut off|it is empty"):
        read_header(tmp_path / "x.pt")


@pytest.mark.parametrize("old", [False, True])
def test_code_in_a_pickle_is_never_run(tmp_path, old):
    path, trap = tmp_path / "x.pt", tmp_path / "trap"
    torch.save({"args": Foreign(trap), "state_dict": STATE}, path, _use_new_zipfile_serialization=not old)
    assert read_header(path, inside=["state_dict"]).foreign == ["posix.mkdir"]
    with pytest.raises(ValueError, match=r"allow_pickle=true"):
        read_weights(path, inside=["state_dict"])
    found = read_weights(path, inside=["state_dict"], allow_pickle=True)
    assert all(torch.equal(found[k], STATE[k]) for k in STATE) and not trap.exists()


def test_objects_of_any_class_become_stand_ins(tmp_path):
    torch.save({"args": [Foreign(), {"deep": Foreign()}], "model": STATE, "rng": np.float64(3)}, tmp_path / "x.pt")
    assert set(read_weights(tmp_path / "x.pt", inside=["model"], allow_pickle=True)) == set(STATE)


def test_only_the_wanted_part_of_a_safetensors_file_is_read(tmp_path):
    save_file({"a.x": torch.ones(2), "b.y": torch.zeros(2)}, tmp_path / "x.safetensors")
    assert set(read_weights(tmp_path / "x.safetensors", prefix="b.")) == {"y"}
    with pytest.raises(ValueError, match=r"no entry named c\.+; its entries begin a\.x, b\.y"):
        read_weights(tmp_path / "x.safetensors", prefix="c.")


def test_tables_are_lines_that_spell_out_to_what_they_were_made_of():
    entries = {f"blocks.{i}.{k}.weight": (4, i // 3) for i in range(6) for k in "ab"} | {"scale": (), "x.7": (1,)}
    lines = compact(entries)
    assert len(lines) == 6 and "blocks.{0-2}.a.weight 4x0" in lines and "scale ()" in lines
    assert {n for line in lines for n in spelt_out(line.rpartition(" ")[0])} == set(entries)


LARGER = ("imagebind-huge", "clip-vit-large-patch14", "melception")  # than what is read of them


def test_every_known_checkpoint_has_its_tables():
    wanted = {section for known in KNOWN.values() for file in known.files for section, _ in file.sections}
    assert wanted == set(tables())
    for known in KNOWN.values():
        counted = sum(4 * int(np.prod(s)) for f in known.files for name, _ in f.sections for s in table(name).values()) / 1e6
        assert known.mb >= counted * 0.99 - 1 and (known.id in LARGER or known.mb <= counted * 1.01 + 1), known.id


@pytest.mark.slow
def test_the_tables_are_those_of_the_modules_that_read_the_files():
    from bench.known_tables import text
    from melqcd.published import TABLES

    assert TABLES.read_text() == text(), "python -m bench.known_tables"


@pytest.mark.parametrize(
    ("manifest", "id"),
    [
        ("auffusion_unet_diffusers", "auffusion"),
        ("melqcd_syncformer_visual", "syncformer-visual"),
        ("synchformer_full", "synchformer"),
        ("imagebind_huge", "imagebind-huge"),
        ("encodec_24khz_original", "encodec-24khz-original"),
        ("panns_cnn14_32k", "panns-cnn14-32k"),
        ("melception_vggsound", "melception"),
        ("vggsound_resnet18_netvlad_I", "vggsound-resnet18-i"),
        ("ast_audioset", "ast-audioset"),
        ("clip_vit_large_patch14", "clip-vit-large-patch14"),
        ("melqcd_codepredictor", "melqcd-codepredictor"),
        ("melqcd_cldm", "melqcd"),
    ],
)
def test_published_names_and_shapes_are_those_of_the_reference(shared, manifest, id):
    entries = json.loads((shared / f"goldens/checkpoints/manifests/{manifest}.json").read_text())["entries"]
    published = {k: tuple(e["shape"]) for k, e in entries.items()}
    file = KNOWN[id].files[0]
    ours = {prefix + k: s for section, prefix in file.sections for k, s in table(section).items()}
    assert {k: published.get(k) for k in ours} == ours
    beside = [k for k in published if k not in ours and not any(e in k for e in (*file.extra, "patch_embed.proj."))]
    assert beside == []
    assert recognised(published) == KNOWN[id]


def test_a_foreign_file_is_told_by_the_checkpoint_that_it_looks_like(tmp_path):
    torch.save({k: torch.zeros(1).expand(s or (1,)) for k, s in table("vggsound_h").items()}, tmp_path / "x.pt")
    net = torch.nn.Linear(2, 3)
    with pytest.raises(ValueError) as told:
        load_weights(net, read_weights(tmp_path / "x.pt"), "x.pt")
    message = str(told.value)
    assert "2 missing: weight, bias" in message and "122 not expected: conv1.weight" in message
    assert message.count("layer1.") <= 10 and "it looks like vggsound-resnet18-h" in message
    assert looks_like({"encoder.w": 1}) == ""


def tiny(name: str) -> dict[str, torch.Tensor]:
    """A table's tensors, deterministic and as small on the disk as one number each."""
    return {k: torch.full((1,), 0.5).expand(s) if s else torch.tensor(1) for k, s in table(name).items()}


def test_panns_hear_at_their_rate_and_refuse_the_other(tmp_path):
    from bench.judges.panns_net import Cnn14, _computed, load_panns

    with torch.device("meta"):
        shape = Cnn14(16000)
    torch.save({"model": tiny("panns_cnn14") | _computed(shape)}, tmp_path / "x.pth")
    net = load_panns(tmp_path / "x.pth", 16000)
    with torch.no_grad():
        vector, logits = net(torch.sin(torch.arange(16000) / 9.0)[None])
    assert vector.shape == (1, 2048) and logits.shape == (1, 527)
    with pytest.raises(ValueError, match="is of another rate"):
        load_panns(tmp_path / "x.pth", 32000)


@torch.no_grad()
def test_melception_and_vggsound_tell_309_classes(tmp_path):
    from bench.judges.melception_net import load_melception
    from bench.judges.vggsound_net import load_vggsound, vggsound_mel

    torch.save({"model": tiny("melception") | {"AuxLogits.fc.weight": torch.zeros(2)}}, tmp_path / "m.pt")
    assert [tuple(t.shape) for t in load_melception(tmp_path / "m.pt")(torch.randn(1, 80, 120))] == [(1, 2048), (1, 309)]
    for file, width in (("vggsound_h", 512), ("vggsound_i", 8192)):
        state = {f"audnet.{k}": v for k, v in tiny(file).items()}
        torch.save({"model_state_dict": state}, tmp_path / "v.pth.tar", _use_new_zipfile_serialization=False)
        net = load_vggsound(tmp_path / "v.pth.tar")
        heard = torch.from_numpy(vggsound_mel(np.sin(np.arange(8000) / 9)))[None, None, :, :128]
        assert [tuple(t.shape) for t in net(heard)] == [(1, width), (1, 309)]


def test_the_whole_synchformer_and_imagebinds_words_fit_their_inputs():
    from bench.judges.desync_net import DeSync
    from bench.judges.imagebind_net import Text

    with torch.device("meta"):
        net, words = DeSync(), Text(width=16, blocks=2, heads=2, dims=8)
        assert net.look(torch.empty(2, 3, 16, 224, 224)).shape == (2, 8, 768)
        assert net.listen(torch.empty(3, 1, 128, 66)).shape == (3, 6, 768)
        assert net.compare(torch.empty(2, 14, 8, 768), torch.empty(2, 14, 6, 768)).shape == (2, 21)
        assert words(torch.empty(2, 77, dtype=torch.long)).shape == (2, 8)


def test_a_word_of_imagebind_sees_only_those_before_it():
    from bench.judges.imagebind_net import _Masked

    torch.manual_seed(0)
    block, x = _Masked(16, 2).eval(), torch.randn(1, 5, 16)
    changed = x.clone()
    changed[:, 3:] += 1
    with torch.no_grad():
        assert torch.allclose(block(x)[:, :3], block(changed)[:, :3], atol=1e-6)


def test_a_safetensors_head_that_lies_is_refused(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(struct.pack("<Q", 1 << 40) + b"{}")
    with pytest.raises(ValueError, match="no safetensors"):
        read_header(tmp_path / "x.safetensors")


def readers():
    from bench.judges.desync_net import load_desync
    from bench.judges.imagebind_net import load_imagebind
    from bench.judges.melception_net import load_melception
    from bench.judges.vggsound_net import load_vggsound
    from melqcd.codepredictor import load_released_predictor
    from melqcd.released import load_controlnet
    from melqcd.synchformer import load_synchformer

    return {
        "syncformer-visual": load_synchformer, "synchformer": load_desync, "imagebind-huge": load_imagebind, "melception": load_melception,
        "vggsound-resnet18-h": load_vggsound, "melqcd-codepredictor": load_released_predictor, "melqcd": load_controlnet,
    }  # fmt: skip


WRONG = {
    "empty.pt": (b"", "is empty"),
    "page.pt": (b"<!DOCTYPE html><html><body>404", "is text and no weights file, it begins '<!DOCTYPE"),
    "page.safetensors": (b"<!DOCTYPE html><html><body>404", "is text and no weights file"),
    "note.pt": (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 1\n", "`git lfs pull` fetches it"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_a_failed_download_leaves_is_told_by_its_bytes(tmp_path, name):
    content, told = WRONG[name]
    (tmp_path / name).write_bytes(content)
    for how in ({}, {"allow_pickle": True}):
        with pytest.raises(ValueError, match="cannot be|is ") as error:
            read_weights(tmp_path / name, **how)
        assert told in str(error.value) and name in str(error.value)


@pytest.mark.parametrize("id", ["syncformer-visual", "synchformer", "imagebind-huge", "melception", "vggsound-resnet18-h",
                                "melqcd-codepredictor", "melqcd"])  # fmt: skip
def test_every_reader_names_a_folder_half_a_file_and_another_networks(tmp_path, id):
    read, file = readers()[id], KNOWN[id].files[0]
    other = "vggsound-resnet18-h" if id == "melception" else "melception"
    sections = KNOWN[other].files[0].sections
    torch.save({"model": {k: v for name, _ in sections for k, v in tiny(name).items()}}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=f"it looks like {other}"):
        read(tmp_path / "other.pt")
    whole = {prefix + k: torch.zeros(1).expand(s or (1,)) for name, prefix in file.sections for k, s in table(name).items()}
    torch.save({file.inside[0]: whole} if file.inside else whole, tmp_path / "half.pt")
    (tmp_path / "half.pt").write_bytes((tmp_path / "half.pt").read_bytes()[:-9000])
    with pytest.raises(ValueError, match=r"half\.pt is cut off"):
        read(tmp_path / "half.pt")
    if id != "syncformer-visual":  # whose folder is read
        with pytest.raises(FileNotFoundError, match=r"is a folder, .* name one of half\.pt, other\.pt"):
            read(tmp_path)


def test_a_predictor_that_lacks_half_a_head_says_so(tmp_path):
    sections = KNOWN["melqcd-codepredictor"].files[0].sections
    state = {prefix + k: v for name, prefix in sections for k, v in tiny(name).items() if not k.endswith("proj_out.1.bias")}
    torch.save({"state_dict": state}, tmp_path / "x.ckpt")
    with pytest.raises(ValueError, match=r"1 missing: proj_out\.bias; 1 not expected: proj_out\.0\.bias"):
        readers()["melqcd-codepredictor"](tmp_path / "x.ckpt")


def test_sizes_alone_do_not_tell_two_checkpoints_apart():
    assert "it looks like panns-cnn14-32k or panns-cnn14-16k" in looks_like(tiny("panns_cnn14"))


@pytest.fixture(scope="module")
def tower(tmp_path_factory):
    """A folder with a vision tower of CLIP's names, two blocks of sixteen numbers."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    folder = tmp_path_factory.mktemp("tower")
    size = CLIPVisionConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2, patch_size=112, projection_dim=8
    )
    CLIPVisionModelWithProjection(size).save_pretrained(folder)
    return folder


def misshapen(folder):
    told = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(told | {"projection_dim": 9}))


FOLDERS = {
    "nothing": (lambda f: [p.unlink() for p in f.iterdir()], FileNotFoundError, "holds no CLIPVision.*config.json and the weights"),
    "no config": (lambda f: (f / "config.json").unlink(), FileNotFoundError, "holds no CLIPVision"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), FileNotFoundError, "weights .* are needed beside config.json"),
    "a page for a config": (lambda f: (f / "config.json").write_text("<html>"), ValueError, r"config\.json is no JSON"),
    "another's config": (lambda f: (f / "config.json").write_text('{"model_type": "bert"}'), ValueError, "is that of bert, not of CLIP"),
    "a page": (lambda f: (f / "model.safetensors").write_text("<!DOCTYPE html>"), ValueError, r"model\.safetensors: it is text"),
    "half a file": (lambda f: (f / "model.safetensors").write_bytes((f / "model.safetensors").read_bytes()[:-9]), ValueError,
                    r"model\.safetensors: it is cut off: [\d,]+ of [\d,]+ bytes"),
    "other weights": (lambda f: save_file({k: v.contiguous() for k, v in tiny("melception").items()}, f / "model.safetensors"), ValueError,
                      "missing keys: vision_model.*it looks like melception"),
    "another shape": (misshapen, ValueError, r"1 mismatched keys: visual_projection\.weight \[8, 16\] for \[9, 16\]"),
}  # fmt: skip


@pytest.mark.parametrize("what", FOLDERS)
def test_a_folder_that_is_not_what_it_should_be_is_told_in_one_line(tmp_path, tower, what, caplog):
    from melqcd.visual import load_looks

    spoil, kind, said = FOLDERS[what]
    folder = tmp_path / "clip"
    shutil.copytree(tower, folder)
    load_looks(folder)
    spoil(folder)
    with pytest.raises(kind, match=said) as error:
        load_looks(folder)
    assert "\n" not in str(error.value) and str(folder) in str(error.value) and not caplog.records


def test_a_file_or_nothing_where_a_folder_is_needed_is_told(tmp_path, tower):
    from melqcd.visual import load_looks

    for place, said in ((tower / "model.safetensors", "is a file"), (tmp_path / "nowhere", "is missing")):
        with pytest.raises(FileNotFoundError, match=f"{said}: a folder with a CLIPVision"):
            load_looks(place)

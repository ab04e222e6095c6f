"""`bench doctor` and `bench weights`: a setup that is right, one with five things wrong, what is found where, fetching from a hub."""

import hashlib
import json
import struct
import sys
import threading
import time
from collections import namedtuple
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from bench import shelf_weights
from bench.doctor import examine, print_lines
from bench.doctor.machine import slurm
from bench.errors import Failed, Refused
from melqcd.published import KNOWN, table

SD = {"block_out_channels": [320, 640, 1280, 1280]}
CONFIGS = {"unet/config.json": SD, "vae/config.json": {}, "scheduler/scheduler_config.json": {}, "config.json": {}}

ENCODEC = {"model_type": "encodec", "codebook_size": 1024, "sampling_rate": 24000, "upsampling_ratios": [8, 5, 4, 2],
           "target_bandwidths": [1.5, 3.0, 6.0, 12.0, 24.0], "audio_channels": 1, "num_filters": 32}  # fmt: skip


def sparse(path: Path, entries: dict[str, tuple[int, ...]]) -> None:
    """A safetensors file of zeros that takes no room on the disk."""
    head, at = {}, 0
    for name, shape in entries.items():
        size = 4 * int(torch.Size(shape).numel())
        head[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(head).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + at)


def pickled(path: Path, entries: dict[str, tuple[int, ...]], inside: tuple[str, ...], **beside) -> None:
    """A torch file whose tensors repeat one number."""
    state = {k: torch.full((1,), 0.5).expand(s) if s else torch.tensor(1) for k, s in entries.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({inside[0]: state, **beside} if inside else state, path)


def published(root: Path, id: str) -> Path:
    """The checkpoint `id` below `root` as it is published, in tables' shapes; what its path should be."""
    known = KNOWN[id]
    base = root / id if known.folder else root
    for file in known.files:
        name = next((n for n in file.names if not n.endswith(".safetensors")), file.names[0])
        entries = {prefix + k: s for section, prefix in file.sections for k, s in table(section).items()}
        if not file.sections:
            (base / name).parent.mkdir(parents=True, exist_ok=True)
            (base / name).write_text(json.dumps(ENCODEC if id == "encodec-24khz" else CONFIGS.get(name, {})))
        elif name.endswith(".bin"):
            sparse(base / file.names[0], entries)
        else:
            pickled(base / name, entries, file.inside)
    return base if known.folder else base / known.files[0].names[-1 if id == "melqcd" else 0]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """All that the paper's experiment needs: its folder of weights and AVSync15, of empty files."""
    root = tmp_path_factory.mktemp("shelf")
    for id in (
        "auffusion-full-no-adapter",
        "syncformer-visual",
        "clip-vit-large-patch14",
        "imagebind-huge",
        "melception",
        "encodec-24khz",
    ):
        published(root, id)
    data = root / "AVSync15"
    for split, count in (("train", 90), ("test", 10)):
        rows = [f"{kind}/{split}_{kind}_{i:03}.mp4" for kind in (f"class_{c}" for c in range(15)) for i in range(count)]
        (data / "videos").mkdir(parents=True, exist_ok=True)
        for row in rows:
            (data / "videos" / row).parent.mkdir(exist_ok=True)
            (data / "videos" / row).touch()
        (data / f"{split}.txt").write_text("\n".join(rows))
    (root / "vggsound.csv").write_text("".join(f"id{i},0,class {i},train\n" for i in range(309)))
    (root / "bin").mkdir()
    script = root / "bin" / "nvidia-smi"
    script.write_text("#!/bin/sh\necho 'NVIDIA H100 80GB HBM3, 81559'\n")
    script.chmod(0o755)
    return root


@pytest.fixture
def here(shelf, monkeypatch, tmp_path):
    """A machine with all of it, a GPU and room on its disk."""
    monkeypatch.setattr("shutil.disk_usage", lambda _: namedtuple("Usage", "free")(2e12))
    monkeypatch.setenv("BENCH_WEIGHTS", str(shelf))
    monkeypatch.setenv("PATH", f"{shelf / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return shelf


PAPER = ("paper_avsync15",)  # the sweep as it is shipped: its words name the files below $BENCH_WEIGHTS


def test_a_setup_that_is_right_is_green_in_seconds(here, capsys):
    started = time.process_time()
    lines = examine([*PAPER, f"data.root={here / 'AVSync15'}"])
    assert time.process_time() - started < 10  # of a core: how busy the machine is does not count
    assert print_lines(lines, colour=False)
    said = capsys.readouterr().out
    assert [line for line in lines if not line.fine] == []
    for wanted in (
        "H100 80GB HBM3, 80 GB", "auffusion-full-no-adapter, 4,", "syncformer-visual", "imagebind-huge",
        "150 test",
        "CC BY-NC-SA 4.0 binds what is made with auffusion-full-no-adapter, imagebind-huge: not for commercial use",
        "are green: it can begin",
    ):  # fmt: skip
        assert wanted in said
    print(said)
    assert len(said.splitlines()) == len(lines) + 1
    assert "22 runs can be composed" in said


def test_the_lab_s_networks_beside_those_of_full_size_are_a_red_line(here):
    right = [*PAPER, f"data.root={here / 'AVSync15'}"]
    assert "lab's networks" not in [line.what for line in examine(right)]
    forgotten = [*right, "control=encodec"]  # in place of every line's control: most have no path
    (line,) = (line for line in examine(forgotten) if line.what == "lab's networks")
    assert not line.fine
    assert "control.path (the codec)" in line.told
    assert "backbone" not in line.told


def test_a_run_on_the_lab_s_networks_alone_is_told_which_they_are(here):
    (line,) = (s for s in examine(["data=avsync15", f"data.root={here / 'AVSync15'}"]) if s.what == "lab's networks")
    assert line.fine
    assert all(name in line.told for name in ("backbone", "motion", "judges.lab"))
    assert "looks" not in line.told  # nothing looks at the video's frames
    assert "lab's networks" not in [line.what for line in examine([])]


def test_five_things_that_are_wrong_are_five_red_lines_each_with_what_to_do(here, tmp_path):
    weights = tmp_path / "w"
    whole = (here / "SyncFormer.pt").read_bytes()
    weights.mkdir()
    (weights / "SyncFormer.pt").write_bytes(whole[: len(whole) // 2])
    (weights / "imagebind_huge.pth").write_bytes((here / "melception-21-05-10T09-28-40.pt").read_bytes())
    names = table("melception")
    (weights / "melception.pt").parent.mkdir(exist_ok=True)
    pickled(weights / "melception.pt", dict(names), ("model",), args=Path("x"))
    (weights / "train_means_stds_melspec_10s_22050hz.txt").touch()
    vae = {k: s for k, s in table("sd_vae").items() if "decoder.conv_out" not in k}
    vae["encoder.conv_in.weight"] = (128, 1, 3, 3)
    sparse(weights / "vae.safetensors", vae)
    backbone = weights / "auffusion"
    backbone.mkdir()
    for part in (here / "auffusion-full-no-adapter").iterdir():
        if part.name != "vae":
            (backbone / part.name).symlink_to(part)
    (backbone / "vae").mkdir()
    (backbone / "vae" / "config.json").write_text("{}")
    (weights / "vae.safetensors").rename(backbone / "vae" / "diffusion_pytorch_model.safetensors")
    wrong = (
        f"backbone.path={backbone}", f"motion.path={weights / 'SyncFormer.pt'}", f"judges.melception.path={weights / 'melception.pt'}",
        f"judges.imagebind.path={weights / 'imagebind_huge.pth'}", f"data.root={tmp_path / 'nowhere'}",
    )  # fmt: skip
    started = time.process_time()
    lines = examine([*PAPER, *wrong])
    assert not print_lines(lines, colour=False)
    red = {line.what: line for line in lines if not line.fine}
    assert time.process_time() - started < 10  # of a core: how busy the machine is does not count
    assert set(red) == {"backbone.path", "motion.path", "judges.melception.path", "judges.imagebind.path", "data.root"}
    assert (
        "vae/diffusion_pytorch_model.safetensors lacks 2: decoder.conv_out.weight, decoder.conv_out.bias"
        in red["backbone.path"].told
    )
    assert "has in another shape 1: encoder.conv_in.weight [128, 1, 3, 3] for [128, 3, 3, 3]" in red["backbone.path"].told
    assert red["backbone.path"].do.startswith(
        "get vae/diffusion_pytorch_model.safetensors of auffusion-full-no-adapter from hugging"
    )
    assert "cut off" in red["motion.path"].told and "copy it again" in red["motion.path"].do
    assert "more than tensors (pathlib." in red["judges.melception.path"].told and red["judges.melception.path"].do.startswith(
        "judges.melception.allow_pickle=true"
    )
    assert "holds no weights but model; it looks like melception" in red["judges.imagebind.path"].told
    assert f"no {tmp_path / 'nowhere'}" in red["data.root"].told and "data.root=DIR" in red["data.root"].do
    assert all(line.do for line in red.values())


def test_a_machine_without_any_of_it_is_told_what_to_put_where(here, monkeypatch, tmp_path):
    monkeypatch.setenv("BENCH_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("PATH", "/nothing")
    red = {line.what: line for line in examine([*PAPER, "judges.melception.labels=''"]) if not line.fine}
    assert "bench weights fetch auffusion-full-no-adapter --to DIR" in red["backbone.path"].do
    assert "SyncFormer.pt" in red["motion.path"].do and "github.com/wjc2830/MelQCD" in red["motion.path"].do
    assert "imagebind_huge.pth, 4,803 MB" in red["judges.imagebind.path"].do
    assert "no GPU" in red["device"].told and "Class ACC" in red["judges.melception.labels"].told


@pytest.mark.parametrize(("words", "told"), [(["control=melqdc"], "Did you mean 'melqcd'"), (["nosuchsweep"], "nosuchsweep")])
def test_words_that_do_not_compose_are_a_red_line(words, told):
    (red,) = [line for line in examine(words) if not line.fine]
    assert told in red.told


def test_the_lab_is_green_without_anything(tmp_path):
    assert all(line.fine for line in examine(["control=melqcd", f"machine.results={tmp_path}"]))


def test_a_compiler_is_looked_for_where_it_is_asked_for(monkeypatch, tmp_path):
    asked = ["control=melqcd", f"machine.results={tmp_path}", "machine.compile=on"]
    monkeypatch.setenv("CXX", "/nothing/g++")
    (red,) = [line for line in examine(asked) if not line.fine]
    assert red.told == "no C++ compiler /nothing/g++" and "machine.compile=off" in red.do
    monkeypatch.setenv("CXX", sys.executable)
    assert all(line.fine for line in examine(asked))
    assert not any(line.what == "compile" for line in examine(asked[:2]))


def test_slurm_is_red_only_where_it_is_asked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", "/nothing")
    assert slurm(False).fine and not slurm(True).fine
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    for name, said in (("sbatch", ""), ("sinfo", "echo 'gpu up'")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{said}\n")
        (tmp_path / name).chmod(0o755)
    assert slurm(True).fine and "gpu" in slurm(True).told


# ---- bench weights --------------------------------------------------------------------------------------------------------------


def test_weights_are_found_on_the_shelf_and_in_the_cache_of_the_hub(here, monkeypatch, tmp_path):
    cached = tmp_path / "hub" / "models--MIT--ast-finetuned-audioset-10-10-0.4593" / "snapshots" / "abc"
    sparse(cached / "model.safetensors", table("ast"))
    (cached / "config.json").write_text("{}")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    found = shelf_weights.found()
    assert found["ast-audioset"] == [cached]
    assert found["syncformer-visual"] == [here / "SyncFormer.pt"]
    assert found["auffusion-full-no-adapter"] == [here / "auffusion-full-no-adapter"]
    assert found["clip-vit-large-patch14"] == [here / "clip-vit-large-patch14"]
    assert set(found) == {"ast-audioset", "syncformer-visual", "auffusion-full-no-adapter", "clip-vit-large-patch14",
                          "imagebind-huge", "melception", "encodec-24khz"}  # fmt: skip


def test_the_list_tells_licence_place_and_sha256(here, monkeypatch, tmp_path):
    monkeypatch.setenv("BENCH_WEIGHTS", str(tmp_path / "w"))
    path = published(tmp_path / "w", "vggsound-resnet18-h")
    told = "\n".join(shelf_weights.listing())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert f"sha256  {digest}  H.pth.tar" in told and f"found   {path}" in told
    assert "imagebind-huge: 4,803 MB, CC BY-NC-SA 4.0 (not for commercial use)" in told
    assert "absent  `bench weights fetch encodec-24khz --to DIR`" in told and "absent  fetch it by hand" in told


def test_a_fetch_of_what_no_hub_has_says_where_it_is(tmp_path):
    with pytest.raises(Refused, match=r"imagebind_huge\.pth .*dl\.fbaipublicfiles\.com|dl\.fbaipublicfiles\.com"):
        shelf_weights.fetch("imagebind-huge", tmp_path)
    with pytest.raises(Refused, match="Did you mean 'melception'"):
        shelf_weights.fetch("melceptoin", tmp_path)


class Files(dict):
    def __init__(self):
        self.cuts, self.asked = {"after": 0}, []


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub on this machine: {file: bytes} of one repository. cuts: after how many bytes a connection breaks; asked: files, from where."""
    files: dict[str, bytes] = Files()
    cuts, asked = files.cuts, files.asked

    class Hub(BaseHTTPRequestHandler):
        def _answer(self, *, body: bool) -> None:
            path = self.path.partition("?")[0]
            if path.startswith("/api/models/"):
                told = [{"type": "file", "path": n, "size": len(c), "oid": "0" * 40} for n, c in files.items()]
                content, headers = json.dumps(told).encode(), {"Content-Type": "application/json"}
            elif (name := path.partition("/resolve/")[2].partition("/")[2]) in files:
                content = files[name]
                headers = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": "a" * 40}
            else:
                self.send_response(404)
                self.send_header("X-Error-Code", "RepoNotFound")
                self.end_headers()
                return
            begin = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
            asked.append((path.rpartition("/")[2], begin))
            self.send_response(206 if begin else 200)
            if begin:
                self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
            for key, value in {**headers, "Content-Length": str(len(content) - begin)}.items():
                self.send_header(key, value)
            self.end_headers()
            if body:
                end = begin + cuts["after"] if cuts["after"] else len(content)
                self.wfile.write(content[begin:end])
                self.close_connection = end < len(content)

        def do_GET(self):
            self._answer(body=True)

        def do_HEAD(self):
            self._answer(body=False)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    yield files
    server.shutdown()
    server.server_close()


def test_a_fetch_takes_from_the_hub_what_a_component_reads(hub, tmp_path):
    hub |= {"config.json": b"{}", "pytorch_model.bin": b"weights", "model.safetensors": b"safe", "README.md": b"?"}
    got = shelf_weights.fetch("ast-audioset", tmp_path)
    assert {p.relative_to(tmp_path).as_posix() for p in got} == {"ast-audioset/model.safetensors", "ast-audioset/config.json"}
    assert (tmp_path / "ast-audioset" / "model.safetensors").read_bytes() == b"safe"


def test_a_fetch_from_a_hub_that_lacks_the_files_fails_by_name(hub, tmp_path):
    hub |= {"README.md": b"?"}
    with pytest.raises(Failed, match=r"has no model\.safetensors, config\.json; it holds README\.md"):
        shelf_weights.fetch("ast-audioset", tmp_path)


def test_a_fetch_that_broke_off_says_so_leaves_no_half_file_and_goes_on(hub, tmp_path, monkeypatch):
    whole = bytes(range(256)) * 4096
    hub |= {"config.json": b"{}", "model.safetensors": whole, "preprocessor_config.json": b"{}"}
    hub.cuts["after"] = len(whole) // 8
    monkeypatch.setattr("time.sleep", lambda _: None)
    with pytest.raises(Failed, match=r"MIT/ast\S* could not be fetched: peer closed connection .*the same command goes on"):
        shelf_weights.fetch("ast-audioset", tmp_path)
    there = [p for p in tmp_path.rglob("*") if p.is_file() and p.stat().st_size >= hub.cuts["after"]]
    assert there == []
    hub.cuts["after"] = 0
    shelf_weights.fetch("ast-audioset", tmp_path)
    assert (tmp_path / "ast-audioset" / "model.safetensors").read_bytes() == whole

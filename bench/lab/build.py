"""`bench lab build`: train the lab's networks from the world's own pools, each a resumable artefact, and put them where the harness looks.

No pool shares a clip with another or with the benchmark: nothing is judged by what it was fitted to.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from bench.data.lab import Lab
from bench.store import Stage, Store
from bench.weights import LAB
from melqcd.mel import Lab as Scale

POOL = Stage("pool", "bench.lab.pools:pool")
VAE = Stage("lab-vae", "bench.lab.networks.vae:vae")
DIFFUSION = Stage("lab-diffusion", "bench.lab.networks.diffusion:diffusion")
CLASSIFIER = Stage("lab-classifier", "bench.lab.networks.classifier:classifier")
MOTION = Stage("lab-motion", "bench.lab.networks.encoders:motion")
LOOKS = Stage("lab-looks", "bench.lab.networks.encoders:looks")
NAMES = Stage("lab-names", "bench.lab.networks.names:names")
CODEC = Stage("lab-codec", "bench.lab.networks.codec:codec")
PAIR = Stage("lab-pair", "bench.lab.networks.pair:pair")
PICTURE = 48  # pixels of a frame, both ways, as the encoders of video see it


def networks(store: Store) -> dict[str, Path]:
    """{folder among the weights: artefact} of all networks, made where they do not exist."""
    from bench.lab.networks import classifier, codec, diffusion, encoders, names, pair, vae

    backbone, judges = (Lab(pool=name, train=3000, test=300) for name in ("backbone", "judges"))
    heard, seen, judged = (
        store(POOL, backbone, Scale(), 0),
        store(POOL, backbone, Scale(), PICTURE),
        store(POOL, judges, Scale(), PICTURE),
    )
    looks = store(LOOKS, encoders.Looks(), seen)
    return {
        "backbone": store(DIFFUSION, diffusion.Diffusion(), Scale(), store(VAE, vae.VAE(), heard), heard),
        "motion": store(MOTION, encoders.Motion(), seen),
        "looks": looks,
        "names": store(NAMES, names.Names(), looks, seen),
        "classifier": store(CLASSIFIER, classifier.Classifier(), judged),
        "codec": store(CODEC, codec.Codec(), heard),
        "pair": store(PAIR, pair.Pair(), judged),
    }


def build(store: Store, out: Path = LAB) -> list[tuple[str, dict[str, Any]]]:
    """Make every network and install it under `out`, weights in half precision; [(name, its card)] of all."""
    made = networks(store)
    out.mkdir(parents=True, exist_ok=True)
    for name, artefact in made.items():
        install(artefact, out / name)
    return cards(out)


def install(artefact: Path, place: Path, *, whole: bool = False) -> None:
    """Put a copy of `artefact` at `place`, floating-point weights as fp16: they are loaded as float32 again.

    whole: with made.json, as a store has it.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_name(f".{place.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(artefact, draft, ignore=None if whole else shutil.ignore_patterns("made.json"))
    for path in draft.rglob("*.safetensors"):
        _halve(path)
        path.chmod(0o644)  # save_file writes for its owner alone
    for path in draft.rglob("config.json"):  # where it was trained is nobody's business
        path.write_text(
            json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "_name_or_path"}, indent=2) + "\n"
        )
    shutil.rmtree(place, ignore_errors=True)
    draft.rename(place)


def cards(folder: Path = LAB) -> list[tuple[str, dict[str, Any]]]:
    """(folder, card) of each network under `folder` that has one."""
    return [(str(p.parent.relative_to(folder)), json.loads(p.read_text())) for p in sorted(folder.rglob("card.json"))]


def _halve(path: Path) -> None:
    import torch
    from safetensors import safe_open
    from safetensors.torch import save_file

    with safe_open(path, "pt") as file:
        about = file.metadata()
        found = {name: file.get_tensor(name) for name in file.keys()}
    halved = {name: t.half() if t.dtype == torch.float32 else t for name, t in found.items()}
    wrong = [name for name, t in halved.items() if t.is_floating_point() and not bool(t.isfinite().all())]
    if wrong:
        raise ValueError(f"{path}: {wrong[0]} does not fit into half precision")
    save_file(halved, path, metadata=about)

"""A results folder that no run made, with sounds, films and hints in its store: what the report's page is tested with."""

import csv
import json

import numpy as np
import pandas as pd
import yaml

SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(1)>'
IDS = ("plain", "<img src=x onerror=alert(2)>", "100%#?&=\"'", "ümläut 日本", "${1+1}{{2+2}}", "-n --more")
LABEL = "</b>barking & <i>'ringing'"
RATE = 16000
NAMES = {"clips": "clips-0000000000000001", "sound": "sound-000000000000000{}", "films": "films-000000000000000{}"}


def stored(folder, *, film=True):
    """Two systems and the reference over IDS in `folder`, and a report about them whose labels are hostile; the report's path."""
    import torch

    from bench.media import write_mp4, write_wav
    from bench.ragged import RaggedWriter
    from controls.base import Batch
    from controls.melqcd import MelQCD
    from melqcd.mel import Lab

    random = np.random.default_rng(0)
    cache = folder / "cache"
    real = cache / NAMES["clips"]
    real.mkdir(parents=True)
    waves = {id: 0.2 * random.normal(size=RATE // 2).astype(np.float32) for id in IDS}
    for id, wave in waves.items():
        wave[2000 : 2000 + 400] += 0.6
        write_wav(real / f"{id}.wav", wave, RATE)
    labels(real)
    signals = cache / "signals-0000000000000002"
    signals.mkdir()
    scale = Lab()
    batch = Batch.of(torch.tensor(np.stack(list(waves.values()))), scale)
    signal = MelQCD().extract(batch)
    for name, values in signal.items():
        kind = "int32" if name == "code" else "float32"
        with RaggedWriter(signals, name, dtype=kind, tail=(values.shape[1],)) as writer:
            for id, rows in zip(IDS, values, strict=True):
                writer.add(id, rows.T.numpy())
    (signals / "signal.json").write_text(json.dumps({"arrays": list(signal), "step": 4}))
    for n, (control, worse) in enumerate([("NoControl", 0.4), ("MelQCD", 0.0)], 1):
        sound, films = cache / NAMES["sound"].format(n), cache / NAMES["films"].format(n)
        sound.mkdir()
        films.mkdir()
        for id, wave in waves.items():
            made = np.roll(wave, 900 * n)
            write_wav(sound / f"{id}.wav", made, RATE)
            if film and control == "MelQCD":
                frames = [np.full((32, 32, 3), 40 * k, np.uint8) for k in range(6)]
                write_mp4(films / f"{id}.mp4", frames, 12, made, RATE)
        artefacts = {"sound": sound.name, "films": films.name, "clips": real.name, "signals": signals.name}
        record(folder, control, worse, artefacts)
    record(folder, "Oracle", -0.1, {"sound": "../../etc", "clips": real.name})
    kept = {"id": "ab" * 8, "kind": "response", "status": "done", "words": [f"control={SCRIPT}"], "experiment": {}, "scores": {}}
    (folder / "check.json").write_text(json.dumps(kept | {"facts": {"deaf": [SCRIPT]}}))
    return spec(folder)


def labels(folder):
    with open(folder / "labels.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("id", "label"), *((id, LABEL) for id in IDS)])


def record(folder, control, worse, artefacts):
    from bench.identity import digest
    from bench.record import Record
    from melqcd.mel import Lab

    random = np.random.default_rng(len(control))
    scale = {"is": "Lab", **{k: v for k, v in vars(Lab()).items()}}
    settings = {"bound": 1, "bands": 8, "group": 4} if control == "MelQCD" else {}
    experiment = {
        "name": f"{control} {SCRIPT}", "control": {"is": control, **settings}, "data": {"is": IMAGE, "test": len(IDS)}, "scale": scale,
        "sampling": {"seed": 0}, "judges": [{"is": "Sync"}], "slots": "video", "predicted": "none", "prompt": "label", "split": "test",
    }  # fmt: skip
    scores, rows = {}, []
    for metric, base, sign in (("mkl.lab", 2.0, 1), ("onset_acc.condfoley", 0.5, -1)):
        values = base * (1 + sign * worse + 0.05 * random.normal(size=len(IDS)))
        scores[metric] = {"value": float(values.mean()), "low": float(values.min()), "high": float(values.max()), "n": len(IDS)}
        rows += [(id, 0, metric, v, "ok") for id, v in zip(IDS, values, strict=True)]
    without = {"fid.lab": list(10 + worse + 0.1 * random.normal(size=len(IDS)))}
    scores["fid.lab"] = {"value": 10.0 + worse, "low": 9.0, "high": 12.0, "n": len(IDS)}
    facts = {"bits_per_slot": 12.0 if settings else 0.0, "reals_per_slot": 2, "clips_hash": "h"}
    made = {"artefacts": artefacts}
    one = Record(digest(control), "run", "done", ["control=x", f"why='{SCRIPT} $(id)'"], experiment, scores, facts, made)
    one.write(folder, pd.DataFrame(rows, columns=["clip", "sample", "metric", "value", "status"]), without)


def spec(folder):
    rows = [
        {"label": f"Mel-QCD {SCRIPT}", "by": "=HYPERLINK(1)", "where": {"experiment.control.is": "MelQCD"}},
        {"label": f"none {IMAGE}", "by": r"\input{x} & 50%", "where": {"experiment.control.is": "NoControl"}},
        {"label": "-1+cmd\x1b[31m\u202eevil", "ranked": False, "where": {"experiment.control.is": "Oracle"}},
    ]
    told = {"title": f"Report {SCRIPT} \\input{{a}} & %", "about": IMAGE, "rows": rows, "metrics": ["fid", "mkl", "onset_acc"]}
    told["published"] = {"source": IMAGE, "metrics": ["mkl"], "rows": {f"Mel-QCD {SCRIPT}": {"true": [1.25]}}}
    path = folder / "a #1%20'b'.yaml"
    path.write_text(yaml.safe_dump(told | {"forms": [{"name": "true", "where": {"experiment.predicted": "none"}}]}))
    return path

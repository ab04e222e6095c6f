"""Judges by name: what turns a folder of sounds into the arrays that metrics compare."""

JUDGES: dict[str, str] = {
    "sync": "bench.judges.sync:Sync",
    "lab": "bench.judges.lab:Lab",
    "melception": "bench.judges.classifiers:Melception",
    "panns16k": "bench.judges.classifiers:Panns16k",
    "panns32k": "bench.judges.classifiers:Panns32k",
    "vggsound": "bench.judges.classifiers:VGGSoundMean",
    "vggsound_vlad": "bench.judges.classifiers:VGGSoundVLAD",
    "ast": "bench.judges.classifiers:AST",
    "imagebind": "bench.judges.imagebind:ImageBind",
    "synchformer": "bench.judges.desync:DeSync",
}

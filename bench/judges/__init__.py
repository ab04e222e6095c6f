"""Judges by name: what turns a folder of sounds into the arrays that metrics compare."""

JUDGES: dict[str, str] = {"sync": "bench.judges.sync:Sync", "lab": "bench.judges.lab:Lab"}

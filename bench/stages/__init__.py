"""The stages of the chain by name: where each one's code is, and which version of it."""

from bench.store import Stage

world = Stage("world", "bench.stages.world:world")
clips = Stage("clips", "bench.stages.clips:clips")
signals = Stage("signals", "bench.stages.signals:signals")
judge = Stage("judge", "bench.stages.judge:judge")
score = Stage("score", "bench.stages.score:score")

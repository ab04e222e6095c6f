"""Every artefact of the chain by name: which stage makes it, and in which version."""

from bench.store import Stage

world = Stage("world", "bench.stages.world:world")
clips = Stage("clips", "bench.stages.clips:clips", shared="bench.stages.clips:pieces")
features = Stage("features", "bench.stages.features:features", shared="bench.stages.features:pieces")
signals = Stage("signals", "bench.stages.signals:signals", shared="bench.stages.signals:pieces")
cost = Stage("cost", "bench.stages.cost:cost")
train_predictor = Stage("predictor", "bench.stages.predict:train_predictor", joint=True)
out_of_fold = Stage("outoffold", "bench.stages.outoffold:out_of_fold", joint=True)
hints = Stage("hints", "bench.stages.predict:hints")
zeroshot = Stage("zeroshot", "bench.stages.zeroshot:zeroshot")
latents = Stage("latents", "bench.stages.latents:latents")
train_controlnet = Stage("controlnet", "bench.stages.control:train_controlnet", joint=True)
train_inversion = Stage("inversion", "bench.stages.inversion:train_inversion", joint=True)
given_predictor = Stage("predictor", "bench.stages.given:given_predictor")
given_controlnet = Stage("controlnet", "bench.stages.given:given_controlnet")
sample = Stage("sound", "bench.stages.sound:sample")
films = Stage("films", "bench.stages.films:films")
reconstruct = Stage("reference", "bench.stages.sound:reconstruct")
degrade = Stage("degraded", "bench.stages.degrade:degrade")
distort = Stage("misled", "bench.stages.distort:distort")
judge = Stage("judge", "bench.stages.judge:judge")
pairs = Stage("pairs", "bench.stages.score:pairs")
score = Stage("score", "bench.stages.score:score", version=2)  # 2: KID, KAD and FD-infinity beside FID

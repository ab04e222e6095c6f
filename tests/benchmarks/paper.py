"""Sampling and training at the paper's size, ours against the released way, on the device that is there:

    python tests/benchmarks/paper.py --size paper --out paper.json          # a GPU of 24 GB or more, about ten minutes
    python tests/benchmarks/paper.py --size paper --meta                    # shapes, parameters and arithmetic alone, on any machine
    python tests/benchmarks/paper.py                                        # the smoke test: a tiny network on the CPU

Auffusion's UNet and VAE and the released ControlNet in their published shapes, with weights by the rule of the goldens under the names
of our modules: speed does not depend on them, but what is not a number would be noticed. A clip is 10.24 s, 101 calls of PLMS, guidance
7.5 and, in both ways, one decoding; prompts are given as words, and the vocoder is left out.
released: one clip at a time, two passes a step, the hint encoded anew at each step, float32 (their code, spec/checkpoints.md 2).
ours: batches, both halves in one pass, the hint encoded once, in each precision. Both ways are compared before they are timed.
share: matrix arithmetic done (counted by torch) over what the device does in a plain matrix product of the same precision, measured here;
in float32 it may pass 1, for torch lets convolutions use tensor cores (TF32) where products may not.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path

import torch

from melqcd.backbone import Backbone
from melqcd.controlnet import noise_loss, predicted_noise
from melqcd.mel import Auffusion, MelScale
from melqcd.sampling import PNDM, clip_noise, generate, integrate
from melqcd.settings import ControlNet, Training

WORDS = (77, 768)  # of a prompt, as CLIP's text half gives them
TINY = {"block_out_channels": (32, 32, 32, 32)}
GOLDEN, A, B = (n - 2**64 for n in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))  # as signed numbers


def stream(name: str, count: int, device: str = "cpu") -> torch.Tensor:
    """The goldens' numbers of `name` in [-1, 1): integers that wrap around, so the same on any device."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little", signed=True)
    z = torch.arange(1, count + 1, device=device) * GOLDEN + seed
    for shift, factor in ((30, A), (27, B), (31, 1)):
        z = (z ^ ((z >> shift) & (2 ** (64 - shift) - 1))) * factor
    return ((z >> 40) & (2**24 - 1)).float() * 2.0**-23 - 1


@torch.no_grad()
def fill(module: torch.nn.Module, device: str) -> None:
    """Give every weight of `module` the rule's numbers."""
    for name, p in module.named_parameters():
        s = stream(name, p.numel(), device).view(p.shape)
        wide = 2 if "controlnet_cond_embedding" in name else 1  # nothing normalises there
        if p.dim() > 1:
            p.copy_(s * wide * (3 / p[0].numel()) ** 0.5)
        else:
            p.copy_(1 + 0.1 * s if name.endswith("weight") else 0.1 * s)


def networks(size: str, device: str) -> tuple[Backbone, torch.nn.Module, ControlNet]:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    from melqcd.published import SD_TEXT, SD_UNET, SD_VAE
    from melqcd.released import WIDTHS, schedule

    small, scale = (TINY, MelScale(bins=64, frames=128)) if size == "tiny" else ({}, Auffusion())
    # stands there for its width, says nothing
    tiny = {"num_hidden_layers": 1, "vocab_size": 3, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    text = CLIPTextConfig(**SD_TEXT | tiny)
    with torch.device(device):
        vae, unet = AutoencoderKL(**SD_VAE | small), UNet2DConditionModel(**SD_UNET | small)
        model = Backbone(vae, unet, CLIPTextModel(text), None, schedule(), scale)
        how = ControlNet(widths=(8, 16) if size == "tiny" else WIDTHS)
        net = how.build(model)
    for part in (unet, vae, net) if device != "meta" else ():
        fill(part, device)
    return model, net.requires_grad_(False).eval(), how


def arithmetic(model, net, how, clips: int = 1) -> tuple[float, float]:
    """Floating point operations of matrix products and convolutions of one guided step and of decoding, both of one clip."""
    from torch.utils.flop_counter import FlopCounterMode

    device, kind = model.device, model.dtype
    c, h, w = model.latent_shape
    with torch.no_grad(), FlopCounterMode(display=False) as step:
        shown = torch.zeros(2 * clips, 2 * c, h, w, device=device, dtype=kind)
        found = predicted_noise(
            model, net, shown[:, :c], torch.zeros(2 * clips, device=device), shown.new_zeros(2 * clips, *WORDS), shown
        )
    assert found.shape == (2 * clips, c, h, w)
    with torch.no_grad(), FlopCounterMode(display=False) as last:
        model.vae.decode(torch.zeros(clips, c, h, w, device=device))
    return step.get_total_flops() / clips, last.get_total_flops() / clips


class Meter:
    """Seconds and peak memory of what a device does."""

    def __init__(self, device: str):
        self.cuda = device.startswith("cuda")

    def __call__(self, work) -> tuple[float, float]:
        if self.cuda:
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
        else:
            Path("/proc/self/clear_refs").write_text("5")  # the highest mark of memory begins anew
        began = time.perf_counter()
        work()
        if self.cuda:
            torch.cuda.synchronize()
        seconds = time.perf_counter() - began
        status = Path("/proc/self/status").read_text()
        gb = torch.cuda.max_memory_allocated() / 1e9 if self.cuda else int(status.partition("VmHWM:")[2].split()[0]) / 1e6
        return seconds, gb


def rate(kind: torch.dtype, device: str, meter: Meter) -> float:
    """Floating point operations a second in a large matrix product."""
    n = 8192 if device.startswith("cuda") else 512
    a = torch.rand(n, n, device=device).to(kind)
    a @ a
    return 2 * n**3 / min(meter(lambda: a @ a)[0] for _ in range(5))


def released(model, net, how, sampler, noise, hints, words, empty) -> torch.Tensor:
    """Latents, clip by clip, two passes a step, each step with the hint encoded anew."""
    found = []
    for i in range(len(noise)):

        def noise_at(latents, t, i=i):
            shown, t = how.show(hints[i : i + 1], model), t.expand(1).to(model.device)
            along, without = (predicted_noise(model, net, latents, t, w, shown) for w in (words[i : i + 1], empty))
            return without + sampler.guidance * (along - without)

        with torch.no_grad():
            start = noise[i : i + 1].to(model.device)
            found.append(integrate(sampler.scheduler(model.schedule.config), sampler.steps, start, noise_at))
            model.decode(found[-1])
    return torch.cat(found)


def sampling(asked, model, net, how, device: str, told: dict) -> None:
    """Clips a second of both ways."""
    meter, given = Meter(device), torch.Generator().manual_seed(0)
    hints = torch.rand(asked.batch, model.scale.bins, model.scale.frames, generator=given).to(device)
    words = torch.randn(asked.batch, *WORDS, generator=given).to(device)
    empty = torch.randn(1, *WORDS, generator=given).to(device)
    noise = clip_noise([str(i) for i in range(asked.batch)], model.latent_shape)
    step, last = arithmetic(model, net, how)

    def theirs(steps: int, n: int) -> torch.Tensor:
        return released(model, net, how, PNDM(steps=steps, guidance=7.5), noise[:n], hints[:n], words[:n], empty)

    def ours(steps: int, n: int) -> torch.Tensor:
        with torch.no_grad():
            shown = how.show(hints[:n], model)
            found = generate(model, PNDM(steps=steps, guidance=7.5), noise[:n], words[:n], net=net, shown=shown, empty=empty)
            model.decode(found)
        return found

    calls = asked.steps + 1
    wanted = theirs(3, 2)  # of few steps: warms up, and is what the others are compared with
    seconds, gb = meter(lambda: theirs(asked.steps, asked.theirs))
    one = told["released, fp32"] = {"clips_per_s": asked.theirs / seconds, "gb": gb, "ratio": 1.0}
    one["share"] = one["clips_per_s"] * (calls * step + last) / rate(torch.float32, device, meter)
    for precision in asked.precision:
        model.narrow(precision)
        torch.nn.Module.to(net, model.dtype)
        if asked.compile:
            from melqcd.compiling import compile

            compile([model.unet, net], device)
        away = float((ours(3, 2) - wanted).abs().max() / wanted.std())
        assert away < {"fp32": 1e-2, "fp16": 0.1, "bf16": 0.5}[precision], f"{precision} is {away:.2g} away from the released way"
        ours(1, asked.batch)
        seconds, gb = meter(lambda: ours(asked.steps, asked.batch))
        row = told[f"ours, {precision}"] = {"clips_per_s": asked.batch / seconds, "gb": gb, "away": away}
        row["ratio"] = row["clips_per_s"] / one["clips_per_s"]
        row["share"] = row["clips_per_s"] * (calls * step + last) / rate(model.dtype, device, meter)
    model.narrow("fp32")
    net.float()


def training(asked, model, net, device: str, told: dict) -> None:
    """A step of the ControlNet's training in both precisions."""
    from melqcd.training import train

    n, given = asked.train, torch.Generator().manual_seed(0)
    c, h, w = model.latent_shape
    batch = {"latents": torch.randn(n, c, h, w, generator=given), "noise": torch.randn(n, c, h, w, generator=given),
             "times": torch.randint(0, 1000, (n,), generator=given), "words": torch.randn(n, *WORDS, generator=given),
             "shown": torch.randn(n, 2 * c, h, w, generator=given)}  # fmt: skip
    net.requires_grad_(True)
    meter, done = Meter(device), []
    for precision in ("fp32", "bf16"):
        how = Training(steps=3, batch=n, lr=1e-6, precision=precision)

        def learn(how=how) -> None:
            done.append(train(net, lambda _: batch, lambda b: noise_loss(model, net, *b.values()), how, device=device))

        _, gb = meter(learn)
        told[f"ControlNet's training step of {n} clips, {precision}"] = {"s": done[-1].seconds / 3, "gb": gb}


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--size", choices=("tiny", "paper"), default="tiny")
    words.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    words.add_argument("--meta", action="store_true", help="count parameters and arithmetic, run nothing")
    words.add_argument("--batch", type=int, default=16, help="clips in one batch of ours")
    words.add_argument("--theirs", type=int, default=2, help="clips that the released way makes, one after the other")
    words.add_argument("--steps", type=int, default=100)
    words.add_argument("--train", type=int, default=8, help="clips of a training step")
    words.add_argument("--precision", nargs="+", choices=("fp32", "bf16", "fp16"), default=["fp32", "bf16", "fp16"])
    words.add_argument("--compile", action="store_true")
    words.add_argument("--out", type=Path, help="a JSON file of all numbers")
    asked = words.parse_args()
    device = "meta" if asked.meta else asked.device
    gpu = device.startswith("cuda")
    name = torch.cuda.get_device_name() if gpu else f"{'nothing' if asked.meta else 'a CPU'}, {torch.get_num_threads()} threads"
    print(f"device: {name}; {asked.size} size")
    if not gpu:
        print("No GPU was there: nothing below says how fast the paper's networks are.")
    model, net, how = networks(asked.size, device)
    step, last = arithmetic(model, net, how)
    parts = {"unet": model.unet, "controlnet": net, "vae": model.vae}
    told: dict = {"parameters": {k: sum(p.numel() for p in m.parameters()) for k, m in parts.items()}}
    told |= {"device": name, "tflop_a_guided_step": step / 1e12, "tflop_decoding": last / 1e12}
    print("; ".join(f"{k} {v:,} parameters" for k, v in told["parameters"].items()))
    print(
        f"one clip: {step / 1e12:.3g} TFLOP a guided step, {last / 1e12:.3g} to decode, {((asked.steps + 1) * step + last) / 1e12:.4g} in all"
    )
    rows = told["rows"] = {}
    if not asked.meta:
        sampling(asked, model, net, how, device, rows)
        training(asked, model, net, device, rows)
        for label, row in rows.items():
            print(f"{label:44} " + "  ".join(f"{k} {v:.3g}" for k, v in row.items()), flush=True)
        if asked.size == "paper":  # each in a process of its own
            subprocess.run(
                [sys.executable, Path(__file__).with_name("predictor.py"), "--size", "released", "--device", device], check=True
            )
    if asked.out:
        asked.out.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()

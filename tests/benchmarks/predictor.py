"""One training step of the predictor against the released CodePredictor's way, at the same clips and width. By hand:

    python tests/benchmarks/predictor.py [--size lab|released] [--threads 1] [--device cuda]

The released way is written plainly below: features upsampled to 100 Hz, a mask filled in a loop over clips, softmax spelt out.
Each variant runs in a process of its own, so that peak memory is its own.
"""

import argparse
import multiprocessing
import resource
import statistics
import time

SIZES = {  # clips a step, slots at 25 Hz, features, width, depth, heads, bias
    "lab": (32, 64, 128, 128, 3, 4, 64),
    "released": (4, 250, 768, 512, 6, 8, 256),
}
STEPS = 8


def plain(net, features, lengths):
    """What the released network computes, in its order; `net` holds the weights."""
    import torch

    clips, slots = features.shape[:2]
    x = torch.nn.functional.interpolate(features.transpose(1, 2), scale_factor=4, mode="linear").transpose(1, 2)
    length = 4 * slots
    mask = torch.zeros(clips, length, dtype=torch.bool, device=x.device)
    for i in range(clips):
        mask[i, : 4 * int(lengths[i])] = True
    bias = net.rel_pos_bias(length, 0.25)
    x = net.proj_in(x)
    for layer in net.layers_en:
        y, a = layer.norm1(x), layer.attention
        k, v = a.to_kv(y).chunk(2, -1)
        q, k, v = (t.unflatten(-1, (a.heads, -1)).transpose(1, 2) for t in (a.to_q(y), k, v))
        scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5 + bias
        scores = scores.masked_fill(~mask[:, None, :, None], -torch.finfo(scores.dtype).max)
        scores = scores.masked_fill(~mask[:, None, None, :], -torch.finfo(scores.dtype).max)
        x = x + a.dropout(a.to_out((scores.softmax(-1) @ v).transpose(1, 2).flatten(2)))
        x = x + layer.feed_forward(layer.norm2(x))
    return net._outputs(net.layer_norm_en(x))


def plain_loss(net, outputs, signal, lengths):
    import torch

    total = 0.0
    for name, output in outputs.items():
        for i, n in enumerate(lengths):
            here, true = output[i : i + 1, :, : 4 * int(n)], signal[name][i : i + 1, :, : 4 * int(n)]
            if net.heads[name].kind == "class":
                head = net.heads[name]
                for g in range(head.n):
                    ce = torch.nn.functional.cross_entropy(here[:, g * 81 : g * 81 + 81], true[:, g], reduction="none")
                    total = total + ((1 - torch.exp(-ce)) ** 2 * ce).mean() / head.n
            else:
                total = total + (here - true).square().mean()
    return total / len(lengths)


def measure(way, size, threads, device, answer):
    import torch

    from melqcd.heads import Head
    from melqcd.predictor import V2X, Predictor

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    clips, slots, width_in, width, depth, heads, bias = SIZES[size]
    how = V2X(width=width, depth=depth, heads=heads, bias=bias, rate=25 if way == "default" else 100)
    net = Predictor(how, width_in, {"code": Head("class", 81, 2), "energy": Head("scalar"), "deviation": Head("scalar")}).to(
        device
    )
    optimiser = torch.optim.AdamW(net.parameters(), 1e-4, fused=way != "plain")
    features, length = torch.randn(clips, slots, width_in), slots if way == "default" else 4 * slots
    lengths = torch.full((clips,), slots)
    lengths[0] = slots // 2
    valid = torch.arange(length) < lengths[:, None] * (length // slots)
    signal = {"code": torch.randint(81, (clips, 2, length))} | {k: torch.randn(clips, 1, length) for k in ("energy", "deviation")}
    features, valid, signal = features.to(device), valid.to(device), {k: v.to(device) for k, v in signal.items()}
    before, times = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, []
    for _ in range(STEPS):
        began = time.perf_counter()
        optimiser.zero_grad()
        if way == "plain":
            plain_loss(net, plain(net, features, lengths), signal, lengths).backward()
        else:
            net.loss(features, signal, valid).mean().backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        if device != "cpu":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    if device != "cpu":
        answer.put((statistics.median(times[2:]), torch.cuda.max_memory_allocated() / 1024**2))
        return
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    answer.put((statistics.median(times[2:]), peak))


def main():
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--size", choices=SIZES, nargs="+", default=list(SIZES))
    words.add_argument("--threads", type=int, default=1)
    words.add_argument("--device", default="cpu")
    asked = words.parse_args()
    context = multiprocessing.get_context("spawn")
    for size in asked.size:
        found = {}
        for way in ("plain", "default", "compatible"):
            answer = context.Queue()
            running = context.Process(target=measure, args=(way, size, asked.threads, asked.device, answer))
            running.start()
            found[way] = answer.get()
            running.join()
        seconds, memory = found["plain"]
        for way, (s, m) in found.items():
            print(
                f"{size:9} {way:10} {s * 1000:8.0f} ms a step  {m:7.0f} MB   {seconds / s:5.1f}x as fast, {memory / m:4.1f}x less memory"
            )


if __name__ == "__main__":
    main()

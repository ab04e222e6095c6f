"""The lab's reader of names: CLIP's text tower, taught to put a class's name where the lab's looks put its videos."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.context import Context
from bench.inverted import unit_length
from bench.lab.networks.cards import write_card
from bench.lab.networks.tokens import END, LENGTH, START, write_tokenizer
from bench.lab.pools import Pool
from bench.stages.zeroshot import TEMPLATE
from melqcd.training import Draw, Training, train

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import CLIPTextModelWithProjection

CALLED = ("{}", TEMPLATE)  # how a class is named in training
FRAMES = 8  # of a clip, evenly spaced, whose mean is what the name must be near to
SHARPNESS = 20.0  # of the cosines that the softmax is taken of
RIGHT = "held clips whose own class is the nearest of all"


@dataclass(frozen=True)
class Names:
    """Sizes and training of the text tower; the encoder of looks stays as it is."""

    width: int = 64
    layers: int = 2
    heads: int = 4
    training: Training = Training(steps=300, batch=60, lr=1e-3, betas=(0.9, 0.98), weight_decay=0.05, seed=23)

    def __post_init__(self):
        if self.width % self.heads:
            raise ValueError(f"heads must divide width, got {self}")

    def build(self, tokens: dict[str, int], dims: int) -> CLIPTextModelWithProjection:
        from transformers import CLIPTextConfig, CLIPTextModelWithProjection

        return CLIPTextModelWithProjection(
            CLIPTextConfig(
                vocab_size=len(tokens),
                hidden_size=self.width,
                intermediate_size=4 * self.width,
                projection_dim=dims,
                num_hidden_layers=self.layers,
                num_attention_heads=self.heads,
                max_position_embeddings=LENGTH,
                bos_token_id=tokens[START],
                eos_token_id=tokens[END],
                pad_token_id=tokens[END],
            )
        )


def names(out: Path, part: Path, ctx: Context, recipe: Names, looks: Path, pool: Path) -> None:
    """Train the text tower on the clips of `pool` as the encoder in `looks` sees them, and write it with its tokenizer and a card.

    Of all classes the clip's own must be the nearest to the mean of its frames' embeddings.
    """
    torch = ctx.torch()
    from transformers import CLIPTokenizer

    data = Pool(pool)
    said = [[way.format(label) for label in data.labels] for way in CALLED]
    write_tokenizer(out, sorted({word for row in said for text in row for word in text.split()}))
    tokenizer = CLIPTokenizer.from_pretrained(out, local_files_only=True)
    seen = torch.from_numpy(_seen(part / "seen.npy", data, looks, ctx))
    label = torch.from_numpy(np.array(data.label)).long()
    torch.manual_seed(recipe.training.seed)
    net = recipe.build(tokenizer.get_vocab(), seen.shape[1])
    ids = [tokenizer(row, padding="max_length", max_length=LENGTH, return_tensors="pt").input_ids for row in said]

    def batches(draw: Draw) -> dict[str, Tensor]:
        at = draw.clips(len(data.train))
        called = torch.randint(0, len(said), (1,), generator=draw.generator).expand(len(at))
        return {"seen": seen[at], "label": label[at], "called": called}

    def near(batch: dict[str, Tensor]) -> Tensor:
        texts = net(ids[int(batch["called"][0])].to(net.device)).text_embeds
        return batch["seen"] @ torch.nn.functional.normalize(texts, dim=-1).T

    def loss(batch: dict[str, Tensor]) -> Tensor:
        return torch.nn.functional.cross_entropy(SHARPNESS * near(batch), batch["label"], reduction="none")

    held = torch.arange(data.test.start, data.test.stop)

    def measured() -> dict[str, float]:
        batch = {"seen": seen[held], "label": label[held], "called": torch.full((len(held),), CALLED.index(TEMPLATE))}
        return {RIGHT: float((near(batch).argmax(1) == batch["label"]).float().mean())}

    trained = train(net, batches, loss, recipe.training, part=part, ctx=ctx, label="names", coupled=True, micro=0, save_s=30)
    with torch.inference_mode():
        quality = measured()
    net.save_pretrained(out)
    write_card(out, "names of classes among the looks (CLIP's text tower)", net, recipe, pool, trained, quality)


def _seen(path: Path, data: Pool, looks: Path, ctx: Context) -> np.ndarray:
    """float32 [clips, d], of length one: the mean over some frames of each clip of their embeddings, themselves of length one."""
    from bench.store import replace_file
    from melqcd.visual import load_looks, looks_features

    if path.exists():
        return np.load(path)
    net, found = load_looks(looks).to(ctx.device), []  # type: ignore[arg-type]
    at = np.linspace(0, data.frames.shape[1] - 1, FRAMES).round().astype(int)
    for row in ctx.track(range(len(data.frames)), "looks"):
        frames = looks_features(net, np.array(data.frames[row, at])).numpy()
        found.append(unit_length(frames).mean(0))
        ctx.check()
    rows = unit_length(np.stack(found))
    path.parent.mkdir(parents=True, exist_ok=True)

    def write(draft: Path) -> None:
        with open(draft, "wb") as file:
            np.save(file, rows)

    replace_file(path, write)
    return rows

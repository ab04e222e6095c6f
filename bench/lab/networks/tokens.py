"""A tokenizer in CLIP's own format for a small lexicon: vocab.json and merges.txt, every known word one token, any other text in letters."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

START, END = "<|startoftext|>", "<|endoftext|>"
LENGTH = 77  # tokens of a prompt, as in CLIP


def write_tokenizer(out: Path, words: Sequence[str]) -> int:
    """Write the files that CLIPTokenizer.from_pretrained reads; the number of tokens.

    The vocabulary is built like CLIP's: the 256 byte letters, the same at a word's end, then one entry per merge, then the two marks.
    Each word is merged from the left, letter by letter.
    """
    letters = _byte_letters()
    tokens = [*letters, *(letter + "</w>" for letter in letters)]
    merges: list[tuple[str, str]] = []
    for word in dict.fromkeys(words):
        pieces = [*word[:-1], word[-1] + "</w>"]
        left = pieces[0]
        for right in pieces[1:]:
            if (left, right) not in merges:
                merges.append((left, right))
            left += right
    tokens += [*dict.fromkeys(a + b for a, b in merges), START, END]
    vocabulary = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    out.mkdir(parents=True, exist_ok=True)
    (out / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False))
    (out / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    settings = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": LENGTH,
        "bos_token": START,
        "eos_token": END,
        "unk_token": END,
        "pad_token": END,
    }
    (out / "tokenizer_config.json").write_text(json.dumps(settings, indent=1))
    return len(vocabulary)


def _byte_letters() -> list[str]:
    """One printable letter per byte, those of byte-level BPE: printable bytes stand for themselves, the others for 256, 257, ..."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    other = iter(range(256, 512))
    return [chr(b if b in plain else next(other)) for b in range(256)]

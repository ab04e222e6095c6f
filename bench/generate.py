"""`bench generate`: videos in, mp4 files with generated sound out, by the same chain and networks as a run."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench import artefacts, chain
from bench.data.base import Item
from bench.data.decode import shown
from bench.data.files import scan
from bench.data.film import Film
from bench.data.folder import read_labels
from bench.data.ids import stem
from bench.errors import Refused
from bench.experiment import Experiment
from bench.media import read
from bench.prompts import GENERIC, Prompt, Said
from bench.run import Row, control_name, rows_of
from bench.stages.zeroshot import read as read_names
from bench.store import Store, replace_file
from bench.strangers import record

TRAINED = (artefacts.train_predictor, artefacts.train_controlnet, artefacts.train_inversion)
RUN = re.compile(r"[0-9a-f]{4,16}")  # a record's id, or how it begins


@dataclass(frozen=True)
class Asked:
    """The names of a command line, told apart."""

    videos: list[Path]
    run: str  # a record's id or its beginning; "" where words describe the experiment
    words: list[str]


def asked(names: Sequence[str]) -> Asked:
    """What exists is a video (of a folder, all in it), NAME=VALUE a word, four or more hexadecimal digits a run."""
    videos: list[Path] = []
    runs, words = [], []
    for name in names:
        path = Path(name).expanduser()
        if path.is_dir():
            found = [Path(f.path) for f in scan(path)[0] if f.video]
            if not found:
                raise Refused(f"{path} holds no video")
            videos += found
        elif path.exists():
            videos.append(path)
        elif "=" in name:
            words.append(name)
        elif RUN.fullmatch(name):
            runs.append(name)
        else:
            raise Refused(f"{name} is missing: give a video, a folder of videos, a run's id or NAME=VALUE")
    if not videos:
        raise Refused("name a video: `bench generate VIDEO.mp4 control=melqcd`")
    if len(runs) > 1:
        raise Refused(f"one run at a time, got {' and '.join(runs)}")
    return Asked(list(dict.fromkeys(videos)), runs[0] if runs else "", words)


# ---- which experiment -----------------------------------------------------------------------------------------------------------


def experiment_of(run: str, results: Path, words: Sequence[str]) -> tuple[Experiment, list[str]]:
    """(the experiment of the record whose id begins with `run`, its words): composed again, and known to be the same by its id.

    words: further ones; of sampling and the machine alone, for any other would make it another experiment with other networks.
    """
    from bench.settings import compose, expand

    odd = [w for w in words if w.partition("=")[0].split(".")[0] not in ("sampling", "machine")]
    if odd:
        raise Refused(f"{odd[0]}: run {run} has its settings; only those of sampling and machine can stand beside it")
    places = {p.stem: p for folder in (results / "reference", results) for p in sorted(folder.glob(f"{run}*.json"))}
    if len(places) != 1:
        several = f"several runs begin so: {', '.join(list(places)[:5])}; write more of the id"
        raise Refused(f"{run}: {several if places else f'there is no such record in {results}'}")
    told = record(*places.values())
    name = told["experiment"].get("name", told["id"])
    if told["kind"] != "run":
        raise Refused(f"{told['id']} ({name}) is of kind {told['kind']}: no network of it makes sound from video; name a run")
    for line in expand(told["words"]):
        x = compose(*line)[0]
        for row in (Row(name, x), *rows_of([x])):
            if row.id == told["id"] and not row.reference:
                return replace(row.x, sampling=compose(*line, *words)[0].sampling), line
    raise Refused(f"{told['id']}: its words describe another run today ({shlex.join(told['words'])}): code or data have changed")


def ready(x: Experiment) -> Experiment:
    """`x` for videos whose sound nobody knows; Refused in one line where anything of a hint would be true but the video's looks."""
    if x.controls and not x.watches:
        if x.control.carries:
            raise Refused(
                f"control={control_name(x)} shows the true sound, and that of these videos is yet to be made: predict one"
            )
        true = sorted(set(x.control.heads()) - set(x.heads))
        if true:
            raise Refused(
                f"the hints of control={control_name(x)} are true ones ({', '.join(true)}), and the sound of these videos is yet to be "
                "made: leave predicted=all, or name the run with predicted hints"
            )
    return replace(x, split="test", learn=x.taught)


def prompts(videos: Sequence[Path], said: str | None, labels: Path | None, prompt: Prompt) -> dict[Path, Prompt | Said]:
    """What is told of each video: `said`, else its label in `labels` or a labels.csv in or above its folder, else the generic words.

    prompt: of the experiment; where it is generic or zeroshot, only what the command line gives takes its place.
    """
    if said is not None:
        return {video: Said(said) for video in videos}
    tables: dict[Path, Mapping[str, str]] = {}
    found: dict[Path, Prompt | Said] = {}
    for video in videos:
        beside = (place / "labels.csv" for place in (video.absolute().parent, video.absolute().parent.parent))
        table = labels or (next((p for p in beside if p.is_file()), None) if prompt == "label" else None)
        if table and table not in tables:
            tables[table] = read_labels(table)
        label = tables[table].get(stem(video.name)) if table else None
        found[video] = Said(label.replace("_", " ")) if label else "zeroshot" if prompt == "zeroshot" else "generic"
    return found


# ---- making it ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Take:
    """One video with one generated sound."""

    path: Path
    seconds: float  # of the sound
    peak: float  # of full scale 1
    text: str
    seed: int

    def __str__(self) -> str:
        level = f"{20 * np.log10(self.peak):.1f} dB" if self.peak > 0 else "silent"
        return f"{self.path}  {self.seconds:.2f} s  peak {level}  seed {self.seed}  {self.text!r}"


def generate(
    x: Experiment, texts: Mapping[Path, Prompt | Said], store: Store, out: Path, *, words: Sequence[str], samples: int = 1
) -> Iterator[Take]:
    """An mp4 in `out` for each video of `texts` and each of `samples` seeds from the sampling's on; what was made before is kept.

    Names hold what the file follows from: the same command makes the same names, another setting or video others. store: deferred.
    words: that describe `x`, for the command that trains what is not there. Raises Refused before anything is made.
    """
    x = ready(x)
    store.ctx.networks = {}  # each video is made by itself: they are loaded once for all
    for video in texts:
        shown(Item(stem(video.name), "test", None, video), 16000)  # BadMedia names the one without a picture
    wanted = []
    for video, text in texts.items():
        data = Film.of(video, store.root.parent / "videos")
        for seed in range(x.sampling.seed, x.sampling.seed + samples):
            one = replace(x, data=data, sampling=replace(x.sampling, seed=seed))
            said = chain.text_prompt(one, text, chain.decoded(data, store), store)
            sound = chain.sound(one, store, text)
            wanted.append((video, said, seed, sound, store(artefacts.films, sound)))
    _trained([films for *_, films in wanted], store, words)
    out.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^\w.+-]+", "-", control_name(x)).strip("-")
    for video, said, seed, sound, films in wanted:
        store.need(films), store.need(sound)
        made = next(films.glob("*.mp4"))
        path = out / f"{stem(video.name)}-{name}-{seed}-{films.name.rpartition('-')[2][:8]}.mp4"
        if not path.exists() or path.stat().st_size != made.stat().st_size:
            replace_file(path, lambda draft, made=made: shutil.copyfile(made, draft))
        heard = read(next(sound.glob("*.wav")))
        peak = float(np.abs(heard.wave).max())
        yield Take(path, len(heard.wave) / heard.rate, peak, _said(said), seed)


def _said(said: Prompt | Said | Path) -> str:
    if isinstance(said, Path):
        return next(iter(read_names(said).values())).replace("_", " ")
    return said.text if isinstance(said, Said) else GENERIC


def _trained(paths: Sequence[Path], store: Store, words: Sequence[str]) -> None:
    missing = [name for name in store.lacking(*paths) if store.known[name][0] in TRAINED]
    if missing:
        command = shlex.join(["bench", "run", *words])
        raise Refused(f"this takes networks that are not there: {', '.join(missing)}; `{command}` trains them")

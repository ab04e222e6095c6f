"""Published judges as the harness uses them: what they give for a folder of sounds, their class names, identities and refusals."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from bench.context import Context
from bench.errors import Refused
from bench.judges.classifiers import AST, Melception, Panns16k, VGGSoundMean, VGGSoundVLAD
from bench.judges.desync import DeSync, htk_bank, pictures, segments
from bench.judges.imagebind import ImageBind, views
from bench.judges.published import class_names
from bench.judges.view import View
from bench.media import write_mp4
from bench.metrics import METRICS, found
from bench.metrics.base import Pair
from bench.ragged import Ragged
from bench.settings import compose
from bench.sounds import Sounds
from melqcd.published import KNOWN, table


def saved(path: Path, name: str, inside: str, prefix: str = "", **beside) -> Path:
    """Weights of a table, deterministic; a tensor takes the disk of one number."""
    state = {prefix + k: torch.full((1,), 0.02).expand(s) if s else torch.tensor(1) for k, s in table(name).items()}
    torch.save({inside: state | beside}, path)
    return path


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Two short sounds, one of them with a picture of ten seconds."""
    folder = tmp_path_factory.mktemp("sounds")
    rng = np.random.default_rng(0)
    soundfile.write(folder / "a.wav", rng.normal(0, 0.1, 8000).astype(np.float32), 16000)
    seen = (rng.integers(0, 255, (64, 96, 3), np.uint8) for _ in range(250))
    write_mp4(folder / "b.mp4", seen, 25, rng.normal(0, 0.1, 160_000).astype(np.float32), 16000)
    return folder


def heard(judge, sounds: Path, out: Path, ids=("a", "b")) -> dict[str, list[np.ndarray]]:
    out.mkdir(exist_ok=True)
    judge.listen(Context(quiet=True), View(Sounds.open(sounds), ids), out)
    return {name: [np.array(Ragged(out, name)[id]) for id in ids] for name in judge.provides}


@pytest.fixture(scope="module")
def melception(tmp_path_factory):
    folder = tmp_path_factory.mktemp("melception")
    (folder / "train_means_stds_melspec_10s_22050hz.txt").write_text("0.5 0.2\n" * 80)
    return saved(folder / "melception-21-05-10T09-28-40.pt", "melception", "model")


def test_melception_gives_features_and_logits_of_every_clip(melception, sounds, tmp_path):
    found = heard(Melception(path=str(melception)), sounds, tmp_path / "out", ids=("a",))
    assert [a.shape for a in (*found["features"], *found["logits"])] == [(1, 2048), (1, 309)]
    assert np.isfinite(found["features"][0]).all()


def test_melceptions_statistics_and_class_names_are_part_of_what_it_is(melception, tmp_path):
    judge = Melception(path=str(melception))
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(f"class {i}" for i in range(309)))
    named = Melception(path=str(melception), labels=str(labels))
    assert named.classes()[308] == "class 308" and judge.classes() == ()
    assert judge.identity() != named.identity() and "statistics" in judge.identity()
    labels.write_text("one\ntwo\n")
    with pytest.raises(Refused, match=r"names 2 classes, the network has 309"):
        named.classes()


def test_panns_hear_a_click_shorter_than_their_halvings(tmp_path, sounds):
    from bench.judges.panns_net import Cnn14, _computed

    with torch.device("meta"):
        shape = Cnn14(16000)
    path = saved(tmp_path / "Cnn14_16k_mAP=0.438.pth", "panns_cnn14", "model", **_computed(shape))
    short = tmp_path / "short"
    short.mkdir()
    soundfile.write(short / "click.wav", np.ones(800, np.float32) * 0.5, 16000)
    found = heard(Panns16k(path=str(path)), short, tmp_path / "out", ids=("click",))
    assert found["features"][0].shape == (1, 2048) and found["logits"][0].shape == (1, 527)


def test_the_two_forms_of_vggsounds_classifier_are_not_taken_for_one_another(tmp_path, sounds):
    path = saved(tmp_path / "I.pth.tar", "vggsound_i", "model_state_dict", "audnet.")
    found = heard(VGGSoundVLAD(path=str(path)), sounds, tmp_path / "out", ids=("a",))
    assert found["features"][0].shape == (1, 8192) and found["logits"][0].shape == (1, 309)
    with pytest.raises(Refused, match=r"judges\.vggsound\.path: .*NetVLAD: that is judge vggsound_vlad"):
        heard(VGGSoundMean(path=str(path)), sounds, tmp_path / "no", ids=("a",))


def test_a_judge_given_another_judges_weights_says_whose_they_are(melception, sounds, tmp_path):
    torch.save({"model_state_dict": {f"audnet.{k}": torch.zeros(1) for k in table("melception")}}, tmp_path / "H.pth.tar")
    with pytest.raises(Refused, match=r"judges\.vggsound\.path: .*not expected.*it looks like melception"):
        heard(VGGSoundMean(path=str(tmp_path / "H.pth.tar")), sounds, tmp_path / "no", ids=("a",))


def test_ast_takes_classes_and_sizes_from_its_folder(tmp_path, sounds):
    from transformers import ASTConfig, ASTForAudioClassification

    config = ASTConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, num_labels=3)
    ASTForAudioClassification(config).save_pretrained(tmp_path / "ast")
    judge = AST(path=str(tmp_path / "ast"))
    assert judge.provides == {"features": ("float32", (16,)), "logits": ("float32", (3,))}
    found = heard(judge, sounds, tmp_path / "out", ids=("a",))
    assert found["logits"][0].shape == (1, 3)
    told = json.loads((tmp_path / "ast" / "config.json").read_text())
    del told["id2label"]
    (tmp_path / "ast" / "config.json").write_text(json.dumps(told))
    with pytest.raises(Refused, match="names no classes"):
        judge.classes()


def test_class_names_are_read_from_every_list_that_is_around(tmp_path):
    path = tmp_path / "names"
    for text, wanted in (
        ("dog barking\nplaying violin, fiddle\n", ("dog barking", "playing violin, fiddle")),
        ('index,mid,display_name\n0,/m/1,"Speech, loud"\n1,/m/2,Dog\n', ("Speech, loud", "Dog")),
        (
            '---g-f_I2yQ,1,"people, marching",test\n--PG66A3lo4,7,dog,train\n-abcdefghij,7,dog,train\n',
            ("dog", "people, marching"),
        ),
        ("zebra,10\nant,3\n", ("ant", "zebra")),
    ):
        path.write_text(text)
        assert class_names(path) == wanted


def test_imagebind_gives_unit_means_and_no_row_without_a_picture(monkeypatch, sounds, tmp_path):
    from bench.judges import imagebind_net
    from bench.judges.towers import Ears, Eyes, Towers

    torch.manual_seed(0)
    small = Towers(Eyes(width=16, blocks=1, heads=2), Ears(width=16, blocks=1, heads=2)).eval()
    monkeypatch.setattr(imagebind_net, "load_imagebind", lambda *_, **__: small)
    (tmp_path / "x.pth").touch()
    found = heard(ImageBind(path=str(tmp_path / "x.pth")), sounds, tmp_path / "out")
    assert [a.shape for a in found["audio_embedding"]] == [(1, 1024), (1, 1024)]
    assert [a.shape for a in found["video_embedding"]] == [(0, 1024), (1, 1024)]
    assert 0 < np.linalg.norm(found["video_embedding"][1]) <= 1.0001


def test_a_video_has_fifteen_views_left_to_right(tmp_path):
    bright = [np.repeat(np.linspace(0, 255, 120, dtype=np.uint8)[None, :, None], 60, 0).repeat(3, 2) for _ in range(75)]
    write_mp4(tmp_path / "v.mp4", bright, 25, np.zeros(48_000, np.float32), 16000)
    found = list(views(tmp_path / "v.mp4"))
    assert len(found) == 15 and all(v.shape == (3, 2, 224, 224) and v.dtype == np.uint8 for v in found)
    assert found[0].mean() < found[1].mean() < found[2].mean()


def test_desync_is_the_mean_of_the_first_and_last_offset(monkeypatch, sounds, tmp_path):
    from bench.judges import desync_net

    class Net:
        """Says that the first 14 segments are 2 s off and the last 14 in time."""

        def to(self, _):
            return self

        def look(self, frames):
            assert frames.shape[1:] == (3, 16, 224, 224)
            return frames.new_zeros(len(frames), 8, 768)

        def listen(self, mel):
            assert mel.shape[1:] == (1, 128, 66)
            return mel.new_zeros(len(mel), 6, 768)

        def compare(self, seen, heard):
            assert seen.shape == (2, 14, 8, 768) and heard.shape == (2, 14, 6, 768)
            return torch.eye(21)[[20, 10]]

    monkeypatch.setattr(desync_net, "load_desync", lambda *_, **__: Net())
    (tmp_path / "x.pth").touch()
    found = heard(DeSync(path=str(tmp_path / "x.pth")), sounds, tmp_path / "out")
    assert found["offset"][0].shape == (0, 2) and found["offset"][1].tolist() == [[2.0, 0.0]]
    metric = METRICS["desync.{judge}"]
    assert metric.of(Pair("b", {}, {"offset": found["offset"][1]})) == (1.0, "ok")
    assert metric.of(Pair("a", {}, {"offset": found["offset"][0]}))[1] == "undefined"


def test_segments_are_a_third_of_a_second_apart_and_silence_is_their_floor():
    made = segments(np.zeros(16000 * 8, np.float32))
    assert made.shape == (24, 1, 128, 66)
    assert torch.allclose(made[..., :65], torch.tensor((np.log(1e-6) + 4.2677393) / (2 * 4.5689974), dtype=torch.float32))
    assert torch.allclose(made[..., 65], torch.tensor(4.2677393 / (2 * 4.5689974)))
    assert segments(np.zeros(100, np.float32)).shape[0] == 0


def test_the_htk_bank_peaks_at_its_bands(tmp_path):
    bank = htk_bank(16000, 1024, 128)
    assert bank.shape == (128, 513) and bank.max() <= 1 and (np.diff(bank[40:].argmax(1)) > 0).all()


def test_pictures_are_as_many_as_the_sound_has_twenty_fifths(sounds):
    assert pictures(sounds / "b.mp4", 32_000).shape == (50, 3, 224, 224)


def test_each_judge_has_ids_of_its_own():
    panns = ("panns16k", frozenset({"features", "logits"}))
    there, _ = found([panns, ("melception", frozenset({"features", "logits"})), ("synchformer", frozenset({"offset"}))])
    assert {"fid.panns16k", "fid.melception", "mkl.panns16k", "desync.synchformer"} <= set(there)


def test_words_choose_a_judge_and_its_weights(tmp_path):
    x, _ = compose("judges=[sync,panns16k]", f"judges.panns16k.path={tmp_path}", "judges.panns16k.allow_pickle=true")
    assert isinstance(x.judges[1], Panns16k) and x.judges[1].allow_pickle


def test_every_licence_told_is_in_the_table_of_licences():
    table = (Path(__file__).parent.parent / "LICENSE-WEIGHTS.md").read_text()
    assert [k.id for k in KNOWN.values() if k.licence not in table] == []

"""Decoding by time stamps: picture and sound on one clock, whatever the container does to it."""

import struct
import tracemalloc
from fractions import Fraction

import av
import numpy as np
import pytest
import soundfile
import soxr

from bench.errors import Refused
from bench.media import BadMedia, film, frame_times, frames, mux, read, sound, squares, write_mp4, write_wav

RATE = 16000
AT = (0.4, 1.2)  # seconds of the flashes and clicks


def clicks(seconds=2.0, rate=RATE, at=AT):
    wave = np.zeros(round(seconds * rate), np.float32)
    for t in at:
        burst = 0.9 * np.sin(2 * np.pi * 1000 * np.arange(80) / rate)
        wave[round(t * rate) :][:80] = burst
    return wave


def flashing(path, fps=25, size=(32, 48), seconds=2.0, at=AT):
    shown = [
        np.full((*size, 3), 255 * any(k == round(t * fps) for t in at), np.uint8) for k in range(round(seconds * float(fps)))
    ]
    write_mp4(path, shown, fps, clicks(seconds, at=[round(t * fps) / float(fps) for t in at]), RATE)
    return path


def heard(path, rate=22050):
    """Seconds at which the sound of `path` gets loud."""
    loud = np.flatnonzero(abs(wave := sound(path, rate)) > 0.3 * abs(wave).max()) / rate
    return loud[np.diff(loud, prepend=-1.0) > 0.1]


def seen(path):
    """Seconds at which the picture of `path` is white."""
    times = frame_times(path)
    return times[frames(path, times).mean(axis=(1, 2, 3)) > 128]


def remade(path, out, keep=lambda p: True, *, picture=0.0, voice=0.0):
    """`path` with its streams moved by so many seconds and only the packets that `keep` keeps."""
    with av.open(str(path)) as source, av.open(str(out), "w") as target:
        streams = {s: target.add_stream_from_template(s) for s in source.streams}
        for p in source.demux():
            if p.dts is None or not keep(p):
                continue
            late = round((picture if p.stream.type == "video" else voice) / p.time_base)
            p.pts, p.dts, p.stream = p.pts + late, p.dts + late, streams[p.stream]
            target.mux(p)
    return out


# ---- one clock ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fps", [25, Fraction(30000, 1001), 12.5])
def test_flash_and_click_agree_after_encoding_and_decoding(tmp_path, fps):
    path = flashing(tmp_path / "a.mp4", fps)
    assert len(seen(path)) == 2
    np.testing.assert_allclose(heard(path), seen(path), atol=0.002)  # a click rises within 1 ms; the bound asked for is 10 ms


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
def test_muxed_sound_starts_with_the_first_picture(tmp_path, suffix):
    mux(flashing(tmp_path / "a.mp4"), clicks(), RATE, tmp_path / f"b.{suffix}")
    np.testing.assert_allclose(heard(tmp_path / f"b.{suffix}"), AT, atol=0.002)
    np.testing.assert_allclose(seen(tmp_path / f"b.{suffix}"), AT, atol=0.001)


@pytest.mark.parametrize(
    "moved", [{"voice": 0.3}, {"picture": 0.28}, {"voice": 1.0, "picture": 1.0}, {"voice": 0.12, "picture": 0.4}]
)
def test_offsets_between_the_streams_are_kept(tmp_path, moved):
    path = remade(flashing(tmp_path / "a.mp4"), tmp_path / "b.mp4", **moved)
    late = moved.get("voice", 0) - moved.get("picture", 0)
    np.testing.assert_allclose(seen(path), AT, atol=0.002)  # the first picture is zero
    np.testing.assert_allclose(heard(path), np.array(AT) + late, atol=0.002)
    assert len(sound(path, RATE)) == pytest.approx((2.048 + late) * RATE, abs=2)  # AAC's last packet is whole


def test_sound_after_the_first_picture_has_zeros_before_it(tmp_path):
    wave = sound(remade(flashing(tmp_path / "a.mp4"), tmp_path / "b.mp4", voice=0.3), RATE)
    assert not wave[: int(0.2 * RATE)].any()  # AAC's own padding lies in the last 64 ms


def test_what_an_edit_list_hides_is_not_shown(tmp_path):
    # a cut without encoding anew starts at the key frame before it; the rest is decoded and hidden
    path = remade(flashing(tmp_path / "a.mp4"), tmp_path / "b.mp4", picture=-0.2, voice=-0.2)
    np.testing.assert_allclose(seen(path), np.array(AT) - 0.2, atol=0.001)
    np.testing.assert_allclose(heard(path), np.array(AT) - 0.2, atol=0.002)
    mux(path, clicks(at=(0.2, 1.0)), RATE, tmp_path / "c.mp4")
    np.testing.assert_allclose(seen(tmp_path / "c.mp4"), heard(tmp_path / "c.mp4"), atol=0.002)


def test_a_hole_in_the_sound_moves_nothing_behind_it(tmp_path):
    inside = lambda p: p.stream.type == "audio" and 0.6 < p.pts * p.time_base < 0.9  # noqa: E731
    path = remade(flashing(tmp_path / "a.mp4"), tmp_path / "b.mkv", keep=lambda p: not inside(p))
    np.testing.assert_allclose(heard(path), AT, atol=0.003)


def test_a_click_in_the_first_sample_survives(tmp_path):
    flashing(tmp_path / "a.mp4", at=(0.0, 1.2))
    np.testing.assert_allclose(heard(tmp_path / "a.mp4"), (0.0, 1.2), atol=0.002)


# ---- pictures -------------------------------------------------------------------------------------------------------------------


def uneven(path, ticks, size=(16, 16)):
    """A video whose k-th picture has the grey value 20 k and is shown at ticks[k] / 100 s; no sound."""
    with av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=100)
        stream.width, stream.height, stream.pix_fmt = size[1], size[0], "yuv444p"
        stream.codec_context.time_base = Fraction(1, 100)
        for k, tick in enumerate(ticks):
            frame = av.VideoFrame.from_ndarray(np.full((*size, 3), 20 * k, np.uint8), format="rgb24")
            frame.pts, frame.time_base = tick, Fraction(1, 100)
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return path


def test_a_picture_is_shown_until_the_next_one(tmp_path):
    path = uneven(tmp_path / "a.mp4", [0, 4, 20, 22, 40, 41])
    np.testing.assert_allclose(frame_times(path), [0, 0.04, 0.2, 0.22, 0.4, 0.41], atol=1e-9)
    shown = frames(path, np.arange(13) / 25).mean(axis=(1, 2, 3)) / 20
    assert list(np.round(shown)) == [0, 1, 1, 1, 1, 2, 3, 3, 3, 3, 4, 5, 5]


def test_times_before_and_beyond_the_video_show_its_ends(tmp_path):
    path = uneven(tmp_path / "a.mp4", [10, 14, 18])
    assert list(np.round(frames(path, [-1.0, 0.0, 0.04, 9.0]).mean(axis=(1, 2, 3)) / 20)) == [0, 0, 1, 2]
    with pytest.raises(ValueError, match="ascend"):
        frames(path, [0.1, 0.0])


def test_rotation_is_applied_and_copied_by_mux(tmp_path):
    corner = np.zeros((32, 48, 3), np.uint8)
    corner[:16, :16] = 255  # top left
    write_mp4(tmp_path / "a.mp4", [corner] * 5, 25, clicks(0.2, at=(0.1,)), RATE)
    raw = bytearray((tmp_path / "a.mp4").read_bytes())
    matrix = raw.index(b"tkhd") + 4 + 40  # the first track is the picture; 40 bytes from the box's body to its matrix
    quarter = (0, 65536, 0, -65536, 0, 0, 48 << 16, 0, 1 << 30)  # a quarter clockwise, as phones write it
    raw[matrix : matrix + 36] = struct.pack(">9i", *quarter)
    (tmp_path / "b.mp4").write_bytes(raw)
    mux(tmp_path / "b.mp4", clicks(0.2, at=(0.1,)), RATE, tmp_path / "c.mp4")
    for name in ("b.mp4", "c.mp4"):
        shown = frames(tmp_path / name, [0.0])[0]
        assert shown.shape == (48, 32, 3)
        assert shown[4, 28].min() > 200  # now top right
        assert shown[4, 4].max() < 50
        assert shown[44, 28].max() < 50


def test_odd_sizes_and_resizing(tmp_path):
    path = flashing(tmp_path / "a.mp4", size=(35, 53))
    assert frames(path, [0, 0.4]).shape == (2, 35, 53, 3)
    assert frames(path, [0, 0.4], (64, 60)).shape == (2, 64, 60, 3)
    assert frames(path, [0], 20).shape == (1, 20, 30, 3)
    assert frames(path, []).shape[0] == 0


def test_film_keeps_one_picture_at_a_time(tmp_path):
    path = flashing(tmp_path / "a.mp4", size=(240, 320), seconds=4.0)
    tracemalloc.start()
    count = sum(1 for _ in film(path, np.arange(100) / 25))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 100
    assert peak < 4e6  # bytes: 17 pictures of the 100


# ---- sound ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "alac"])
def test_mono_is_the_arithmetic_mean_for_every_sample_format(tmp_path, codec):
    types = {"u8": np.uint8, "s16": np.int16, "s32": np.int32, "flt": np.float32, "dbl": np.float64}
    with av.open(str(tmp_path / "a.mkv"), "w") as target:
        stream = target.add_stream(codec, rate=RATE)
        stream.layout = "stereo"
        kind = stream.codec_context.format.name
        half, zero = {"u8": (64, 128), "s16": (2**14, 0), "s32": (2**30, 0)}.get(kind.removesuffix("p"), (0.5, 0))
        both = np.stack([np.full(4096, zero + half), np.full(4096, zero)]).astype(types[kind.removesuffix("p")])
        both = both if kind.endswith("p") else both.T.reshape(1, -1)  # planar or sample by sample
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(both), format=kind, layout="stereo")
        frame.sample_rate = RATE
        target.mux([*stream.encode(frame), *stream.encode(None)])
    wave = sound(tmp_path / "a.mkv", RATE)
    assert len(wave) == 4096
    np.testing.assert_allclose(wave, 0.25, atol=1e-6)  # swresample's float mono would be 0.354


def test_six_channels_at_8_khz_are_averaged(tmp_path):
    rng = np.random.default_rng(0)
    six = rng.uniform(-0.5, 0.5, (8000, 6))
    soundfile.write(tmp_path / "a.wav", six, 8000, subtype="FLOAT")
    np.testing.assert_allclose(read(tmp_path / "a.wav").wave, six.mean(axis=1), atol=1e-7)
    assert len(sound(tmp_path / "a.wav", RATE)) == RATE


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_resampling_is_soxr_from_the_sources_own_rate(tmp_path, suffix):
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, 44100)
    soundfile.write(tmp_path / f"a.{suffix}", wave, 44100, subtype="PCM_24")
    expected = soxr.resample(wave.astype(np.float32), 44100, 22050, quality="HQ")
    np.testing.assert_allclose(sound(tmp_path / f"a.{suffix}", 22050), expected, atol=1e-6)  # 24 bits


def test_wav_is_clipped_before_it_is_rounded(tmp_path):
    write_wav(tmp_path / "a.wav", np.array([0, 1.5, -1.5, 0.5, -0.5] * 100), RATE)
    back, rate = soundfile.read(tmp_path / "a.wav")
    assert rate == RATE
    np.testing.assert_allclose(back[:5], [0, 1, -1, 0.5, -0.5], atol=1e-4)  # a step of 16 bits
    for wrong, said in ((np.zeros((2, 9)), "mono"), (np.array([0, np.nan]), "not finite")):
        with pytest.raises(ValueError, match=said):
            write_wav(tmp_path / "b.wav", wrong, RATE)
    assert not (tmp_path / "b.wav").exists()


# ---- bad input ------------------------------------------------------------------------------------------------------------------


def cut(path, out, share, *, index_first=False):
    if index_first:
        with av.open(str(path)) as source, av.open(str(out), "w", options={"movflags": "faststart"}) as target:
            streams = {s: target.add_stream_from_template(s) for s in source.streams}
            for p in source.demux():
                if p.dts is not None:
                    p.stream = streams[p.stream]
                    target.mux(p)
        path = out
    raw = path.read_bytes()
    out.write_bytes(raw[: int(len(raw) * share)])


def damaged(path, out):
    raw = bytearray(path.read_bytes())
    start = raw.index(b"mdat") + 8
    noise = np.random.default_rng(0).integers(0, 256, 4000, np.uint8).tobytes()
    raw[start : start + 4000] = noise
    out.write_bytes(raw)


BAD = {
    "text.mp4": (
        lambda p, good: p.write_text("<!DOCTYPE html>\n<html>404</html>"),
        "is text, not sound or video: it begins '<!DOCTYPE",
    ),
    "empty.mp4": (lambda p, good: p.write_bytes(b""), "is empty"),
    "noise.mp4": (lambda p, good: p.write_bytes(bytes(range(128, 256)) * 9), "not sound or video that can be decoded"),
    "cut.mp4": (lambda p, good: cut(good, p, 0.6), r"cut short: the index \(moov\) is missing"),
    "half.mp4": (lambda p, good: cut(good, p, 0.6, index_first=True), "cut short: its sound ends after|damaged"),
    "damaged.mp4": (lambda p, good: damaged(good, p), "damaged"),
    "silent.mp4": (lambda p, good: uneven(p, range(12)), "has no audio stream"),
    "folder.mp4": (lambda p, good: p.mkdir(), "is a folder"),
    "missing.mp4": (lambda p, good: None, "is missing"),
    "missing.wav": (lambda p, good: None, "is missing"),
    "empty.wav": (lambda p, good: p.write_bytes(b""), "is empty"),
    "header.wav": (lambda p, good: soundfile.write(p, np.zeros(0), RATE), "has no samples"),
    "text.wav": (lambda p, good: p.write_text("not a sound"), "is text"),
    "film.wav": (lambda p, good: p.write_bytes(good.read_bytes()), r"is by its bytes mp4 and not \.wav: rename it"),
    "nan.wav": (
        lambda p, good: soundfile.write(p, np.array([0, np.nan, np.inf]), RATE, subtype="FLOAT"),
        "2 of 3 samples .* not finite",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_with_what_is_wrong(tmp_path, name):
    make, said = BAD[name]
    good = tmp_path / "good.mp4"
    if name in ("cut.mp4", "half.mp4", "damaged.mp4", "film.wav"):
        rng = np.random.default_rng(0)
        write_mp4(good, rng.integers(0, 256, (50, 32, 32, 3), np.uint8), 25, rng.uniform(-0.5, 0.5, 2 * RATE), RATE)
    make(tmp_path / name, good)
    with pytest.raises(Refused, match=f"{name}: .*({said})") as error:
        sound(tmp_path / name, RATE)
    assert "\n" not in str(error.value)


def test_one_sample_is_a_sound(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.array([0.5]), RATE)
    assert len(sound(tmp_path / "a.wav", RATE)) == 1
    assert len(sound(tmp_path / "a.wav", 22050)) <= 2


def test_a_video_without_sound_still_has_pictures(tmp_path):
    assert len(frames(uneven(tmp_path / "a.mp4", range(5)), [0, 0.02])) == 2


def test_a_sound_has_no_picture_and_says_so(tmp_path):
    soundfile.write(tmp_path / "a.flac", clicks(), RATE)
    assert not len(read(tmp_path / "a.flac").times)
    with pytest.raises(BadMedia, match=r"a\.flac: has no picture"):
        frames(tmp_path / "a.flac", [0.0])
    with pytest.raises(BadMedia, match=r"a\.flac: has no picture"):
        mux(tmp_path / "a.flac", clicks(), RATE, tmp_path / "b.mp4")
    assert [p.name for p in tmp_path.iterdir()] == ["a.flac"]


def test_sound_may_be_longer_or_shorter_than_the_picture(tmp_path):
    black = np.zeros((25, 16, 16, 3), np.uint8)
    for seconds in (0.5, 3.0):
        write_mp4(tmp_path / "a.mp4", black, 25, clicks(seconds, at=(0.2,)), RATE)
        media = read(tmp_path / "a.mp4", RATE)
        assert len(media.times) == 25
        assert len(media.wave) / RATE == pytest.approx(seconds, abs=0.064)  # AAC's last packet is whole


# ---- real clips -----------------------------------------------------------------------------------------------------------------


def test_real_clips_have_plausible_sound_and_pictures(shared):
    for path in sorted((shared / "clips" / "real").glob("*.mp4")):
        media = read(path, RATE)
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            promised, count, height, width = float(container.duration / 1e6), stream.frames, stream.height, stream.width
        assert len(media.wave) / RATE == pytest.approx(promised, abs=0.06)
        assert np.sqrt((media.wave**2).mean()) > 1e-3
        assert len(media.times) == count
        assert media.times[0] == 0
        assert np.diff(media.times).min() > 0
        np.testing.assert_allclose(media.times, frame_times(path), atol=0)
        shown = frames(path, np.arange(12) / 25, 64)
        assert shown.shape[0] == 12
        assert min(shown.shape[1:3]) == 64
        assert (height < width) == (shown.shape[1] < shown.shape[2])
        assert shown.std() > 5


def test_real_sound_is_that_of_the_goldens(shared):
    # made by swresample from 16-bit mono: what differs is the last tenth below Nyquist, where soxr's filter is another
    for rate in (16000, 22050):
        golden, _ = soundfile.read(shared / "goldens" / "metrics" / f"194394_0_gt_{rate}.wav", dtype="float32")
        wave = sound(shared / "clips" / "real" / "194394_0.mp4", rate)
        assert len(wave) == len(golden)
        off = abs(np.fft.rfft(wave - golden))
        level = abs(np.fft.rfft(golden))
        low = slice(0, int(0.8 * len(off)))
        assert np.linalg.norm(off[low]) < 1e-3 * np.linalg.norm(level[low])


def test_squares_are_the_pictures_as_encoders_are_shown_them_without_keeping_the_whole_ones(tmp_path):
    from melqcd.visual import square

    path, times = flashing(tmp_path / "v.mp4", size=(180, 320), seconds=4.0), np.arange(150) / 25
    whole = square(frames(path, times), 32).permute(0, 2, 3, 1).numpy()
    tracemalloc.start()
    found = squares(path, times, 32)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.array_equal(found, whole)
    assert most < found.nbytes + 12 * 320 * 320 * 3  # the whole pictures are 150 of 180 x 320

"""WAV files as people have them, as nobody should have them, and as we write them."""

from __future__ import annotations

import contextlib
import errno
import io
import struct
import wave

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.io import wavfile

from patter_nb.audio import g711
from patter_nb.audio.wav import read_wav, wav_bytes, write_wav
from patter_nb.errors import ConfigError, ConfigTypeError

RAMP = np.arange(-32768, 32768, 257).astype(np.int16)


def by_scipy(samples: np.ndarray, hz: int = 8000) -> bytes:
    file = io.BytesIO()
    wavfile.write(file, hz, samples)
    return file.getvalue()


def by_hand(
    encoding: int, bits: int, audio: bytes, *, channels: int = 1, hz: int = 8000, extra: bytes = b"", claim: int = -1
) -> bytes:
    fmt = struct.pack("<HHIIHH", encoding, channels, hz, hz * channels * bits // 8, channels * bits // 8, bits) + extra
    data = struct.pack("<I", len(audio) if claim < 0 else claim) + audio
    body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize("hz", [8000, 11025, 16000, 22050, 24000, 44100, 48000])
def test_16_bit_files_of_any_rate_come_back_as_they_are(hz):
    samples, rate = read_wav(by_scipy(RAMP, hz))
    assert rate == hz
    assert samples.dtype == np.int16
    assert np.array_equal(samples, RAMP)


def test_other_depths_are_brought_to_16_bits():
    assert np.array_equal(read_wav(by_scipy(RAMP.astype(np.int32) * 65536))[0], RAMP)
    assert np.array_equal(read_wav(by_scipy(RAMP.astype(np.float32) / 32768))[0], RAMP)
    eight = np.array([0, 64, 128, 192, 255], np.uint8)
    assert read_wav(by_scipy(eight))[0].tolist() == [-32768, -16384, 0, 16384, 32512]
    twenty_four = b"".join(struct.pack("<i", int(sample) * 256)[:3] for sample in RAMP)
    assert np.array_equal(read_wav(by_hand(1, 24, twenty_four))[0], RAMP)


def test_lower_bits_are_rounded_and_loud_floats_clipped():
    assert read_wav(by_hand(1, 32, struct.pack("<3i", 0x8000, 0x7FFF, -0x8001)))[0].tolist() == [0, 0, -1]
    assert read_wav(by_scipy(np.array([0.5, 1.0, 2.5, -3e38], np.float32)))[0].tolist() == [16384, 32767, 32767, -32768]


def test_mulaw_files_are_read_by_the_table():
    codes = bytes(range(256))
    assert np.array_equal(read_wav(by_hand(7, 8, codes, extra=b"\0\0"))[0], g711.decode(codes))


def test_channels_are_mixed_to_their_mean():
    stereo = np.array([[100, 300], [-32768, -32768], [32767, 32767], [1, 2]], np.int16)
    assert read_wav(by_scipy(stereo))[0].tolist() == [200, -32768, 32767, 2]
    six = np.arange(12).reshape(2, 6).astype(np.int16)
    assert read_wav(by_scipy(six))[0].tolist() == [2, 8]


def test_the_extensible_header_of_recording_programs_is_understood():
    guid = struct.pack("<H", 1) + bytes.fromhex("000000001000800000aa00389b71")
    extra = struct.pack("<HHI", 22, 16, 0) + guid
    assert np.array_equal(read_wav(by_hand(0xFFFE, 16, RAMP.tobytes(), extra=extra))[0], RAMP)


def test_chunks_that_mean_nothing_here_are_passed_over_also_odd_ones():
    plain = wav_bytes(RAMP, 8000)
    listed = plain[:12] + b"LIST" + struct.pack("<I", 3) + b"abc\0" + plain[12:] + b"bext" + struct.pack("<I", 900)
    assert np.array_equal(read_wav(listed)[0], RAMP)


@pytest.mark.parametrize("claim", [0xFFFFFFFF, 0x7FFFF000])
def test_a_placeholder_for_the_length_means_all_that_follows(claim):
    assert np.array_equal(read_wav(by_hand(1, 16, RAMP.tobytes(), claim=claim))[0], RAMP)


def test_a_path_may_be_text_or_path_and_a_missing_file_is_named(tmp_path):
    path = write_wav(tmp_path / "a.wav", RAMP, 8000)
    assert np.array_equal(read_wav(str(path))[0], read_wav(path)[0])
    with pytest.raises(FileNotFoundError, match=r"none\.wav"):
        read_wav(tmp_path / "none.wav")


PCM = struct.pack("<4h", 1, 2, 3, 4)

BROKEN = [
    (b"", r"the WAV data is empty \(0 bytes\): record or export it again"),
    (b"RIFF", "the WAV data is no WAV file .*: convert it to a 16-bit PCM WAV, for example with: sox"),
    (b"ID3\x04" + bytes(40), "is no WAV file"),
    (b"RIFF" + bytes(4) + b"AVI " + bytes(40), "is no WAV file"),
    (by_hand(1, 16, PCM)[:36], "has no audio in it .no data chunk."),
    (by_hand(1, 16, b""), r"has no audio in it \(0 samples\)"),
    (by_hand(1, 16, b"\x01"), r"has no audio in it \(0 samples\)"),
    (by_hand(1, 16, PCM)[:-3], r"is cut short \(5 of 8 bytes of audio are there\): copy or export it again"),
    (b"RIFF\x10\0\0\0WAVEdata\x02\0\0\0ab", r"audio before it says of which kind \(no fmt chunk\)"),
    (b"RIFF\x10\0\0\0WAVEfmt \x04\0\0\0abcddata\x02\0\0\0ab", r"is damaged \(its fmt chunk has 4 of at least 16 bytes\)"),
    (by_hand(1, 12, PCM), "holds 12-bit PCM, which is not read here: convert it"),
    (by_hand(3, 64, PCM), "holds 64-bit float, which is not read here"),
    (by_hand(6, 8, PCM), "holds 8-bit A-law, which is not read here"),
    (by_hand(0x55, 0, PCM), "holds 0-bit MP3, which is not read here"),
    (by_hand(0x1234, 16, PCM), "holds 16-bit encoding 4660, which is not read here"),
    (by_hand(1, 16, PCM, channels=0), r"is damaged \(it claims 0 channels at 8000 Hz\)"),
    (by_hand(1, 16, PCM, channels=33), "it claims 33 channels"),
    (by_hand(1, 16, PCM, hz=0), "at 0 Hz"),
    (by_hand(3, 32, struct.pack("<2f", 0.5, float("nan"))), r"is damaged \(some samples are not numbers\)"),
]


@pytest.mark.parametrize(("data", "sentence"), BROKEN)
def test_what_cannot_be_read_is_one_sentence_with_a_remedy(data, sentence):
    with pytest.raises(ConfigError, match=sentence) as caught:
        read_wav(data)
    assert "\n" not in str(caught.value)


def test_the_sentence_names_the_file(tmp_path):
    path = tmp_path / "empty.wav"
    path.write_bytes(b"")
    with pytest.raises(ConfigError, match=r"empty\.wav is empty"):
        read_wav(path)


@pytest.mark.parametrize("source", [None, 3, RAMP, bytearray(b"RIFF")])
def test_what_is_neither_path_nor_bytes_is_refused(source):
    with pytest.raises(ConfigTypeError, match="given by its path or its bytes, not by"):
        read_wav(source)


VALID = [wav_bytes(RAMP, 8000), wav_bytes(RAMP[:256].reshape(-1, 2), 8000, mulaw=True), by_scipy(RAMP.astype(np.float32))]


@given(
    base=st.sampled_from(VALID),
    cut=st.integers(0, 700),
    changes=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 255)), max_size=8),
)
@example(base=VALID[0], cut=0, changes=[(16, 255)])
def test_a_damaged_file_is_read_or_refused_and_nothing_else(base, cut, changes):
    data = bytearray(base[: len(base) - cut])
    for at, value in changes:
        if at < len(data):
            data[at] = value
    try:
        samples, hz = read_wav(bytes(data))
    except ConfigError:
        return
    assert samples.dtype == np.int16
    assert samples.ndim == 1
    assert len(samples) > 0
    assert 1 <= hz <= 192_000


@given(st.binary(max_size=200))
def test_noise_behind_a_header_is_read_or_refused(tail):
    with contextlib.suppress(ConfigError):
        read_wav(b"RIFF\0\0\0\0WAVE" + tail)


@given(arrays(np.int16, st.one_of(st.integers(1, 200), st.tuples(st.integers(1, 100), st.just(2)))))
def test_what_we_write_other_programs_read(samples):
    hz, theirs = wavfile.read(io.BytesIO(wav_bytes(samples, 16000)))
    assert hz == 16000
    assert np.array_equal(theirs, samples)
    with wave.open(io.BytesIO(wav_bytes(samples, 16000))) as file:
        assert (file.getnchannels(), file.getnframes(), file.getsampwidth()) == (samples.ndim, len(samples), 2)


@given(arrays(np.int16, st.integers(1, 200)))
def test_what_we_write_we_read(samples):
    assert np.array_equal(read_wav(wav_bytes(samples, 8000))[0], samples)
    assert np.array_equal(read_wav(wav_bytes(samples, 8000, mulaw=True))[0], g711.decode(g711.encode(samples)))


def test_a_mulaw_file_has_the_chunks_its_standard_asks_for():
    data = wav_bytes(np.zeros((3, 2), np.int16), 8000, mulaw=True)
    assert data[12:16] == b"fmt "
    assert struct.unpack_from("<IHHIIHHH", data, 16) == (18, 7, 2, 8000, 16000, 2, 8, 0)
    assert data[38:50] == b"fact" + struct.pack("<II", 4, 3)
    assert data[50:] == b"data" + struct.pack("<I", 6) + b"\xff" * 6
    assert struct.unpack_from("<I", data, 4)[0] == len(data) - 8


@pytest.mark.parametrize(
    ("samples", "hz", "error", "sentence"),
    [
        (np.zeros(3), 8000, ConfigTypeError, "int16, not float64"),
        ([1, 2], 8000, ConfigTypeError, "int16, not list"),
        (np.zeros((3, 3), np.int16), 8000, ConfigError, r"shape \(n,\) or \(n, 2\), not \(3, 3\)"),
        (np.zeros((3, 2, 2), np.int16), 8000, ConfigError, "shape"),
        (RAMP, 0, ConfigError, "hz must be a whole rate from 1 to 192000, not 0"),
        (RAMP, 8000.5, ConfigError, "not 8000.5"),
    ],
)
def test_what_is_no_audio_is_not_written(samples, hz, error, sentence, tmp_path):
    with pytest.raises(error, match=sentence):
        write_wav(tmp_path / "x.wav", samples, hz)
    assert list(tmp_path.iterdir()) == []


def test_writing_replaces_the_file_and_leaves_nothing_beside_it(tmp_path):
    path = tmp_path / "call.wav"
    path.write_bytes(b"old")
    assert write_wav(path, RAMP, 8000) == path
    assert [file.name for file in tmp_path.iterdir()] == ["call.wav"]
    assert np.array_equal(read_wav(path)[0], RAMP)


def test_a_folder_that_is_not_there_is_an_os_error_naming_the_file(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        write_wav(tmp_path / "nowhere" / "call.wav", RAMP, 8000)
    assert caught.value.filename == str(tmp_path / "nowhere" / "call.wav")


def test_no_room_is_an_os_error_naming_the_file_and_keeps_what_was_there(tmp_path):
    resource = pytest.importorskip("resource", reason="limits of a process are POSIX")
    path = tmp_path / "call.wav"
    path.write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OSError, match=r"call\.wav") as caught:
            write_wav(path, np.zeros(50_000, np.int16), 8000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno == errno.EFBIG
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["call.wav"]

"""A bus that is recorded is a vector file, and a vector file is a bus that can be played again."""

from __future__ import annotations

import argparse
import os
import socket
import threading
import tomllib
from pathlib import Path

import pytest
import serial

from firmware_sim.bus_tools import record_bus, replay_bus
from firmware_sim.recording import Frame, Replay, Splitter, open_pty, silence_of, written
from firmware_sim.serial_line import LineSpec
from firmware_sim.strict_toml import ScenarioError

QUESTION = bytes.fromhex("01 04 00 00 00 02 71 CB")
ANSWER = bytes.fromhex("01 04 04 43 66 33 34 1B 38")


def test_pieces_become_frames_by_silence_and_by_who_speaks() -> None:
    split = Splitter(0.005)

    for at, direction, data in [(0.0, "host>device", QUESTION[:3]), (0.003, "host>device", QUESTION[3:]),
                                (0.005, "device>host", ANSWER), (0.9, "device>host", b"\x00")]:  # fmt: skip
        split.heard(direction, data, at)  # type: ignore[arg-type]

    assert [(frame.direction, frame.data, frame.request) for frame in split.frames] == [
        ("host>device", QUESTION, b""), ("device>host", ANSWER, QUESTION), ("device>host", b"\x00", b""),
    ]  # fmt: skip


def test_an_answer_that_an_adapter_hands_over_in_lumps_is_one_frame() -> None:
    spec, answer = LineSpec(baud=9600), bytes(40)
    by_eight = Splitter(silence_of(spec), spec.char_s)
    by_time = Splitter(silence_of(spec, between=True), spec.char_s)

    by_time.heard("host>device", QUESTION, 0.0)
    for end in range(8, 41, 8):
        by_eight.heard("bus", answer[end - 8 : end], end * spec.char_s)
    for number, end in enumerate((15, 30, 40), 1):
        by_time.heard("device>host", answer[end - 15 if end < 40 else 30 : end], 0.1 + 0.016 * number)

    assert [frame.data for frame in by_eight.frames] == [answer]
    assert [(frame.data, frame.request) for frame in by_time.frames[1:]] == [(answer, QUESTION)]


def test_a_question_asked_again_is_another_frame() -> None:
    spec = LineSpec(baud=300)
    split = Splitter(silence_of(spec, between=True), spec.char_s)

    split.heard("host>device", QUESTION, 0.0)
    split.heard("host>device", QUESTION, 8 * spec.char_s + 0.2)

    assert [frame.data for frame in split.frames] == [QUESTION, QUESTION]


def test_a_recording_has_the_layout_of_all_vector_files() -> None:
    text = written(
        [Frame("host>device", QUESTION, 0.0), Frame("device>host", ANSWER, 0.02, QUESTION)], "bus", "9600 8N1"
    )

    first, second = tomllib.loads(text)["frame"]

    assert (first["id"], first["direction"], first["valid"]) == ("bus.001", "host>device", True)
    assert (bytes.fromhex(second["hex"]), bytes.fromhex(second["request"]), second["ms"]) == (ANSWER, QUESTION, 20)


def test_a_replayed_bus_gives_each_answer_in_its_turn() -> None:
    other = ANSWER[:3] + bytes(4) + b"\x00\x00"
    frames = [Frame("device>host", ANSWER, 0.0, QUESTION), Frame("device>host", other, 1.0, QUESTION)]
    replay = Replay(written(frames, "bus", "9600 8N1"))

    said = [replay.hear(b"\xff" + QUESTION[:4]), *(replay.hear(QUESTION[4:] if not n else QUESTION) for n in range(3))]

    assert said == [b"", ANSWER, other, ANSWER]


def test_a_file_without_questions_cannot_be_replayed() -> None:
    with pytest.raises(ScenarioError, match="--link"):
        Replay(written([Frame("bus", ANSWER, 0.0)], "bus", "9600 8N1"))


def test_a_bus_is_recorded_between_gateway_and_adapter_and_played_again(tmp_path: Path) -> None:
    bus, bus_slave = open_pty(tmp_path / "adapter")
    file = tmp_path / "bus.toml"
    options = argparse.Namespace(
        port=tmp_path / "adapter", link=tmp_path / "gateway", out=file, baud=9600, parity="N", seconds=0, frames=0
    )
    stop, stopped = socket.socketpair()
    recorder = threading.Thread(target=record_bus, args=(options,), kwargs={"stop": stopped.fileno()})
    recorder.start()

    host = _opened(tmp_path / "gateway")
    host.write(QUESTION)
    heard = _exactly(bus, len(QUESTION))
    os.write(bus, ANSWER)
    answered = host.read(len(ANSWER))
    stop.send(b"x")
    recorder.join()

    assert (heard, answered) == (QUESTION, ANSWER)
    assert _answers(file, tmp_path / "again") == ANSWER
    for one in (bus, bus_slave):
        os.close(one)
    host.close()
    stop.close()
    stopped.close()


def _answers(file: Path, link: Path) -> bytes:
    """What the recorded bus says to the question."""
    stop, stopped = socket.socketpair()
    player = threading.Thread(target=replay_bus, args=(file, link), kwargs={"stop": stopped.fileno()})
    player.start()
    host = _opened(link)
    host.write(QUESTION)
    said: bytes = host.read(len(ANSWER))
    stop.send(b"x")
    player.join()
    host.close()
    stop.close()
    stopped.close()
    return said


def _opened(path: Path) -> serial.Serial:
    """The port, as soon as it is there."""
    for _ in range(1_000_000):
        if path.exists():
            return serial.Serial(str(path), 9600, timeout=10)
        os.sched_yield()
    raise AssertionError(f"{path} did not appear")


def _exactly(fd: int, count: int) -> bytes:
    data = b""
    while len(data) < count:
        data += os.read(fd, count - len(data))
    return data

"""A bus that is recorded is a vector file, and a vector file is a bus that can be played again."""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import threading
import tomllib
from pathlib import Path

import pytest
import serial

from firmware_sim.bench import Line, PtyPort
from firmware_sim.bus_tools import record_bus, replay_bus
from firmware_sim.devices.iec62056 import ModeCMeter
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
    line = LineSpec(data_bits=7, parity="E").words
    asked, told = (
        Frame("host>device", QUESTION, 0.0, line=line), Frame("device>host", ANSWER, 0.02, QUESTION, line)
    )  # fmt: skip
    text = written([asked, told], "bus")

    first, second = tomllib.loads(text)["frame"]

    assert (first["id"], first["direction"], first["valid"]) == ("bus.001", "host>device", True)
    assert (bytes.fromhex(second["hex"]), bytes.fromhex(second["request"]), second["ms"]) == (ANSWER, QUESTION, 20)
    assert second["line"] == "9600 7E1"


def test_a_replayed_bus_gives_each_answer_in_its_turn() -> None:
    other = ANSWER[:3] + bytes(4) + b"\x00\x00"
    frames = [Frame("device>host", ANSWER, 0.0, QUESTION), Frame("device>host", other, 1.0, QUESTION)]
    replay = Replay(written(frames, "bus"))

    said = [replay.hear(b"\xff" + QUESTION[:4]), *(replay.hear(QUESTION[4:] if not n else QUESTION) for n in range(3))]

    assert said == [b"", ANSWER, other, ANSWER]


def test_a_file_without_questions_cannot_be_replayed() -> None:
    with pytest.raises(ScenarioError, match="--link"):
        Replay(written([Frame("bus", ANSWER, 0.0)], "bus"))


def test_a_bus_is_recorded_between_gateway_and_adapter_and_played_again(tmp_path: Path) -> None:
    bus, bus_slave = open_pty(tmp_path / "adapter")
    file = tmp_path / "bus.toml"
    options = argparse.Namespace(
        port=tmp_path / "adapter",
        link=tmp_path / "gateway",
        out=file,
        baud=9600,
        parity="N",
        bits=8,
        seconds=0,
        frames=0,
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


def test_a_line_that_changes_its_speed_is_followed_and_each_frame_says_at_which_it_passed(tmp_path: Path) -> None:
    file = tmp_path / "head.toml"
    options = argparse.Namespace(
        port=tmp_path / "adapter", link=tmp_path / "gateway", out=file, baud=300, parity="N", bits=8, seconds=0,
        frames=0,
    )  # fmt: skip
    stop, stopped = socket.socketpair()
    recorder = threading.Thread(target=record_bus, args=(options,), kwargs={"stop": stopped.fileno()})

    meter = ModeCMeter("4711", start_wh=123_450)

    async def play() -> bytes:
        line = Line(LineSpec(baud=300))
        line.attach(meter)
        adapter = PtyPort(line, tmp_path / "adapter")
        await adapter.open()
        recorder.start()
        try:
            return await asyncio.to_thread(_read_out, tmp_path / "gateway", meter)
        finally:
            stop.send(b"x")
            await asyncio.to_thread(recorder.join)
            adapter.close()

    register = asyncio.run(play())

    frames = tomllib.loads(file.read_text("utf-8"))["frame"]
    assert b"1.8.0" in register
    assert [one["line"] for one in frames] == ["300 8N1", "300 8N1", "300 8N1", "9600 8N1"]
    assert bytes.fromhex(frames[3]["hex"]) == register
    assert bytes.fromhex(frames[3]["request"]) == b"\x06050\r\n"
    stop.close()
    stopped.close()


def _read_out(path: Path, meter: ModeCMeter) -> bytes:
    """Its data block, by the steps of IEC 62056-21 mode C. A pseudo-terminal has neither 7 bits nor parity."""
    with _opened(path, 300) as host:
        host.write(b"/?!\r\n")
        host.read_until(b"\r\n")
        host.write(b"\x06050\r\n")
        for _ in range(10_000_000):
            if meter.baud != 300:
                break
            os.sched_yield()
        host.baudrate = 9600
        return bytes(host.read_until(b"\x03") + host.read(1))


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


def _opened(path: Path, baud: int = 9600) -> serial.Serial:
    """The port, as soon as it is there."""
    for _ in range(1_000_000):
        if path.exists():
            return serial.Serial(str(path), baud, timeout=10)
        os.sched_yield()
    raise AssertionError(f"{path} did not appear")


def _exactly(fd: int, count: int) -> bytes:
    data = b""
    while len(data) < count:
        data += os.read(fd, count - len(data))
    return data

"""Every place where foreign bytes come in, as one table; whoever adds a parser adds a line, or a test says so.

A driver is not here: it is fuzzed because it exists (``codecs.py``). A route is not here: it is attacked because the
OpenAPI document has it (``requests.py``). The surprise is the second table, ``READ_IN``: it names every file that calls
a decoder at all, and which entrance covers it or why what it reads is not foreign.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import lru_cache
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any

from cloud.api import cursor
from cloud.api.problems import Problem
from cloud.api.v1.events import EventIn, _batch
from cloud.billing import event_proof, verify_cli
from cloud.billing.bundle import BundleError, load
from cloud.billing.verify import Trust, verify
from cloud.payments import bank_csv, camt053
from cloud.payments.bank_entry import MAX_BYTES as BANK_BYTES
from cloud.payments.bank_entry import BankFileError
from cloud.rating.price_cases import price_cases
from firmware_sim.recording import Replay
from firmware_sim.scenario import parse as parse_scenario
from firmware_sim.strict_toml import ScenarioError
from gateway.cloud_requests import AnswerError, Inheritance, _CloudKeys, _Problem, read
from gateway.commands import CommandError
from gateway.commands.auditing import audit
from gateway.commands.lifecycles import MAX_BYTES as LIFE_BYTES
from gateway.commands.lifecycles import lifecycle
from gateway.config_file import ConfigError
from gateway.config_file import parse as parse_config
from gateway.downlink import DesiredError, understand
from gateway.drivers import find_profile, mqtt_discovery, mqtt_numbers, sparkplug_payload
from gateway.drivers.dts_file import DtsRefusedError, read_dts
from gateway.drivers.modbus_profile import ProfileError
from gateway.identity import Identity
from gateway.links.buffered_socket import BufferedSocket
from tests.fuzz.hostile import BODIES
from tests.fuzz.trees import TEXTS, mutated
from wire import batch, enrolment, http_signature, pin
from wire.batch import BatchError
from wire.canonical import LeafError
from wire.enrolment import Enrolled
from wire.hand_over import open_hand_over, open_revocation
from wire.http_signature import SignatureError
from wire.log import ProofError
from wire.proof import parse as parse_proof
from wire.records import decode
from wire.seal import SealError, Signer, split_note, verifier
from wire.tiles import parse as parse_tile

FOLDER = Path(__file__).parents[2]
VECTORS = FOLDER / "tests" / "vectors"
# A template's instance, and the same message packed (tests/vectors/sparkplug_b.toml).
INSTANCE = bytes.fromhex(
    "08e8d795ffbc311230100718e8d795ffbc31201392012212170a0a696d706f72745f6b7768200a69000000000060594022054d65746572280018"
    "02"
)
STORED = zlib.compress(INSTANCE, 0)
SPARKPLUG = (INSTANCE, b"\x22\x12SPBV1.0_COMPRESSED\x2a" + bytes((len(STORED),)) + STORED)
KEY = Signer("tallystick/acme/gw-1/1", bytes([1]) * 32)
WHO = Identity("gw-1", "tn-acme", "tallystick/acme/gw-1/1", "01" * 32, KEY.vkey, "http://cloud")
Run = Callable[[bytes], object]


class LetThroughError(AssertionError):
    """What was changed was believed, or an exit code is none of those that are documented."""


@dataclass(frozen=True)
class Entrance:
    """``run`` takes foreign bytes; only ``declared`` errors may come out. ``seeds``: what honest bytes look like.

    ``limit``: bytes beyond which nothing is parsed (0: the limit stands before it, in ``docs/limits.md``).
    """

    name: str
    run: Run
    declared: tuple[type[Exception], ...]
    seeds: Callable[[], Sequence[bytes]]
    limit: int = 0


def text(raw: bytes) -> str:
    """Any text, lone surrogates included, that these bytes can be read as."""
    return raw.decode("utf-8", "surrogateescape")


def plain(raw: bytes) -> str:
    """The text that a file of these bytes holds; rubbish becomes marks, as no file is read that is not UTF-8."""
    return raw.decode("utf-8", "replace")


def given(*seeds: bytes | str) -> Callable[[], Sequence[bytes]]:
    """Honest bytes that are written here."""
    found = [one.encode() if isinstance(one, str) else one for one in seeds]
    return lambda: found


def files(pattern: str, most: int = 4) -> Callable[[], Sequence[bytes]]:
    """Honest bytes of files in this repository."""
    return lambda: [one.read_bytes() for one in sorted(FOLDER.glob(pattern))[:most]]


def in_a_file(run: Callable[[Path], object], name: str) -> Run:
    """For what reads a path."""

    def with_file(raw: bytes) -> object:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(raw)
            return run(path)

    return with_file


@lru_cache(maxsize=1)
def a_bundle() -> bytes:
    """A bundle that verifies."""
    import asyncio  # noqa: PLC0415

    from tests.cloud.databases import _migrate  # noqa: PLC0415 - a whole cloud, only where somebody asks
    from tests.cloud.twins import CloudTwin  # noqa: PLC0415
    from tests.fuzz.shop import shop  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        address = f"sqlite:///{folder}/cloud.db"
        asyncio.run(_migrate(address))
        with CloudTwin(address, Path(folder) / "state") as cloud:
            statement = shop(cloud)["statement_id"][0]
            return cloud.ask("GET", f"/v1/statements/{statement}/bundle").content


def _verified(path: Path) -> None:
    """The whole command, as an auditor runs it on a file from somebody else."""
    said = StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        code = verify_cli.main([str(path), "--json"])
    if code not in (0, 1, 2) or "Traceback" in said.getvalue():
        raise LetThroughError(f"exit code {code}")


def _priced(raw: bytes) -> None:
    told = price_cases(raw)
    for one in told if isinstance(told, list) else [told]:
        if "error" not in one and "lines" not in one:
            raise LetThroughError(f"neither lines nor why there are none: {str(one)[:80]}")


def _packets(raw: bytes) -> None:
    """Bytes of a broker, as a socket brings them."""

    class Wire:
        def __init__(self) -> None:
            self.left = [raw[: len(raw) // 2], raw[len(raw) // 2 :]]

        def fileno(self) -> int:
            return -1

        def setblocking(self, flag: bool) -> None:
            pass

        def recv(self, size: int) -> bytes:
            return self.left.pop(0)[:size] if self.left else b""

        def send(self, data: bytearray) -> int:
            return len(data)

        def close(self) -> None:
            pass

    buffer = BufferedSocket(Wire())
    while not buffer.ended:
        buffer.fill()
        buffer.messages(properties=bool(len(raw) & 1))
        while buffer.packet() and buffer.recv(1):
            pass


def _answer(raw: bytes) -> None:
    for wanted in (_Problem, _CloudKeys, Enrolled, Inheritance):
        read(raw, wanted)


def _number(raw: bytes) -> None:
    tree = mqtt_numbers.parse(raw)
    for found in (tree, plain(raw), *(tree.values() if isinstance(tree, dict) else ())):
        mqtt_numbers.number(found, "kWh")
        mqtt_numbers.moment(found)


def _event(raw: bytes) -> None:
    for one in _batch.validate_json(raw) if raw.lstrip().startswith(b"[") else [EventIn.model_validate_json(raw)]:
        one.counted(0)


NOTE = KEY.sign_text("tallystick/acme/gw-1/1\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")
LEAF = (
    '{"b":"bbbbbbbbbbbbbbbb","ep":"eeeeeeeeeeeeeeee","k":"note","m":1,"n":1,"src":"a","t":1,"text":"x","ts":"S","v":1,'
    '"z":"00"}'
)
EVENT = (
    '{"specversion":"1.0","id":"1","source":"s","type":"t","time":"2026-11-05T10:00:00Z",'
    '"data":{"quantity":"2","price":"1.5"}}'
)
CONFIG = (
    '[gateway]\nname = "x"\nstate = "/nonexistent/x"\n[web]\nport = 8080\n'
    '[[lines]]\nname = "l"\nport = "/dev/x"\nbaud = 9600\n'
    'devices = [{ id = "a", kind = "lock_8a" }, { id = "m", kind = "modbus_meter", unit = 2, every = 900 }]\n'
    '[[brokers]]\nname = "b"\nhost = "h"\ndevices = [{ id = "c", kind = "mqtt_cabinet", cabinet = "c1" }]\n'
)
DESIRED = json.dumps({
    "tenant_id": "tn-acme", "gateway_id": "gw-1", "version": 3, "rules_version": 2,
    "planograms": {"c": {"version": 1, "slots": [{"slot": "1", "item_id": "i", "capacity": 9, "confirm": "door"}]}},
    "badges": [{"badge": "B1", "person": "p", "groups": ["g"]}],
    "rules": {"version": 2, "zone": "UTC", "shifts": [{"name": "a", "starts": "06:00"}], "persons": [{"person": "p"}],
              "limits": [{"id": "l", "quantity": 2}], "cabinets": {"c": {"identify": "badge"}}},
    "credit": {"c": {"currency": "EUR", "limit_minor": 5, "prices": {"i": 1}}},
})  # fmt: skip
CAMT = """<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><Stmt><Acct>
<Id><IBAN>DE89370400440532013000</IBAN></Id></Acct><Ntry><Amt Ccy="EUR">1.00</Amt>
<CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-12-01</Dt></BookgDt><AcctSvcrRef>r</AcctSvcrRef><NtryDtls><TxDtls><RmtInf>
<Ustrd>INV-1</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry></Stmt></BkToCstmrStmt></Document>"""
CSV = "date;amount;currency;reference;payer;account;remittance\n2026-11-01;1.00;EUR;r;p;DE1;t\n"
DTS = b"DXS*GWT0000001*VA*V0/6*1\r\nST*001*0001\r\nID1*T*M*1\r\nPA1*1*100\r\nPA2*5*500\r\nSE*5*0001\r\nDXE*1*1\r\n"
DISCOVERY = '{"name":"x","stat_t":"a/b","unique_id":"u","val_tpl":"{{ value_json.a[0].b|float }}","dev":{"ids":["d"]}}'
FRAMES = '[[frame]]\nrequest = "01 03"\nhex = "01 03 02"\n'


def _profile(path: Path) -> object:
    return find_profile(path.stem, path.parent)


def _cases() -> Sequence[bytes]:
    return [json.dumps(one["case"]).encode() for one in json.loads((VECTORS / "pricing_cases.json").read_bytes())[::6]]


ENTRANCES: tuple[Entrance, ...] = (
    Entrance("leaf", decode, (LeafError,), given(LEAF), 4096),
    Entrance("note", lambda raw: split_note(text(raw)), (SealError,), given(NOTE)),
    Entrance("key", lambda raw: verifier(text(raw)), (SealError,), given(KEY.vkey)),
    Entrance("proof", lambda raw: parse_proof(text(raw)), (ProofError,),
             given("c2sp.org/tlog-proof@v1\nindex 0\n\n" + NOTE)),
    Entrance("hand-over", lambda raw: open_hand_over(text(raw)), (SealError,), given(NOTE)),
    Entrance("revocation", lambda raw: open_revocation(text(raw), [verifier(KEY.vkey)]), (SealError,), given(NOTE)),
    Entrance("tile", lambda raw: parse_tile(text(raw)), (ProofError,), given("tile/0/x001/234.p/5")),
    Entrance("batch", batch.decode, (BatchError,), given(f"old 0\n\n{NOTE}\n{LEAF}\n"), batch.MAX_BODY),
    Entrance("gzip", batch.inflate, (BatchError,), given(batch.deflate(b"old 0\n\n" + NOTE.encode()))),
    Entrance("receipt", batch.decode_receipt, (BatchError,),
             given('{"size":1,"cosignature":"","backed_up_size":0,"quarantined":0}')),
    Entrance("head", batch.decode_head, (BatchError,),
             given('{"size":1,"checkpoint":"","backed_up_size":0,"nonce":""}')),
    Entrance("enrolment", lambda raw: enrolment.check(enrolment.Request(text(raw), text(raw), text(raw))), (SealError,),
             given(KEY.vkey)),
    Entrance("signature", lambda raw: http_signature.claimed({"signature-input": text(raw), "signature": text(raw)}),
             (SignatureError,), given('sig=("@method");keyid="x";nonce="n";alg="ed25519"')),
    Entrance("pin", lambda raw: pin.check_pin("1234", plain(raw)), (), given("scrypt$10$1$1$00$00")),
    Entrance("bundle", lambda raw: verify(load(raw), Trust()), (BundleError,), lambda: [a_bundle()], 256 * 1024 * 1024),
    Entrance("event proof", lambda raw: event_proof.check(event_proof.load(raw)), (ValueError,),
             given('{"format":"tallystick/event-proof/1","signer":"","note":"","unbilled":[],"index":0,"path":[]}')),
    Entrance("tally-verify", in_a_file(_verified, "x.json"), (), lambda: [a_bundle()]),
    Entrance("camt.053", camt053.read, (BankFileError,), given(CAMT), BANK_BYTES),
    Entrance("bank CSV", bank_csv.read, (BankFileError,), given(CSV), BANK_BYTES),
    Entrance("tally-cloud price", _priced, (), _cases),
    Entrance("CloudEvents", _event, (ValueError,), given(EVENT, f"[{EVENT},{EVENT}]")),
    Entrance("cursor", lambda raw: cursor.decode(plain(raw)), (Problem,), given("WyJhIl0", "Wzk5OTldYQ")),
    Entrance("gateway.toml", lambda raw: parse_config(plain(raw)), (ConfigError,), given(CONFIG)),
    Entrance("answer of a cloud", _answer, (AnswerError,),
             given('{"type":"/problems/stale-nonce","title":"t","detail":"d"}', '{"hand_overs":["a"]}',
                   '{"after":"","next":"x","records":[{"log":1,"idx":2,"leaf":"{}"}]}')),
    Entrance("desired document", lambda raw: understand(raw, WHO), (DesiredError,), given(DESIRED)),
    Entrance("tally-gateway lifecycle", in_a_file(lambda path: lifecycle(argparse.Namespace(case=str(path))), "x.json"),
             (CommandError,), files("tests/vectors/draw_lifecycle.json"), LIFE_BYTES),
    Entrance("tally-gateway devices audit",
             in_a_file(lambda path: audit(argparse.Namespace(file=str(path), since="", g85="ignore")), "x.dts"),
             (CommandError,), given(DTS)),
    Entrance("EVA-DTS", read_dts, (DtsRefusedError,), given(DTS)),
    Entrance("meter profile", in_a_file(_profile, "own.toml"), (ProfileError,),
             files("gateway/drivers/profiles/*.toml")),
    Entrance("MQTT packets", _packets, (), given(b"\x32\x0b\x00\x03a/b\x00\x01\x00{}x" * 3, b"\x90\x03\x00\x01\x00")),
    Entrance("MQTT number", _number, (), given('{"energy":123.456,"t":"2026-11-05T10:00:00Z"}', "12.5", "1e3")),
    Entrance("MQTT discovery", mqtt_discovery.described, (), given(DISCOVERY)),
    Entrance("Sparkplug payload", sparkplug_payload.decode, (sparkplug_payload.BadPayloadError,),
             given(bytes.fromhex("08b8b0a1d6d63312140a0562645365711801200450045800180022"), *SPARKPLUG)),
    Entrance("scenario", lambda raw: parse_scenario(plain(raw)), (ScenarioError,),
             files("firmware_sim/scenarios/*.toml", 2)),
    Entrance("recorded frames", lambda raw: Replay(plain(raw)), (ScenarioError,), given(FRAMES)),
)  # fmt: skip


def inputs(one: Entrance, count: int, seed: str) -> Iterator[bytes]:
    """What is hostile by itself, then what is almost honest."""
    chance, seeds = Random(f"{seed}/{one.name}"), one.seeds()
    yield from BODIES.values()
    yield from seeds
    trees = [tree for raw in seeds if (tree := _tree(raw)) is not None]
    for _ in range(count):
        if trees and chance.random() < 0.7:
            yield json.dumps(mutated(chance, chance.choice(trees)), ensure_ascii=chance.random() < 0.9).encode(
                "utf-8", "surrogatepass"
            )
        else:
            yield scratched(chance, chance.choice(seeds))


def _tree(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None


def scratched(chance: Random, seed: bytes) -> bytes:
    """The bytes with something put in, cut out, flipped, doubled or exchanged."""
    data = bytearray(seed)
    for _ in range(chance.randint(1, 5)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(6):
            case 0:
                data[at:at] = chance.choice(TEXTS)[:400].encode("utf-8", "surrogatepass")
            case 1:
                del data[at : at + chance.randint(1, 12)]
            case 2 if at < len(data):
                data[at] ^= 1 << chance.randrange(8)
            case 3:
                data[at:at] = data[at : at + chance.randint(1, 60)]
            case 4 if at < len(data):
                end = at
                while end < len(data) and chr(data[end]).isalnum():
                    end += 1
                data[at:end] = chance.choice(TEXTS)[:400].encode("utf-8", "surrogatepass")
            case _:
                data[at:at] = chance.choice((b"\x00", b"\xff", b'"', b"{", b"[", b"\n", b"\n\n", b"&a;", b"<", b";"))
    return bytes(data)

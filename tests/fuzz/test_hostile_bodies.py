"""What foreign bytes may do to the cloud: be refused by name, and nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloud.billing.bundle import BundleError, load
from cloud.payments import bank_csv, camt053
from cloud.payments.bank_entry import BankFileError
from gateway.config_file import ConfigError
from gateway.config_file import load as read
from tests.cloud.conftest import databases
from tests.cloud.databases import Databases
from tests.cloud.twins import CloudTwin
from tests.fuzz.hostile import BODIES, routes, unanswered
from wire import batch, enrolment, http_signature
from wire.batch import BatchError
from wire.canonical import LeafError
from wire.hand_over import open_hand_over, open_revocation
from wire.http_signature import SignatureError
from wire.log import ProofError
from wire.proof import parse as parse_proof
from wire.records import decode
from wire.seal import SealError, Signer, split_note, verifier
from wire.tiles import parse as parse_tile

__all__ = ["databases"]
KEY = Signer("tallystick/acme/gw-1/1", bytes([1]) * 32)
SEEDS = [
    b'{"b":"bbbbbbbbbbbbbbbb","ep":"eeeeeeeeeeeeeeee","k":"note","m":1,"n":1,"src":"a","t":1,"text":"x","ts":"S","v":1,"z":"00"}',
    KEY.sign_text("tallystick/acme/gw-1/1\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n").encode(),
    b"c2sp.org/tlog-proof@v1\nindex 0\n\n" + KEY.sign_text("a\n").encode(),
    b"old 0\n\n" + KEY.sign_text("a\n0\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n").encode() + b"\n",
    b'{"size":1,"cosignature":"","backed_up_size":0,"quarantined":0}',
    b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt/></Document>',
    b"date;amount;currency;reference;payer;account;remittance\n2026-11-01;1.00;EUR;r;p;DE1;t\n",
    b'[gateway]\nstate = "/tmp/x"\n[[lines]]\nport = "/dev/x"\n',
    b'{"format":"tallystick/bundle/1","keys":{},"statement":{}}',
    b"tile/0/x001/234.p/5",
    KEY.vkey.encode(),
]
TOKENS = [
    b"\x00",
    b"\xff",
    b'"',
    b"{",
    b"[",
    b"\n",
    b"\n\n",
    b"9" * 400,
    b"-",
    b"1e999",
    b"NaN",
    "\u2014 ".encode(),
    b"&a;",
    b"\\ud800",
]
READERS: dict[str, tuple[Callable[[bytes], Any], tuple[type[Exception], ...]]] = {
    "leaf": (decode, (LeafError,)),
    "note": (lambda raw: split_note(text(raw)), (SealError,)),
    "key": (lambda raw: verifier(text(raw)), (SealError,)),
    "proof": (lambda raw: parse_proof(text(raw)), (ProofError,)),
    "hand-over": (lambda raw: open_hand_over(text(raw)), (SealError,)),
    "revocation": (lambda raw: open_revocation(text(raw), [verifier(KEY.vkey)]), (SealError,)),
    "tile": (lambda raw: parse_tile(text(raw)), (ProofError,)),
    "batch": (batch.decode, (BatchError,)),
    "gzip": (batch.inflate, (BatchError,)),
    "receipt": (batch.decode_receipt, (BatchError,)),
    "head": (batch.decode_head, (BatchError,)),
    "enrolment": (lambda raw: enrolment.check(enrolment.Request(text(raw), text(raw), text(raw))), (SealError,)),
    "signature": (
        lambda raw: http_signature.claimed({"signature-input": text(raw), "signature": text(raw)}),
        (SignatureError,),
    ),
    "bundle": (load, (BundleError,)),
    "camt.053": (camt053.read, (BankFileError,)),
    "bank CSV": (lambda raw: bank_csv.read(raw, ""), (BankFileError,)),
}


def text(raw: bytes) -> str:
    """Any text, lone surrogates included, that these bytes can be read as."""
    return raw.decode("utf-8", "surrogateescape")


def mutated(chance: random.Random) -> bytes:
    """A seed with some bytes changed, cut, doubled or put in."""
    data = bytearray(chance.choice(SEEDS))
    for _ in range(chance.randint(0, 6)):
        at = chance.randrange(len(data) + 1)
        how = chance.randrange(4)
        if how == 0:
            data[at:at] = chance.choice(TOKENS)
        elif how == 1:
            del data[at : at + chance.randint(1, 12)]
        elif how == 2 and at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        else:
            data[at:at] = data[: chance.randint(0, 40)]
    return bytes(data)


@pytest.mark.parametrize("name", READERS)
def test_only_the_declared_error_comes_out_of_a_reader(name: str) -> None:
    reader, errors = READERS[name]
    chance = random.Random(name)

    for raw in [*BODIES.values(), *(mutated(chance) for _ in range(1500))]:
        try:
            reader(raw)
        except errors:
            continue


def test_a_configuration_is_good_or_a_config_error(tmp_path: Path) -> None:
    path, chance = tmp_path / "gateway.toml", random.Random(7)

    for raw in [*BODIES.values(), *(mutated(chance) for _ in range(300))]:
        path.write_bytes(raw[:200_000])
        try:
            read(path)
        except ConfigError:
            continue


ENTITIES = b"".join(b'<!ENTITY l%d "%s">' % (i, b"&l%d;" % (i - 1) * 10) for i in range(1, 10))
XML = {
    "entities in entities": b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "ha">' + ENTITIES + b"]><x>&l9;</x>",
    "a file from outside": b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><Document>&f;</Document>',
    "an address from outside": b'<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><Document/>',
    "deep": b"<a>" * 100_000,
}


@pytest.mark.parametrize("name", XML)
def test_a_bank_file_that_is_a_trap_is_refused(name: str) -> None:
    with pytest.raises(BankFileError):
        camt053.read(XML[name])


@pytest.fixture(scope="module")
def cloud(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One cloud for all of it."""
    with databases.fresh("sqlite") as address, CloudTwin(address, tmp_path_factory.mktemp("state")) as made:
        yield made


@pytest.mark.slow
def test_every_route_answers_a_hostile_body_with_a_problem_of_the_callers(cloud: CloudTwin) -> None:
    assert len(list(routes(cloud))) > 30
    assert unanswered(cloud) == []


def test_a_body_beyond_the_limit_is_refused_as_too_large(cloud: CloudTwin) -> None:
    body = b'{"name":"' + b"x" * 5_000_000 + b'"}'

    answer = cloud.ask("POST", "/v1/parties", body=body, headers={"content-type": "application/json"})

    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/too-large")

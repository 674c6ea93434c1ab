"""Go's own checksum-database code over our notes, tiles and proofs: it accepts what we publish and nothing mutated."""

from __future__ import annotations

import json
import random
from base64 import b64decode, b64encode
from pathlib import Path

import pytest

from tests.interop import go_build
from tests.interop.cases import Case, cases
from tests.interop.conftest import Published

VECTORS = Path(__file__).parent / "proof_cases.json"
pytestmark = pytest.mark.go


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Go program, built from source."""
    return go_build.build(tmp_path_factory.mktemp("go"))


def test_go_accepts_an_exported_log(program: Path, published: Published) -> None:
    code, said = go_build.run(program, "folder", str(published.folder))

    assert (code, "size 700" in said, "1 signatures" in said) == (0, True, True), said


@pytest.mark.parametrize("file", ["checkpoint", "tile/0/001", "tile/1/000.p/2"])
def test_go_refuses_an_exported_log_with_one_flipped_bit(
    program: Path, published: Published, tmp_path: Path, file: str
) -> None:
    for path in published.folder.rglob("*"):
        if path.is_file():
            copy = tmp_path / path.relative_to(published.folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    data = bytearray((tmp_path / file).read_bytes())
    data[len(data) // 3] ^= 1
    (tmp_path / file).write_bytes(data)

    code, _ = go_build.run(program, "folder", str(tmp_path))

    assert code == 1


@pytest.mark.parametrize("seed", range(2))
def test_go_and_we_agree_on_every_case(program: Path, tmp_path: Path, seed: int) -> None:
    made = list(cases(random.Random(seed), 1000))

    said = verdicts(program, made, tmp_path)

    differ = [one for one, verdict in zip(made, said, strict=True) if verdict != one["expect"]]
    assert all(other_spelling(one) for one in differ)


def other_spelling(case: Case) -> bool:
    """Go reads base64 whose last bits are not zero; for us bytes have one spelling. Nothing else may differ."""
    blobs = [line.rpartition(" ")[2] for line in case.get("note", "").splitlines() if line.startswith("— ")]
    return case["expect"] == "reject" and any(b64encode(b64decode(blob)).decode() != blob for blob in blobs)


def test_go_says_of_the_written_down_cases_what_is_written_down(program: Path, tmp_path: Path) -> None:
    made: list[Case] = json.loads(VECTORS.read_text())

    assert verdicts(program, made, tmp_path) == [one["expect"] for one in made]


def verdicts(program: Path, made: list[Case], folder: Path) -> list[str]:
    """What Go says of each."""
    (folder / "cases.json").write_text(json.dumps(made))
    code, said = go_build.run(program, "cases", str(folder / "cases.json"))
    assert code == 0, said
    return said.split()

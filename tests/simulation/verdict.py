"""What must hold: some of it at every moment, all of it when the storm is over and everybody had time to say all.

- what was promised is in the cloud, once, in its device's order; or named as lost with a card that was put back;
- the gateway's log is the cloud's log, and every note ever cosigned is a prefix of it, shown by consistency proofs;
- balances are the sums of their moves, and no slot has two open orders;
- pieces, energy and money of the statements are those of the records; and, where no card was lost, those of truth.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

from cloud.billing.bundle import load
from cloud.billing.verify import Trust, verify
from firmware_sim.accounts import of_product
from firmware_sim.judge import Account
from firmware_sim.office import Json
from tests.simulation import books, epochs
from wire.ids import RecordKey
from wire.log import ProofError, consistency_proof, root, verify_consistency
from wire.records import Draw, DrawResolved, Goods, Intent, Reading

if TYPE_CHECKING:
    from tests.simulation.world import World


CENT = Decimal("0.01")
# What stood at a look counts until the next one, which may be missed or late, but no longer than so many.
LOOKS = 3


def look(world: World) -> None:
    """What must hold at every moment, of the database as it is."""
    path, found = world.cloud.path, world.watcher.found
    moved = {row[:4]: row[4] for row in books.ask(path, books.MOVED) if row[4]}
    balances = {row[:4]: row[4] for row in books.ask(path, books.BALANCES) if row[4]}
    if moved != balances:
        found(f"balances are not the sums of their moves: {sorted(set(moved.items()) ^ set(balances.items()))[:4]}")
    for row in books.ask(path, books.OPEN_ORDERS):
        found(f"slot {row[0]}/{row[1]} has {row[2]} open orders")
    for head in books.heads(path):
        held = len(books.log_hashes(path, head.origin))
        if held != head.size:
            found(f"the cloud says it holds {head.size} leaves of {head.origin} and holds {held}")
        if head.state != "open" and not world.watcher.cloned and head.origin not in world.watcher.closed:
            found(f"the log {head.origin} is {head.state}")


def final(world: World) -> None:
    """What must hold when everything was sent."""
    look(world)
    _records(world)
    for head in books.heads(world.cloud.path):
        _log(world, head.origin)
    epochs.judge(world)


def _records(world: World) -> None:
    watcher, path = world.watcher, world.cloud.path
    records = books.cloud_records(path)
    held = Counter(record.key for record in records)
    names = {(record.src, record.did.rpartition("/")[2]) for record in records if record.did}
    for key in watcher.promised:
        if key not in held and key not in watcher.lost:
            watcher.found(f"a promised {type(watcher.promised[key]).__name__} is not in the cloud: {tuple(key)}")
    for key, times in held.items():
        if times > 1:
            watcher.found(f"{tuple(key)} is in the log {times} times")
    gone = {(record.src, record.did.rpartition("/")[2]) for record in watcher.lost.values() if record.did}
    for cabinet, mid in watcher.told:
        if (cabinet, mid) not in names | gone:
            watcher.found(f"an event that {cabinet} was told is safe is not in the cloud: {mid}")
    twice = [name for name, times in Counter((r.src, r.did) for r in records if r.did).items() if times > 1]
    counted = {RecordKey(*row[:3]) for row in books.ask(path, books.KEYS)}  # type: ignore[arg-type]
    waiting = [row for row in books.ask(path, books.UNUSED) if row[1] == "open" and not _told_again(world, row[2])]
    if waiting:
        watcher.found(f"leaves are still in quarantine: {waiting[:5]}")
    known = {record.key for record in records if (record.src, record.did) in twice}
    for key in held:
        if key not in counted and key not in known:
            watcher.found(f"{tuple(key)} is in the log, and neither counted nor in quarantine")
    for place, number in books.broken_off(records).items():
        watcher.found(f"{number} attempts at {place} have no end")
    last: dict[tuple[str, str], int] = {}
    for record in records:
        if record.n <= last.get((record.src, record.ep), 0):
            watcher.found(f"{tuple(record.key)} stands behind a later one of its device")
        last[record.src, record.ep] = record.n


def _told_again(world: World, reason: object) -> bool:
    """A card that was put back, or is new, or was pruned after minutes instead of months, has forgotten what a cabinet
    had told. What it tells again is judged anew, and the cloud asks a person whether it is the same event; it counts
    neither twice nor silently.
    """
    forgetful = any(world.trace.faults[kind] for kind in ("gateway_restore", "dead_card", "pruned"))
    return reason == "duplicate-did" and forgetful


def _log(world: World, origin: str) -> None:
    """Both sides hold one log, but for what was pruned here; each cosigned note is a prefix of it."""
    watcher = world.watcher
    hashes = books.log_hashes(world.cloud.path, origin)
    mine = books.journal_entries(world.gateway.path, origin)
    whole = sorted(mine) == list(range(min(mine, default=0), len(hashes))) and bool(mine)
    if (origin == world.gateway.identity.origin and not whole) or any(hashes[at : at + 1] != [mine[at]] for at in mine):
        watcher.found(f"the gateway's log ({len(mine)}) is not the cloud's ({len(hashes)})")
    cosigned = {size: signed for (named, size), signed in watcher.cosigned.items() if named == origin}
    sizes = sorted(cosigned)
    for size in sizes:
        if size > len(hashes) or root(hashes[:size]) != cosigned[size]:
            watcher.found(f"the log was not only appended to: what was cosigned at size {size} is no prefix of it")
            return
    for old, new in pairwise(sizes):
        proof = consistency_proof(old, hashes[:new])
        try:
            verify_consistency(old, new, proof, cosigned[old], cosigned[new])
        except ProofError as error:
            watcher.found(f"the cosigned notes of {old} and {new} are not consistent: {error}")


async def money(world: World) -> None:
    """The statements against the records, and against truth where no record was lost with a card."""
    office, watcher = world.clerk.office, world.watcher
    billed: Account | None = None
    count = 0
    for one in await office.every("/v1/statements", {"agreement_id": "agr-1"}):
        statement: Json = await office.get(f"/v1/statements/{one['statement_id']}")
        bundle = await office.bundle(one["statement_id"])
        verdict = verify(load(bundle), Trust())
        if verdict.findings:
            watcher.found(f"statement {one['statement_id']} does not verify: {verdict.findings[:2]}")
        account = await of_product(office, statement)
        billed = account if billed is None else _sum(billed, account)
        count += 1
    if billed is None or count != world.scenario.days:
        watcher.found(f"{count} statements for {world.scenario.days} days")
        return
    records = books.cloud_records(world.cloud.path)
    pieces = {place: number for place, number in billed.pieces.items() if number}
    prices = world.scenario.agreement.charge[0].prices
    by_records = _known(world, books.consumed(books.once(records)))
    if pieces != by_records:
        watcher.found(f"the statements bill {pieces}, the records say {by_records}")
    for kind, amount in _per_piece(billed).items():
        due = sum((prices[item] * number for (_, item), number in by_records.items()), Decimal(0))
        if amount != due:
            watcher.found(f"{kind} comes to {amount}, the records to {due}")
    _running(world, billed, books.seconds_run(records))
    if not any(isinstance(one, Draw | DrawResolved | Goods | Intent) for one in watcher.lost.values()):
        _truth(world, billed, pieces)
    if not any(isinstance(one, Reading) for one in watcher.lost.values()):
        first, end = world.scenario.agreement.starts, world.scenario.end_day
        if billed.wh != {"meter-1": world.truth.wh(first, end)["meter-1"]}:
            watcher.found(f"the statements bill {billed.wh} Wh, through the meters went {world.truth.wh(first, end)}")


def _running(world: World, billed: Account, told: Counter[tuple[str, str]]) -> None:
    """Hours of the fan coil: the money is that of the records, and no speed ran longer than in truth, but for what a
    look that came late still counts for the speed before it.
    """
    (charge,) = (one for one in world.scenario.agreement.charge if one.kind == "weighted_runtime")
    begin, end = world.scenario.ms("00:00", 0), world.scenario.ms("00:00", world.scenario.days)
    for coil in world.scenario.coil:
        weighted = sum((told[coil.id, speed] * weight for speed, weight in charge.weights.items()), Decimal(0))
        amount, due = billed.money.get((charge.kind, coil.id, ""), Decimal(0)), weighted * charge.unit_price / 3600
        if abs(amount - due) > CENT * 2 * world.scenario.days:
            world.watcher.found(f"{charge.kind} of {coil.id} comes to {amount}, the records to {due:.2f}")
        stood = world.truth.coils.stood(coil.id, begin, end)
        for (name, speed), seconds in told.items():
            spent, left = stood.get(speed, (0, 0))
            if name == coil.id and seconds > spent / 1000 + left * LOOKS * coil.every_s:
                world.watcher.found(f"{name} is said to have run {seconds} s at {speed}, it was {spent / 1000:.0f} s")


def _known(world: World, taken: dict[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    """Without what fell before a new card had heard of the planogram: it stands among what is not billed."""
    prices = world.scenario.agreement.charge[0].prices
    strange = {place for place in taken if place[1] not in prices}
    if strange and not world.trace.faults["dead_card"]:
        world.watcher.found(f"items that nobody knows were taken: {sorted(strange)}")
    return {place: number for place, number in taken.items() if place not in strange}


def _truth(world: World, billed: Account, pieces: dict[tuple[str, str], int]) -> None:
    first, end = world.scenario.agreement.starts, world.scenario.end_day
    left = world.truth.pieces(first, end)
    if pieces != {place: number for place, number in left.items() if number}:
        world.watcher.found(f"the statements bill {pieces}, in truth {left} left")
    stock = world.truth.on_hand()
    if billed.stock != stock:
        world.watcher.found(f"the books hold {billed.stock}, in truth there is {stock}")


def _per_piece(billed: Account) -> dict[str, Decimal]:
    amounts = [amount for (kind, _, _), amount in billed.money.items() if kind == "per_piece"]
    return {"per_piece": sum(amounts, Decimal(0))}


def _sum(one: Account, other: Account) -> Account:
    """Two statements together; stock and orders are those of now in both."""
    return Account(
        pieces=dict(Counter(one.pieces) + Counter(other.pieces)),
        stock=other.stock,
        wh={meter: one.wh.get(meter, 0) + other.wh.get(meter, 0) for meter in {*one.wh, *other.wh}},
        money={
            key: one.money.get(key, Decimal(0)) + other.money.get(key, Decimal(0)) for key in {*one.money, *other.money}
        },
        total=one.total + other.total,
    )

"""What became of each request, by the records: whoever asks a second time, also after a restart, hears it again. PURE.

The surprise is who still knows after a power cut: the session is gone, and so is its answer. Whatever moved goods has
carried the name of its request into the journal (`q`: "request:WORD:NAME"). A name belongs to whoever sent it: it is a
digest of his session, or of his badge, and of the id he chose.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict

import msgspec

from gateway.handed_out import FLAG as WAITING
from wire.ids import RecordKey
from wire.records import Count, Draw, Intent, Loan, LoanBack, Record, Refill, Return

FLAG = "request:"
REMEMBERED = 2000
# What a record of goods answers, by the word in its flag.
OUTCOMES = {"return": "returned", "loan_back": "brought_back", "count": "counted", "fill": "refilled"}


class Answer(msgspec.Struct):
    """What the journal says became of a request. `outcome` "": it is not decided yet."""

    outcome: str
    qty: int = 0
    key: RecordKey | None = None


def flag(word: str, whose: str, request: str) -> str:
    """What records carry; empty where the request has no id."""
    name = hashlib.sha256(f"{whose}\n{request}".encode()).hexdigest()[:32]
    return f"{FLAG}{word}:{name}" if request else ""


class Answered:
    """Feed it every record of goods, also those of earlier boots; ask it what became of a request."""

    def __init__(self) -> None:
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._attempts: dict[tuple[str, str], str] = {}

    def get(self, flag: str) -> Answer | None:
        """The answer of the request that this flag stands for, while it is remembered."""
        return self._answers.get(flag)

    def apply(self, record: Record) -> None:
        """Remembers what a request has led to."""
        match record:
            case Draw() | Loan() if record.intent:
                name = self._attempts.pop((record.src, record.intent), "")
                if name in self._answers:
                    self._answers[name] = Answer(_outcome(record), record.qty, record.key)
            case Intent() if named := _named(record):
                self._keep(named, Answer(""))
                self._attempts[record.src, f"{record.ep}/{record.n}"] = named
            case Return() | LoanBack() | Count() | Refill() if named := _named(record):
                word = named.split(":")[1]
                before = self._answers.get(named)
                filled = record.qty if isinstance(record, Refill) or word != "fill" else 0
                self._keep(named, Answer(OUTCOMES[word], filled + (before.qty if before else 0), record.key))
            case _:
                pass

    def _keep(self, name: str, answer: Answer) -> None:
        self._answers[name] = answer
        while len(self._answers) > REMEMBERED:
            self._answers.popitem(last=False)


def _named(record: Intent | Return | LoanBack | Count | Refill) -> str:
    return next((one for one in record.q if one.startswith(FLAG)), "")


def _outcome(record: Draw | Loan) -> str:
    picked_up = any(one.startswith(WAITING) for one in record.q)
    outcome = "lent" if isinstance(record, Loan) else record.outcome
    return "picked_up" if picked_up and outcome in ("confirmed", "lent") else outcome

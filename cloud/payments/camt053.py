"""Bank statements in ISO 20022 camt.053 (any version): booked entries, one for each transaction of a batch. PURE.

The surprise: one entry may hold many payments (a batch), each with its own payer and reference; the entry's amount is
their sum and must not be counted as well. Pending entries (status other than BOOK) are left out. A document type
declaration is refused before anything is read: it is where a hostile file hides. Source: ISO 20022
camt.053.001.02 to .08, <BkToCstmrStmt>.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree as ET  # a document type declaration is refused first, see _tree

from cloud.payments.bank_entry import BankFileError, Entry, checked, made_up_ref, within_limits

ENCODINGS = (b"utf-8", b"us-ascii", b"iso-8859-1", b"iso-8859-15", b"windows-1252")
_ENCODING = re.compile(rb"""\s*(?:\xef\xbb\xbf)?\s*<\?xml[^>]*?\bencoding\s*=\s*["']([^"']*)""")
_NAMESPACE = re.compile(r"\{[^}]*\}")
NOT_PROVIDED = "NOTPROVIDED"
# Reversals because a payment was returned or cancelled, a direct debit returned or unpaid.
RETURNS = frozenset(("RRTN", "RPCR", "UPDD", "PRDD"))
_IDENTIFIERS = ("AcctSvcrRef", "EndToEndId", "InstrId", "TxId", "MndtId")


def read(raw: bytes) -> list[Entry]:
    """The booked entries of a file; raises BankFileError."""
    root = _tree(raw)
    statements = [part for part in root.iter() if _name(part) == "Stmt"]
    if not statements:
        raise BankFileError("the file holds no statement (<Stmt>); is it camt.053?")
    found: list[Entry] = []
    seen: dict[tuple[str, ...], int] = {}
    for statement in statements:
        account = _text(statement, "Acct/Id/IBAN") or _text(statement, "Acct/Id/Othr/Id")
        if not account:
            raise BankFileError("a statement does not say of which account it is (<Acct>)")
        for entry in _children(statement, "Ntry"):
            if _status(entry) != "BOOK":
                continue
            for one in _entries(entry, account):
                parts = (*_content(one), _text(entry, "NtryRef"))
                nth = seen[parts] = seen.get(parts, -1) + 1
                found.append(one if one.bank_ref else one._replace(bank_ref=made_up_ref(account, parts, nth)))
    return checked(_told_apart(found))


def _content(one: Entry) -> tuple[str, ...]:
    return one.booked_on, one.amount, one.currency, one.payer, one.payer_account, one.remittance


def _told_apart(entries: list[Entry]) -> list[Entry]:
    """Some banks give one reference to several entries of a day: their content tells those apart."""
    contents: dict[tuple[str, str], set[tuple[str, ...]]] = {}
    for one in entries:
        contents.setdefault((one.account, one.bank_ref), set()).add(_content(one))
    return [
        one._replace(bank_ref=f"{one.bank_ref}#{made_up_ref(one.account, _content(one), 0)[2:10]}")
        if len(contents[one.account, one.bank_ref]) > 1
        else one
        for one in entries
    ]


def _tree(raw: bytes) -> ET.Element:
    within_limits(raw)
    told = _ENCODING.match(raw)
    # Others could write "<!" in bytes that are not looked for below.
    if b"\x00" in raw or (told and told[1].lower() not in ENCODINGS):
        raise BankFileError("the file is not in UTF-8; export it again as UTF-8")
    if b"<!" in raw.replace(b"<!--", b"").replace(b"<![CDATA[", b""):
        raise BankFileError("the file declares a document type; no bank does that, and it is not read")
    try:
        return ET.fromstring(raw)  # noqa: S314 -- no document type, no entities
    except (ET.ParseError, ValueError, LookupError) as error:
        raise BankFileError(f"the file is not well-formed XML: {error}") from error


def _entries(entry: ET.Element, account: str) -> Iterator[Entry]:
    """The transactions of an entry, or the entry itself when it has none or only one; none when no money moved."""
    details = [one for group in _children(entry, "NtryDtls") for one in _children(group, "TxDtls")]
    sign = _sign(entry)
    booked = _day(entry, "BookgDt") or _day(entry, "ValDt")
    if not booked:
        raise BankFileError("an entry has no booking day (<BookgDt>)")
    reversal = _text(entry, "RvslInd") in ("true", "1")
    amount, currency = _amount(entry)
    if not amount.strip("0."):
        return
    if len(details) < 2:
        yield _one(details[0] if details else entry, entry, account, (booked, sign + amount, currency), reversal)
        return
    singles = [_text(detail, "Refs/AcctSvcrRef") for detail in details]
    whole = _text(entry, "AcctSvcrRef")
    for number, detail in enumerate(details):
        own, own_currency = _amount(detail)
        if not own:
            raise BankFileError("a transaction of a batch has no amount (<Amt>)")
        own_sign = _sign(detail) if _text(detail, "CdtDbtInd") else sign
        made = _one(detail, entry, account, (booked, own_sign + own, own_currency or currency), reversal)
        # A reference that several transactions share is that of the batch, whatever the bank calls it.
        single = singles[number]
        own_ref = single if single != whole and singles.count(single) == 1 else ""
        shared = whole or single
        yield made._replace(bank_ref=own_ref or (f"{shared}/{number}" if shared else ""))


def _one(
    detail: ET.Element,
    entry: ET.Element,
    account: str,
    sums: tuple[str, str, str],
    reversal: bool,  # noqa: FBT001
) -> Entry:
    booked, amount, currency = sums
    side = "Dbtr" if not amount.startswith("-") else "Cdtr"
    payer = _text(detail, f"RltdPties/{side}/Nm") or _text(detail, f"RltdPties/{side}/Pty/Nm")
    payer_account = _text(detail, f"RltdPties/{side}Acct/Id/IBAN") or _text(detail, f"RltdPties/{side}Acct/Id/Othr/Id")
    texts = [*_texts(detail, "RmtInf/Ustrd"), *_texts(entry, "AddtlNtryInf")]
    structured = _texts(detail, "RmtInf/Strd/CdtrRefInf/Ref") + _texts(detail, "RmtInf/Strd/RfrdDocInf/Nb")
    ids = [one for name in _IDENTIFIERS if (one := _text(detail, f"Refs/{name}")) and one != NOT_PROVIDED]
    returned = reversal or bool(_children(detail, "RtrInf")) or _family(detail, entry) in RETURNS
    bank_ref = _text(detail, "Refs/AcctSvcrRef") or _text(entry, "AcctSvcrRef")
    # Its own bank's reference may be that of the entry it takes back.
    end_to_end = _text(detail, "Refs/EndToEndId")
    known = bank_ref if end_to_end in ("", NOT_PROVIDED) else end_to_end
    return Entry(
        account=account,
        bank_ref=f"{bank_ref}/returned" if returned and bank_ref else bank_ref,
        booked_on=booked,
        amount=amount,
        currency=currency,
        payer=payer,
        payer_account=payer_account,
        remittance=" ".join(texts),
        references=(*structured, *ids),
        returns=known if returned else "",
        reversal=returned,
    )


def _family(detail: ET.Element, entry: ET.Element) -> str:
    """The sub-family of a transaction's code, e.g. RRTN: reversal due to a returned payment."""
    path = "BkTxCd/Domn/Fmly/SubFmlyCd"
    return _text(detail, path) or _text(entry, path)


def _name(element: ET.Element) -> str:
    return _NAMESPACE.sub("", element.tag)


def _children(element: ET.Element, name: str) -> list[ET.Element]:
    return [child for child in element if _name(child) == name]


def _texts(element: ET.Element, path: str) -> list[str]:
    found = [element]
    for name in path.split("/"):
        found = [child for one in found for child in _children(one, name)]
    return [one.text.strip() for one in found if one.text and one.text.strip()]


def _text(element: ET.Element, path: str) -> str:
    return next(iter(_texts(element, path)), "")


def _status(entry: ET.Element) -> str:
    return _text(entry, "Sts/Cd") or _text(entry, "Sts")


def _sign(element: ET.Element) -> str:
    indicator = _text(element, "CdtDbtInd")
    if indicator not in ("CRDT", "DBIT"):
        raise BankFileError("an entry says neither credit nor debit (<CdtDbtInd>)")
    return "" if indicator == "CRDT" else "-"


def _amount(element: ET.Element) -> tuple[str, str]:
    for path in ("Amt", "AmtDtls/TxAmt/Amt", "AmtDtls/InstdAmt/Amt"):
        found = [element]
        for name in path.split("/"):
            found = [child for one in found for child in _children(one, name)]
        if found and found[0].text:
            return found[0].text.strip(), found[0].get("Ccy", "")
    return "", ""


def _day(entry: ET.Element, name: str) -> str:
    return _text(entry, f"{name}/Dt") or _text(entry, f"{name}/DtTm")[:10]

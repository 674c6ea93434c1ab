"""Bank statements: read whole, matched without guessing, counted once."""

from __future__ import annotations

import pytest

from cloud.payments import bank_csv, camt053
from cloud.payments.bank_entry import BankFileError
from cloud.payments.csv_shape import Encoding, Numbers, Shape, columns_in
from cloud.payments.matching import Open, match

CAMT = """<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}"><BkToCstmrStmt><Stmt>
<Acct><Id><IBAN>DE89370400440532013000</IBAN></Id></Acct>{entries}</Stmt></BkToCstmrStmt></Document>"""
ENTRY = """<Ntry><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>{side}</CdtDbtInd>{status}
<BookgDt><Dt>2026-12-01</Dt></BookgDt><AcctSvcrRef>{ref}</AcctSvcrRef><NtryDtls>{details}</NtryDtls></Ntry>"""
DETAIL = """<TxDtls><Refs><EndToEndId>{end_to_end}</EndToEndId></Refs>{amount}
<RltdPties><Dbtr><Nm>Cust Ltd</Nm></Dbtr>
<DbtrAcct><Id><IBAN>FR7630006000011234567890189</IBAN></Id></DbtrAcct></RltdPties>
<RmtInf><Ustrd>{text}</Ustrd></RmtInf></TxDtls>"""
BOOKED = "<Sts>BOOK</Sts>"


def camt(*entries: str, version: str = "02") -> bytes:
    return CAMT.format(version=version, entries="".join(entries)).encode()


def entry(amount: str = "25.28", side: str = "CRDT", status: str = BOOKED, ref: str = "B1", details: str = "") -> str:
    return ENTRY.format(amount=amount, side=side, status=status, ref=ref, details=details)


def detail(text: str = "INV-000001", end_to_end: str = "NOTPROVIDED", amount: str = "") -> str:
    return DETAIL.format(text=text, end_to_end=end_to_end, amount=amount)


@pytest.mark.parametrize(("version", "status"), [("02", BOOKED), ("08", "<Sts><Cd>BOOK</Cd></Sts>")])
def test_an_entry_of_any_version_is_read(version: str, status: str) -> None:
    found = camt053.read(camt(entry(status=status, details=detail()), version=version))

    assert len(found) == 1
    one = found[0]
    assert (one.amount, one.currency, one.booked_on, one.bank_ref) == ("25.28", "EUR", "2026-12-01", "B1")
    assert (one.payer, one.payer_account, one.remittance) == ("Cust Ltd", "FR7630006000011234567890189", "INV-000001")


def test_a_batch_is_its_transactions_and_not_their_sum() -> None:
    parts = [detail(f"INV-{no}", amount=f'<Amt Ccy="EUR">{no}0.00</Amt>') for no in (1, 2)]

    found = camt053.read(camt(entry(amount="30.00", details="".join(parts))))

    assert [(one.amount, one.bank_ref) for one in found] == [("10.00", "B1/0"), ("20.00", "B1/1")]


def test_a_debit_is_negative_and_what_is_pending_is_left_out() -> None:
    found = camt053.read(camt(entry(side="DBIT"), entry(status="<Sts>PDNG</Sts>", ref="B2")))

    assert [one.amount for one in found] == ["-25.28"]


def test_transactions_of_a_batch_that_share_its_reference_are_told_apart() -> None:
    parts = [
        detail(f"INV-{no}", amount=f'<Amt Ccy="EUR">{no}0.00</Amt>').replace(
            "<Refs>", "<Refs><AcctSvcrRef>B1</AcctSvcrRef>"
        )
        for no in (1, 2)
    ]

    found = camt053.read(camt(entry(amount="30.00", details="".join(parts))))

    assert [(one.amount, one.bank_ref) for one in found] == [("10.00", "B1/0"), ("20.00", "B1/1")]


def test_entries_of_a_day_that_share_a_reference_are_told_apart_and_the_same_entry_is_one() -> None:
    raw = camt(entry(amount="1.00"), entry(amount="2.00"), entry(amount="2.00"))

    references = [one.bank_ref for one in camt053.read(raw)]

    assert len(set(references)) == 2
    assert references == [one.bank_ref for one in camt053.read(raw)]


def test_a_running_number_of_entries_is_no_reference_for_ever() -> None:
    numbered = entry(ref="").replace("<AcctSvcrRef></AcctSvcrRef>", "<NtryRef>1</NtryRef>")

    found = [camt053.read(camt(one))[0].bank_ref for one in (numbered, numbered.replace("2026-12-01", "2026-12-02"))]

    assert found[0] != found[1]


@pytest.mark.parametrize("side", ["CRDT", "DBIT"])
def test_an_entry_that_moved_no_money_is_left_out(side: str) -> None:
    found = camt053.read(camt(entry(amount="0.00", side=side), entry(ref="B2")))

    assert [one.bank_ref for one in found] == ["B2"]


@pytest.mark.parametrize(
    "sign",
    [
        "<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>",
        "<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>RRTN</SubFmlyCd></Fmly></Domn></BkTxCd>",
    ],
)
def test_a_payment_that_comes_back_names_the_one_it_was(sign: str) -> None:
    part = detail(end_to_end="E2E-7").replace("</TxDtls>", f"{sign}</TxDtls>")

    one = camt053.read(camt(entry(side="DBIT", details=part)))[0]

    assert (one.reversal, one.returns, one.bank_ref) == (True, "E2E-7", "B1/returned")


def test_entries_without_a_reference_of_the_bank_get_one_that_stays() -> None:
    raw = camt(entry(ref=""), entry(ref=""), entry(ref="", amount="1.00"))

    first, again = camt053.read(raw), camt053.read(raw)

    assert first == again
    assert len({one.bank_ref for one in first}) == 3


@pytest.mark.parametrize(
    "rubbish",
    [
        b"", b"no xml", b"<a/>", b'<!DOCTYPE a [<!ENTITY b "c">]><Document/>', camt(entry(side="BOTH")),
        camt(entry()).replace(b"<BookgDt><Dt>2026-12-01</Dt></BookgDt>", b""), "<Document/>".encode("utf-16"),
    ],
)  # fmt: skip
def test_what_is_no_bank_statement_is_refused_with_a_sentence(rubbish: bytes) -> None:
    with pytest.raises(BankFileError) as refused:
        camt053.read(rubbish)

    assert len(str(refused.value)) > 20


def test_a_csv_is_read_by_the_names_of_its_columns() -> None:
    raw = '\ufeffamount;date;currency;remittance;payer\n12.50;2026-12-01;EUR;"INV 1; thanks";Ann\n'.encode()

    one = bank_csv.read(raw, "DE89")[0]

    assert (one.amount, one.remittance, one.payer, one.account) == ("12.50", "INV 1; thanks", "Ann", "DE89")


@pytest.mark.parametrize(
    "row", ["12,50;2026-12-01;EUR", "12.50;1.12.26;EUR", "1.250,00;2026-12-01;EUR", "1e3;2026-12-01;EUR"]
)
def test_a_csv_that_would_have_to_be_guessed_is_refused(row: str) -> None:
    with pytest.raises(BankFileError, match="line 2"):
        bank_csv.read(f"amount;date;currency\n{row}\n".encode())


GERMAN = """Auftragskonto;Buchungstag;Betrag;Verwendungszweck;Saldo
DE89;01.12.2026;1.234,56;RNr INV-000001;9.000,00
DE89;2.12.2026;-0,00;Abschluss;9.000,00
DE89;02.12.2026;-12,30;Gebühr;8.987,70
"""
CHINESE = """交易日期,金额,摘要\n20261201,"1,234.56",货款 INV-1\n"""
NAMES = "date=Buchungstag;amount=Betrag;remittance=Verwendungszweck;account=Auftragskonto"


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1252"])
def test_a_german_csv_is_read_as_whoever_imports_it_says(encoding: Encoding) -> None:
    shape = Shape("1.234,56", "DD.MM.YYYY", encoding, columns_in(NAMES, bank_csv.KNOWN), "EUR")

    found = bank_csv.read(GERMAN.encode(encoding), "", shape)

    assert [(one.account, one.booked_on, one.amount, one.currency) for one in found] == [
        ("DE89", "2026-12-01", "1234.56", "EUR"), ("DE89", "2026-12-02", "-12.30", "EUR"),
    ]  # fmt: skip
    assert found[1].remittance == "Gebühr"


@pytest.mark.parametrize("raw", [CHINESE.encode("gbk"), CHINESE.encode("gb18030")])
def test_a_chinese_csv_is_read_as_whoever_imports_it_says(raw: bytes) -> None:
    names = columns_in("date=交易日期;amount=金额;remittance=摘要", bank_csv.KNOWN)

    one = bank_csv.read(raw, "6222", Shape("1,234.56", "YYYYMMDD", "gb18030", names, "CNY"))[0]

    assert (one.booked_on, one.amount, one.currency, one.remittance) == ("2026-12-01", "1234.56", "CNY", "货款 INV-1")


@pytest.mark.parametrize(
    ("numbers", "text"),
    [("1.234,56", "1,234.56"), ("1.234,56", "12.34"), ("1,234.56", "1.234,56"), ("1,234.56", "1,2")],
)
def test_a_number_that_is_not_written_as_was_said_is_refused(numbers: Numbers, text: str) -> None:
    with pytest.raises(BankFileError, match="line 2"):
        bank_csv.read(f'amount;date;currency\n"{text}";2026-12-01;EUR\n'.encode(), "", Shape(numbers))


@pytest.mark.parametrize("text", ["31.02.2026", "1.12.26", "2026-12-01", "12/01/2026"])
def test_a_day_that_is_not_written_as_was_said_is_refused(text: str) -> None:
    with pytest.raises(BankFileError, match="line 2"):
        bank_csv.read(f"amount;date;currency\n1.00;{text};EUR\n".encode(), "", Shape(days="DD.MM.YYYY"))


@pytest.mark.parametrize("text", ["day=Tag", "date=", "date=A;amount=a", "date=A;date=B", "x"])
def test_columns_that_are_not_ours_or_named_twice_are_refused(text: str) -> None:
    with pytest.raises(BankFileError, match="columns"):
        columns_in(text, bank_csv.KNOWN)


OPEN = [
    Open("INV-000042", "d42", "sup", "cust", 2528, "2026-11-16"),
    Open("INV-000421", "d421", "sup", "other", 1000, "2026-11-10"),
    Open("INV-000043", "d43", "sup", "cust", 1000, "2026-12-16"),
    Open("CN-000007", "c7", "sup", "cust", -500, "2026-11-01"),
]


@pytest.mark.parametrize(
    ("minor", "text", "customer", "by", "documents"),
    [
        (2528, "pays INV-000042", "", "number", ("d42",)),
        (2528, "inv 42", "", "number", ("d42",)),
        (3528, "inv 42 and inv43", "", "number", ("d42", "d43")),
        (2528, "RF18INV000042", "", "number", ("d42",)),
        (2528, "INV 4210", "", "nobody", ()),
        (1000, "INV-42 INV-421", "", "nobody", ()),
        (1000, "thanks", "cust", "amount", ("d43",)),
        (999, "thanks", "cust", "oldest", ("d42", "d43")),
        (999, "thanks", "", "nobody", ()),
        (-500, "CN-7", "", "number", ("c7",)),
    ],
)
def test_an_entry_finds_its_documents_or_waits(
    minor: int, text: str, customer: str, by: str, documents: tuple[str, ...]
) -> None:
    found = match(minor, [text], customer, OPEN, oldest_first=True)

    assert (found.by, found.documents) == (by, documents)

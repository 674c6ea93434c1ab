"""A file of cases -> what each comes to, or why it comes to nothing. PURE.

The surprise: nothing that stands in the file makes it raise. One bad case of many is one answer ``{"error": why}``.
"""

from __future__ import annotations

import msgspec

from cloud.rating.price import Document, parse_case, price, priced_document

# Of a file, of its cases, of the text that says what is wrong with one.
MAX_BYTES, MAX_CASES, LONGEST_ERROR = 16 * 1024 * 1024, 10_000, 4000
TOO_DEEP = "this is nested too deep for a case"


def price_cases(raw: bytes) -> Document | list[Document]:
    """The document of a case, or of each case of a list; a case that cannot be priced becomes ``{"error": why}``."""
    if len(raw) > MAX_BYTES:
        return {"error": f"this has {len(raw)} bytes; at most {MAX_BYTES} are read: price fewer cases at a time"}
    try:
        told = msgspec.json.decode(raw)
    except ValueError as error:
        return {"error": f"this is no JSON: {error}"}
    except RecursionError:
        return {"error": TOO_DEEP}
    if not isinstance(told, list):
        return _priced_or_not(told)
    if len(told) > MAX_CASES:
        return {"error": f"these are {len(told)} cases; at most {MAX_CASES} are priced at a time"}
    return [_priced_or_not(one) for one in told]


def shortened(text: str) -> str:
    """An error that somebody will read: what is wrong first, not all of a hundred thousand fields."""
    return text if len(text) <= LONGEST_ERROR else f"{text[:LONGEST_ERROR]} ... and more of the kind"


def _priced_or_not(told: object) -> Document:
    try:
        return priced_document(price(parse_case(msgspec.json.encode(told))))
    except ValueError as error:
        return {"error": shortened(str(error))}
    except RecursionError:
        return {"error": TOO_DEEP}
    except ArithmeticError as error:
        return {"error": f"a date or number of this case leads beyond what can be counted ({error})"}

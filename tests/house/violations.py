"""One deliberate violation for each way to break a rule: the files, and what the finding must name.

Each tree also holds the lawful neighbour of the mistake where there is one: exactly one finding is expected.
"""

from __future__ import annotations

from tests.house import naming, pages, papers, purity, seams, storage, testing
from tests.house.tree import Rule

PROJECT = """
[project]
dependencies = ["msgspec>=0.19"]
[project.optional-dependencies]
gateway = ["paho-mqtt>=2.1"]
cloud = ["psycopg[binary,pool]>=3.2"]
sim = ["tallystick[gateway,cloud]"]
[project.scripts]
tally-sim = "firmware_sim.cli:main"
[tool.setuptools.package-data]
"*" = ["py.typed", "*.sql", "templates/**"]
"""
DECISION = "# A title\n" + "".join(f"\n**{part}.** Said.\n" for part in papers.ADR_PARTS)
CATALOGUE = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\nmsgid "%(n)s left"\nmsgstr "{}"\n'
PO = "cloud/web/locale/zh_CN/LC_MESSAGES/messages.po"
PAGE = "cloud/web/templates/shelf.html"
LEFT = '<p>{{ _("%(n)s left", n=3) }}</p>'
A_KEY = "PRIVATE" + "+KEY+shop+0f0f0f0f+AAAA"
DRIVER = "class Coil:\n    kind = 'coil'\n"


def function(lines: int) -> str:
    """A function of that many lines."""
    return "def long() -> None:\n" + "    call()\n" * (lines - 1)


VIOLATIONS: list[tuple[Rule, dict[str, str], str]] = [
    # Names and sizes
    (naming.no_file_is_named_after_nothing, {"gateway/utils.py": "", "gateway/shelf.py": ""}, "gateway/utils.py"),
    (naming.no_file_is_named_after_nothing, {"cloud/common/money.py": ""}, "`common`"),
    (
        naming.no_class_is_named_after_its_own_importance,
        {"cloud/fleet/x.py": "class FleetManager: ..."},
        "FleetManager",
    ),
    (
        naming.no_file_is_too_long,
        {"wire/log.py": "x\n" * 401, "wire/seal.py": "x\n" * 400},
        "wire/log.py:400: 401 lines",
    ),
    (
        naming.no_file_is_too_long,
        {"cloud/web/static/live.js": "x\n" * 401, "requirements.lock": "x\n" * 999},
        "live.js",
    ),
    (naming.no_function_is_too_long, {"wire/log.py": function(51), "wire/seal.py": function(50)}, "51 lines"),
    # Time, chance, floats, the world
    (
        purity.the_clock_is_read_in_one_place,
        {"gateway/app.py": "import time\nnow = time.time()\n"},
        "app.py:2: time.time",
    ),
    (
        purity.the_clock_is_read_in_one_place,
        {
            "cloud/ingest/x.py": "from time import monotonic as tick\nwhen = tick()\n",
            "cloud/clock.py": "import time\ntime.time()",
        },
        "time.monotonic",
    ),
    (
        purity.the_clock_is_read_in_one_place,
        {"cloud/billing/x.py": "from datetime import UTC, datetime\nwhen = datetime.now(UTC)\n"},
        "datetime.datetime.now",
    ),
    (
        purity.the_clock_is_read_in_one_place,
        {"gateway/session.py": "import asyncio\nx = asyncio.get_running_loop().time()"},
        "the loop's time",
    ),
    (
        purity.the_clock_is_read_in_one_place,
        {"gateway/a.py": "import time\nread = time.monotonic_ns\n"},
        "monotonic_ns",
    ),
    (
        purity.chance_has_one_door,
        {"cloud/parties/x.py": "import secrets\nkey = secrets.token_hex(16)"},
        "secrets.token_hex",
    ),
    (
        purity.chance_has_one_door,
        {"firmware_sim/bench.py": "import random\nchance = random.Random(7)"},
        "random.Random",
    ),
    (
        purity.chance_has_one_door,
        {
            "gateway/cli.py": "from cryptography.x import Ed25519PrivateKey as K\nK.generate()",
            "firmware_sim/devices/coil.py": "import random\ndef f(chance: random.Random) -> float: ...",
            "firmware_sim/faults.py": "import random\nchance = random.Random(7)",
        },
        "generate",
    ),
    (purity.what_is_billed_is_exact, {"cloud/fleet/x.py": "unit_price: float = 1\nseconds: float = 0.5"}, "unit_price"),
    (purity.what_is_billed_is_exact, {"gateway/x.py": "def sell(quantity: float | None) -> None: ..."}, "quantity"),
    (purity.what_is_billed_is_exact, {"cloud/money.py": "VAT = 0.13\n", "gateway/x.py": "wait = 0.13"}, "0.13"),
    (purity.what_is_billed_is_exact, {"cloud/billing/x.py": "total = float('1')"}, "float()"),
    (
        purity.what_is_pure_touches_nothing,
        {"gateway/drivers/coil.py": "import serial\nimport struct"},
        "imports serial",
    ),
    (purity.what_is_pure_touches_nothing, {"wire/log.py": "text = open('x').read()"}, "open()"),
    (purity.what_is_pure_touches_nothing, {"gateway/vending.py": "async def f(x):\n    await x"}, "awaits"),
    # What is written down
    (
        storage.sql_has_its_rooms,
        {
            "cloud/stock/propose.py": 'rows = tx.all("SELECT slot FROM slots WHERE tenant_id = ?", [1])',
            "cloud/stock/repository.py": 'rows = tx.all("SELECT slot FROM slots", [])',
            "cloud/api/x.py": 'def f():\n    """SELECT is done elsewhere."""\n    raise ValueError("Select a slot")',
        },
        "SELECT slot FROM",
    ),
    (storage.sql_has_its_rooms, {"gateway/health.py": 'x = f"UPDATE slots SET n = {1}"'}, "UPDATE slots"),
    (storage.one_place_commits, {"cloud/api/x.py": "tx.commit()", "gateway/journal/store.py": "db.commit()"}, "x.py:1"),
    (
        storage.only_the_wire_defines_records,
        {
            "gateway/x.py": "class Draw(Struct, tag_field='k'): ...",
            "wire/records.py": "class Draw(Struct, tag_field='k'): ...",
        },
        "Draw",
    ),
    (storage.only_the_wire_defines_records, {"cloud/x.py": "record = {'k': 'draw', 'src': 'c1', 'n': 1}"}, "by hand"),
    # Tests
    (testing.no_test_pretends, {"tests/test_x.py": "from unittest.mock import patch"}, "unittest.mock"),
    (
        testing.no_test_pretends,
        {"tests/test_x.py": "from gateway import app\ndef test(monkeypatch):\n    monkeypatch.setattr(app, 'run', 1)"},
        "gateway.app is ours",
    ),
    (
        testing.no_test_may_be_skipped,
        {"tests/test_x.py": "import pytest\n@pytest.mark.skipif(True)\ndef test(): ..."},
        "skipif",
    ),
    (
        testing.no_test_may_be_skipped,
        {"tests/test_x.py": "from pytest import importorskip\nimportorskip('x')"},
        "importorskip",
    ),
    (testing.no_test_may_be_skipped, {"tests/test_x.py": "import pytest\npytestmark = pytest.mark.xfail"}, "xfail"),
    (
        testing.no_test_sleeps,
        {
            "tests/test_x.py": "import time\ntime.sleep(1)",
            "tests/test_y.py": "import asyncio\nasyncio.sleep(0)",
            "tests/test_z.py": "import asyncio\nfrom firmware_sim import virtual_time\nasyncio.sleep(3600)",
        },
        "test_x.py:2",
    ),
    (
        testing.no_test_looks_at_the_clock,
        {"tests/test_x.py": "import time\nbegun = time.perf_counter()"},
        "perf_counter",
    ),
    # What belongs together
    (
        seams.a_driver_has_its_twin_its_vectors_and_its_page,
        {"gateway/drivers/coil.py": DRIVER, "tests/vectors/coil.toml": "", "docs/protocols/coil.md": ""},
        "firmware_sim/devices/coil.py",
    ),
    (
        seams.a_driver_has_its_twin_its_vectors_and_its_page,
        {"gateway/drivers/coil.py": DRIVER, "firmware_sim/devices/coil.py": "", "docs/protocols/coil.md": ""},
        "tests/vectors/coil.toml",
    ),
    (
        seams.a_driver_has_its_twin_its_vectors_and_its_page,
        {"gateway/drivers/coil.py": DRIVER, "firmware_sim/devices/coil.py": "", "tests/vectors/coil.toml": ""},
        "docs/protocols/coil.md",
    ),
    (
        seams.a_profile_proves_itself,
        {
            "gateway/drivers/profiles/bare.toml": 'model = "x"',
            "gateway/drivers/profiles/good.toml": "[[example]]\nfirst = 0",
        },
        "bare.toml",
    ),
    (
        seams.each_package_imports_what_it_declares,
        {
            "pyproject.toml": PROJECT,
            "gateway/x.py": "import psycopg\nimport paho",
            "cloud/x.py": "import psycopg_pool, msgspec",
        },
        "imports psycopg",
    ),
    (
        seams.the_lock_covers_every_extra,
        {
            "pyproject.toml": PROJECT,
            "requirements.in": "msgspec >= 0.19\npsycopg[binary,pool] >= 3.2\n",
            "requirements.lock": "msgspec==0.22.0 \\\npsycopg==3.3.9 \\\n",
        },
        "paho-mqtt is declared",
    ),
    (
        seams.the_lock_covers_every_extra,
        {
            "pyproject.toml": PROJECT,
            "requirements.in": "msgspec >= 0.19\npaho-mqtt\npsycopg[binary,pool] >= 3.2\n",
            "requirements.lock": "msgspec==0.22.0 \\\npsycopg==3.3.9 \\\n",
        },
        "paho-mqtt is not locked",
    ),
    (
        seams.data_files_are_packaged,
        {
            "pyproject.toml": PROJECT,
            "cloud/__init__.py": "",
            "cloud/migrations/__init__.py": "",
            "cloud/migrations/0001_start.sql": "",
            "cloud/templates/a/b.html": "",
            "cloud/tariffs.yaml": "",
        },
        "cloud/tariffs.yaml",
    ),
    # Pages
    (
        pages.templates_say_nothing_untranslated,
        {PAGE: "<p>\n{{ _('Stock') }} 3 kWh</p>\n<b>Orders</b>"},
        "shelf.html:3: 'Orders'",
    ),
    (
        pages.templates_say_nothing_untranslated,
        {PAGE: "{% trans %}Fine{% endtrans %}<img alt='Full shelf'>"},
        "'Full shelf'",
    ),
    (pages.sources_speak_one_language, {PAGE: "<p>库存</p>", PO: 'msgid "Stock"\nmsgstr "库存"'}, "CJK"),
    (pages.catalogues_are_complete, {PAGE: LEFT}, f"{PO}:1: missing"),
    (pages.catalogues_are_complete, {PAGE: LEFT, PO: CATALOGUE.replace("{}", "")}, "no translation"),
    (pages.catalogues_are_complete, {PAGE: LEFT, PO: CATALOGUE.replace("{}", "还剩")}, "same placeholders"),
    (
        pages.catalogues_are_complete,
        {PAGE: LEFT + "{% trans %}Orders{% endtrans %}", PO: CATALOGUE.replace("{}", "还剩 %(n)s")},
        "'Orders' is not in the catalogue",
    ),
    (
        pages.catalogues_are_complete,
        {PAGE: LEFT, PO: CATALOGUE.replace("{}", "还剩 %(n)s") + '\nmsgid "Gone"\nmsgstr "没有"\n'},
        "'Gone' is on no page",
    ),
    # Papers
    (papers.nothing_foreign_is_committed, {"cloud/web/static/chart.min.js": ""}, "chart.min.js"),
    (papers.nothing_foreign_is_committed, {"cloud/web/static/a.woff2": "", "docs/a.png": ""}, "a.woff2"),
    (papers.nothing_foreign_is_committed, {"cloud/web/static/x.js": "x" * 501, "y.js": "x" * 500}, "501 characters"),
    (papers.no_secret_is_committed, {"docs/operations.md": f"\nthe key is {A_KEY}\n"}, "operations.md:2"),
    (
        papers.decisions_are_numbered_and_whole,
        {"docs/adr/0000-a.md": DECISION, "docs/adr/0002-b.md": DECISION},
        "0002, expected",
    ),
    (
        papers.decisions_are_numbered_and_whole,
        {"docs/adr/0000-a.md": DECISION.replace("Enforced", "En")},
        "Enforced by",
    ),
    (
        papers.decisions_are_numbered_and_whole,
        {"docs/adr/0000-a.md": DECISION + "`tests/gone.py`"},
        "tests/gone.py is said",
    ),
    (papers.decisions_are_numbered_and_whole, {"docs/adr/0000-a.md": DECISION + "\n" * 40}, "fits on a page"),
    (
        papers.links_lead_somewhere,
        {"docs/a.md": "[b](b.md) [c](../wire) [x](https://x.y)", "wire/x.py": ""},
        "b.md leads",
    ),
    (
        papers.commands_in_the_readme_exist,
        {
            "pyproject.toml": PROJECT,
            "README.md": "```sh\n./run\n./run tally-sim judge  # whole\n./run tally-bake\n```\n",
        },
        "tally-bake",
    ),
    (
        papers.commands_in_the_readme_exist,
        {"pyproject.toml": PROJECT, "README.md": "```sh\npip install it\n```\n"},
        "pip install",
    ),
    (
        papers.every_package_says_it_is_typed,
        {"wire/__init__.py": "", "cloud/__init__.py": "", "cloud/py.typed": ""},
        "wire/py.typed",
    ),
]

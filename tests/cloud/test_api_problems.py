"""Every error is a problem document, whoever finds it; and no route answers without one."""

from __future__ import annotations

import json

import pytest

from cloud.api.problems import TABLE, define
from tests.cloud.twins import CloudTwin


@pytest.mark.parametrize(
    ("method", "path", "json", "status", "slug"),
    [
        ("GET", "/v1/nowhere", None, 404, "not-found"),
        ("DELETE", "/v1/gateways", None, 405, "method-not-allowed"),
        ("GET", "/v1/gateways?limit=0", None, 422, "malformed"),
        ("GET", "/v1/gateways?after=%21", None, 422, "malformed"),
        ("POST", "/v1/gateways", {"nam": "x"}, 422, "malformed"),
        ("POST", "/v1/gateways", {"name": "x", "gateway_id": "no spaces"}, 422, "malformed"),
        ("GET", "/v1/gateways/nobody", None, 404, "not-found"),
        ("GET", "/v1/logs/xyz/head", None, 422, "malformed"),
    ],
)
def test_an_error_is_a_problem_document(
    cloud: CloudTwin, method: str, path: str, json: object, status: int, slug: str
) -> None:
    answer = cloud.ask(method, path, json)

    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["type"]) == (status, f"/problems/{slug}")
    assert problem["detail"]
    assert problem["title"]
    assert problem["instance"] == path.partition("?")[0]


def test_without_a_key_the_answer_says_how_to_authenticate(cloud: CloudTwin) -> None:
    answer = cloud.ask("GET", "/v1/gateways", key="")

    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/unauthorised")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_key_without_the_scope_is_told_which_one_it_lacks(cloud: CloudTwin) -> None:
    reader = cloud.add_tenant("reader", ("read",))[1]

    answer = cloud.ask("POST", "/v1/gateways", {"name": "x"}, key=reader)

    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/forbidden")
    assert "'write'" in answer.json()["detail"]


def test_json_that_is_none_is_malformed_and_says_where(cloud: CloudTwin) -> None:
    answer = cloud.ask("POST", "/v1/gateways", headers={"content-type": "application/json"}, body=b"{")

    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/malformed")
    assert answer.json()["errors"]


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
def test_a_text_that_cannot_be_stored_is_refused_or_kept_whole(cloud: CloudTwin, text: str) -> None:
    body = b'{"name": %s}' % json.dumps(text).encode()

    answer = cloud.ask("POST", "/v1/gateways", headers={"content-type": "application/json"}, body=body)

    assert (answer.status_code, answer.json().get("name", text)) in ((201, text), (422, text))


def test_something_broken_is_a_problem_too_and_tells_no_secrets(cloud: CloudTwin) -> None:
    cloud.run(lambda tx: tx.run("ALTER TABLE gateways RENAME TO gone"))

    answer = cloud.ask("GET", "/v1/gateways")

    assert (answer.status_code, answer.json()["type"]) == (500, "/problems/internal")
    assert "gateways" not in answer.json()["detail"]


def test_each_problem_has_a_page_that_says_what_to_do(cloud: CloudTwin) -> None:
    for slug in TABLE:
        page = cloud.ask("GET", f"/problems/{slug}", key="").json()
        assert page["slug"] == slug
        assert page["remedy"]


def test_a_problem_is_defined_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        define("not-found", 410, "Gone", "Nothing.")


def test_the_description_names_every_problem_form_and_no_other(cloud: CloudTwin) -> None:
    document = cloud.ask("GET", "/openapi.json", key="").json()

    text = str(document)
    assert "HTTPValidationError" not in text
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["responses"]["default"], (path, method)


def test_health_readiness_and_figures_are_there(cloud: CloudTwin) -> None:
    gateway = cloud.gateway()
    gateway.keep(gateway.draw())
    gateway.send(0)

    assert cloud.ask("GET", "/healthz", key="").json() == {"status": "ok"}
    assert cloud.ask("GET", "/readyz", key="").json() == {"status": "ok"}
    page = cloud.ask("GET", "/metrics", key="").text
    assert "tally_ingest_records_total 1.0" in page
    assert 'tally_ingest_batches_total{outcome="cosigned"} 1.0' in page


def test_a_database_that_lacks_a_migration_is_not_ready(cloud: CloudTwin) -> None:
    cloud.run(lambda tx: tx.run("DELETE FROM schema_migrations WHERE number = 2"))

    answer = cloud.ask("GET", "/readyz", key="")

    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")
    assert "tally-cloud migrate" in answer.json()["detail"]

"""Coming in and going: by an API key, by a link that works once; and what keeps others out."""

from __future__ import annotations

import pytest

from cloud.api.repository import revoke_key
from cloud.clock import Clock
from cloud.web.languages import read_languages
from cloud.web.site import Site
from tests.cloud.twins import CloudTwin
from tests.web.shop import Browsing, enter

MINUTE = 60_000
DAY = 24 * 60 * MINUTE


class Wall:
    """The clock on the wall that people live by."""

    def __init__(self, cloud: CloudTwin) -> None:
        self.ms = 1_800_000_000_000
        cloud.app.state.site = Site(cloud.app.state.context, Clock(lambda: self.ms / 1000), read_languages())


@pytest.fixture
def wall(cloud: CloudTwin) -> Wall:
    return Wall(cloud)


def test_an_api_key_opens_a_session(cloud: CloudTwin) -> None:
    answer = cloud.ask("POST", "/sign-in", key="", body=f"api_key={cloud.key}".encode())

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert cloud.ask("GET", "/", key="").status_code == 200


def test_a_key_that_is_none_is_told_so_on_the_form(cloud: CloudTwin) -> None:
    answer = cloud.ask("POST", "/sign-in", key="", body=f"api_key={cloud.key[:-1]}x".encode())

    assert answer.status_code == 403
    assert "No active key is written like this" in answer.text
    assert "set-cookie" not in answer.headers


def test_a_key_that_may_not_read_opens_nothing(cloud: CloudTwin) -> None:
    _, key = cloud.add_tenant("writers", ("write",))

    answer = cloud.ask("POST", "/sign-in", key="", body=f"api_key={key}".encode())

    assert answer.status_code == 403


def test_the_session_cookie_is_out_of_reach_for_scripts_and_other_sites(cloud: CloudTwin) -> None:
    answer = cloud.ask("POST", "/sign-in", key="", body=f"api_key={cloud.key}".encode())

    attributes = {part.strip() for part in answer.headers["set-cookie"].split(";")[1:]}
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= attributes


def test_a_link_signs_in_once(cloud: CloudTwin) -> None:
    code = cloud.ask("POST", "/v1/entry-codes").json()["code"]

    first = cloud.ask("GET", f"/enter?code={code}", key="")
    cloud.http.cookies.clear()
    second = cloud.ask("GET", f"/enter?code={code}", key="")

    assert (first.status_code, second.status_code) == (303, 403)
    assert "does not sign in any more" in second.text


def test_a_link_is_over_after_five_minutes(cloud: CloudTwin, wall: Wall) -> None:
    code = cloud.ask("POST", "/v1/entry-codes").json()["code"]

    wall.ms += 5 * MINUTE

    assert cloud.ask("GET", f"/enter?code={code}", key="").status_code == 403


def test_a_link_lives_by_the_clock_on_the_wall_even_when_the_cloud_runs_fast(cloud: CloudTwin, wall: Wall) -> None:
    code = cloud.ask("POST", "/v1/entry-codes").json()["code"]

    wall.ms += MINUTE
    cloud.clock.ms += 30 * DAY

    assert cloud.ask("GET", f"/enter?code={code}", key="").status_code == 303


@pytest.mark.parametrize(
    "headers", [{"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "none", "sec-purpose": "prefetch"}]
)
def test_a_link_that_another_site_or_a_preview_follows_is_not_spent(cloud: CloudTwin, headers: dict[str, str]) -> None:
    code = cloud.ask("POST", "/v1/entry-codes").json()["code"]

    seen = cloud.ask("GET", f"/enter?code={code}", key="", headers=headers)
    pressed = cloud.ask(
        "POST", "/enter", key="", body=f"code={code}".encode(), headers={"sec-fetch-site": "same-origin"}
    )

    assert seen.status_code == 200
    assert "set-cookie" not in seen.headers
    assert pressed.status_code == 303


def test_a_code_needs_an_api_key(cloud: CloudTwin) -> None:
    answer = cloud.ask("POST", "/v1/entry-codes", key="")

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_session_is_over_after_a_week(cloud: CloudTwin, wall: Wall) -> None:
    person = Browsing(cloud)

    wall.ms += 7 * DAY

    assert person.get("/").headers["location"] == "/sign-in"


def test_a_session_ends_with_its_key(cloud: CloudTwin) -> None:
    person = Browsing(cloud)

    cloud.run(lambda tx: revoke_key(tx, cloud.tenant, cloud.key.split("_")[1], cloud.clock.ms))

    assert person.get("/").headers["location"] == "/sign-in"


def test_signing_out_ends_the_session_for_good(cloud: CloudTwin) -> None:
    person = Browsing(cloud)

    person.post("/sign-out", sec_fetch_site="same-origin")

    assert person.get("/").headers["location"] == "/sign-in"
    assert person.get("/live").text.startswith("event: ended")


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/enter"])
@pytest.mark.parametrize("headers", [{"sec_fetch_site": "cross-site"}, {"origin": "https://elsewhere.example"}])
def test_a_form_of_another_site_does_nothing(cloud: CloudTwin, path: str, headers: dict[str, str]) -> None:
    person = Browsing(cloud)

    answer = person.post(path, f"api_key={cloud.key}", **headers)

    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert person.get("/").status_code == 200


def test_somebody_sent_by_another_site_is_first_sent_here_again(cloud: CloudTwin) -> None:
    answer = cloud.ask("GET", "/", key="", headers={"sec-fetch-site": "cross-site"})

    assert answer.status_code == 200
    assert '<meta http-equiv="refresh" content="0; url=/">' in answer.text


def test_only_hashes_of_sessions_and_codes_are_stored(cloud: CloudTwin) -> None:
    session, code = enter(cloud), cloud.ask("POST", "/v1/entry-codes").json()["code"]

    rows = str(cloud.run(lambda tx: tx.all("SELECT * FROM web_tickets")))

    assert session.partition("_")[0] in rows
    assert session.partition("_")[2] not in rows
    assert code.partition("_")[2] not in rows


def test_what_nobody_can_use_any_more_is_cleared_away(cloud: CloudTwin, wall: Wall) -> None:
    for _ in range(3):
        cloud.ask("POST", "/v1/entry-codes")

    wall.ms += 6 * MINUTE
    cloud.ask("POST", "/v1/entry-codes")

    assert cloud.counts()["web_tickets"] == 1
    assert cloud.run(lambda tx: tx.all("SELECT COUNT(*) FROM directory WHERE kind = 'entry_code'")) == [(1,)]

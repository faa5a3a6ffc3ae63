"""What surrounds every request: counters and lines that no client can fill, bodies whole or refused."""

import io
import json
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.web import requests
from app.web.requests import MAX_BODY_BYTES
from tests.support.cast import Organization


def test_a_method_that_a_client_made_up_gets_no_counter_of_its_own(acme: Organization) -> None:
    client = acme.app.test_client()
    for number in range(3):
        assert client.open("/healthz", method=f"INVENTED{number}").status_code == 405
    shown = client.get("/metrics").text
    assert "INVENTED" not in shown
    assert 'method="other"' in shown


def _send_in_chunks(acme: Organization, user_name: str, size: int) -> TestResponse:
    body = json.dumps({"userName": user_name}).encode().ljust(size)
    return acme.app.test_client().post(
        "/scim/v2/Users",
        headers={"Authorization": f"Bearer {acme.scim.token}"},
        input_stream=io.BytesIO(body),
        content_type="application/scim+json",
        environ_overrides={"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
    )


def test_a_body_in_chunks_is_taken_up_to_the_limit_and_refused_beyond_it(acme: Organization) -> None:
    """Cut at the limit, this one would be another body that can be read as well."""
    assert _send_in_chunks(acme, "longest@example.com", MAX_BODY_BYTES).status_code == 201
    refused = _send_in_chunks(acme, "longer@example.com", MAX_BODY_BYTES + 1)
    assert (refused.status_code, refused.get_json()["status"]) == (413, "413")


def test_a_head_request_for_a_known_version_is_not_modified(acme: Organization) -> None:
    path = f"/Users/{acme.scim.create_user()}"
    known = {"If-None-Match": acme.scim.get(path).headers["ETag"]}
    assert acme.scim.request("HEAD", path, headers=known).status_code == 304


class Lines:
    """Keeps what would be logged."""

    def __init__(self) -> None:
        self.kept: list[dict[str, Any]] = []

    def info(self, _event: str, **fields: Any) -> None:
        self.kept.append(fields)


def test_a_token_in_an_address_stays_out_of_the_log(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = Lines()
    monkeypatch.setattr(requests, "_log", lines)
    acme.app.test_client().get(f"/scim/v2/{acme.scim.token}/Users")
    assert [line["path"] for line in lines.kept] == ["/scim/v2/usher_scim_***/Users"]

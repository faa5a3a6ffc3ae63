"""P1 over several processes: when the IdP has its 2xx, no worker lets the session pass any more."""

import threading
from collections.abc import Callable
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from app import create_app
from app.settings import Settings
from tests.support.cast import create_organization
from tests.support.databases import migrated
from tests.support.server import ROOT, environment, free_port, running
from tests.support.sign_on import sign_on

USHER = str(ROOT / ".venv/bin/usher")
WORKERS = 4
# Each on a connection of its own, so that every worker is asked.
LOOKS = 40


def status(url: str, cookie: str) -> int:
    try:
        with urlopen(Request(url, headers={"Cookie": f"usher_session={cookie}"}), timeout=10) as response:
            return int(response.status)
    except HTTPError as error:
        return error.code


def test_a_deactivated_person_is_out_at_the_next_request_on_every_worker(
    new_database: Callable[[str, str], Settings], tmp_path: Path
) -> None:
    settings = migrated(new_database("postgresql", "revoked"))
    app = create_app(settings)
    acme = create_organization(app)
    door = sign_on(acme)
    email = f"ada@{door.domain}"
    user_id = acme.scim.create_user(email)
    cookie = door.sign_in(email).get_cookie("usher_session")
    assert cookie is not None
    port = free_port()
    variables = environment(settings.database_url, port)
    command = [USHER, "serve", "--port", str(port), "--workers", str(WORKERS)]
    with running(command, port, variables, tmp_path / "log") as server:
        session = f"{server.base_url}/sso/session"
        assert {status(session, cookie.value) for _ in range(LOOKS)} == {200}
        acknowledged, late = threading.Event(), list[int]()

        def look() -> None:
            while not acknowledged.is_set():
                status(session, cookie.value)
            late.append(status(session, cookie.value))

        lookers = [threading.Thread(target=look) for _ in range(WORKERS)]
        for looker in lookers:
            looker.start()
        body = b'{"Operations": [{"op": "replace", "value": {"active": false}}]}'
        headers = {"Authorization": f"Bearer {acme.scim.token}", "Content-Type": "application/scim+json"}
        address = f"{server.base_url}/scim/v2/Users/{user_id}"
        with urlopen(Request(address, body, headers, method="PATCH"), timeout=10) as response:
            assert response.status in (200, 204)
        acknowledged.set()
        for looker in lookers:
            looker.join()
        assert late == [401] * WORKERS
        assert {status(session, cookie.value) for _ in range(LOOKS)} == {401}
    app.extensions["usher"].database.dispose()

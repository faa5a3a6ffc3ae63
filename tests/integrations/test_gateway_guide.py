"""The gateway guide: its example does what it says, its refusals are those that there are."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from app.api.routes_authorizations import authorizations
from tests.support.cast import Organization, json_of
from tests.support.server import ROOT
from tests.support.till import Till

GUIDE = (ROOT / "docs/gateway.md").read_text()
EXAMPLE = GUIDE.split("<!-- example -->\n```python\n")[1].split("```")[0]
ANSWER = {"usage": {"input_tokens": 1_000, "output_tokens": 100}}


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """A test needs no access log."""


@pytest.fixture
def till(acme: Organization) -> Till:
    return Till(acme)


@pytest.fixture
def call_model(till: Till) -> Iterator[Callable[..., Any]]:
    """The example's function, before the real application on a port."""
    with make_server("127.0.0.1", 0, till.organization.app, handler_class=_Quiet) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        names: dict[str, Any] = {
            "USHER_URL": f"http://127.0.0.1:{server.server_port}",
            "USHER_KEY": till.gateway.token,
        }
        exec(compile(EXAMPLE, "docs/gateway.md", "exec"), names)
        yield names["call_model"]
        server.shutdown()
        thread.join()


@pytest.fixture
def person(till: Till) -> tuple[str, str]:
    """The id and the user name of somebody with a monthly limit of one dollar."""
    user_id, _ = till.hire({"monthly": "1"})
    return user_id, json_of(till.organization.scim.get(f"/Users/{user_id}"))["userName"]


def spent(till: Till, user_id: str) -> tuple[str, str]:
    (row,) = (row for row in till.effective(user_id) if row["window"] == "monthly")
    return row["settled_usd"], row["reserved_usd"]


def test_the_example_is_as_short_as_it_says() -> None:
    assert len([line for line in EXAMPLE.splitlines() if line.strip()]) <= 30


def test_the_example_settles_what_a_call_cost(
    till: Till, call_model: Callable[..., Any], person: tuple[str, str]
) -> None:
    user_id, name = person
    assert call_model(name, "claude-sonnet-4-6", "Hello", 500, lambda *_: ANSWER) == ANSWER
    assert spent(till, user_id) == ("0.0045", "0")


def test_the_example_voids_what_the_provider_refused(
    till: Till, call_model: Callable[..., Any], person: tuple[str, str]
) -> None:
    def overloaded(*_: object) -> None:
        raise HTTPError("http://provider", 529, "Overloaded", None, None)  # type: ignore[arg-type]  # needs no headers

    user_id, name = person
    with pytest.raises(HTTPError, match="Overloaded"):
        call_model(name, "claude-sonnet-4-6", "Hello", 500, overloaded)
    assert spent(till, user_id) == ("0", "0")


def test_the_example_makes_no_call_that_is_refused(
    call_model: Callable[..., Any], person: tuple[str, str]
) -> None:
    made: list[object] = []
    with pytest.raises(PermissionError, match="monthly limit"):
        call_model(person[1], "claude-sonnet-4-6", "Hello", 1_000_000, made.append)
    assert made == []


def test_every_link_of_the_guide_and_of_the_adapter_leads_to_a_file() -> None:
    for page in (ROOT / "docs/gateway.md", ROOT / "integrations/litellm/README.md"):
        targets = re.findall(r"\]\(([^)#]+)\)", page.read_text())
        assert targets
        assert [target for target in targets if not Path(page.parent, target).exists()] == []


def test_every_path_of_the_guide_is_declared() -> None:
    declared = {endpoint.path.split("/")[-1] for endpoint in authorizations.declared}
    assert set(re.findall(r"authorizations/\{id\}/([a-z]+)", GUIDE)) <= declared

"""What belongs to another organization is not there, on any route that names a thing."""

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as hypothesis_settings

from app.api.declarations import Endpoint
from app.api.edge_ids import PATH_IDS
from app.api.routes import endpoints
from tests.api.objects import ids_by_prefix, operation_of

NOBODYS = "00000000-0000-7000-8000-000000000000"


@pytest.mark.parametrize(
    "endpoint",
    [endpoint for endpoint in endpoints() if "<" in endpoint.path],
    ids=lambda endpoint: endpoint.name,
)
def test_a_thing_of_another_organization_is_404_and_stays_as_it_is(
    acme: Any, furnished_globex: Any, described: Any, endpoint: Endpoint
) -> None:
    theirs = ids_by_prefix(furnished_globex)
    statuses = set()

    @seed(1)
    @hypothesis_settings(
        max_examples=50, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(operation_of(described, endpoint).as_strategy())
    def send(case: Any) -> None:
        if 404 in statuses:
            return
        case.path_parameters = {
            name: (theirs[PATH_IDS[name]] or [f"{PATH_IDS[name]}_{NOBODYS}"])[-1]
            for name in case.path_parameters
        }
        answer = case.call(headers={"Authorization": f"Bearer {acme.key('admin')}"})
        statuses.add(answer.status_code)

    send()
    # What the request says may be refused before what it names is looked up; a well-formed one follows.
    assert 404 in statuses
    assert statuses <= {400, 404, 412, 422}
    assert ids_by_prefix(furnished_globex) == theirs


def test_each_kind_of_thing_that_has_a_list_was_really_there(furnished_globex: Any) -> None:
    found = ids_by_prefix(furnished_globex)
    assert {"user", "group", "role", "gmap", "scimtok", "apikey"} <= {kind for kind in found if found[kind]}

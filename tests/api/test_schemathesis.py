"""Whatever is sent to a described route, the answer is one that the description knows, and never a 5xx."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as hypothesis_settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.api.declarations import Endpoint
from app.api.edge_ids import PATH_IDS
from app.api.routes import endpoints
from tests.api.objects import ids_by_prefix, operation_of

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


@pytest.fixture
def examples(chaos: bool) -> int:
    return 200 if chaos else 3


def with_real_ids(value: Any, ids: Mapping[str, Sequence[str]]) -> Any:
    """The same with ids of things that are there, wherever a field is named after one."""
    if isinstance(value, list):
        return [with_real_ids(item, ids) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: ids[PATH_IDS[name]][-1]
        if ids.get(PATH_IDS.get(name, "")) and isinstance(inner, str)
        else with_real_ids(inner, ids)
        for name, inner in value.items()
    }


def ask(office: Any, operation: Any, mode: schemathesis.GenerationMode, examples: int) -> None:
    """Send generated requests and hold each answer against the description."""
    ids = ids_by_prefix(office)

    @seed(1)
    @hypothesis_settings(
        max_examples=examples,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        case.path_parameters = with_real_ids(case.path_parameters, ids)
        if mode is schemathesis.GenerationMode.POSITIVE:
            case.query = with_real_ids(case.query, ids)
            case.body = with_real_ids(case.body, ids)
        answer = case.call(headers={"Authorization": f"Bearer {office.key('admin')}"})
        case.validate_response(answer, checks=CHECKS)

    send()


@pytest.mark.parametrize("endpoint", endpoints(), ids=lambda endpoint: endpoint.name)
def test_what_the_description_allows_gets_an_answer_that_it_describes(
    furnished: Any, described: Any, examples: int, endpoint: Endpoint
) -> None:
    ask(furnished, operation_of(described, endpoint), schemathesis.GenerationMode.POSITIVE, examples)


@pytest.mark.parametrize(
    "endpoint",
    # Elsewhere the path is all that is sent.
    [endpoint for endpoint in endpoints() if endpoint.body is not None or endpoint.query is not None],
    ids=lambda endpoint: endpoint.name,
)
def test_what_the_description_forbids_is_refused_as_it_describes(
    furnished: Any, described: Any, examples: int, endpoint: Endpoint
) -> None:
    ask(furnished, operation_of(described, endpoint), schemathesis.GenerationMode.NEGATIVE, examples)

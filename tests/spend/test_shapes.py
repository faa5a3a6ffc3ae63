"""The route that every call waits for is read and written by hand; marshmallow's schemas say the same."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError

from app.api.schemas.authorizations import GrantedAuthorization, NewAuthorization
from app.core.errors import UsherError
from tests.support.till import Till

USER = "user_0190a5d2-7b5c-7cc0-8a36-0f6b2f0c1d3e"
odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 100_000_001),
    st.sampled_from((0.5, "", "x", "x" * 200, "x" * 201, "code", USER, USER.upper(), "group_1", [], {}, [1])),
)
USUAL = {
    "user": {"id": USER},
    "surface": "code",
    "model": "claude-sonnet-4-6",
    "estimate": {"input_tokens": 1, "output_tokens": 2},
    "repository": "acme/web",
    "feature": None,
    "session_id": "s1",
    "batch": False,
    "dispatched": True,
}
changes = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([*USUAL, "max_cost_usd", "more"]), odd),
        st.tuples(st.just("user"), st.dictionaries(st.sampled_from(("id", "user_name")), odd)),
        st.tuples(
            st.just("estimate"), st.dictionaries(st.sampled_from(("input_tokens", "output_tokens", "x")), odd)
        ),
    ),
    max_size=2,
)


def read(load: Any, body: Any) -> Any:
    try:
        return load(body)
    except ValidationError as error:
        return error.messages
    except UsherError as error:
        return type(error), str(error)


@given(changes, st.sets(st.sampled_from(sorted(USUAL)), max_size=2))
def test_a_body_is_read_as_its_schema_reads_it(changed: list[tuple[str, Any]], missing: set[str]) -> None:
    schema = NewAuthorization()
    body = {name: value for name, value in USUAL.items() if name not in missing} | dict(changed)
    assert read(schema.load, body) == read(lambda value: Schema.load(schema, value), body)


def test_an_answer_is_what_its_schema_would_have_said(till: Till) -> None:
    ada, _ = till.hire({"monthly": "10", "five_hour": "5"})
    till.limit_everybody("1000", mode="soft")
    made = till.allowed(ada, repository="acme/web", session_id="s1")
    schema = GrantedAuthorization()
    assert list(made) == list(schema.fields)
    for limit in made["limits"]:
        assert list(limit) == list(schema.fields["limits"].inner.schema.fields)  # type: ignore[attr-defined]  # a list of objects

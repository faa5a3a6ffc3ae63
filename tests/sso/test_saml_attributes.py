"""The claims of Okta, Entra and Google, and what is unclear in them."""

from typing import Any

import pytest

from app.sso.saml.assertion import Assertion
from app.sso.saml.attributes import Profile, read_profile
from app.sso.saml.reasons import ReasonCode, RefusedError
from tests.support.saml_idp import EMAIL_FORMAT, PERSISTENT, TRANSIENT, Scene

NOW = Scene().now
CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
MICROSOFT = "http://schemas.microsoft.com/"
GROUPS = f"{MICROSOFT}ws/2008/06/identity/claims/groups"


def profile(
    attributes: dict[str, tuple[str, ...]], names: dict[str, str] | None = None, **name: Any
) -> Profile:
    assertion = Assertion(
        assertion_id="_a",
        issuer="i",
        name_id=name.get("name_id", "anna@example.com"),
        name_id_format=name.get("name_id_format", EMAIL_FORMAT),
        name_qualifier="",
        in_response_to=None,
        issued_at=NOW,
        not_on_or_after=NOW,
        authn_instant=NOW,
        session_index="",
        session_not_on_or_after=None,
        attributes=attributes,
        signed_by="",
        certificate_expired=False,
        encrypted=False,
    )
    return read_profile(assertion, names)


def test_oktas_usual_names_are_known() -> None:
    found = profile(
        {
            "email": ("a@example.com",),
            "firstName": ("Anna",),
            "lastName": ("Ek",),
            "userId": ("00u1",),
            "groups": ("Sales",),
        }
    )
    assert found == Profile("00u1", "a@example.com", "Anna", "Ek", "", ("Sales",))


def test_entras_claims_are_known_and_its_name_is_no_display_name() -> None:
    found = profile(
        {
            f"{CLAIMS}emailaddress": ("a@example.com",),
            f"{CLAIMS}givenname": ("Anna",),
            f"{CLAIMS}surname": ("Ek",),
            f"{CLAIMS}name": ("anna_upn@example.com",),
            f"{MICROSOFT}identity/claims/displayname": ("Anna Ek",),
            f"{MICROSOFT}identity/claims/objectidentifier": ("oid",),
            GROUPS: ("g1", "g2"),
        }
    )
    assert found == Profile("oid", "a@example.com", "Anna", "Ek", "Anna Ek", ("g1", "g2"))


def test_google_sends_only_the_address() -> None:
    assert profile({}) == Profile("anna@example.com", "anna@example.com", "", "", "", None)


def test_a_connection_names_its_own_attributes() -> None:
    found = profile({"mail2": ("x@example.com",), "email": ("y@example.com",)}, {"email": "mail2"})
    assert found.email == "x@example.com"


def test_a_mapped_attribute_that_is_missing_is_not_replaced_by_a_usual_one() -> None:
    found = profile(
        {"email": ("y@example.com",)}, {"email": "mail2"}, name_id="x1", name_id_format=PERSISTENT
    )
    assert found.email == ""


@pytest.mark.parametrize(
    ("attributes", "groups"),
    [
        ({}, None),
        ({f"{MICROSOFT}claims/groups.link": ("https://graph/",)}, None),
        ({f"{MICROSOFT}claims/groups.link": ("https://graph/",), "groups": ("a",)}, None),
        ({"groups": ()}, ()),
        ({"groups": ("",)}, ()),
        ({"groups": ("a", "b", "a")}, ("a", "b")),
    ],
)
def test_unknown_groups_are_told_from_none(
    attributes: dict[str, tuple[str, ...]], groups: tuple[str, ...] | None
) -> None:
    assert profile(attributes).groups == groups


@pytest.mark.parametrize(
    "attributes",
    [{"email": ("a@x", "b@x")}, {"email": ("a@x",), "EMAIL": ("b@x",)}, {"userId": ("1", "2")}],
)
def test_two_values_where_one_can_be_are_refused(attributes: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(RefusedError) as caught:
        profile(attributes)
    assert caught.value.reason is ReasonCode.ATTRIBUTE_AMBIGUOUS


def test_the_same_value_twice_is_one() -> None:
    assert profile({"email": ("a@x", "a@x")}).email == "a@x"


def test_a_transient_name_needs_a_stable_id() -> None:
    with pytest.raises(RefusedError) as caught:
        profile({}, name_id_format=TRANSIENT)
    assert caught.value.reason is ReasonCode.NAME_ID_TRANSIENT
    assert profile({"userId": ("1",)}, name_id_format=TRANSIENT).stable_id == "1"

"""A kept body shows the structure of a message and says nothing of a person."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.scim.protocol.constants import ENTERPRISE_USER, ERROR, GROUP, PATCH_OP, USER
from app.scim.protocol.masking import MAX_KEPT_LENGTH, Masking

ID = "0190a5d2-7b5c-7cc0-8a36-0f6b2f0c1d3e"
PERSON = {
    "schemas": [USER, ENTERPRISE_USER],
    "id": ID,
    "externalId": "00u1abcd2EFGH3ijkl5d7",
    "userName": "ada.lovelace@example.com",
    "password": "correct horse",
    "active": True,
    "name": {"givenName": "Ada", "familyName": "Lovelace", "formatted": "Countess Ada Lovelace"},
    "displayName": "Ada Lovelace",
    "emails": [{"value": "ada.private@mail.example.org", "type": "work", "primary": True}],
    "phoneNumbers": [{"value": "+44 20 7946 0958", "type": "mobile"}, {"value": 442079460959}],
    "addresses": [{"formatted": "12 St James's Square", "type": "home"}],
    "photos": [{"value": "https://example.com/ada.png"}],
    "nickName": "Enchantress",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber": "E1815",
    ENTERPRISE_USER: {"manager": {"value": ID, "displayName": "Charles Babbage"}, "employeeNumber": 1815},
    "meta": {"resourceType": "User", "version": 'W/"3"', "location": f"https://u.example.com/Users/{ID}"},
}
PERSONAL = (
    "ada. Ada Lovelace Countess Enchantress Babbage Charles 7946 794609 James correct horse 1815 ada.png"
)


def masked(body: Any, *, of_group: bool = False) -> Any:
    return json.loads(Masking(of_group=of_group).request(json.dumps(body).encode()))


def test_nothing_of_a_person_survives() -> None:
    text = json.dumps(masked(PERSON))
    assert [word for word in PERSONAL.split() if word in text] == []


def test_what_is_needed_to_debug_survives() -> None:
    kept = masked(PERSON)
    for name in ("schemas", "id", "externalId", "active", "meta"):
        assert kept[name] == PERSON[name]
    assert kept["userName"] == "a***@example.com"
    assert kept["emails"] == [{"value": "a***@mail.example.org", "type": "work", "primary": True}]
    assert kept["name"]["givenName"] == "A***"
    assert kept["password"] == kept["photos"] == "***"
    assert kept[ENTERPRISE_USER]["manager"] == {"value": ID, "displayName": "C***"}


@pytest.mark.parametrize(
    ("operation", "kept"),
    [
        ({"op": "Replace", "path": "active", "value": "False"}, "False"),
        ({"op": "replace", "path": "userName", "value": "ada"}, "a***"),
        ({"op": "replace", "path": "password", "value": "correct horse"}, "***"),
        ({"op": "add", "path": f"{USER}:name.givenName", "value": "Ada"}, "A***"),
        ({"op": "add", "value": {"name.familyName": "Lovelace"}}, {"name.familyName": "L***"}),
        ({"op": "add", "path": "members", "value": [{"value": ID}]}, [{"value": ID}]),
        ({"OP": "add", "Path": 'emails[type eq "work"].value', "Value": "ada@ex.com"}, "a***@ex.com"),
    ],
)
def test_an_operation_keeps_op_and_path_and_masks_its_value(operation: dict[str, Any], kept: Any) -> None:
    body = {"schemas": [PATCH_OP], "Operations": [operation]}
    *before, (_, value) = masked(body)["Operations"][0].items()
    assert value == kept
    assert dict(before).items() <= operation.items()


def test_a_literal_in_a_path_is_masked_unless_it_is_a_label_or_an_id() -> None:
    paths = [f'members[value eq "{ID}"]', 'emails[type eq "work"]', 'addresses[formatted eq "12 Square"]']
    operations = [{"op": "remove", "path": path} for path in [*paths, 'emails[value eq "ada@example.com"]']]
    shown = [operation["path"] for operation in masked({"Operations": operations})["Operations"]]
    assert shown == [*paths[:2], 'addresses[formatted eq "1***"]', 'emails[value eq "a***@example.com"]']


def test_a_groups_name_is_kept_and_its_members_names_are_not() -> None:
    body = {"schemas": [GROUP], "displayName": "Sales", "members": [{"value": ID, "display": "Ada"}]}
    kept = masked(body, of_group=True)
    assert (kept["displayName"], kept["members"]) == ("Sales", [{"value": ID, "display": "A***"}])


@pytest.mark.parametrize(
    "body",
    [
        b"userName=ada&password=correct+horse",
        b'{"userName": "Ada", "password": "correct horse"',
        b'{"userName": "Ada", "userName": "Ada"}',
        b"\xff\xfeA\x00d\x00a\x00",
        "Ада".encode(),
        b'{"displayName": "Ada\\u0000"}',
    ],
)
def test_a_body_that_cannot_be_read_leaves_its_length_and_shape(body: bytes) -> None:
    shown = Masking(of_group=False).request(body)
    prefix, _, shape = shown.partition("9) ")
    assert prefix.startswith(f"({len(body)} bytes")
    assert {character for character in shape if character.isalnum()} <= {"x", "9"}
    assert shape.isprintable()


def test_the_shape_shows_what_is_wrong() -> None:
    assert Masking(of_group=False).request(b"{'name': 12,}").endswith(" {'xxxx': 99,}")


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("The userName 'ada' exists already.", "The userName 'a***' exists already."),
        ("There is no attribute 'emials'.", "There is no attribute 'emials'."),
        ("It is {'value': 'Lovel...ce'}.", "It is {'value': 'L***'}."),
        ("It is 'Lovelace and so…", "It is 'L***'…"),
        ('Usher\'s schemas name "urn:x:y".', 'Usher\'s schemas name "urn:x:y".'),
        ("Expecting ',' delimiter", "Expecting ',' delimiter"),
        ("The body is 'text/xml'.", "The body is 'text/xml'."),
        ("It has the op 'put'.", "It has the op 'put'."),
        ("Write to ada@example.com.", "Write to a***@example.com."),
    ],
)
def test_a_sentence_masks_what_it_quotes_of_the_body_and_keeps_names(sentence: str, shown: str) -> None:
    masking = Masking(of_group=False)
    masking.request(b'{"userName": "ada", "emials": "x", "op": "put", "name": {"familyName": "Lovelace"}}')
    assert masking.sentence(sentence) == shown


def test_a_sentence_about_a_body_that_was_not_kept_is_masked_all_the_same() -> None:
    masking = Masking(of_group=False)
    assert masking.request(70_000) == "(70000 bytes, too long to be kept)"
    assert masking.sentence("The userName 'ada' exists.") == "The userName 'a***' exists."


def test_a_sentence_quotes_a_groups_name() -> None:
    masking = Masking(of_group=True)
    masking.request(b'{"displayName": "Sales"}')
    assert masking.sentence("The group 'Sales' exists.") == "The group 'Sales' exists."


def test_the_answers_detail_is_masked_like_the_sentence_it_is() -> None:
    masking = Masking(of_group=False)
    masking.request(b'{"userName": "ada", "detail": "Ada Lovelace"}')
    body = {
        "schemas": [ERROR],
        "status": "409",
        "scimType": "uniqueness",
        "detail": "The userName 'ada' exists.",
    }
    kept = json.loads(masking.answer(json.dumps(body).encode()))
    assert kept == {**body, "detail": "The userName 'a***' exists."}


def test_a_credential_that_stands_where_it_should_not_is_struck_out() -> None:
    text = Masking(of_group=False).request(
        b'{"id": "usher_scim_abcDEF012345", "apiToken": "s3cret", "path": "usher_api_x1"}'
    )
    assert "abcDEF" not in text
    assert "s3cret" not in text
    assert "x1" not in text


def test_a_long_body_is_cut_with_a_marker() -> None:
    text = Masking(of_group=False).request(json.dumps({"members": [{"value": ID}] * 1000}).encode())
    assert len(text) < MAX_KEPT_LENGTH + 50
    assert text.endswith("characters in all)")


keys = st.sampled_from(["path", "value", "id", "detail"]) | st.text(max_size=4)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 10**20) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@given(values, st.binary(max_size=60), st.text(max_size=40))
def test_no_message_breaks_the_masking(value: Any, garbage: bytes, sentence: str) -> None:
    masking = Masking(of_group=False)
    for body in (json.dumps(value).encode(), garbage):
        text = masking.request(body) + masking.answer(body)
        text.encode()
        assert "\x00" not in text
    masking.sentence(sentence).encode()


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=5),
        st.text("ЖЩЮ", min_size=2, max_size=5),
    )
)
def test_no_unknown_attribute_shows_more_than_its_first_letter(body: dict[str, str]) -> None:
    kept = masked({f"a{name}": text for name, text in body.items()})
    assert all(text == "***" or len(text) == 4 for text in kept.values())

"""Tokens: made once, recognized by shape, stored as a hash."""

from app.core.tokens import SystemRandomness, hash_token, is_well_formed, new_token


def test_a_new_token_is_well_formed_for_its_kind_alone() -> None:
    token = new_token("scim", SystemRandomness())
    assert is_well_formed("scim", token)
    assert not is_well_formed("api", token)


def test_a_mistyped_token_is_refused_without_a_look_up() -> None:
    token = new_token("scim", SystemRandomness())
    swapped = token[:20] + ("A" if token[20] != "A" else "B") + token[21:]
    assert not is_well_formed("scim", swapped)
    assert not is_well_formed("scim", token[:-1])
    assert not is_well_formed("scim", "")
    assert not is_well_formed("scim", token + "é")


def test_two_tokens_differ_and_their_hashes_too() -> None:
    first, second = (new_token("api", SystemRandomness()) for _ in range(2))
    assert first != second
    assert hash_token(first) != hash_token(second)

"""Private keys at rest open for one secret and one place only."""

import pytest

from app.core.sealing import Sealed, Sealer, UnsealError
from app.core.tokens import SystemRandomness

SEALER = Sealer("a" * 32, SystemRandomness())


def test_what_was_sealed_opens_in_its_place() -> None:
    sealed = SEALER.seal("private", bound_to="row 1")
    assert "private" not in sealed.text
    assert SEALER.open(sealed, bound_to="row 1") == "private"


def test_the_same_text_is_sealed_anew_each_time() -> None:
    assert SEALER.seal("private", bound_to="row 1") != SEALER.seal("private", bound_to="row 1")


def test_a_sealed_text_does_not_open_in_another_place() -> None:
    with pytest.raises(UnsealError, match="belongs elsewhere"):
        SEALER.open(SEALER.seal("private", bound_to="row 1"), bound_to="row 2")


def test_another_secret_is_named_as_the_cause() -> None:
    other = Sealer("b" * 32, SystemRandomness())
    with pytest.raises(UnsealError, match="secret has changed"):
        other.open(SEALER.seal("private", bound_to="row 1"), bound_to="row 1")


def test_a_damaged_text_does_not_open() -> None:
    sealed = SEALER.seal("private", bound_to="row 1")
    flipped = sealed.text[:-4] + ("AAAA" if sealed.text[-4:] != "AAAA" else "BBBB")
    with pytest.raises(UnsealError):
        SEALER.open(Sealed(flipped, sealed.key_id), bound_to="row 1")

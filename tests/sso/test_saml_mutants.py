"""Mutated responses through both verifiers: nothing is believed that the identity provider did not sign."""

import random

from app.sso.saml.reasons import RefusedError
from app.sso.saml.response import verify
from tests.sso.saml_mutations import bases, mutant
from tests.support.saml_idp import Scene, encode
from tests.support.saml_judging import expectation

SCENE = Scene()


def test_no_mutant_is_believed_that_differs_in_a_signed_value(chaos: bool) -> None:
    """Anything but a refusal or the same assertion fails; so does any other exception."""
    expected = expectation(SCENE)
    sound = bases(SCENE)
    originals = [verify(encode(base), expected, SCENE.now) for base in sound]
    dice = random.Random() if chaos else random.Random(20261125)
    refused = 0
    for _ in range(20_000 if chaos else 200):
        index = dice.randrange(len(sound))
        encoded = mutant(sound[index], dice)
        try:
            believed = verify(encoded, expected, SCENE.now)
        except RefusedError:
            refused += 1
        else:
            assert believed == originals[index], encoded
    assert refused > 0

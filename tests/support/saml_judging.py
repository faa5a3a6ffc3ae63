"""A scene judged by the code under test, as the assertion consumer service calls it."""

from dataclasses import replace
from typing import Any

from app.sso.saml.assertion import Assertion, Expectation
from app.sso.saml.attributes import read_profile
from app.sso.saml.bindings import read_acs_form
from app.sso.saml.certificates import SpKey, load_certificate
from app.sso.saml.reasons import RefusedError
from app.sso.saml.response import verify
from tests.support.saml_corpus.case import ACCEPTED, Fields
from tests.support.saml_idp import Scene


def expectation(scene: Scene) -> Expectation:
    """What the scene's connection expects."""
    return Expectation(
        idp_entity_id=scene.idp_entity_id,
        certificates=(load_certificate(scene.idp.certificate_pem),),
        sp_entity_id=scene.sp_entity_id,
        acs_url=scene.acs_url,
        decryption_keys=tuple(SpKey(key.private_pem, key.certificate_pem) for key in scene.sp_keys),
    )


def judged(fields: Fields, scene: Scene, **changes: Any) -> Assertion:
    """Form reader, verifier and profile reader in a row; `changes` are to the expectation."""
    expected = replace(expectation(scene), **changes)
    assertion = verify(read_acs_form(fields).saml_response, expected, scene.now)
    read_profile(assertion)
    return assertion


def verdict(fields: Fields, scene: Scene, **changes: Any) -> str:
    try:
        judged(fields, scene, **changes)
    except RefusedError as error:
        return error.reason.value
    return ACCEPTED

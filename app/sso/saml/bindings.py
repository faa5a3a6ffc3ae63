"""How messages travel: HTTP-Redirect (deflated, signed over the raw query) and HTTP-POST (a form); pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from app.sso.saml.certificates import SpKey
from app.sso.saml.reasons import ReasonCode, RefusedError, Step

MAX_MESSAGE_BYTES = 262_144


@dataclass(frozen=True, slots=True)
class PostForm:
    """A form that the browser shall post to `action`; the page that renders it escapes the values."""

    action: str
    fields: Mapping[str, str]


def redirect_url(
    destination: str, parameter: str, xml: bytes, *, relay_state: str = "", key: SpKey | None = None
) -> str:
    """`destination` with `parameter` (`SAMLRequest` or `SAMLResponse`); signed when a key is given."""
    return f"{destination} {parameter} {xml!r} {relay_state} {key}"


def post_form(
    destination: str, parameter: str, xml: bytes, *, relay_state: str = "", key: SpKey | None = None
) -> PostForm:
    """The same as a form, with an enveloped signature when a key is given."""
    return PostForm(destination, {parameter: f"{xml!r} {relay_state} {key}"})


@dataclass(frozen=True, slots=True)
class AcsForm:
    saml_response: str
    relay_state: str


def read_acs_form(fields: Iterable[tuple[str, str]]) -> AcsForm:
    """The fields of the POST to the ACS, in any order; a repeated or missing one raises `RefusedError`."""
    raise RefusedError(ReasonCode.PARAMETER_MISSING, Step.PARAMETERS, received=str(fields))

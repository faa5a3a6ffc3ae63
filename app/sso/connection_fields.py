"""Which fields a connection of each protocol takes from an administrator, and what is usual."""

from collections.abc import Mapping
from typing import Any

from app.core.errors import UnprocessableError
from app.sso.oidc.profile import USUAL_CLAIMS
from app.sso.saml.attributes import FIELDS as SAML_ATTRIBUTES

_SAML = (
    *("metadata_xml", "metadata_url", "idp_entity_id", "sso_url", "certificates"),
    *("idp_initiated", "signed", "refuse_expired_certificates"),
)
_OIDC = ("issuer", "discovery_url", "client_id", "client_secret", "scopes")
_FOREIGN = {"saml": _OIDC, "oidc": _SAML}
_ATTRIBUTES = {"saml": SAML_ATTRIBUTES, "oidc": tuple(USUAL_CLAIMS)}
_NEEDED = {"saml": (), "oidc": ("client_id", "client_secret")}
USUAL: Mapping[str, Mapping[str, Any]] = {
    "saml": {"idp_initiated": "bounce", "signed": "any", "refuse_expired_certificates": False},
    "oidc": {},
}


class ForeignFieldError(UnprocessableError):
    """The field belongs to another protocol than the connection's, or is missing for it."""

    code = "field_of_other_protocol"


def check_given(protocol: str, given: Mapping[str, Any], *, is_new: bool) -> None:
    """Raises `ForeignFieldError` for what a connection of this protocol does not take or lacks."""
    foreign = [name for name in _FOREIGN[protocol] if name in given]
    if foreign:
        raise ForeignFieldError(f"A connection by {protocol} does not take {', '.join(foreign)}.")
    unknown = [name for name in given.get("attributes", ()) if name not in _ATTRIBUTES[protocol]]
    if unknown:
        raise ForeignFieldError(
            f"A connection by {protocol} maps {', '.join(_ATTRIBUTES[protocol])}, not {', '.join(unknown)}."
        )
    if "openid" not in given.get("scopes", "openid").split():
        raise ForeignFieldError("The scopes of a connection must hold openid.", code="scope_missing_openid")
    missing = [name for name in _NEEDED[protocol] if is_new and name not in given]
    if missing:
        raise ForeignFieldError(
            f"A connection by {protocol} needs {', '.join(missing)}.", code="field_missing"
        )

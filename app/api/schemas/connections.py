"""Connections: who the identity provider is, what is taken from it, how far it is in force."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.api import edge_ids
from app.api.schemas.common import (
    Answer,
    at_least_one_field,
    columns,
    name_field,
    no_repeats,
)
from app.api.schemas.fields import EdgeId, Instant, TrueOrFalse
from app.core.connection import Row
from app.core.urls import PublicUrls
from app.sso.connections import ConnectionWithKeys
from app.sso.idp_certificates import notice_days
from app.sso.models import BINDINGS, IDP_INITIATED, KEY_STATES, MODES, PROTOCOLS, SIGNED
from app.sso.saml.attributes import FIELDS
from app.sso.saml.metadata import MAX_METADATA_BYTES

MAX_TESTERS = 100
MAX_CERTIFICATES = 10
MAX_PEM_LENGTH = 20_000
MAX_URL_LENGTH = 2_048
MAX_ATTRIBUTE_NAME_LENGTH = 500
MAX_EMAIL_LENGTH = 254
MAX_CREDENTIAL_LENGTH = 1_000
ORIGINS = ("provisioned", "jit")

_URL = validate.Length(1, MAX_URL_LENGTH)
_CREDENTIAL = validate.Length(1, MAX_CREDENTIAL_LENGTH)


class IdpCertificateSchema(Answer):
    fingerprint = fields.String(required=True, metadata={"description": "SHA-256 of the DER form."})
    subject = fields.String(required=True)
    key_type = fields.String(required=True)
    key_bits = fields.Integer(required=True)
    not_before = Instant(required=True)
    expires_at = Instant(required=True)


class SpKeySchema(Answer):
    fingerprint = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf(KEY_STATES))
    certificate = fields.String(attribute="pem", required=True)
    expires_at = Instant(required=True)


class ConnectionWarning(Answer):
    code = fields.String(required=True)
    detail = fields.String(required=True)


def _attributes(**options: Any) -> fields.Dict:
    return fields.Dict(
        keys=fields.String(validate=validate.OneOf(FIELDS)),
        values=fields.String(validate=validate.Length(1, MAX_ATTRIBUTE_NAME_LENGTH)),
        metadata={
            "description": "Our names to the identity provider's; the usual ones are known. With OpenID "
            "Connect neither email nor stable_id: those are claims of fixed meaning."
        },
        **options,
    )


def _testers(**options: Any) -> fields.List[Any]:
    return fields.List(
        fields.String(validate=validate.Length(3, MAX_EMAIL_LENGTH)),
        validate=[validate.Length(max=MAX_TESTERS), no_repeats],
        **options,
    )


def _saml_only(description: str = "", **options: Any) -> fields.String:
    told = f"{description} Null with OpenID Connect.".strip()
    return fields.String(required=True, allow_none=True, metadata={"description": told}, **options)


def _oidc_only(description: str = "") -> fields.String:
    told = f"{description} Null with SAML.".strip()
    return fields.String(required=True, allow_none=True, metadata={"description": told})


class ConnectionSchema(Answer):
    type = fields.Constant("connection", required=True)
    id = EdgeId(edge_ids.CONNECTION, required=True)
    name = fields.String(required=True)
    protocol = fields.String(required=True, validate=validate.OneOf(PROTOCOLS))
    mode = fields.String(required=True, validate=validate.OneOf(MODES))
    enforced_at = Instant(required=True, allow_none=True)
    login_url = fields.String(required=True)
    acs_url = _saml_only()
    entity_id = _saml_only()
    metadata_url = _saml_only("Our metadata, for the IdP.")
    idp_entity_id = _saml_only()
    idp_metadata_url = _saml_only()
    callback_url = _oidc_only("The redirect URI, for the IdP.")
    backchannel_logout_url = _oidc_only()
    post_logout_redirect_uri = _oidc_only("Where the IdP sends people who signed out.")
    issuer = _oidc_only()
    discovery_url = _oidc_only()
    client_id = _oidc_only()
    scopes = _oidc_only("What is asked for at each sign-in.")
    metadata_read_at = Instant(required=True, allow_none=True)
    sso_url = fields.String(required=True, metadata={"description": "Where people are sent to sign in."})
    sso_binding = _saml_only(validate=validate.OneOf(BINDINGS))
    slo_url = fields.String(required=True, allow_none=True)
    certificates = fields.List(fields.Nested(IdpCertificateSchema), required=True)
    sp_keys = fields.List(fields.Nested(SpKeySchema), required=True)
    warnings = fields.List(fields.Nested(ConnectionWarning), required=True)
    idp_initiated = _saml_only(validate=validate.OneOf(IDP_INITIATED))
    jit = fields.Boolean(required=True)
    attributes = _attributes(required=True)
    testers = _testers(required=True)
    signed = _saml_only(validate=validate.OneOf(SIGNED))
    refuse_expired_certificates = fields.Boolean(required=True, allow_none=True)
    configuration_hash = fields.String(required=True)
    tested_at = Instant(required=True, allow_none=True)
    created_at = Instant(required=True)


class _ConnectionInput(Schema):
    metadata_xml = fields.String(validate=validate.Length(1, MAX_METADATA_BYTES))
    metadata_url = fields.String(validate=_URL)
    idp_entity_id = fields.String(validate=_URL)
    sso_url = fields.String(validate=_URL)
    certificates = fields.List(
        fields.String(validate=validate.Length(1, MAX_PEM_LENGTH)),
        validate=validate.Length(1, MAX_CERTIFICATES),
    )
    idp_initiated = fields.String(validate=validate.OneOf(IDP_INITIATED))
    signed = fields.String(validate=validate.OneOf(SIGNED))
    refuse_expired_certificates = TrueOrFalse()
    issuer = fields.String(validate=_URL)
    discovery_url = fields.String(validate=_URL)
    client_id = fields.String(validate=_CREDENTIAL)
    scopes = fields.String(
        validate=validate.Regexp(r"[!#-\[\]-~]+( [!#-\[\]-~]+)*\Z"),
        metadata={"description": "Asked for at each sign-in; openid profile email, and groups if offered."},
    )
    client_secret = fields.String(
        validate=_CREDENTIAL, load_only=True, metadata={"description": "Kept sealed, never shown again."}
    )
    enforced_at = Instant()
    break_glass = fields.String(
        validate=validate.OneOf(["console_link"]),
        metadata={"description": "Enforce without codes: the operator's console link is the way in."},
    )


class NewConnection(_ConnectionInput):
    name = name_field(required=True)
    protocol = fields.String(load_default="saml", validate=validate.OneOf(PROTOCOLS))
    mode = fields.String(load_default="off", validate=validate.OneOf(MODES))
    jit = TrueOrFalse(load_default=False)
    attributes = _attributes(load_default=dict)
    testers = _testers(load_default=list)


class ConnectionChanges(_ConnectionInput):
    name = name_field()
    mode = fields.String(validate=validate.OneOf(MODES))
    jit = TrueOrFalse()
    attributes = _attributes()
    testers = _testers()

    @validates_schema
    def _refuse_empty(self, data: dict[str, object], **_: object) -> None:
        at_least_one_field(data)
        if "mode" not in data and ({"enforced_at", "break_glass"} & data.keys()):
            raise ValidationError("enforced_at and break_glass come with the mode.")


class LockedOutPerson(Answer):
    type = fields.Constant("locked_out_user", required=True)
    user_id = EdgeId(edge_ids.USER, attribute="id", required=True)
    user_name = fields.String(required=True)
    display_name = fields.String(required=True, allow_none=True)
    email = fields.String(required=True, allow_none=True)
    seat_state = fields.String(required=True, allow_none=True)
    origin = fields.String(
        required=True,
        validate=validate.OneOf(ORIGINS),
        metadata={"description": "jit: known only from signing in by another connection, which then ends."},
    )
    created_at = Instant(required=True)


_SAML_URLS = ("acs_url", "entity_id", "idp_metadata_url")
_OIDC_URLS = ("callback_url", "backchannel_logout_url", "post_logout_redirect_uri", "issuer", "discovery_url")


def show_connection(connection: ConnectionWithKeys, urls: PublicUrls) -> dict[str, Any]:
    row = connection.row
    shown: Mapping[str, Any] = columns(row)
    return {
        **dict.fromkeys((*_SAML_URLS, *_OIDC_URLS)),
        **shown,
        **(_shown_saml(row, urls) if row.protocol == "saml" else _shown_oidc(row, urls)),
        "certificates": connection.idp_certificates,
        "sp_keys": connection.sp_keys,
        "warnings": _warnings(connection),
    }


def _shown_saml(row: Row, urls: PublicUrls) -> dict[str, Any]:
    return {
        "acs_url": urls.saml(row.id, "acs"),
        "entity_id": urls.saml(row.id, "metadata"),
        "metadata_url": urls.saml(row.id, "metadata"),
        "login_url": urls.saml(row.id, "login"),
        "idp_metadata_url": row.metadata_url,
    }


def _shown_oidc(row: Row, urls: PublicUrls) -> dict[str, Any]:
    return {
        "login_url": urls.oidc(row.id, "login"),
        "callback_url": urls.oidc(row.id, "callback"),
        "backchannel_logout_url": urls.oidc(row.id, "backchannel-logout"),
        "post_logout_redirect_uri": urls.signed_out,
        "issuer": row.idp_entity_id,
        "discovery_url": row.metadata_url,
        # Names of SAML, which mean other addresses there.
        "idp_entity_id": None,
        "metadata_url": None,
    }


def _warnings(connection: ConnectionWithKeys) -> list[dict[str, str]]:
    row, now = connection.row, connection.as_of
    found = [
        warning
        for certificate in connection.idp_certificates
        if (warning := _expiry(certificate, "The identity provider's certificate", now))
    ]
    found += [
        warning
        for key in connection.sp_keys
        if key.state != "retired" and (warning := _expiry(key, "Our certificate", now))
    ]
    if row.metadata_error is not None:
        found.append({"code": "metadata_refused", "detail": row.metadata_error})
    if row.metadata_url is None:
        found.append(
            {
                "code": "metadata_not_polled",
                "detail": "There is no metadata URL, so a new certificate has to be entered by hand.",
            }
        )
    if row.protocol == "oidc" and not row.tells_logouts:
        found.append(
            {
                "code": "logout_not_told",
                "detail": "The identity provider does not say that it knows back-channel logout, so whoever "
                "is signed out there stays signed in here until the session ends.",
            }
        )
    if row.sso_url.startswith("http:"):
        found.append(
            {"code": "sso_url_not_https", "detail": "The sign-on URL is not https; development only."}
        )
    return found


def _expiry(certificate: Row, whose: str, now: datetime) -> dict[str, str] | None:
    days = notice_days(certificate.expires_at, now)
    if days is None:
        return None
    short = certificate.fingerprint[:16]
    if days == 0:
        return {"code": "certificate_expired", "detail": f"{whose} {short}… has expired."}
    return {
        "code": "certificate_expires_soon",
        "detail": f"{whose} {short}… expires within {days} day{'s' if days > 1 else ''}.",
    }

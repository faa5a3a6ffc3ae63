"""What a connection needs to know of its identity provider, from whichever source it was given.

Here for SAML, in `provider_settings` for OpenID Connect. No transaction is open while an address is read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from app.core.connection import Row
from app.core.errors import BadRequestError
from app.core.guarded_fetch import GuardedFetch
from app.core.unit_of_work import UnitOfWork
from app.sso.saml.certificates import Certificate
from app.sso.saml.metadata import Binding, IdpMetadata, check_fields, parse_idp_metadata

BINDINGS = {Binding.REDIRECT: "redirect", Binding.POST: "post"}
FIELDS = ("idp_entity_id", "sso_url", "certificates")


class IdpSourceError(BadRequestError):
    code = "idp_source_invalid"


@dataclass(frozen=True, slots=True)
class IdpSettings:
    """`columns` are those of `connections`, `usual` those that an administrator may decide otherwise.

    `metadata_url` is null where nothing is read again.
    """

    columns: Mapping[str, Any]
    certificates: Sequence[Certificate]
    metadata_url: str | None
    usual: Mapping[str, Any] = field(default_factory=dict)


class SettingsReader(Protocol):
    """One for each protocol; `sources` are the fields that say who the identity provider is."""

    @property
    def sources(self) -> Sequence[str]: ...

    def read(self, given: Mapping[str, Any]) -> IdpSettings:
        """From what an administrator gave."""

    def read_again(self, connection: Row) -> IdpSettings:
        """From the connection's `metadata_url`, as it is now; uses no transaction."""


class IdpSettingsReader:
    """`allow_http` lets an identity provider on plain http in; for development only."""

    sources = ("metadata_xml", "metadata_url", *FIELDS)

    def __init__(self, uow: UnitOfWork, fetch: GuardedFetch, *, allow_http: bool) -> None:
        self._uow = uow
        self._fetch = fetch
        self._allow_http = allow_http

    def read(self, given: Mapping[str, Any]) -> IdpSettings:
        """From one of `metadata_xml`, `metadata_url` or the three single fields.

        Raises `IdpSourceError` unless there is exactly one source, `FetchRefusedError`, `MetadataError` and
        `CertificateError`.
        """
        entity_id = given.get("idp_entity_id")
        xml, url = given.get("metadata_xml"), given.get("metadata_url")
        fields = [name for name in ("sso_url", "certificates") if given.get(name)]
        if sum((xml is not None, url is not None, bool(fields))) != 1:
            raise IdpSourceError(
                "Describe the identity provider by one of metadata_xml, metadata_url, or idp_entity_id with "
                "sso_url and certificates."
            )
        if url is not None:
            self._uow.pause()
            return self._fetched(url, entity_id)
        if xml is not None:
            return _settings(self._parsed(xml.encode(), entity_id), None)
        if entity_id is None or len(fields) < len(FIELDS) - 1:
            raise IdpSourceError(f"Single fields are complete with {', '.join(FIELDS)}.")
        found = check_fields(
            entity_id=entity_id,
            sso_url=given["sso_url"],
            certificates=given["certificates"],
            allow_http=self._allow_http,
        )
        return _settings(found, None)

    def read_again(self, connection: Row) -> IdpSettings:
        """The same entity's metadata as it is now; uses no transaction."""
        return self._fetched(connection.metadata_url, connection.idp_entity_id)

    def _fetched(self, url: str, idp_entity_id: str | None) -> IdpSettings:
        return _settings(self._parsed(self._fetch.read(url), idp_entity_id), url)

    def _parsed(self, xml: bytes, idp_entity_id: str | None) -> IdpMetadata:
        return parse_idp_metadata(
            xml, self._uow.now, idp_entity_id=idp_entity_id, allow_http=self._allow_http
        )


def _settings(found: IdpMetadata, metadata_url: str | None) -> IdpSettings:
    columns = {
        "idp_entity_id": found.entity_id,
        "sso_url": found.sso_url,
        "sso_binding": BINDINGS[found.sso_binding],
        "slo_url": found.slo_url or None,
        "slo_binding": BINDINGS[found.slo_binding] if found.slo_url else None,
        "slo_response_url": found.slo_response_url or None,
        "wants_signed_requests": found.want_authn_requests_signed,
    }
    return IdpSettings(columns, found.certificates, metadata_url)

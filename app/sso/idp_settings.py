"""What a connection needs to know of its identity provider, from whichever source it was given.

No transaction is open while an address is read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.core.errors import BadRequestError
from app.core.guarded_fetch import GuardedFetch
from app.core.unit_of_work import UnitOfWork
from app.sso.saml.metadata import Binding, IdpMetadata, check_fields, parse_idp_metadata

BINDINGS = {Binding.REDIRECT: "redirect", Binding.POST: "post"}
FIELDS = ("idp_entity_id", "sso_url", "certificates")
SOURCES = ("metadata_xml", "metadata_url", *FIELDS)


class IdpSourceError(BadRequestError):
    code = "idp_source_invalid"


@dataclass(frozen=True, slots=True)
class IdpSettings:
    """`metadata_url` is empty where nothing is read again."""

    metadata: IdpMetadata
    metadata_url: str | None

    def columns(self) -> dict[str, Any]:
        """The columns of `connections` that come from here."""
        found = self.metadata
        return {
            "idp_entity_id": found.entity_id,
            "sso_url": found.sso_url,
            "sso_binding": BINDINGS[found.sso_binding],
            "slo_url": found.slo_url or None,
            "slo_binding": BINDINGS[found.slo_binding] if found.slo_url else None,
            "slo_response_url": found.slo_response_url or None,
            "wants_signed_requests": found.want_authn_requests_signed,
        }


class IdpSettingsReader:
    """`allow_http` lets an identity provider on plain http in; for development only."""

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
            return IdpSettings(self.fetch(url, entity_id), url)
        if xml is not None:
            return IdpSettings(self.parse(xml.encode(), entity_id), None)
        if entity_id is None or len(fields) < len(FIELDS) - 1:
            raise IdpSourceError(f"Single fields are complete with {', '.join(FIELDS)}.")
        found = check_fields(
            entity_id=entity_id,
            sso_url=given["sso_url"],
            certificates=given["certificates"],
            allow_http=self._allow_http,
        )
        return IdpSettings(found, None)

    def fetch(self, url: str, idp_entity_id: str | None) -> IdpMetadata:
        self._uow.pause()
        return self.parse(self._fetch.read(url), idp_entity_id)

    def parse(self, xml: bytes, idp_entity_id: str | None) -> IdpMetadata:
        return parse_idp_metadata(
            xml, self._uow.now, idp_entity_id=idp_entity_id, allow_http=self._allow_http
        )

"""The absolute URLs that Usher prints, all under its public root."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from app.core.ids import edge_id


@dataclass(frozen=True, slots=True)
class PublicUrls:
    base_url: str

    @property
    def host(self) -> str:
        return urlsplit(self.base_url).hostname or ""

    @property
    def scim_base_url(self) -> str:
        # Okta refuses a base URL with an underscore.
        return f"{self.base_url}/scim/v2"

    def saml(self, connection_id: str, action: str) -> str:
        """Where a connection is spoken to: `metadata` (also our entity ID), `login`, `acs`, `slo`."""
        return f"{self.base_url}/sso/saml/{edge_id('conn', connection_id)}/{action}"

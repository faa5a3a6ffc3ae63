"""The absolute URLs that Usher prints, all under its public root."""

from dataclasses import dataclass
from urllib.parse import urlsplit


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

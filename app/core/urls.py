"""The absolute URLs that Usher prints, all under its public root."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from app.core.ids import edge_id

HELP = "/help/troubleshooting"


def help_path(topic: str) -> str:
    """Where the help on a refusal stands, within the service."""
    return f"{HELP}#{topic}"


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

    @property
    def signed_out(self) -> str:
        return f"{self.base_url}/sso/logout"

    @property
    def sign_in(self) -> str:
        return f"{self.base_url}/sso/login"

    def help(self, topic: str) -> str:
        """What to do about a refusal: a reason code, an error type, or any other anchor of the page."""
        return f"{self.base_url}{help_path(topic)}"

    def oidc(self, connection_id: str, action: str) -> str:
        """Where a connection is spoken to: `login`, `callback`, `backchannel-logout`."""
        return f"{self.base_url}/sso/oidc/{edge_id('conn', connection_id)}/{action}"

    def saml(self, connection_id: str, action: str) -> str:
        """Where a connection is spoken to: `metadata` (also our entity ID), `login`, `acs`, `slo`."""
        return f"{self.base_url}/sso/saml/{edge_id('conn', connection_id)}/{action}"

"""AuthnRequest, built with lxml and never by joining texts; pure.

No authentication context is asked for: Entra then refuses people without a password.
"""

from dataclasses import dataclass
from datetime import datetime

from app.sso.saml.metadata import Binding
from app.sso.saml.names import UNSPECIFIED
from app.sso.saml.writing import add, instant_text, root_element, serialized


@dataclass(frozen=True, slots=True)
class AuthnRequest:
    """`id` as `request_id` makes it; `destination` is the identity provider's sign-on URL."""

    id: str
    destination: str
    sp_entity_id: str
    acs_url: str
    issued_at: datetime
    force_authn: bool = False
    name_id_format: str = UNSPECIFIED

    def xml(self) -> bytes:
        """The message; send it with `bindings.redirect_url` or `bindings.post_form` as `SAMLRequest`."""
        root = root_element(
            "samlp:AuthnRequest",
            {
                "ID": self.id,
                "Version": "2.0",
                "IssueInstant": instant_text(self.issued_at),
                "Destination": self.destination,
                "ForceAuthn": "true" if self.force_authn else "",
                "ProtocolBinding": Binding.POST.value,
                "AssertionConsumerServiceURL": self.acs_url,
            },
        )
        add(root, "saml:Issuer", self.sp_entity_id)
        add(root, "samlp:NameIDPolicy", Format=self.name_id_format, AllowCreate="true")
        return serialized(root)


def request_id(unique: str) -> str:
    """An ID of XML's kind from any unique text of letters, digits and hyphens: it never begins with a digit.

    Entra refuses request IDs that begin with one.
    """
    return f"_{unique}"


def login_id_of(request_id_: str) -> str:
    """What `request_id` was made from."""
    return request_id_.removeprefix("_")

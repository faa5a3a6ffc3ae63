"""What an identity provider does between the steps of a page: pushes people and groups, signs them in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.scim.protocol.constants import USER
from tests.support.cast import Organization, ScimClient, json_of
from tests.support.fakes import FakeFetch
from tests.support.idp_metadata import metadata_xml
from tests.support.saml_idp import key_pair
from tests.support.sign_on import SignOn

OKTA_ENTITY_ID = "http://www.okta.com/exk1"
ENTRA_ENTITY_ID = "https://sts.windows.net/tenant/"
GOOGLE_ENTITY_ID = "https://accounts.google.com/o/saml2?idpid=C1"
OKTA_METADATA = "https://acme.okta.com/app/exk1/sso/saml/metadata"
ENTRA_METADATA = (
    "https://login.microsoftonline.com/tenant/federationmetadata/2007-06/federationmetadata.xml?appid=app"
)


@dataclass
class Okta:
    """An App Integration Wizard app: people and their changes by PUT, groups by PATCH."""

    scim: ScimClient
    domain: str
    ids: dict[str, str] = field(default_factory=dict)

    def push(self, name: str, /, **changes: Any) -> None:
        email = f"{name}@{self.domain}"
        body = {
            "schemas": [USER],
            "userName": email,
            "name": {"givenName": name.title(), "familyName": "Test"},
            "emails": [{"primary": True, "value": email, "type": "work"}],
            "displayName": name.title(),
            "externalId": f"00u{name}",
            "groups": [],
            "password": "filler",
            "active": True,
            **changes,
        }
        if name in self.ids:
            response = self.scim.put(f"/Users/{self.ids[name]}", body)
        else:
            response = self.scim.post("/Users", body)
        assert response.status_code in (200, 201), response.text
        self.ids[name] = json_of(response)["id"]

    def push_group(self, display_name: str, *names: str) -> str:
        """Created empty, then filled, as Okta does."""
        group_id = self.scim.create_group(display_name)
        added = self.scim.add_members(group_id, *(self.ids[name] for name in names))
        assert added.status_code in (200, 204), added.text
        return group_id

    def claims(self, name: str) -> dict[str, Any]:
        email = f"{name}@{self.domain}"
        attributes = {"email": (email,), "firstName": (name.title(),), "userId": (f"00u{name}",)}
        return {"attributes": attributes, "name_id": email}


def with_token(organization: Organization, token: str) -> ScimClient:
    return ScimClient(organization.app, token, "/scim/v2", "application/scim+json")


def publish_metadata(fetch: FakeFetch, url: str, entity_id: str) -> None:
    fetch.documents[url] = metadata_xml(entity_id=entity_id).encode()


def door_of(organization: Organization, name: str, domain: str, entity_id: str) -> SignOn:
    """The connection of this name, with its identity provider played by a signer."""
    listed = json_of(organization.api.get("/connections"))["data"]
    (connection,) = [one for one in listed if one["name"] == name]
    return SignOn(organization, connection["id"].removeprefix("conn_"), domain, key_pair("idp"), entity_id)


def entra_claims(user_name: str, email: str, object_id: str, *groups: str) -> dict[str, Any]:
    """What Entra sends of itself; the NameID is the user principal name."""
    claims: Mapping[str, tuple[str, ...]] = {
        "http://schemas.microsoft.com/identity/claims/tenantid": ("tenant",),
        "http://schemas.microsoft.com/identity/claims/objectidentifier": (object_id,),
        "http://schemas.microsoft.com/identity/claims/displayname": (email.partition("@")[0].title(),),
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress": (email,),
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name": (user_name,),
    }
    link = {"http://schemas.microsoft.com/claims/groups.link": ("https://graph.example/getMemberObjects",)}
    told = {"http://schemas.microsoft.com/ws/2008/06/identity/claims/groups": groups} if groups else link
    return {"attributes": {**claims, **told}, "name_id": user_name}


def user_of(organization: Organization, email: str) -> dict[str, Any]:
    (found,) = json_of(organization.api.get(f"/users?user_name={email}"))["data"]
    shown: dict[str, Any] = found
    return shown


def seat_of(organization: Organization, email: str) -> str | None:
    return organization.seat_state(user_of(organization, email)["id"].removeprefix("user_"))

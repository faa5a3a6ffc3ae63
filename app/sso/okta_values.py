"""Every value that an administrator pastes into Okta, in the words of its screens.

The command line, the console, the runbook, the Terraform module and the set-up script all take them from
here; tests hold them to it. Pure: it must not know how a connection is stored.
"""

from typing import Any

from app.core.ids import edge_id
from app.core.urls import PublicUrls

# Configure SAML → SAML Settings. `stable_id`, `email` and the names are found under these names without
# any mapping of the connection's own; the group statement names only groups made for this service.
ATTRIBUTE_STATEMENTS = {
    "email": "user.email",
    "firstName": "user.firstName",
    "lastName": "user.lastName",
    "userId": "user.id",
}
GROUP_PREFIX = "usher-"
# Provisioning → Integration, and Provisioning → To App.
FEATURES = ("Push New Users", "Push Profile Updates", "Push Groups")
TO_APP = ("Create Users", "Update User Attributes", "Deactivate Users")


def okta_values(urls: PublicUrls, connection_id: str | None) -> dict[str, Any]:
    """The values for a connection, by its bare id.

    Okta shows its metadata only once the app exists, and a connection needs that metadata; so without a
    connection `acs_url`, `audience` and `login_url` are null, and `placeholder_url` is what both fields
    of Okta's first screen take until then.
    """
    own = {"acs_url": "acs", "audience": "metadata", "login_url": "login"}
    return {
        "connection_id": None if connection_id is None else edge_id("conn", connection_id),
        **{
            name: None if connection_id is None else urls.saml(connection_id, action)
            for name, action in own.items()
        },
        "placeholder_url": urls.sign_in,
        "default_relay_state": "",
        "name_id_format": "EmailAddress",
        "application_username": "Email",
        "update_application_username_on": "Create and update",
        "response": "Signed",
        "assertion_signature": "Signed",
        "signature_algorithm": "RSA-SHA256",
        "digest_algorithm": "SHA256",
        "assertion_encryption": "Unencrypted",
        "attribute_statements": [
            {"name": name, "name_format": "Unspecified", "value": value}
            for name, value in ATTRIBUTE_STATEMENTS.items()
        ],
        "group_attribute_statements": [
            {
                "name": "groups",
                "name_format": "Unspecified",
                "filter": "Starts with",
                "filter_value": GROUP_PREFIX,
            }
        ],
        "scim_base_url": urls.scim_base_url,
        "unique_field": "userName",
        "authentication_mode": "HTTP Header",
        "features": list(FEATURES),
        "to_app": list(TO_APP),
    }

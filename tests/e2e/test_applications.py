"""A tool with a client that others wrote (Authlib's), a person by SAML, and the real server between them."""

import base64
import json
import subprocess
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet
from lxml import etree

from tests.support.saml_idp import Scene, encode, key_pair
from tests.support.server import ROOT, environment, free_port, running

USHER = str(ROOT / ".venv/bin/usher")
DOMAIN, EMAIL = "acme.example", "ada@acme.example"
IDP = "https://idp.example/metadata"
CALLBACK = "http://127.0.0.1:7777/callback"


@dataclass
class Served:
    base_url: str
    variables: Mapping[str, str]
    key: str
    scim_token: str

    def usher(self, *words: str) -> Any:
        done = subprocess.run(
            [USHER, *words, "--json"], env=self.variables, cwd=ROOT, capture_output=True, check=True
        )
        return json.loads(done.stdout)

    def api(self, path: str, body: Any = None) -> Any:
        method = "GET" if body is None else "POST"
        response = requests.request(
            method, f"{self.base_url}/api/v1{path}", json=body, headers={"x-api-key": self.key}, timeout=10
        )
        assert response.status_code < 300, response.text
        return response.json()

    def scim(self, method: str, path: str, body: object) -> Any:
        headers = {"Authorization": f"Bearer {self.scim_token}", "Content-Type": "application/scim+json"}
        response = requests.request(
            method, f"{self.base_url}/scim/v2{path}", data=json.dumps(body), headers=headers, timeout=10
        )
        assert response.status_code < 300, response.text
        return response.json() if response.text else None


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    port = free_port()
    variables = environment(f"sqlite:///{tmp_path}/usher.db", port)
    command = [USHER, "serve", "--upgrade", "--port", str(port)]
    with running(command, port, variables, tmp_path / "log") as server:
        made = Served(server.base_url, variables, "", "")
        made.usher("org", "create", "acme", "--name", "Acme")
        made.usher("domain", "verify", "--org", "acme", DOMAIN, "--manual")
        made.key = made.usher("api-key", "create", "--org", "acme", "--scope", "admin")["key"]
        made.scim_token = made.usher("scim-token", "create", "--org", "acme")["token"]
        yield made


def sign_in(browser: requests.Session, asked: requests.Response, connection: Mapping[str, Any]) -> str:
    """Answer as the identity provider does; where the browser is led to in the end."""
    query = parse_qs(urlsplit(asked.headers["Location"]).query)
    xml = zlib.decompress(base64.b64decode(query["SAMLRequest"][0]), -15)
    scene = Scene(
        acs_url=connection["acs_url"],
        sp_entity_id=connection["entity_id"],
        idp_entity_id=IDP,
        request_id=etree.fromstring(xml).get("ID"),
        now=datetime.now(UTC),
        number="1",
        idp=key_pair("idp"),
    )
    answer = scene.answer(attributes={"email": (EMAIL,)}, name_id=EMAIL, in_response_to=scene.request_id)
    form = {"SAMLResponse": encode(scene.signed(answer)), "RelayState": query["RelayState"][0]}
    posted = browser.post(connection["acs_url"], data=form, allow_redirects=False, timeout=10)
    waiting = urljoin(connection["acs_url"], posted.headers["Location"])
    fetched = browser.get(waiting, allow_redirects=False, timeout=10)
    return str(fetched.headers["Location"])


def test_a_person_signs_in_to_a_tool_by_a_client_of_others_and_is_taken_away(served: Served) -> None:
    ada = served.scim("POST", "/Users", {"userName": EMAIL, "displayName": "Ada"})["id"]
    group = served.scim("POST", "/Groups", {"displayName": "Eng", "members": [{"value": ada}]})["id"]
    member = next(role["id"] for role in served.api("/roles")["data"] if role["name"] == "member")
    served.api("/group_mappings", {"group_id": f"group_{group}", "role_id": member})
    connection = served.api(
        "/connections",
        {
            "name": "Test",
            "protocol": "saml",
            "idp_entity_id": IDP,
            "sso_url": "https://idp.example/sso",
            "certificates": [key_pair("idp").certificate_pem],
            "mode": "optional",
        },
    )
    made = served.usher(
        "application", "create", "--org", "acme", "--name", "Tool", "--redirect-uri", CALLBACK
    )
    found = requests.get(f"{made['issuer']}/.well-known/openid-configuration", timeout=10).json()
    client = OAuth2Session(
        made["client_id"],
        made["client_secret"],
        scope="openid profile email",
        redirect_uri=CALLBACK,
        code_challenge_method="S256",
    )
    verifier = "a verifier that only this tool knows, long enough".replace(" ", "-").replace(",", ".")
    address, state = client.create_authorization_url(
        found["authorization_endpoint"], code_verifier=verifier, nonce="n-1", login_hint=EMAIL
    )
    browser = requests.Session()
    # To sign in, from there to the identity provider, and back to where the tool sent the browser.
    to_login = browser.get(address, allow_redirects=False, timeout=10)
    to_idp = browser.get(served.base_url + to_login.headers["Location"], allow_redirects=False, timeout=10)
    back = sign_in(browser, to_idp, connection)
    done = browser.get(served.base_url + back, allow_redirects=False, timeout=10)
    assert done.headers["Location"].startswith(f"{CALLBACK}?"), done.text
    token = client.fetch_token(
        found["token_endpoint"],
        authorization_response=done.headers["Location"],
        state=state,
        code_verifier=verifier,
    )
    keys = KeySet.import_key_set(requests.get(found["jwks_uri"], timeout=10).json())
    decoded = jwt.decode(token["id_token"], keys, algorithms=["RS256"])
    claims = CodeIDToken(
        decoded.claims,
        decoded.header,
        {"iss": {"value": found["issuer"]}, "aud": {"value": made["client_id"]}},
        {"nonce": "n-1", "client_id": made["client_id"], "access_token": token["access_token"]},
    )
    claims.validate()
    assert (claims["sub"], claims["name"], claims["seat_state"]) == (f"user_{ada}", "Ada", "assigned")
    assert client.get(found["userinfo_endpoint"]).json()["sub"] == f"user_{ada}"
    asked = client.introspect_token(found["introspection_endpoint"], token=token["access_token"]).json()
    assert asked["active"] is True

    leave = {"Operations": [{"op": "replace", "value": {"active": False}}]}
    served.scim("PATCH", f"/Users/{ada}", leave)
    asked = client.introspect_token(found["introspection_endpoint"], token=token["access_token"]).json()
    assert asked == {"active": False}
    assert client.get(found["userinfo_endpoint"]).status_code == 401
    assert client.revoke_token(found["revocation_endpoint"], token=token["access_token"]).status_code == 200

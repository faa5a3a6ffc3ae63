"""Okta's management API as far as the set-up script uses it, over real HTTP."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

TOKEN = "okta-access-token"
DATE = "Sun, 29 Nov 2026 20:00:00 GMT"
DATE_SECONDS = 1_795_982_400

# Status, headers and body in place of the real answer; a status of 0 hangs up.
Trouble = tuple[int, dict[str, str], Any]


class FakeOkta:
    """What stands in the org, the scopes asked for, each write in order, and the troubles to come.

    `troubles` holds for each "METHOD path" what is answered next, once each; `{assertion}` and `{token}` in
    it are the caller's own credentials, as a careless server would repeat them.
    """

    def __init__(self, certificate_pem: str) -> None:
        self.certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
        self.url = ""
        self.apps: dict[str, dict[str, Any]] = {}
        self.groups = {"Usher users": "00g1", "usher-engineering": "00g2"}
        self.assigned: list[str] = []
        self.pushed: dict[str, str] = {}
        self.scopes: list[str] = []
        self.assertion = ""
        self.writes: list[str] = []
        self.troubles: dict[str, list[Trouble]] = {}

    def answer(  # noqa: C901, PLR0911 - one line for each endpoint
        self, method: str, path: str, query: dict[str, list[str]], body: Any
    ) -> Any:
        if method != "GET":
            self.writes.append(f"{method} {path}")
        match [method, *path.removeprefix("/api/v1/").split("/")]:
            case ["GET", "apps"]:
                return [app for app in self.apps.values() if app["label"].startswith(query["q"][0])]
            case ["POST", "apps"]:
                signing = {"credentials": {**body["credentials"], "signing": {"kid": "kid1"}}}
                self.apps["0oa1"] = _shown({**body, **signing, "features": []}, "0oa1")
                return self.apps["0oa1"]
            case ["PUT", "apps", id_]:
                assert not {"id", "_links", "status"} & body.keys()
                self.apps[id_] = _shown(body, id_)
                return self.apps[id_]
            case ["GET", "groups"]:
                # Okta's q finds by beginning.
                return [
                    {"id": id_, "profile": {"name": name}}
                    for name, id_ in self.groups.items()
                    if name.startswith(query["q"][0])
                ]
            case ["GET", "apps", _, "groups"]:
                return [{"id": id_} for id_ in self.assigned]
            case ["PUT", "apps", _, "groups", group_id]:
                self.assigned.append(group_id)
                return {"id": group_id}
            case ["GET", "apps", _, "group-push", "mappings"]:
                return [{"sourceGroupId": id_, "status": status} for id_, status in self.pushed.items()]
            case ["POST", "apps", _, "group-push", "mappings"]:
                self.pushed[body["sourceGroupId"]] = "ACTIVE"
                return {"id": "gpm1"}
            case ["GET", "apps", _, "sso", "saml", "metadata"]:
                return f'<EntityDescriptor entityID="http://www.okta.com/exk1{query["kid"][0]}"/>'
        raise AssertionError(f"{method} {path} is not what the script may use")

    def grant(self, form: dict[str, list[str]]) -> None:
        """Check the private_key_jwt as Okta does."""
        self.assertion = form["client_assertion"][0]
        head, claims, signature = self.assertion.split(".")
        signed = base64.urlsafe_b64decode(signature + "==")
        key: Any = self.certificate.public_key()
        key.verify(signed, f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
        told = json.loads(base64.urlsafe_b64decode(claims + "=="))
        assert (told["iss"], told["sub"], told["aud"]) == (
            "0oaservice",
            "0oaservice",
            f"{self.url}/oauth2/v1/token",
        )
        self.scopes = form["scope"][0].split()

    def trouble(self, method: str, path: str) -> Trouble | None:
        coming = self.troubles.get(f"{method} {path}", [])
        return coming.pop(0) if coming else None


def _shown(app: dict[str, Any], id_: str) -> dict[str, Any]:
    """As Okta shows an app: empty texts as null, every field of a statement, links."""
    sign_on = app["settings"]["signOn"]
    statements = [
        {"values": [], "filterType": None, "filterValue": None, **one}
        for one in sign_on["attributeStatements"]
    ]
    shown = {name: None if value == "" else value for name, value in sign_on.items()}
    settings = {**app["settings"], "signOn": {**shown, "attributeStatements": statements}}
    return {**app, "settings": settings, "id": id_, "status": "ACTIVE", "_links": {}}


class Handler(BaseHTTPRequestHandler):
    fake: FakeOkta

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        form = parse_qs(data.decode())
        trouble = self.fake.trouble(self.command, parts.path)
        if trouble is not None:
            self.fake.assertion = form.get("client_assertion", [self.fake.assertion])[0]
            self._fail(*trouble)
        elif parts.path == "/oauth2/v1/token":
            self.fake.grant(form)
            self._send(200, {"access_token": TOKEN})
        elif self.headers["Authorization"] != f"Bearer {TOKEN}":
            self._send(401, {"errorSummary": "Invalid token provided"})
        else:
            found = self.fake.answer(self.command, parts.path, query, json.loads(data) if data else None)
            self._send_page(parts.path, query, found)

    def _fail(self, status: int, headers: dict[str, str], body: Any) -> None:
        if not status:
            self.close_connection = True
            return
        repeated = json.dumps(body).replace("{assertion}", self.fake.assertion).replace("{token}", TOKEN)
        self._send(status, repeated, {"Date": DATE, **headers})

    def _send_page(self, path: str, query: dict[str, list[str]], found: Any) -> None:
        """Lists come one entry a page."""
        if not isinstance(found, list):
            self._send(200, found)
            return
        at = int(query.get("after", ["0"])[0])
        q = f"&q={query['q'][0]}".replace(" ", "%20") if "q" in query else ""
        link = f'<{self.fake.url}{path}?after={at + 1}{q}>; rel="next"'
        self._send(200, found[at : at + 1], {"Link": link} if at + 1 < len(found) else {})

    def _send(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response_only(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = _serve  # noqa: N815 - the names that http.server asks for

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""


@contextmanager
def serving(fake: FakeOkta) -> Iterator[FakeOkta]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("OfThis", (Handler,), {"fake": fake}))
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

"""Whatever is sent to the pages of signing in, by whomever, is answered below 500."""

from urllib.parse import quote

import pytest

from app.core.ids import edge_id
from tests.support.cast import Organization
from tests.support.sign_on import sign_on

ODD = {
    "nothing": "",
    "NUL": "\x00",
    "a lone percent": "%",
    "not UTF-8": b"\xff\xfe\xfd",
    "an id and NUL": "00000000-0000-7000-8000-000000000000.\x00",
    "long": "x" * 5_000,
    "dots": "a.b.c",
    "base64 of rubbish": "AAAA",
    "a script": "<script>alert(1)</script>",
    "another host": "//evil.example",
    "right to left": "\u202e@\u202e.example",
}
NAMES = (
    "SAMLRequest",
    "SAMLResponse",
    "RelayState",
    "SigAlg",
    "Signature",
    "code",
    "email",
    "return_to",
    "bounced",
)


@pytest.mark.parametrize("text", ODD.values(), ids=ODD.keys())
def test_odd_values_are_no_fault_of_the_server(acme: Organization, text: str | bytes) -> None:
    door = sign_on(acme)
    browser = door.browser()
    value = quote(text)
    paths = [f"{door.path}/{end}" for end in ("login", "acs", "slo", "metadata", "universal_logout")]
    paths += [
        "/sso/login",
        "/sso/break-glass",
        "/sso/logout",
        "/sso/me",
        "/sso/session",
        "/sso/me/sessions/x/end",
    ]
    paths += [f"/sso/saml/{value or 'x'}/acs", f"/sso/saml/{edge_id('conn', acme.id)}/acs"]
    query = "&".join(f"{name}={value}" for name in NAMES)
    for path in paths:
        for method, headers in (
            ("GET", {}),
            ("POST", {"Authorization": "Bearer a.b.c", "Sec-Fetch-Site": "same-origin"}),
        ):
            response = browser.open(f"{path}?{query}", method=method, data=query, headers=headers)
            assert response.status_code < 500, (method, path)
            assert "evil.example" not in response.headers.get("Location", "").partition("?")[0]
    for cookie in ("usher_session", "usher_browser"):
        browser.set_cookie(cookie, value[:3_900])
    assert browser.get("/sso/session").status_code == 401
    assert browser.get(f"{door.path}/login").status_code == 303


def test_an_address_that_a_proxy_made_up_keeps_nobody_out(acme: Organization) -> None:
    door = sign_on(acme)
    browser = door.browser()
    browser.environ_base["REMOTE_ADDR"] = "unknown" * 100
    door.sign_in(f"ada@{door.domain}", browser)
    assert browser.get("/sso/session").status_code == 200

"""Pages for people: one style sheet of ours, nothing inline, nothing from elsewhere."""

from urllib.parse import urlsplit

import pytest
from lxml import html

from tests.support.cast import Organization

PAGES = ("/sso/login", "/sso/break-glass", "/nowhere", "/help/troubleshooting")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_loads_its_one_style_sheet_under_its_own_policy(acme: Organization, path: str) -> None:
    client = acme.app.test_client()
    response = client.get(path)
    page = html.fromstring(response.text)
    (style,) = page.xpath("//link/@href")
    assert urlsplit(style).netloc == ""
    assert page.xpath("//@style | //style | //script") == []
    assert "style-src 'self'" in response.headers["Content-Security-Policy"]
    sheet = client.get(style)
    assert (sheet.status_code, sheet.content_type) == (200, "text/css; charset=utf-8")
    assert sheet.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "@import" not in sheet.text
    assert "url(" not in sheet.text


def test_a_style_sheet_of_another_version_is_not_there(acme: Organization) -> None:
    assert acme.app.test_client().get(f"/pages/{'0' * 16}.css").status_code == 404

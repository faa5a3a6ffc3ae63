"""The page docs/scim-tolerances.md, written from the registry of tolerances: `make docs`."""

from pathlib import Path

from app.scim.protocol.tolerance_profiles import TOLERANCES

PAGE = Path(__file__).parent.parent / "docs" / "scim-tolerances.md"
_HEAD = """\
# What connectors may send beyond the RFC

Written by `make docs` from `app/scim/protocol/tolerance_profiles.py`.

Each leniency has a name. A SCIM token's setting `tolerances` chooses which of them its connection has:
`auto` (all, the default), `strict` (none) or a list of names. It is set by
`usher scim-token create --tolerances …`, `POST /api/v1/scim_tokens` and `PATCH /api/v1/scim_tokens/{id}`.

No setting weakens these: an unknown name in a filter or a path is refused, a person is matched by
userName alone, another `id` than the resource's is refused, and `remove` with a value never empties a list.

What the RFC itself gives is no tolerance: names and operations in any letter case, null for absent,
unknown query parameters, readOnly attributes in POST and PUT, `application/json` both ways, one value
instead of a list in `add`, `emails eq` for `emails.value eq`, any number of fraction digits in a time.
"""


def render() -> str:
    """The whole page as Markdown."""
    rows = [
        f"| `{quirk.name}` | {quirk.vendors} | {quirk.form} | {quirk.strict} | `{quirk.pinned_by}` |"
        for quirk in TOLERANCES
    ]
    table = ["| Name | Seen from | Form | In strict | Pinned by |", "| --- | --- | --- | --- | --- |", *rows]
    return "\n".join([_HEAD, *table, ""])


if __name__ == "__main__":
    PAGE.write_text(render())

"""The page docs/scim-tolerances.md, written from the registry of tolerances: `make docs`."""

from collections.abc import Sequence
from pathlib import Path

from app.scim.protocol.tolerance_profiles import TOLERANCES
from app.scim.protocol.tolerances import Tolerance

PAGE = Path(__file__).parent.parent / "docs" / "scim-tolerances.md"
_HEAD = """\
# What connectors may send beyond the RFC

Written by `make docs` from `app/scim/protocol/tolerance_profiles.py`.

Each leniency has a name. A SCIM token's setting `tolerances` chooses which of them its connection has:
`auto` (the default: all but the opt-in ones at the end), `strict` (none) or a list of names. It is set by
`usher scim-token create --tolerances …`, `POST /api/v1/scim_tokens` and `PATCH /api/v1/scim_tokens/{id}`.

No setting weakens these: an unknown name in a filter or a path is refused, a person is matched by
userName alone, another `id` than the resource's is refused, and `remove` with a value never empties a list.

What the RFC itself gives is no tolerance: names and operations in any letter case, null for absent,
unknown query parameters, readOnly attributes in POST and PUT, `application/json` both ways, one value
instead of a list in `add`, `emails eq` for `emails.value eq`, any number of fraction digits in a time.
"""
_OPT_IN = """\
## Opt-in

`auto` leaves these out, because each helps some clients and harms others; a connection has them only by a
list that names them. Microsoft advises against group answers that carry the members: reading all of
them makes each change as slow as the group is large. A member that is left out without a word leaves a
person without their rights and nobody with a reason; with a replaced list it even empties a group.
"""


def render() -> str:
    """The whole page as Markdown."""
    usual = [quirk for quirk in TOLERANCES if not quirk.opt_in]
    chosen = [quirk for quirk in TOLERANCES if quirk.opt_in]
    return "\n".join([_HEAD, _table(usual, "In strict"), _OPT_IN, _table(chosen, "Without it")])


def _table(quirks: Sequence[Tolerance], refused: str) -> str:
    rows = [
        f"| `{quirk.name}` | {quirk.vendors} | {quirk.form} | {quirk.strict} | `{quirk.pinned_by}` |"
        for quirk in quirks
    ]
    head = [f"| Name | Seen from | Form | {refused} | Pinned by |", "| --- | --- | --- | --- | --- |"]
    return "\n".join([*head, *rows, ""])


if __name__ == "__main__":
    PAGE.write_text(render())

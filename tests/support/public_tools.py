"""Conformance tools that others wrote, and what they found here; docs/scim-conformance.md begins with it.

`tests/e2e/test_public_tools.py` and `test_selftest.py` run them against a real server process and fail
when a version or a number is another than here.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tool:
    """`setting` is what the token tolerates; no check failed, and what was skipped was not run."""

    name: str
    version: str
    setting: str
    passed: int
    skipped: int = 0
    why_skipped: str = ""


SCIM2_TESTER = Tool("scim2-tester", "0.5.2", "`auto`", 139)
SCIM_SANITY = Tool(
    "scim-sanity",
    "0.7.4",
    "`auto`, `group_patch_body`, `unknown_members_dropped`",
    28,
    3,
    "resource types for agents, which are not offered",
)
# scim2-tester adds to and replaces each extension as a whole, but the Seat is there to be read.
SEAT_CHECKS = 2
# Okta's test and Microsoft's Validator run at their vendors; `usher selftest` plays them.
SELFTEST_REQUESTS = {"okta": 38, "entra": 85}


def render() -> str:
    """The table of tools and the sentence on the self-tests, as Markdown."""
    lines = [
        "| Public tool | Token's tolerances | Passed | Failed | Skipped |",
        "| --- | --- | --- | --- | --- |",
    ]
    for tool in (SCIM2_TESTER, SCIM_SANITY):
        skipped = f"{tool.skipped}: {tool.why_skipped}" if tool.skipped else "0"
        lines.append(f"| {tool.name} {tool.version} | {tool.setting} | {tool.passed} | 0 | {skipped} |")
    okta, entra = SELFTEST_REQUESTS["okta"], SELFTEST_REQUESTS["entra"]
    return "\n".join(
        [
            *lines,
            "",
            "scim2-tester runs for users and groups, because roles are there to be read; its",
            f"{SEAT_CHECKS} checks that write the Seat extension, which is read-only, are set aside.",
            "scim-sanity runs in its strict mode. It waits for the group in the answer to a PATCH and for",
            "members that are nobody to be left out, which [`auto`](scim-tolerances.md) does not do.",
            "Okta's test and Microsoft's Validator run at their vendors; `usher selftest` plays them from",
            f"what is known of them: {okta} requests as Okta, {entra} as Entra, each answered as expected.",
            "",
        ]
    )

"""An administrator who reads a page and does what it says."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.okta.walking import Section, Shell, sections
from tests.support.cast import Organization, json_of
from tests.support.fakes import FakeClock, FakeFetch, FakeResolver


@dataclass
class Reader:
    """An administrator who reads; `printed` is what each block printed, by its section."""

    shell: Shell
    organization: Organization
    resolver: FakeResolver
    fetch: FakeFetch
    clock: FakeClock
    printed: dict[str, list[str]] = field(default_factory=dict)

    @property
    def domain(self) -> str:
        return f"{self.organization.slug}.example"

    def address(self, name: str) -> str:
        return f"{name}@{self.domain}"

    def go_through(self, page: str, steps: dict[str, Callable[[], None]] | None = None) -> list[Section]:
        """Run the page; a step is done before the block that begins as its key says."""
        left = dict(steps or {})
        walked = sections(page)
        for section in walked:
            for block in section.blocks:
                for start in [start for start in left if block.startswith(start)]:
                    left.pop(start)()
                self.printed.setdefault(section.title, []).append(self.shell.run(block))
        assert not left, f"no block begins with {list(left)}"
        return walked

    def begin(self) -> None:
        """The runbook's shell and domain, for a page that goes on from there."""
        book = {section.title: section for section in sections("okta/runbook.md")}
        self.shell.run(book["Before you begin"].blocks[0])
        claim, check = book["1. Claim your domain (5 minutes)"].blocks
        self.shell.run(claim)
        self.publish_record()
        self.shell.run(check)

    def publish_record(self) -> None:
        (claimed,) = json_of(self.organization.api.get("/domains"))["data"]
        self.resolver.publish(claimed["record"]["name"], claimed["record"]["value"])

    def secret(self, title: str) -> str:
        """The SCIM token that this section's blocks showed once."""
        found = re.search(r"\busher_scim_\w+", "".join(self.printed[title]))
        assert found, self.printed[title]
        return found[0]

"""The README: its walk comes true, its links lead somewhere, its tables match the code."""

import re
import subprocess
import tomllib
from pathlib import Path

from app import settings_page
from tests.support.server import ROOT, environment, free_port, running

README = (ROOT / "README.md").read_text()


def test_the_five_minute_walk_comes_true(tmp_path: Path) -> None:
    script = README.split("<!-- walk -->\n```sh\n")[1].split("```")[0]
    port = free_port()
    variables = environment(f"sqlite:///{tmp_path}/usher.db", port)
    command = ["make", "--silent", "run", f"PORT={port}"]
    with running(command, port, variables, tmp_path / "log"):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script.replace(":8000", f":{port}")],
            cwd=ROOT,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    states = [line for line in done.stdout.splitlines() if line in ("assigned", "released")]
    assert states == ["assigned", "released", "assigned"]
    assert done.stdout.count('"deprovisioned"') == 4
    assert "seat.released" in done.stdout


def test_every_link_of_the_readme_leads_to_a_file() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_the_settings_page_is_the_one_of_the_code() -> None:
    assert (ROOT / "docs/settings.md").read_text() == settings_page.render()


def test_every_direct_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    names = {re.split(r"[\[<>=]", requirement)[0] for requirement in wanted}
    listed = set(
        re.findall(r"^\| ([a-z][a-z0-9-]*) \|", (ROOT / "docs/dependencies.md").read_text(), re.MULTILINE)
    )
    assert listed == names


def test_locks_are_hash_pinned_and_name_no_address() -> None:
    for lock in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / lock).read_text()
        assert "://" not in text
        for requirement in re.split(r"\n(?=[a-z])", text.strip()):
            assert "--hash=sha256:" in requirement

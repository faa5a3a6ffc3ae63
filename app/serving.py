"""What the server's processes load: the application, and the worker as a thread beside it."""

import os

from flask import Flask

from app import create_app
from app.settings import Settings
from app.wiring import Container, build_worker


def application() -> Flask:
    settings = Settings.from_environment(os.environ)
    app = create_app(settings)
    if settings.worker:
        container: Container = app.extensions["usher"]
        build_worker(container).start()
    return app

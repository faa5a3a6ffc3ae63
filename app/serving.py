"""What the server's processes load: the application, with trace writer and worker as threads beside it."""

import gc
import os
import sys

from flask import Flask

from app import create_app
from app.settings import Settings
from app.wiring import Container, build_worker

# A thread that decides about everybody would else keep the interpreter from each other request for 5 ms at
# a time, and a request asks for it ten times.
SWITCH_SECONDS = 0.0005
# And the collector stops all of them while it looks for cycles, of which there are hardly any: seldom, and
# not among what stays for good.
COLLECT_AFTER = (10_000, 20, 50)


def application() -> Flask:
    sys.setswitchinterval(SWITCH_SECONDS)
    settings = Settings.from_environment(os.environ)
    app = create_app(settings)
    container: Container = app.extensions["usher"]
    container.traces.start()
    if settings.worker:
        build_worker(container).start()
    gc.set_threshold(*COLLECT_AFTER)
    gc.freeze()
    return app

"""Usher: the service between a company's identity provider and its AI tools."""

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from app.api import routes_docs
from app.api.routes import blueprint as api_blueprint
from app.core import logs
from app.oauth import routes_answers, routes_authorize, routes_tokens
from app.oauth import routes_discovery as routes_openid
from app.oauth import routes_logout as routes_end_session
from app.scim import routes as scim
from app.scim import (
    routes_bulk,
    routes_discovery,
    routes_groups,
    routes_me,
    routes_roles,
    routes_search,
    routes_users,
)
from app.settings import Settings
from app.sso import (
    routes_break_glass,
    routes_login,
    routes_logout,
    routes_oidc,
    routes_session,
    routes_sign_in,
)
from app.web import error_rendering, health, help_page, pages, requests, transaction
from app.wiring import Container, Environment

# Each of these modules registers its routes on the blueprint of its part by being imported.
SCIM_ROUTES = (
    routes_bulk,
    routes_discovery,
    routes_groups,
    routes_me,
    routes_roles,
    routes_search,
    routes_users,
)


def create_app(settings: Settings, environment: Environment | None = None) -> Flask:
    """The WSGI application over one container, found again as `app.extensions["usher"]`."""
    container = Container(settings, environment)
    # 1. Flask knows nothing of ours but the container.
    app = Flask(__name__, static_folder=None)
    app.extensions["usher"] = container
    # RFC 7644 section 7.1: no redirect answers a write, so a doubled slash is an unknown address.
    app.url_map.merge_slashes = False
    if settings.proxies:
        # Of the URL nothing is taken from proxies: what Usher prints begins with its own base URL.
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]  # Flask documents this place for middleware
            app.wsgi_app, x_for=settings.proxies, x_proto=0, x_host=0
        )
    # 2. One log line and one request id for each request.
    logs.configure(settings.log_level)
    requests.install(app, container.environment.ids)
    # 3. The routes, part by part.
    app.register_blueprint(health.blueprint)
    app.register_blueprint(pages.blueprint)
    app.register_blueprint(help_page.blueprint)
    app.register_blueprint(scim.blueprint)
    app.register_blueprint(api_blueprint)
    app.register_blueprint(routes_docs.blueprint)
    app.register_blueprint(routes_login.blueprint)
    app.register_blueprint(routes_break_glass.blueprint)
    app.register_blueprint(routes_sign_in.blueprint)
    app.register_blueprint(routes_oidc.blueprint)
    app.register_blueprint(routes_session.blueprint)
    app.register_blueprint(routes_logout.blueprint)
    app.register_blueprint(routes_openid.blueprint)
    app.register_blueprint(routes_authorize.blueprint)
    app.register_blueprint(routes_tokens.blueprint)
    app.register_blueprint(routes_end_session.blueprint)
    # 4. Each failure in the shape of its protocol.
    protocols = {"/scim/": scim.PROTOCOL, "/sso/session": error_rendering.JSON}
    protocols |= dict.fromkeys(routes_answers.ROOTS, routes_answers.PROTOCOL)
    error_rendering.install(app, protocols)
    # 5. One transaction around each view; last, because it wraps what is registered.
    transaction.wrap_views(app, container.begin)
    return app

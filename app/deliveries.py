"""What the worker does with each kind of outbox message."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import structlog

from app.governance.holds import OPENED as HELD_CHANGE_OPENED
from app.governance.reconciliation import DRIFTED
from app.oauth.logout import KIND as BACKCHANNEL_LOGOUT
from app.oauth.logout import BackchannelLogout
from app.spend.notices import THRESHOLD_REACHED
from app.spend.usage_forecasts import FORECAST_REACHED
from app.web.metrics import DRIFTS

if TYPE_CHECKING:
    from app.wiring import Services

DEPROVISIONED = "user.deprovisioned"


# Standard output is where an operator's log shipper picks outgoing events up.
def _publish_deprovision(services: "Services", payload: Mapping[str, Any]) -> None:
    structlog.get_logger().info("user.deprovisioned", org_id=services.uow.org_id, **payload)


def _sound_alarm(services: "Services", payload: Mapping[str, Any]) -> None:
    DRIFTS.inc()
    structlog.get_logger().error(DRIFTED, org_id=services.uow.org_id, **payload)


def _publish_held_change(services: "Services", payload: Mapping[str, Any]) -> None:
    structlog.get_logger().warning("held_change.opened", org_id=services.uow.org_id, **payload)


def _publish_threshold(services: "Services", payload: Mapping[str, Any]) -> None:
    structlog.get_logger().info(THRESHOLD_REACHED, org_id=services.uow.org_id, **payload)


def _publish_forecast(services: "Services", payload: Mapping[str, Any]) -> None:
    structlog.get_logger().info(FORECAST_REACHED, org_id=services.uow.org_id, **payload)


def _post_logout(services: "Services", payload: Mapping[str, Any]) -> None:
    services.get(BackchannelLogout).deliver(payload)


# By the kind of message.
DELIVERIES: Mapping[str, Callable[["Services", Mapping[str, Any]], None]] = {
    HELD_CHANGE_OPENED: _publish_held_change,
    DEPROVISIONED: _publish_deprovision,
    DRIFTED: _sound_alarm,
    THRESHOLD_REACHED: _publish_threshold,
    FORECAST_REACHED: _publish_forecast,
    BACKCHANNEL_LOGOUT: _post_logout,
}

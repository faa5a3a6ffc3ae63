"""Says that a window will pass its limit if it goes on so: once for each window and level."""

from sqlalchemy import and_, bindparam, select
from sqlalchemy.dialects.postgresql import insert as upsert

from app.audit.outbox import Outbox
from app.core.clock import rfc3339
from app.core.connection import Row
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.directory.models import principals
from app.directory.organizations import OrganizationService
from app.spend.billing_events import LimitForecastReached
from app.spend.models import spend_counters
from app.spend.usage_calendar import forecast_nanousd, window_start
from app.spend.usage_models import forecast_notices

FORECAST_REACHED = LimitForecastReached.action
FORECAST_LEVELS = (100, 150)
# Nothing is forecast before a tenth of the window has passed, so less than a tenth spent is no alarm.
_LEAST_SHARE = 10

_COUNTERS = (
    select(spend_counters, principals.c.user_id)
    .select_from(
        spend_counters.outerjoin(
            principals,
            and_(
                principals.c.org_id == spend_counters.c.org_id,
                principals.c.id == spend_counters.c.scope_id,
            ),
        )
    )
    .where(
        spend_counters.c.org_id == ORG_ID,
        spend_counters.c.ends_at > bindparam("moment"),
        spend_counters.c.window != "five_hour",
        spend_counters.c.limit_nanousd > 0,
        spend_counters.c.settled_nanousd >= spend_counters.c.limit_nanousd / _LEAST_SHARE,
    )
    .order_by(spend_counters.c.id)
)
_NOTE = upsert(forecast_notices).on_conflict_do_nothing()


class LimitForecasts:
    def __init__(self, uow: UnitOfWork, outbox: Outbox, organizations: OrganizationService) -> None:
        self._uow = uow
        self._outbox = outbox
        self._organizations = organizations

    def give_notices(self) -> None:
        uow = self._uow
        zone = self._organizations.current().zone
        for row in uow.execute(_COUNTERS, {"moment": uow.now}).all():
            starts_at = window_start(row.window, row.ends_at, zone)
            forecast = forecast_nanousd(row.settled_nanousd, starts_at, row.ends_at, uow.now)
            # What is spent already is the thresholds' to say.
            if forecast is not None and row.settled_nanousd < row.limit_nanousd:
                self._notice(row, forecast)

    def _notice(self, row: Row, forecast: int) -> None:
        uow = self._uow
        for level in FORECAST_LEVELS:
            if forecast * 100 < row.limit_nanousd * level:
                return
            note = {"counter_id": row.id, "percent": level, "noticed_at": uow.now}
            if uow.execute(_NOTE, note).rowcount == 1:
                self._tell(row, forecast, level)

    def _tell(self, row: Row, forecast: int, level: int) -> None:
        data = {
            "window": row.window,
            "percent": level,
            "limit_nanousd": row.limit_nanousd,
            "settled_nanousd": row.settled_nanousd,
            "forecast_nanousd": forecast,
            "resets_at": rfc3339(row.ends_at),
        }
        targets = {"user": ("user", row.user_id), "organization": ("org", row.scope_id)}
        type_, id_ = targets.get(row.scope_type, (row.scope_type, row.scope_id))
        self._uow.add(LimitForecastReached(type_, id_, data))
        self._outbox.put(FORECAST_REACHED, {**data, "target_type": type_, "target_id": id_})

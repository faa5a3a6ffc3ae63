"""What can happen to connections and their certificates."""

from app.directory.events import ObjectEvent


class ConnectionCreated(ObjectEvent):
    action = "connection.created"
    target_type = "connection"


class ConnectionUpdated(ObjectEvent):
    action = "connection.updated"
    target_type = "connection"


class ConnectionModeChanged(ObjectEvent):
    """`data` has the modes `before` and `after`."""

    action = "connection.mode_changed"
    target_type = "connection"


class EnforcementNear(ObjectEvent):
    """Sign-on will be enforced in so many days; a reminder, nothing has changed."""

    action = "connection.enforcement_near"
    target_type = "connection"


class ConnectionDeleted(ObjectEvent):
    action = "connection.deleted"
    target_type = "connection"


class MetadataRefused(ObjectEvent):
    """The metadata at the connection's URL cannot be used; what was read before still holds."""

    action = "connection.metadata_refused"
    target_type = "connection"


class LockoutListRead(ObjectEvent):
    action = "connection.lockout_list_read"
    target_type = "connection"


class CertificateExpiring(ObjectEvent):
    action = "certificate.expiring"
    target_type = "connection"


class CertificateExpired(ObjectEvent):
    action = "certificate.expired"
    target_type = "connection"


class SpKeyAdded(ObjectEvent):
    action = "sp_key.added"
    target_type = "connection"


class SpKeyPromoted(ObjectEvent):
    action = "sp_key.promoted"
    target_type = "connection"


class BreakGlassCodesIssued(ObjectEvent):
    action = "break_glass.codes_issued"
    target_type = "user"


class BreakGlassUsed(ObjectEvent):
    """Somebody came in past the identity provider."""

    action = "break_glass.used"
    target_type = "user"

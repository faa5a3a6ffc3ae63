"""What can happen to applications and what people do with them. What it causes stands in `app.wiring`."""

from app.directory.events import ObjectEvent


class ApplicationCreated(ObjectEvent):
    action = "application.created"
    target_type = "application"


class ApplicationUpdated(ObjectEvent):
    action = "application.updated"
    target_type = "application"


class ApplicationSecretRotated(ObjectEvent):
    action = "application.secret_rotated"
    target_type = "application"


class ApplicationDeleted(ObjectEvent):
    action = "application.deleted"
    target_type = "application"


class ApplicationAuthorized(ObjectEvent):
    """An application got tokens about a person; `data` names it and the session."""

    action = "user.application_authorized"
    target_type = "user"


class CodeReplayed(ObjectEvent):
    """A code came a second time, so what the first gave is worth nothing any more."""

    action = "application.code_replayed"
    target_type = "application"

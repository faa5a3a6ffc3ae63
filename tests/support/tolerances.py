"""The tolerances of a request in the profile that directories have by default."""

from app.scim.protocol.tolerance_profiles import enabled
from app.scim.protocol.tolerances import Tolerances


def auto() -> Tolerances:
    return Tolerances(enabled("auto"))

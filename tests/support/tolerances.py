"""The tolerances of a request in the profile that directories have by default."""

from app.scim.protocol.tolerance_profiles import NAMES
from app.scim.protocol.tolerances import Tolerances


def auto() -> Tolerances:
    return Tolerances(NAMES)

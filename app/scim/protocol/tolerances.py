"""Leniency by name: what a request may do beyond the RFC, and which of it the request needed.

A tolerance is one small function decorated with `tolerance`; it stands beside the rule that it bends
or in a `tolerated_*` module, and `tolerance_profiles` lists them all. Code keeps to the RFC first and
asks only where a quirk shows. Must not know any quirk, nor where a profile is kept.
"""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, eq=False)
class Tolerance:
    """One quirk; called, it mends the odd form, or tells whether it shows.

    `form` is what was seen, `strict` what happens without the tolerance, `pinned_by` the name of the
    test that holds the form. What is `opt_in` holds only where it was chosen by name.
    """

    name: str
    vendors: str
    form: str
    strict: str
    pinned_by: str
    function: Callable[..., Any]
    opt_in: bool = False

    def __call__(self, *arguments: Any) -> Any:
        return self.function(*arguments)


class Tolerances:
    """The tolerances of one request; `fired` names those that it needed.

    Nothing is enabled until the request's credential says so. `ignored` names the unknown attributes
    that were dropped, cut to `MAX_NAME` letters.
    """

    MAX_NAME = 80

    __slots__ = ("enabled", "fired", "ignored")

    def __init__(self, enabled: AbstractSet[str] = frozenset()) -> None:
        self.enabled = enabled
        self.fired: set[str] = set()
        self.ignored: set[str] = set()

    def enables(self, quirk: Tolerance) -> bool:
        """Ask before looking for a quirk that costs something to see; a yes is no firing."""
        return quirk.name in self.enabled

    def allow(self, quirk: Tolerance) -> bool:
        """Ask where the quirk shows: a yes is a firing."""
        if not self.enables(quirk):
            return False
        self.fired.add(quirk.name)
        return True

    def mend(self, quirk: Tolerance, value: Any, *context: Any) -> Any:
        """The mended value; the same value when the quirk does not show or is not tolerated."""
        mended = quirk.function(value, *context)
        return mended if mended is not value and self.allow(quirk) else value

    def accept(self, quirk: Tolerance, *arguments: Any) -> bool:
        """Tell whether the quirk shows and is tolerated."""
        return bool(quirk.function(*arguments)) and self.allow(quirk)


def tolerance(
    vendors: str, *, strict: str, pinned_by: str, opt_in: bool = False
) -> Callable[[Callable[..., Any]], Tolerance]:
    """Make a function the tolerance of its name; its docstring is the form."""

    def made(function: Callable[..., Any]) -> Tolerance:
        form = " ".join((function.__doc__ or "").split())
        return Tolerance(function.__name__, vendors, form, strict, pinned_by, function, opt_in)

    return made

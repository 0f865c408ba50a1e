"""The last gate before a request that deletes: what no plan allows does not go out."""

from collections.abc import Iterable, Sequence

from ci3.core.model import Decision
from ci3.core.pins import Pin
from ci3.errors import GateError


class Gate:
    """Knows the doomed deployments of one plan and lets nothing else pass."""

    def __init__(self, doomed: Iterable[Decision], pins: Sequence[Pin]) -> None:
        deployments = [decision.deployment for decision in doomed if decision.is_delete]
        for one in deployments:
            is_its_folder = f"/{one.prefix}".endswith(f"/{one.name}/")
            if not one.name or "/" in one.name or not is_its_folder:
                raise GateError(f"{one.prefix!r} is not the folder of a deployment {one.name!r}")
            if not one.is_whole:
                raise GateError(f"{one.name!r} was never listed in full")
        self._prefixes = frozenset(
            one.prefix for one in deployments if not any(pin.holds(one.name) for pin in pins)
        )

    def check(self, prefix: str, keys: Iterable[str]) -> None:
        """Let the keys of one deployment pass, or raise GateError before anything is sent."""
        if prefix not in self._prefixes:
            raise GateError(f"{prefix!r} is not doomed by this plan")
        for key in keys:
            if not key.startswith(prefix):
                raise GateError(f"{key!r} is outside {prefix!r}")

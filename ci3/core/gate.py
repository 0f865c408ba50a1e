"""The last gate before a request that deletes: what no plan allows does not go out."""

from collections.abc import Iterable, Sequence

from ci3.core.model import Decision
from ci3.core.pins import Pin
from ci3.errors import GateError


class Gate:
    """Knows the doomed deployments of one plan and lets nothing else pass."""

    def __init__(self, doomed: Iterable[Decision], pins: Sequence[Pin]) -> None:
        self._prefixes = frozenset(
            decision.deployment.prefix
            for decision in doomed
            if decision.is_delete and not any(pin.holds(decision.deployment.name) for pin in pins)
        )
        if any(len(prefix) < len("x/") or not prefix.endswith("/") for prefix in self._prefixes):
            raise GateError("a doomed prefix must name a folder and end with a slash")

    def check(self, prefix: str, keys: Iterable[str]) -> None:
        """Let the keys of one deployment pass, or raise GateError before anything is sent."""
        if prefix not in self._prefixes:
            raise GateError(f"{prefix!r} is not doomed by this plan")
        for key in keys:
            if not key.startswith(prefix):
                raise GateError(f"{key!r} is outside {prefix!r}")

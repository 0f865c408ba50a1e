"""The last gate before a request that deletes: what no plan allows does not go out."""

from collections.abc import Iterable, Sequence
from threading import Lock

from ci3.core.model import Decision, StoredObject
from ci3.core.objections import Limits
from ci3.core.pins import Pin
from ci3.errors import GateError


class Gate:
    """Knows the doomed deployments of one plan and lets nothing else pass, and no more of them.

    What may pass is bounded by what the plan names, and by the limits that the user set;
    `found_count` is how many deployments there are, for a limit that is a percentage.
    """

    def __init__(
        self,
        doomed: Iterable[Decision],
        pins: Sequence[Pin],
        limits: Limits | None = None,
        found_count: int = 0,
    ) -> None:
        deployments = [decision.deployment for decision in doomed if decision.is_delete]
        for one in deployments:
            is_its_folder = f"/{one.prefix}".endswith(f"/{one.name}/")
            if not one.name or "/" in one.name or not is_its_folder:
                raise GateError(f"{one.prefix!r} is not the folder of a deployment {one.name!r}")
            if not one.is_whole:
                raise GateError(f"{one.name!r} was never listed in full")
        free = [one for one in deployments if not any(pin.holds(one.name) for pin in pins)]
        self._objects_left = {one.prefix: one.object_count for one in free}
        self._bytes_left = {one.prefix: one.size_bytes for one in free}
        self._limits = limits or Limits()
        self._found_count = max(found_count, len(deployments))
        self._begun: set[str] = set()
        self._passed_bytes = 0
        self._lock = Lock()

    def check(self, parts: Iterable[tuple[str, Sequence[StoredObject]]]) -> None:
        """Let a batch pass, prefix by prefix, or raise GateError before anything is sent.

        Each object passes once: what is sent again after an answer does not come here again.
        """
        with self._lock:
            for prefix, objects in parts:
                self._check_part(prefix, objects)

    def _check_part(self, prefix: str, objects: Sequence[StoredObject]) -> None:
        if prefix not in self._objects_left:
            raise GateError(f"{prefix!r} is not doomed by this plan")
        for stored in objects:
            if not stored.key.startswith(prefix):
                raise GateError(f"{stored.key!r} is outside {prefix!r}")
        size_bytes = sum(stored.size_bytes for stored in objects)
        self._objects_left[prefix] -= len(objects)
        self._bytes_left[prefix] -= size_bytes
        if self._objects_left[prefix] < 0 or self._bytes_left[prefix] < 0:
            raise GateError(f"{prefix!r} has more in it than the plan names")
        self._begun.add(prefix)
        self._passed_bytes += size_bytes
        most, most_bytes = self._limits.max_delete, self._limits.max_delete_bytes
        if most is not None and not most.allows(len(self._begun), self._found_count):
            raise GateError(f"max-delete allows {most}, and this is one deployment more")
        if most_bytes is not None and self._passed_bytes > most_bytes.size_bytes:
            raise GateError(f"max-delete-bytes allows {most_bytes}, and this is more")

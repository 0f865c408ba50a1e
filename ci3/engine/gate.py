"""The last gate before a request that deletes: what no plan allows does not go out."""

from collections.abc import Iterable, Sequence, Set
from threading import Lock

from ci3.core.live.pins import Pin
from ci3.core.model.decision import Decision
from ci3.core.model.objects import StoredObject, StoredVersion
from ci3.core.plan.checks import Limits
from ci3.errors import GateError


class Gate:
    """Knows the doomed deployments of one plan and lets nothing else pass, and no more of them.

    What may pass is bounded by what the plan names, and by the limits that the user set;
    `found_count` is how many deployments there are, for a limit that is a percentage. Either
    objects may pass or, with `names_versions`, versions that are named by id: never both.
    """

    def __init__(
        self,
        doomed: Iterable[Decision],
        pins: Sequence[Pin],
        limits: Limits | None = None,
        found_count: int = 0,
        *,
        names_versions: bool = False,
    ) -> None:
        deployments = [decision.deployment for decision in doomed if decision.is_delete]
        for one in deployments:
            is_its_folder = f"/{one.prefix}".endswith(f"/{one.name}/")
            if not one.name or "/" in one.name or not is_its_folder:
                raise GateError(f"{one.prefix!r} is not the folder of a deployment {one.name!r}")
            if not one.is_whole:
                raise GateError(f"{one.name!r} was never listed in full")
            if names_versions is not (one.versions is not None):
                raise GateError(f"it is not clear whether the versions of {one.name!r} go")
        free = [one for one in deployments if not any(pin.holds(one.name) for pin in pins)]
        self._names_versions = names_versions
        self._left = {one.prefix: one.deletion_count for one in free}
        self._bytes_left = {one.prefix: one.deletion_bytes for one in free}
        self._limits = limits or Limits()
        self._found_count = max(found_count, len(deployments))
        self._begun: set[str] = set()
        self._passed_bytes = 0
        self._lock = Lock()

    def check(self, parts: Iterable[tuple[str, Sequence[StoredObject]]]) -> None:
        """Let a batch pass, prefix by prefix, or raise GateError before anything is sent.

        Each object passes once: what is sent again after an answer does not come here again.
        """
        if self._names_versions:
            raise GateError("objects were to be deleted without their versions' ids")
        with self._lock:
            for prefix, objects in parts:
                self._check_part(prefix, objects)

    def check_versions(
        self, prefix: str, versions: Sequence[StoredVersion], listed: Set[tuple[str, str]]
    ) -> None:
        """Let versions of one prefix pass, each once, or raise GateError before anything is sent.

        `listed` are the keys and version ids that a listing of this deployment showed.
        """
        if not self._names_versions:
            raise GateError("versions were to be deleted, and the plan leaves them")
        for one in versions:
            if not one.version_id or (one.key, one.version_id) not in listed:
                raise GateError(f"{one.key!r} has no version {one.version_id!r} under {prefix!r}")
        with self._lock:
            self._check_part(prefix, versions)

    def check_rule(self, prefix: str) -> None:
        """Let a rule for all of one prefix pass, once, or raise GateError before it is written."""
        if self._names_versions:
            raise GateError("a rule was to delete objects, and their versions were to go by id")
        with self._lock:
            if prefix not in self._left or prefix in self._begun:
                raise GateError(f"{prefix!r} is not doomed by this plan, or has begun to go")
            size_bytes = self._bytes_left[prefix]
            self._left[prefix] = self._bytes_left[prefix] = 0
            self._pass(prefix, size_bytes)

    def _check_part(self, prefix: str, objects: Sequence[StoredObject | StoredVersion]) -> None:
        if prefix not in self._left:
            raise GateError(f"{prefix!r} is not doomed by this plan")
        for key in [stored.key for stored in objects]:
            if not key.startswith(prefix):
                raise GateError(f"{key!r} is outside {prefix!r}")
        size_bytes = sum([stored.size_bytes for stored in objects])
        self._left[prefix] -= len(objects)
        self._bytes_left[prefix] -= size_bytes
        if self._left[prefix] < 0 or self._bytes_left[prefix] < 0:
            raise GateError(f"{prefix!r} has more in it than the plan names")
        self._pass(prefix, size_bytes)

    def _pass(self, prefix: str, size_bytes: int) -> None:
        """Count what passes, and hold it against the limits."""
        self._begun.add(prefix)
        self._passed_bytes += size_bytes
        most, most_bytes = self._limits.max_delete, self._limits.max_delete_bytes
        if most is not None and not most.allows(len(self._begun), self._found_count):
            raise GateError(f"max-delete allows {most}, and this is one deployment more")
        if most_bytes is not None and self._passed_bytes > most_bytes.size_bytes:
            raise GateError(f"max-delete-bytes allows {most_bytes}, and this is more")

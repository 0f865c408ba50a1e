"""Sends deletes of current objects, each listed a short time before the request."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from ci3.aws.bucket import BucketReader
from ci3.aws.deletion.outcomes import CHANGED, KeyOutcome
from ci3.aws.deletion.writer import BucketWriter
from ci3.core.inventory.keyspace import is_sorted
from ci3.core.model.objects import StoredObject
from ci3.engine.deletion.sender import BatchPart, Sender, keep_unless_absent, not_listed
from ci3.engine.inventory.listing import list_deployment

ObjectPart = BatchPart[StoredObject]
ObjectBatch = tuple[ObjectPart, ...]


@dataclass(slots=True, kw_only=True)
class ObjectSender(Sender[StoredObject, str]):
    """Deletes objects by key.

    Each object was listed at most FRESH_SECONDS before the request, and is listed again before each
    retry. That an S3 which honors conditions also compares ETags is a second lock only: the ETag of
    the same bytes, uploaded again, is the same.
    """

    writer: BucketWriter
    list_objects: Callable[[str], Iterable[StoredObject]]
    """Lists the deployment with the given name."""

    def _identify(self, entry: StoredObject) -> str:
        return entry.key

    def _request(
        self, entries: Sequence[StoredObject], may_continue: Callable[[], bool]
    ) -> Mapping[str, KeyOutcome]:
        return self.writer.delete_objects(entries, may_continue=may_continue)

    def _list_current(self, part: ObjectPart) -> Mapping[str, StoredObject]:
        return {stored.key: stored for stored in self.list_objects(part.name)}

    def _refresh(
        self, part: ObjectPart, *, is_retry: bool
    ) -> tuple[ObjectPart, Mapping[str, KeyOutcome]]:
        """List a part again, unless it is fresh.

        A change keeps what still exists of the part and of the rest of its deployment. Before a
        retry, only a changed object counts: others may be missing since this run deleted them.
        """
        is_fresh = self._is_fresh(part.listed_at) and part.prefix not in self._changed_prefixes
        if is_fresh and not is_retry:
            return part, {}
        began_at = self.control.monotonic()
        keys = [stored.key for stored in part.entries]
        try:
            compared = part.compared or part.entries
            listed = _list_range(self.reader, replace(part, entries=compared))
        except Exception as exc:  # noqa: BLE001 - what cannot be listed is not sent
            return part, dict.fromkeys(keys, not_listed(exc))
        not_sent = self._changed(part.entries, {stored.key: stored for stored in listed})
        is_first = bool(listed) and not is_retry
        if CHANGED in not_sent.values() or (is_first and listed != compared):
            self._changed_prefixes.add(part.prefix)
        if listed and part.prefix in self._changed_prefixes:
            not_sent = {key: keep_unless_absent(not_sent.get(key)) for key in keys}
        return replace(part, listed_at=began_at), not_sent


def _list_range(reader: BucketReader, part: ObjectPart) -> tuple[StoredObject, ...]:
    """List the objects from the first key of a part to its last, by key."""
    first, last = part.entries[0].key, part.entries[-1].key
    start_after = first[:-1] if len(first) > len(part.prefix) else ""
    listed: Sequence[StoredObject] = ()
    with closing(reader.list_pages(part.prefix, start_after=start_after)) as pages:
        for page in pages:
            listed = (*listed, *page.objects)
            if listed and listed[-1].key >= last:
                break
    if not is_sorted([stored.key for stored in listed]):
        _, listed = list_deployment(reader, part.name, part.prefix)
    return tuple(stored for stored in listed if first <= stored.key <= last)

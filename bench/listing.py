"""Renders listing pages in S3's XML, fast enough that only the client limits a run."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape

from bench.layout import FOLDER_FILES, PAGE_SIZE, Layout, SeededDeployment, file_name, size_bytes
from bench.s3_protocol import NAMESPACE

# Placeholders in a rendered entry for the values that differ between deployments.
_NAME, _MINUTE, _ETAG_PREFIX = b"\x01", b"\x02", b"\x03"
# First characters of continuation tokens: the page ended with a folder, or with a key.
_FOLDER_MARK = "f"
_KEY_MARK = "k"

Position = tuple[int, int]
"""A file: the deployment's index among the sorted names, and the file's number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """The parameters of a listing request."""

    prefix: str = ""
    delimiter: str = ""
    start_after: str = ""
    token: str = ""
    max_keys: int = PAGE_SIZE
    is_encoded: bool = False
    is_list_objects_v1: bool = False
    """True for ListObjects, which continues after a key instead of with a token."""


@dataclass(slots=True)
class _Page:
    entries: list[bytes] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    count: int = 0
    token: str = ""
    """The continuation token: the end of this page."""
    has_more: bool = False


class BucketContent:
    """The objects of a bucket's layout that were not deleted.

    Objects that clients put, such as a journal, are in `uploaded`; listings do not include them.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.uploaded: dict[str, bytes] = {}
        self._deleted: dict[int, bytearray] = {}
        self._deleted_counts: dict[int, int] = {}

    def reset(self) -> None:
        """Restore all deleted objects, and drop uploaded objects."""
        self.uploaded.clear()
        self._deleted.clear()
        self._deleted_counts.clear()

    def warm_up(self) -> None:
        """Render all entries once, so that no run includes that time."""
        largest_count = max(
            (deployment.object_count for deployment in self.layout.deployments), default=0
        )
        for number in range(0, largest_count, FOLDER_FILES):
            _render_block(number // FOLDER_FILES)

    @property
    def object_count(self) -> int:
        """The number of objects that were not deleted."""
        return self.layout.total - sum(self._deleted_counts.values())

    def find_object(self, key: str) -> Position | None:
        """Return the position of an existing object, or None."""
        position = self.layout.locate(key)
        return None if position is None or self._is_deleted(*position) else position

    def etag(self, position: Position) -> str:
        """Return the ETag of an object, without quotes."""
        index, number = position
        return self.layout.deployments[index].etag(number)

    def delete(self, position: Position) -> None:
        """Delete an existing object."""
        index, number = position
        deleted = self._deleted.get(index)
        if deleted is None:
            deleted = self._deleted[index] = bytearray(self.layout.deployments[index].object_count)
        deleted[number] = 1
        self._deleted_counts[index] = self._deleted_counts.get(index, 0) + 1

    def render_page(self, request: PageRequest) -> bytes:
        """Return a page of ListObjectsV2 or ListObjects as XML."""
        page = self._find_page(request)
        head = [
            f"<Name>{self.layout.text}</Name><Prefix>{escape(request.prefix)}</Prefix>",
            f"<KeyCount>{page.count}</KeyCount><MaxKeys>{request.max_keys}</MaxKeys>",
            f"<IsTruncated>{str(page.has_more).lower()}</IsTruncated>",
        ]
        if request.delimiter:
            head.append(f"<Delimiter>{escape(request.delimiter)}</Delimiter>")
        if request.start_after:
            head.append(f"<StartAfter>{escape(request.start_after)}</StartAfter>")
        if request.token:
            head.append(f"<ContinuationToken>{escape(request.token)}</ContinuationToken>")
        if request.is_encoded:
            head.append("<EncodingType>url</EncodingType>")
        if page.has_more and not request.is_list_objects_v1:
            head.append(f"<NextContinuationToken>{page.token}</NextContinuationToken>")
        folders = "".join(
            f"<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>" for folder in page.folders
        )
        return b"".join(
            (
                f'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="{NAMESPACE}">'
                f"{''.join(head)}".encode(),
                *page.entries,
                f"{folders}</ListBucketResult>".encode(),
            )
        )

    def render_versions_page(self, prefix: str, key_marker: str, max_keys: int) -> bytes:
        """Return a page of ListObjectVersions as XML, for a bucket that was never versioned."""
        page = self._find_page(
            PageRequest(prefix=prefix, start_after=key_marker, max_keys=max_keys)
        )
        versions = b"".join(page.entries)
        versions = versions.replace(b"<Contents>", b"<Version>").replace(
            b"</Key>", b"</Key><VersionId>null</VersionId><IsLatest>true</IsLatest>"
        )
        versions = versions.replace(b"</Contents>", b"</Version>")
        next_markers = (
            f"<NextKeyMarker>{page.token[1:]}</NextKeyMarker>"
            "<NextVersionIdMarker>null</NextVersionIdMarker>"
        )
        return b"".join(
            (
                f'<?xml version="1.0" encoding="UTF-8"?>\n<ListVersionsResult xmlns="{NAMESPACE}">'
                f"<Name>{self.layout.text}</Name><Prefix>{escape(prefix)}</Prefix>"
                f"<IsTruncated>{str(page.has_more).lower()}</IsTruncated>".encode(),
                next_markers.encode() if page.has_more else b"",
                versions,
                b"</ListVersionsResult>",
            )
        )

    def _find_page(self, request: PageRequest) -> _Page:
        begin = self._locate_first(request.prefix, is_after=False)
        if request.token:
            begin = max(begin, self._locate_after_token(request.token))
        elif request.start_after:
            begin = max(begin, self._locate_first(request.start_after, is_after=True))
        end = self._locate_end(request.prefix)
        if request.delimiter == "/":
            return self._find_with_delimiter(request, begin, end)
        return self._find_objects(request, begin, end)

    def _find_objects(self, request: PageRequest, begin: Position, end: Position) -> _Page:
        """Find objects, one slice of a deployment at a time."""
        page = _Page()
        remaining = request.max_keys
        for index, first, last in self._iter_runs(begin, end):
            if not remaining:
                page.has_more = True
                break
            taken_count = min(remaining, last - first)
            deployment = self.layout.deployments[index]
            page.entries.append(_render_entries(deployment, first, first + taken_count))
            page.token = _KEY_MARK + deployment.key(first + taken_count - 1)
            remaining -= taken_count
            if first + taken_count < last:
                page.has_more = True
                break
        page.count = request.max_keys - remaining
        return page

    def _find_with_delimiter(self, request: PageRequest, begin: Position, end: Position) -> _Page:
        """Find objects and common prefixes."""
        if not request.prefix:
            return self._find_deployments(request, begin[0] + bool(begin[1]))
        page = _Page()
        while (position := self._find_next(begin, end)) is not None:
            if page.count == request.max_keys:
                page.has_more = True
                break
            index, number = position
            deployment = self.layout.deployments[index]
            key = deployment.key(number)
            relative_head, slash, _ = key[len(request.prefix) :].partition("/")
            page.count += 1
            if slash:
                folder = f"{request.prefix}{relative_head}/"
                page.folders.append(folder)
                page.token = _FOLDER_MARK + folder
                begin = self._locate_end(folder)
            else:
                page.entries.append(_render_entries(deployment, number, number + 1))
                page.token = _KEY_MARK + key
                begin = (index, number + 1)
        return page

    def _find_deployments(self, request: PageRequest, first: int) -> _Page:
        """Find the deployments' folders: the root contains nothing else."""
        page = _Page()
        for index in range(first, len(self.layout.deployments)):
            deployment = self.layout.deployments[index]
            if self._deleted_counts.get(index) == deployment.object_count:
                continue
            if page.count == request.max_keys:
                page.has_more = True
                break
            page.count += 1
            page.folders.append(f"{deployment.name}/")
        page.token = _FOLDER_MARK + page.folders[-1] if page.folders else ""
        return page

    def _locate_after_token(self, token: str) -> Position:
        if token.startswith(_FOLDER_MARK):
            return self._locate_end(token[1:])
        return self._locate_first(token[1:], is_after=True)

    def _locate_first(self, key: str, *, is_after: bool) -> Position:
        """Return the first file with a key >= `key`, or > `key` if `is_after`."""
        index = self._count_names(key) - 1
        if index < 0:
            return (0, 0)
        deployment = self.layout.deployments[index]
        number = deployment.count_up_to(key)
        if number and not is_after and deployment.key(number - 1) == key:
            number -= 1
        return (index, number)

    def _count_names(self, key: str) -> int:
        """Return the number of deployments whose prefix is not greater than the key."""
        names = self.layout.names
        low, high = 0, len(names)
        while low < high:
            middle = (low + high) // 2
            if f"{names[middle]}/" <= key:
                low = middle + 1
            else:
                high = middle
        return low

    def _locate_end(self, prefix: str) -> Position:
        """Return the position after the last key that starts with the prefix."""
        if not prefix:
            return (len(self.layout.deployments), 0)
        return self._locate_first(prefix[:-1] + chr(ord(prefix[-1]) + 1), is_after=False)

    def _find_next(self, begin: Position, end: Position) -> Position | None:
        for index, first, _ in self._iter_runs(begin, end):
            return (index, first)
        return None

    def _iter_runs(self, begin: Position, end: Position) -> Iterator[tuple[int, int, int]]:
        """Yield runs of existing files in a range, as (deployment index, first, end)."""
        index, first = begin
        while (index, first) < end and index < len(self.layout.deployments):
            last = end[1] if index == end[0] else self.layout.deployments[index].object_count
            deleted = self._deleted.get(index)
            if deleted is None:
                if first < last:
                    yield index, first, last
            elif self._deleted_counts[index] < len(deleted):
                yield from _split_runs(index, deleted, first, last)
            index, first = index + 1, 0

    def _is_deleted(self, index: int, number: int) -> bool:
        deleted = self._deleted.get(index)
        return deleted is not None and bool(deleted[number])


def _split_runs(
    index: int, deleted: bytearray, first: int, last: int
) -> Iterator[tuple[int, int, int]]:
    while first < last and (first := deleted.find(0, first, last)) >= 0:
        run_end = deleted.find(1, first, last)
        yield index, first, last if run_end < 0 else run_end
        first = last if run_end < 0 else run_end


def _render_entries(deployment: SeededDeployment, first: int, last: int) -> bytes:
    """Return the entries of a deployment's files `first` to `last` - 1."""
    parts = []
    while first < last:
        block = first // FOLDER_FILES
        begin = first - block * FOLDER_FILES
        end = min(last - block * FOLDER_FILES, FOLDER_FILES)
        parts.append(_render_block(block)[begin * _ENTRY_BYTES : end * _ENTRY_BYTES])
        first = block * FOLDER_FILES + end
    rendered = parts[0] if len(parts) == 1 else b"".join(parts)
    name = deployment.name.encode()
    rendered = rendered.replace(_NAME, name).replace(_MINUTE, deployment.minute.encode())
    return rendered.replace(_ETAG_PREFIX, name[:24])


def _render_entry(number: int) -> bytes:
    return b"".join(
        (
            b"<Contents><Key>",
            _NAME,
            file_name(number).encode(),
            b"</Key><LastModified>",
            _MINUTE,
            b":%02d.000Z</LastModified><ETag>&quot;" % (number % 60),
            _ETAG_PREFIX,
            b"%08x&quot;</ETag><Size>%d</Size>" % (number, size_bytes(number)),
            b"<StorageClass>STANDARD</StorageClass></Contents>",
        )
    )


_ENTRY_BYTES = len(_render_entry(0))
_blocks: dict[int, bytes] = {}


def _render_block(block: int) -> bytes:
    """Return the cached entries of one folder, with placeholders for a deployment's values."""
    if block not in _blocks:
        numbers = range(block * FOLDER_FILES, (block + 1) * FOLDER_FILES)
        _blocks[block] = b"".join(map(_render_entry, numbers))
    return _blocks[block]

"""Pages of listings, in S3's XML, made so cheaply that whoever asks for them is the slow one."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape

from bench.layout import FOLDER_FILES, PAGE_SIZE, Layout, Seeded, file_name, size_bytes

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
# Stand in a rendered entry for what differs from deployment to deployment.
_NAME, _MINUTE, _MARK = b"\x01", b"\x02", b"\x03"
_LAST_FOLDER = "f"
_LAST_KEY = "k"

Position = tuple[int, int]
"""A file, as the deployment's place among the names and the file's number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request for a page."""

    prefix: str = ""
    delimiter: str = ""
    after: str = ""
    token: str = ""
    max_keys: int = PAGE_SIZE
    is_encoded: bool = False
    is_older: bool = False
    """Whether ListObjects is meant, which goes on behind a key and not by a token."""


@dataclass(slots=True)
class _Found:
    entries: list[bytes] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    count: int = 0
    token: str = ""
    """Where this page ended."""
    has_more: bool = False


class Content:
    """What is left in a bucket, of what its layout seeded.

    What clients put, such as a journal, is kept aside: no listing tells of it.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.aside: dict[str, bytes] = {}
        self._gone: dict[int, bytearray] = {}
        self._gone_counts: dict[int, int] = {}

    def restore(self) -> None:
        """Bring everything back, and forget what was put."""
        self.aside.clear()
        self._gone.clear()
        self._gone_counts.clear()

    def warm_up(self) -> None:
        """Render all files once, so that no run pays for it."""
        most = max((one.count for one in self.layout.deployments), default=0)
        for number in range(0, most, FOLDER_FILES):
            _block(number // FOLDER_FILES)

    @property
    def left(self) -> int:
        """Objects that are left."""
        return self.layout.total - sum(self._gone_counts.values())

    def locate(self, key: str) -> Position | None:
        """Find an object that is there."""
        found = self.layout.find(key)
        return None if found is None or self._is_gone(*found) else found

    def etag(self, place: Position) -> str:
        """Give the ETag of an object, without quotes."""
        index, number = place
        return self.layout.deployments[index].etag(number)

    def delete(self, place: Position) -> None:
        """Delete an object that is there."""
        index, number = place
        gone = self._gone.get(index)
        if gone is None:
            gone = self._gone[index] = bytearray(self.layout.deployments[index].count)
        gone[number] = 1
        self._gone_counts[index] = self._gone_counts.get(index, 0) + 1

    def page(self, asked: Asked) -> bytes:
        """Render a page of ListObjectsV2, or of the older ListObjects."""
        found = self._find(asked)
        head = [
            f"<Name>{self.layout.text}</Name><Prefix>{escape(asked.prefix)}</Prefix>",
            f"<KeyCount>{found.count}</KeyCount><MaxKeys>{asked.max_keys}</MaxKeys>",
            f"<IsTruncated>{str(found.has_more).lower()}</IsTruncated>",
        ]
        if asked.delimiter:
            head.append(f"<Delimiter>{escape(asked.delimiter)}</Delimiter>")
        if asked.after:
            head.append(f"<StartAfter>{escape(asked.after)}</StartAfter>")
        if asked.token:
            head.append(f"<ContinuationToken>{escape(asked.token)}</ContinuationToken>")
        if asked.is_encoded:
            head.append("<EncodingType>url</EncodingType>")
        if found.has_more and not asked.is_older:
            head.append(f"<NextContinuationToken>{found.token}</NextContinuationToken>")
        folders = "".join(
            f"<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>"
            for folder in found.folders
        )
        return b"".join(
            (
                f'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="{NAMESPACE}">'
                f"{''.join(head)}".encode(),
                *found.entries,
                f"{folders}</ListBucketResult>".encode(),
            )
        )

    def versions_page(self, prefix: str, key_marker: str, max_keys: int) -> bytes:
        """Render a page of ListObjectVersions, of a bucket that never kept versions."""
        found = self._find(Asked(prefix=prefix, after=key_marker, max_keys=max_keys))
        versions = b"".join(found.entries)
        versions = versions.replace(b"<Contents>", b"<Version>").replace(
            b"</Key>", b"</Key><VersionId>null</VersionId><IsLatest>true</IsLatest>"
        )
        versions = versions.replace(b"</Contents>", b"</Version>")
        following = (
            f"<NextKeyMarker>{found.token[1:]}</NextKeyMarker>"
            "<NextVersionIdMarker>null</NextVersionIdMarker>"
        )
        return b"".join(
            (
                f'<?xml version="1.0" encoding="UTF-8"?>\n<ListVersionsResult xmlns="{NAMESPACE}">'
                f"<Name>{self.layout.text}</Name><Prefix>{escape(prefix)}</Prefix>"
                f"<IsTruncated>{str(found.has_more).lower()}</IsTruncated>".encode(),
                following.encode() if found.has_more else b"",
                versions,
                b"</ListVersionsResult>",
            )
        )

    def _find(self, asked: Asked) -> _Found:
        begin = self._locate(asked.prefix, is_after=False)
        if asked.token:
            begin = max(begin, self._after_token(asked.token))
        elif asked.after:
            begin = max(begin, self._locate(asked.after, is_after=True))
        end = self._behind(asked.prefix)
        if asked.delimiter == "/":
            return self._find_level(asked, begin, end)
        return self._find_flat(asked, begin, end)

    def _find_flat(self, asked: Asked, begin: Position, end: Position) -> _Found:
        """Find objects, a slice of each deployment at once."""
        found = _Found()
        room = asked.max_keys
        for index, first, last in self._runs(begin, end):
            if not room:
                found.has_more = True
                break
            taken = min(room, last - first)
            one = self.layout.deployments[index]
            found.entries.append(_render(one, first, first + taken))
            found.token = _LAST_KEY + one.key(first + taken - 1)
            room -= taken
            if first + taken < last:
                found.has_more = True
                break
        found.count = asked.max_keys - room
        return found

    def _find_level(self, asked: Asked, begin: Position, end: Position) -> _Found:
        """Find objects and the folders beside them."""
        if not asked.prefix:
            return self._find_deployments(asked, begin[0] + bool(begin[1]))
        found = _Found()
        while (here := self._next(begin, end)) is not None:
            if found.count == asked.max_keys:
                found.has_more = True
                break
            index, number = here
            one = self.layout.deployments[index]
            key = one.key(number)
            inner, slash, _ = key[len(asked.prefix) :].partition("/")
            found.count += 1
            if slash:
                folder = f"{asked.prefix}{inner}/"
                found.folders.append(folder)
                found.token = _LAST_FOLDER + folder
                begin = self._behind(folder)
            else:
                found.entries.append(_render(one, number, number + 1))
                found.token = _LAST_KEY + key
                begin = (index, number + 1)
        return found

    def _find_deployments(self, asked: Asked, first: int) -> _Found:
        """Find the folders at the root, where nothing else is."""
        found = _Found()
        for index in range(first, len(self.layout.deployments)):
            one = self.layout.deployments[index]
            if self._gone_counts.get(index) == one.count:
                continue
            if found.count == asked.max_keys:
                found.has_more = True
                break
            found.count += 1
            found.folders.append(f"{one.name}/")
        found.token = _LAST_FOLDER + found.folders[-1] if found.folders else ""
        return found

    def _after_token(self, token: str) -> Position:
        if token.startswith(_LAST_FOLDER):
            return self._behind(token[1:])
        return self._locate(token[1:], is_after=True)

    def _locate(self, key: str, *, is_after: bool) -> Position:
        """Find the first file whose key is this one or greater, or only greater."""
        index = self._count_names(key) - 1
        if index < 0:
            return (0, 0)
        one = self.layout.deployments[index]
        number = one.after(key)
        if number and not is_after and one.key(number - 1) == key:
            number -= 1
        return (index, number)

    def _count_names(self, key: str) -> int:
        """Count the deployments whose prefix is not greater than a key."""
        names = self.layout.names
        low, high = 0, len(names)
        while low < high:
            middle = (low + high) // 2
            if f"{names[middle]}/" <= key:
                low = middle + 1
            else:
                high = middle
        return low

    def _behind(self, prefix: str) -> Position:
        """Find the first file behind all that begin with a prefix."""
        if not prefix:
            return (len(self.layout.deployments), 0)
        return self._locate(prefix[:-1] + chr(ord(prefix[-1]) + 1), is_after=False)

    def _next(self, begin: Position, end: Position) -> Position | None:
        for index, first, _ in self._runs(begin, end):
            return (index, first)
        return None

    def _runs(self, begin: Position, end: Position) -> Iterator[tuple[int, int, int]]:
        """Give what is left between two places, as deployment, first number, number behind."""
        index, first = begin
        while (index, first) < end and index < len(self.layout.deployments):
            last = end[1] if index == end[0] else self.layout.deployments[index].count
            gone = self._gone.get(index)
            if gone is None:
                if first < last:
                    yield index, first, last
            elif self._gone_counts[index] < len(gone):
                yield from _left(index, gone, first, last)
            index, first = index + 1, 0

    def _is_gone(self, index: int, number: int) -> bool:
        gone = self._gone.get(index)
        return gone is not None and bool(gone[number])


def _left(index: int, gone: bytearray, first: int, last: int) -> Iterator[tuple[int, int, int]]:
    while first < last and (first := gone.find(0, first, last)) >= 0:
        behind = gone.find(1, first, last)
        yield index, first, last if behind < 0 else behind
        first = last if behind < 0 else behind


def _render(one: Seeded, first: int, last: int) -> bytes:
    """Render a deployment's files from one number to another."""
    parts = []
    while first < last:
        block = first // FOLDER_FILES
        begin = first - block * FOLDER_FILES
        end = min(last - block * FOLDER_FILES, FOLDER_FILES)
        parts.append(_block(block)[begin * _ENTRY_BYTES : end * _ENTRY_BYTES])
        first = block * FOLDER_FILES + end
    rendered = parts[0] if len(parts) == 1 else b"".join(parts)
    name = one.name.encode()
    rendered = rendered.replace(_NAME, name).replace(_MINUTE, one.minute.encode())
    return rendered.replace(_MARK, name[:24])


def _entry(number: int) -> bytes:
    return b"".join(
        (
            b"<Contents><Key>",
            _NAME,
            file_name(number).encode(),
            b"</Key><LastModified>",
            _MINUTE,
            b":%02d.000Z</LastModified><ETag>&quot;" % (number % 60),
            _MARK,
            b"%08x&quot;</ETag><Size>%d</Size>" % (number, size_bytes(number)),
            b"<StorageClass>STANDARD</StorageClass></Contents>",
        )
    )


_ENTRY_BYTES = len(_entry(0))
_blocks: dict[int, bytes] = {}


def _block(block: int) -> bytes:
    """Render a folder's files once, without what differs from deployment to deployment."""
    if block not in _blocks:
        numbers = range(block * FOLDER_FILES, (block + 1) * FOLDER_FILES)
        _blocks[block] = b"".join(map(_entry, numbers))
    return _blocks[block]

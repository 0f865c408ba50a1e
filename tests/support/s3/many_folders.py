"""A read-only S3 on loopback with very many deployments."""

from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit


class ManyFolders(BaseHTTPRequestHandler):
    """An S3 with very many deployments of one object."""

    COUNT = 1500

    def do_GET(self):
        query = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        if "versioning" in query:
            return self._answer("<VersioningConfiguration/>")
        (prefix,) = query["prefix"]
        names = [prefix] if prefix else [f"{number:040x}/" for number in range(self.COUNT)]
        entries = [self._entry(name, is_folder=not prefix) for name in names]
        return self._answer(
            "<ListBucketResult><IsTruncated>false</IsTruncated>"
            f"{''.join(entries)}</ListBucketResult>"
        )

    def _entry(self, name, *, is_folder):
        if is_folder:
            return f"<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>"
        age = timedelta(hours=int(name.rstrip("/"), 16))
        uploaded_at = datetime(2026, 1, 1, tzinfo=UTC) - age
        return (
            f"<Contents><Key>{name}index.html</Key><ETag>e</ETag><Size>1000</Size>"
            f"<LastModified>{uploaded_at:%Y-%m-%dT%H:%M:%S.000Z}</LastModified></Contents>"
        )

    def _answer(self, xml):
        content = xml.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass

"""The URL of a service, wherever it was configured, and how S3 requests address a bucket."""

import re
from enum import StrEnum
from urllib.parse import urlsplit


class AddressingStyle(StrEnum):
    """Where S3 requests have the bucket's name."""

    AUTO = "auto"
    PATH = "path"
    VIRTUAL = "virtual"


def parse_url(text: str) -> str:
    """Return the URL of a service without a final slash; refuse one with credentials.

    Raises ValueError with a predicate for the text, which does not quote it.
    """
    if "@" in text:
        raise ValueError("has credentials in it; hand them over as AWS_ACCESS_KEY_ID and so on")
    if not is_address(text):
        raise ValueError("is no address, such as https://minio.example.org:9000")
    return text.rstrip("/")


def is_address(text: str) -> bool:
    """Return True for an HTTP URL with a host and without a query."""
    try:
        parts = urlsplit(text)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:  # the port is not a number, or the brackets of an IPv6 address do not match
        return False
    return has_host and parts.scheme in ("http", "https") and not re.search(r"[\s?#]", text)

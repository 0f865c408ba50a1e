"""The URL of a service, wherever it was configured, and how S3 requests address a bucket."""

import re
from enum import StrEnum
from typing import Final
from urllib.parse import quote, urlsplit

from ci3.core.model.prefix_pattern import FOLDER_PLACEHOLDER

AWS_DNS_SUFFIXES: Final = (
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "c2s.ic.gov",
    "sc2s.sgov.gov",
    "cloud.adc-e.uk",
    "csp.hci.ic.gov",
    "api.aws",
    "api.amazonwebservices.com.cn",
    "api.amazonwebservices.eu",
    "api.aws.ic.gov",
    "api.aws.scloud",
    "api.cloud-aws.adc-e.uk",
    "api.aws.hci.ic.gov",
)
"""The domains of AWS's endpoints; a test compares them with `ci3.aws.partitions`.

A configured endpoint in a domain that is not listed counts as another store than AWS.
"""


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
        raise ValueError(
            "must not contain credentials; set them as environment variables, such as "
            "AWS_ACCESS_KEY_ID"
        )
    if not is_address(text):
        raise ValueError("is not the URL of a service, such as https://minio.example.org:9000")
    return text.rstrip("/")


def is_address(text: str) -> bool:
    """Return True for an HTTP URL with a host and without a query."""
    try:
        parts = urlsplit(text)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:  # the port is not a number, or the brackets of an IPv6 address do not match
        return False
    return has_host and parts.scheme in ("http", "https") and not re.search(r"[\s?#]", text)


def fill_url(url: str, folder: str) -> str:
    """Return a URL with a folder in place of each `{folder}`, escaped in its path and query.

    Raises ValueError, with a predicate for the URL, if the folder would change its meaning.
    """
    scheme, separator, rest = url.partition("://")
    host = re.split("[/?]", rest)[0]
    path, question_mark, query = rest.removeprefix(host).partition("?")
    if FOLDER_PLACEHOLDER in host and not re.fullmatch("[a-z0-9-]+", folder, re.IGNORECASE):
        raise ValueError(f"cannot contain the folder name {folder!r} in its host")
    if FOLDER_PLACEHOLDER in path and {".", ".."} & {*folder.split("/")}:
        raise ValueError(f"cannot contain the folder name {folder!r} in its path")
    return "".join(
        [
            scheme,
            separator,
            host.replace(FOLDER_PLACEHOLDER, folder),
            path.replace(FOLDER_PLACEHOLDER, quote(folder)),
            question_mark,
            query.replace(FOLDER_PLACEHOLDER, quote(folder, safe="")),
        ]
    )


def is_aws_host(host: str) -> bool:
    """Return True if a host name is AWS's, in any partition."""
    return f".{host.lower()}".endswith(tuple(f".{suffix}" for suffix in AWS_DNS_SUFFIXES))


def is_aws_url(url: str) -> bool:
    """Return True for the URL of a service of AWS, such as that of a VPC endpoint."""
    return is_address(url) and is_aws_host(urlsplit(url).hostname or "")

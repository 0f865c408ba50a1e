"""The file that AWS_CA_BUNDLE names: authorities whose certificates are trusted."""

import ssl
from collections.abc import Mapping
from typing import Final

from ci3.errors import AccessError

VARIABLE: Final = "AWS_CA_BUNDLE"

UNTRUSTED_HINT: Final = (
    f"If a private certificate authority signed the certificate, set {VARIABLE} to the file with "
    "that authority's certificate. In the action, use a path relative to the workspace, such as "
    "certs/ca.pem."
)


def find_ca_bundle(environ: Mapping[str, str]) -> str:
    """Return the path of the bundle that the environment names, or ""; a blank value is none."""
    path = environ.get(VARIABLE, "")
    return path if path.strip() else ""


def make_tls_context(ca_bundle: str, setting: str = VARIABLE) -> ssl.SSLContext:
    """Return a TLS context that trusts the authorities of a bundle, and no others.

    `setting` is what names the file, for errors. Raises AccessError if it cannot be read or
    has no certificate in PEM format.
    """
    try:
        context = ssl.create_default_context(cafile=ca_bundle)
    except ssl.SSLError as exc:
        raise _make_error(
            ca_bundle, setting, "contains no valid certificate in PEM format"
        ) from exc
    except (OSError, TypeError, ValueError) as exc:  # the latter two: no path at all
        reason = getattr(exc, "strerror", None) or exc
        raise _make_error(ca_bundle, setting, f"cannot be read: {reason}") from exc
    if not context.cert_store_stats()["x509"]:
        raise _make_error(ca_bundle, setting, "contains no certificate")
    return context


def _make_error(ca_bundle: str, setting: str, predicate: str) -> AccessError:
    return AccessError(
        f"the CA bundle {ca_bundle!r} ({setting}) {predicate}",
        f"Check {setting}. In the action, only files in the workspace are available: use a path "
        "relative to it, such as certs/ca.pem. Nothing was deleted.",
    )

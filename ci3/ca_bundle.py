"""The file that AWS_CA_BUNDLE names: authorities whose certificates are trusted."""

import ssl
from collections.abc import Mapping
from typing import Final

from ci3.errors import AccessError

VARIABLE: Final = "AWS_CA_BUNDLE"

UNTRUSTED_HINT: Final = (
    "If an authority of your own signs its certificate, name the file with that authority's "
    f"certificate in {VARIABLE}; for the action, a path in the workspace, relative to it, such as "
    "certs/ca.pem."
)


def find_ca_bundle(environ: Mapping[str, str]) -> str:
    """Return the path of the bundle that the environment names, or ""; a blank value is none."""
    path = environ.get(VARIABLE, "")
    return path if path.strip() else ""


def make_tls_context(ca_bundle: str, setting: str = VARIABLE) -> ssl.SSLContext:
    """Return a TLS context that trusts the authorities of a bundle, and no others.

    `setting` is the name of what names the file. Raises AccessError if the file can't be read or
    has no certificate in PEM format.
    """
    try:
        context = ssl.create_default_context(cafile=ca_bundle)
    except ssl.SSLError as exc:
        raise _make_error(ca_bundle, setting, "has no valid certificate in PEM format") from exc
    except (OSError, TypeError, ValueError) as exc:  # the latter two: no path at all
        reason = getattr(exc, "strerror", None) or exc
        raise _make_error(ca_bundle, setting, f"can't be read: {reason}") from exc
    if not context.cert_store_stats()["x509"]:
        raise _make_error(ca_bundle, setting, "has no certificate")
    return context


def _make_error(ca_bundle: str, setting: str, predicate: str) -> AccessError:
    return AccessError(
        f"the file {ca_bundle!r}, which {setting} names, {predicate}",
        f"Check {setting}. In the action, only files in the workspace are there: name a path "
        "relative to it, such as certs/ca.pem. Nothing was deleted.",
    )

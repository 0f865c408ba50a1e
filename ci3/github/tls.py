"""Sessions of requests that trust the authorities of AWS_CA_BUNDLE too."""

from typing import Any, TypeVar

import requests
from requests.adapters import HTTPAdapter

from ci3.ca_bundle import UNTRUSTED_HINT, make_tls_context

_Session = TypeVar("_Session", bound=requests.Session)


def trust_ca_bundle(session: _Session, ca_bundle: str) -> _Session:
    """Make a session trust a bundle's authorities besides those that requests trusts; return it.

    An empty `ca_bundle` changes nothing. Raises AccessError if the file has no certificates.
    """
    if ca_bundle:
        session.mount("https://", _BundleAdapter(ca_bundle))
    return session


def find_tls_hint(exc: BaseException) -> str:
    """Return a hint for a request that failed before it was sent, or "" for other exceptions."""
    if isinstance(exc, requests.exceptions.SSLError) and "certificate" in str(exc).lower():
        return UNTRUSTED_HINT
    if isinstance(exc, OSError) and not isinstance(exc, requests.RequestException):
        return "Check that the files in REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE exist."
    return ""


class _BundleAdapter(HTTPAdapter):
    """Connects with a context of a bundle, to which requests adds the authorities it trusts.

    The bundle must not replace those: it may have only the authority of a private S3, while GitHub
    has a public one.
    """

    def __init__(self, ca_bundle: str) -> None:
        self._context = make_tls_context(ca_bundle)
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - requests'
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:  # noqa: ANN401 - requests'
        return super().proxy_manager_for(proxy, ssl_context=self._context, **kwargs)

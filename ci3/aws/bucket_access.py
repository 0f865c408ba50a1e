"""Everything a worker process needs to open a bucket as the same identity."""

from dataclasses import dataclass, field

from botocore.credentials import CredentialProvider, CredentialResolver
from botocore.credentials import Credentials as BotocoreCredentials

from ci3.aws.client import Credentials
from ci3.core.model.service_url import AddressingStyle


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketAccess:
    """A bucket as configured, the endpoint URL that this resolved to, and the access key.

    The keys are secret: they are kept out of the repr.
    """

    bucket: str
    region: str
    endpoint_url: str
    addressing_style: AddressingStyle | None
    resolved_endpoint_url: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    token: str = field(repr=False)

    def make_credentials(self) -> Credentials:
        """Return these keys as the only credentials, whatever the AWS configuration names."""
        return CredentialResolver([_FixedProvider(self)])


class _FixedProvider(CredentialProvider):
    """Provides the keys of a BucketAccess."""

    METHOD = "passed-on"

    def __init__(self, access: BucketAccess) -> None:
        super().__init__()
        self._access = access

    def load(self) -> BotocoreCredentials:
        access = self._access
        return BotocoreCredentials(
            access.access_key, access.secret_key, access.token or None, self.METHOD
        )

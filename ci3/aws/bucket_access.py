"""What it takes to open a bucket as the same identity in another Python of this run."""

from dataclasses import dataclass, field

from botocore.credentials import CredentialProvider, CredentialResolver
from botocore.credentials import Credentials as Keys

from ci3.aws.client import Credentials


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A bucket as it was asked for, the address that this came to, and the keys: never shown."""

    bucket: str
    region: str
    endpoint_url: str
    address: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    token: str = field(repr=False)

    def credentials(self) -> Credentials:
        """Give these keys to clients, and no others, whatever the AWS configuration names."""
        return CredentialResolver([_Held(self)])


class _Held(CredentialProvider):
    """Gives the keys of an opening."""

    METHOD = "passed-on"

    def __init__(self, opening: Opening) -> None:
        super().__init__()
        self._opening = opening

    def load(self) -> Keys:
        opening = self._opening
        return Keys(opening.access_key, opening.secret_key, opening.token or None, self.METHOD)

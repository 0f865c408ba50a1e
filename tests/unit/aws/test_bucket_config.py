"""What a bucket is like as a whole, read from S3's own answers."""

from datetime import date

import pytest

from ci3.aws.bucket import BucketReader
from ci3.core.doctor.facts import ObjectLock, VersioningState
from ci3.core.model.deployment import Versioning
from ci3.errors import AccessError, DeniedError
from tests.support.s3.answers import error
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy

ON = "<ObjectLockEnabled>Enabled</ObjectLockEnabled>"
GOVERNED = "<Mode>GOVERNANCE</Mode>"


@pytest.fixture
def reader(site: Bucket) -> BucketReader:
    return BucketReader(bucket=site.name, region="us-east-1", endpoint_url=site.endpoint_url)


@pytest.mark.parametrize(
    ("says", "state"),
    [
        ("", VersioningState(versioning=Versioning.DISABLED)),
        ("<Status>Enabled</Status>", VersioningState(versioning=Versioning.ENABLED)),
        ("<Status>Suspended</Status><MfaDelete>Disabled</MfaDelete>",
         VersioningState(versioning=Versioning.SUSPENDED)),
        ("<Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>",
         VersioningState(versioning=Versioning.ENABLED, has_mfa_delete=True)),
        ("<Status>Paused</Status>", VersioningState(versioning=Versioning.UNKNOWN)),
    ],
)  # fmt: skip
def test_versioning_and_mfa_are_read(proxy: FaultProxy, reader: BucketReader, says, state) -> None:
    proxy.answer("GET", "versioning", f"<VersioningConfiguration>{says}</VersioningConfiguration>")
    assert reader.read_versioning_state() == state


@pytest.mark.parametrize(
    ("says", "lock"),
    [
        (ON, ObjectLock(is_enabled=True)),
        (f"{ON}<Rule><DefaultRetention>{GOVERNED}<Days>30</Days></DefaultRetention></Rule>",
         ObjectLock(is_enabled=True, default="30 days (governance)")),
        (f"{ON}<Rule><DefaultRetention>{GOVERNED}<Years>1</Years></DefaultRetention></Rule>",
         ObjectLock(is_enabled=True, default="1 year (governance)")),
    ],
)  # fmt: skip
def test_lock_is_read(proxy: FaultProxy, reader: BucketReader, says, lock) -> None:
    body = f"<ObjectLockConfiguration>{says}</ObjectLockConfiguration>"
    proxy.answer("GET", "object-lock", body)
    assert reader.read_object_lock() == lock


def test_no_lock_is_no_error_and_a_denial_is_no_lock_less(
    proxy: FaultProxy, reader: BucketReader
) -> None:
    code = "ObjectLockConfigurationNotFoundError"
    proxy.answer("GET", "object-lock", error(code), status=404)
    assert reader.read_object_lock() == ObjectLock(is_enabled=False)
    proxy.answer("GET", "object-lock", error("AccessDenied"), status=403)
    with pytest.raises(DeniedError):
        reader.read_object_lock()


def test_rules_in_force_are_read_with_where_and_when(
    proxy: FaultProxy, reader: BucketReader
) -> None:
    def rule(*parts: str, status: str = "Enabled") -> str:
        return f"<Rule>{''.join(parts)}<Status>{status}</Status></Rule>"

    days = "<Expiration><Days>7</Days></Expiration>"
    proxy.answer("GET", "lifecycle", "<LifecycleConfiguration>" + "".join((
        rule("<ID>a</ID><Filter><Prefix>x/</Prefix></Filter>", days),
        rule("<ID>b</ID><Prefix>y/</Prefix>",
             "<Expiration><Date>2027-01-01T00:00:00Z</Date></Expiration>"),
        rule("<Filter><And><Prefix>z/</Prefix><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan>"
             "</And></Filter>", days),
        rule("<ID>d</ID><Filter/>", days, status="Disabled"),
        rule("<ID>e</ID><Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>",
             "<NoncurrentVersionExpiration><NoncurrentDays>3</NoncurrentDays>"
             "</NoncurrentVersionExpiration>"),
    )) + "</LifecycleConfiguration>")  # fmt: skip
    told = [(one.name, one.prefix, one.is_narrowed, one.expires_after_days, one.expires_on,
             one.noncurrent_days) for one in reader.read_lifecycle_rules()]  # fmt: skip
    assert told == [
        ("a", "x/", False, 7, None, None),
        ("b", "y/", False, None, date(2027, 1, 1), None),
        ("no. 3", "z/", True, 7, None, None),
        ("e", "", True, None, None, 3),
    ]


def test_rules_that_can_not_be_read_are_an_error(proxy: FaultProxy, reader: BucketReader) -> None:
    proxy.answer("GET", "lifecycle", "<LifecycleConfiguration/>")
    with pytest.raises(AccessError, match="s3://"):
        reader.read_lifecycle_rules()

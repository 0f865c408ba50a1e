"""Reading the configuration of a bucket: versioning, object lock and lifecycle rules."""

from datetime import date

import pytest

from ci3.aws.bucket import BucketReader
from ci3.core.doctor.facts import ObjectLock, VersioningState
from ci3.core.model.deployment import Versioning
from ci3.errors import AccessError, DeniedError
from tests.support.s3.answers import error
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy

ENABLED = "<ObjectLockEnabled>Enabled</ObjectLockEnabled>"
GOVERNED = "<Mode>GOVERNANCE</Mode>"


@pytest.fixture
def reader(site: Bucket) -> BucketReader:
    return BucketReader(bucket=site.name, region="us-east-1", endpoint_url=site.endpoint_url)


@pytest.mark.parametrize(
    ("content", "state"),
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
def test_versioning_and_mfa_are_read(
    proxy: FaultProxy, reader: BucketReader, content, state
) -> None:
    proxy.answer(
        "GET", "versioning", f"<VersioningConfiguration>{content}</VersioningConfiguration>"
    )
    assert reader.read_versioning_state() == state


@pytest.mark.parametrize(
    ("content", "lock"),
    [
        (ENABLED, ObjectLock(is_enabled=True)),
        (f"{ENABLED}<Rule><DefaultRetention>{GOVERNED}<Days>30</Days></DefaultRetention></Rule>",
         ObjectLock(is_enabled=True, default="30 days (governance)")),
        (f"{ENABLED}<Rule><DefaultRetention>{GOVERNED}<Years>1</Years></DefaultRetention></Rule>",
         ObjectLock(is_enabled=True, default="1 year (governance)")),
    ],
)  # fmt: skip
def test_lock_is_read(proxy: FaultProxy, reader: BucketReader, content, lock) -> None:
    body = f"<ObjectLockConfiguration>{content}</ObjectLockConfiguration>"
    proxy.answer("GET", "object-lock", body)
    assert reader.read_object_lock() == lock


def test_bucket_without_a_lock_is_no_error_and_a_denial_is(
    proxy: FaultProxy, reader: BucketReader
) -> None:
    code = "ObjectLockConfigurationNotFoundError"
    proxy.answer("GET", "object-lock", error(code), status=404)
    assert reader.read_object_lock() == ObjectLock(is_enabled=False)
    proxy.answer("GET", "object-lock", error("AccessDenied"), status=403)
    with pytest.raises(DeniedError):
        reader.read_object_lock()


def test_enabled_rules_are_read_with_prefix_and_expiration(
    proxy: FaultProxy, reader: BucketReader
) -> None:
    def format_rule(*parts: str, status: str = "Enabled") -> str:
        return f"<Rule>{''.join(parts)}<Status>{status}</Status></Rule>"

    days = "<Expiration><Days>7</Days></Expiration>"
    proxy.answer("GET", "lifecycle", "<LifecycleConfiguration>" + "".join((
        format_rule("<ID>a</ID><Filter><Prefix>x/</Prefix></Filter>", days),
        format_rule("<ID>b</ID><Prefix>y/</Prefix>",
             "<Expiration><Date>2027-01-01T00:00:00Z</Date></Expiration>"),
        format_rule("<Filter><And><Prefix>z/</Prefix><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan>"
             "</And></Filter>", days),
        format_rule("<ID>d</ID><Filter/>", days, status="Disabled"),
        format_rule("<ID>e</ID><Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>",
             "<NoncurrentVersionExpiration><NoncurrentDays>3</NoncurrentDays>"
             "</NoncurrentVersionExpiration>"),
    )) + "</LifecycleConfiguration>")  # fmt: skip
    attributes = [
        (
            rule.name,
            rule.prefix,
            rule.is_narrowed,
            rule.expires_after_days,
            rule.expires_on,
            rule.noncurrent_days,
        )
        for rule in reader.read_lifecycle_rules()
    ]
    assert attributes == [
        ("a", "x/", False, 7, None, None),
        ("b", "y/", False, None, date(2027, 1, 1), None),
        ("no. 3", "z/", True, 7, None, None),
        ("e", "", True, None, None, 3),
    ]


def test_invalid_lifecycle_configuration_is_an_error(
    proxy: FaultProxy, reader: BucketReader
) -> None:
    proxy.answer("GET", "lifecycle", "<LifecycleConfiguration/>")
    with pytest.raises(AccessError, match="s3://"):
        reader.read_lifecycle_rules()

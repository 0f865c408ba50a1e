"""Durations and sizes: what they mean, and what is none."""

import re
from datetime import timedelta

import pytest

from ci3.core.units import ByteSize, Duration


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("36h", timedelta(hours=36)),
        ("14d", timedelta(days=14)),
        ("8w", timedelta(weeks=8)),
        ("0d", timedelta(0)),
        ("014d", timedelta(days=14)),
        ("36500d", timedelta(days=36500)),
        ("876000h", timedelta(days=36500)),
    ],
)
def test_duration_is_hours_days_or_weeks(text, length):
    duration = Duration.parse(text)

    assert (duration.length, str(duration)) == (length, text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("10", "has no unit; write whole hours, days or weeks: 36h, 14d, 8w"),
        ("\uff11\uff14", "has no unit; "),
        ("-3d", "is no duration; write whole hours, days or weeks: 36h, 14d, 8w"),
        ("+3d", "is no duration; "),
        ("3 d", "is no duration; "),
        ("3 days", "is no duration; "),
        ("3D", "is no duration; "),
        ("3m", "is no duration; "),
        ("1.5d", "is no duration; "),
        ("1d12h", "is no duration; "),
        ("1_4d", "is no duration; "),
        ("1e1d", "is no duration; "),
        ("0x1d", "is no duration; "),
        ("d", "is no duration; "),
        ("\uff11\uff14d", "is no duration; "),
        ("٣d", "is no duration; "),
        ("3d\n", "is no duration; "),
        ("9999999999d", "is no duration; "),
        ("36501d", "is too long: at most 36500d"),
        ("999999w", "is too long: at most 36500d"),
        ("999999h", "is too long: at most 36500d"),
    ],
)
def test_what_is_no_duration_is_refused(text, told):
    with pytest.raises(ValueError, match=f"^{re.escape(told)}"):
        Duration.parse(text)


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("500MB", 500_000_000),
        ("100GB", 100_000_000_000),
        ("100 GB", 100_000_000_000),
        ("1.5GiB", 1_610_612_736),
        ("1kB", 1_000),
        ("1KB", 1_000),
        ("1KiB", 1_024),
        ("1kib", 1_024),
        ("2G", 2_000_000_000),
        ("2Gi", 2_147_483_648),
        ("3TB", 3 * 10**12),
        ("3TiB", 3 * 2**40),
        ("1PB", 10**15),
        ("1PiB", 2**50),
        ("0B", 0),
        ("7B", 7),
        ("1.1GB", 1_100_000_000),
        ("4.35MB", 4_350_000),
        ("0.1PB", 10**14),
        ("1.9B", 1),
        ("999999999999PB", 999999999999 * 10**15),
    ],
)
def test_size_is_exact_in_powers_of_a_thousand_or_with_an_i_of_1024(text, size_bytes):
    size = ByteSize.parse(text)

    assert (size.size_bytes, str(size)) == (size_bytes, text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("100", "has no unit; write a number with its unit: 500MB, 100GB, 1.5GiB"),
        ("0", "has no unit; "),
        ("\uff11\uff10\uff10", "has no unit; "),
        ("-1GB", "is no size; write a number with its unit: 500MB, 100GB, 1.5GiB"),
        ("1e3MB", "is no size; "),
        ("1,5GB", "is no size; "),
        ("1.GB", "is no size; "),
        (".5GB", "is no size; "),
        ("1_000GB", "is no size; "),
        ("100  GB", "is no size; "),
        ("GB", "is no size; "),
        ("100GBs", "is no size; "),
        ("100EB", "is no size; "),
        ("50%", "is no size; "),
        ("\uff11\uff10\uff10GB", "is no size; "),
        ("100\N{KELVIN SIGN}B", "is no size; "),
        ("100G\N{LATIN SMALL LETTER DOTLESS I}B", "is no size; "),
        ("9999999999999GB", "is no size; "),
    ],
)
def test_what_is_no_size_is_refused(text, told):
    with pytest.raises(ValueError, match=f"^{re.escape(told)}"):
        ByteSize.parse(text)

"""Parsing of durations and sizes."""

from datetime import timedelta

import pytest

from ci3.core.units import ByteSize, Duration
from tests.support.golden import assert_messages


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


def refuse(parse, text):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the messages are golden
        parse(text)
    return str(caught.value)


NO_DURATIONS = [
    "10",
    "\uff11\uff14",
    "-3d",
    "+3d",
    "3 d",
    "3 days",
    "3D",
    "3m",
    "1.5d",
    "1d12h",
    "1_4d",
    "1e1d",
    "0x1d",
    "d",
    "\uff11\uff14d",
    "٣d",
    "3d\n",
    "9999999999d",
    "36501d",
    "999999w",
    "999999h",
]


@pytest.mark.parametrize("text", NO_DURATIONS)
def test_invalid_duration_is_refused(text):
    assert refuse(Duration.parse, text)


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
def test_size_is_exact_in_decimal_and_binary_units(text, size_bytes):
    size = ByteSize.parse(text)

    assert (size.size_bytes, str(size)) == (size_bytes, text)


NO_SIZES = [
    "100",
    "0",
    "\uff11\uff10\uff10",
    "-1GB",
    "1e3MB",
    "1,5GB",
    "1.GB",
    ".5GB",
    "1_000GB",
    "100  GB",
    "GB",
    "100GBs",
    "100EB",
    "50%",
    "\uff11\uff10\uff10GB",
    "100\N{KELVIN SIGN}B",
    "100G\N{LATIN SMALL LETTER DOTLESS I}B",
    "9999999999999GB",
]


@pytest.mark.parametrize("text", NO_SIZES)
def test_invalid_size_is_refused(text):
    assert refuse(ByteSize.parse, text)


def test_messages_are_the_golden_ones():
    durations = [(text, refuse(Duration.parse, text)) for text in NO_DURATIONS]
    assert_messages(__file__, durations, table="durations")
    assert_messages(
        __file__, [(text, refuse(ByteSize.parse, text)) for text in NO_SIZES], table="sizes"
    )

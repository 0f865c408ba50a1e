"""The fast parser of listings returns what botocore returns, or leaves the page to botocore."""

import random
import re
from collections.abc import Callable
from urllib.parse import quote_plus

import botocore.loaders
import botocore.model
import botocore.parsers
import botocore.session
import pytest
from botocore.handlers import decode_list_object_v2

from ci3.aws.client import parse_timestamp
from ci3.aws.listing.fast_parser import OBJECTS_KEY, get_parsed_objects, split_page
from ci3.core.model.objects import StoredObject

BODIES = 10_000
AWS = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>site</Name><Prefix/>'
    "<NextContinuationToken>1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=</NextContinuationToken>"
    "<StartAfter>a&amp;b</StartAfter><KeyCount>2</KeyCount><MaxKeys>1000</MaxKeys>"
    "<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
    "<Contents><Key>4f2a9c1/assets/index+%C3%A9%2B%26.js</Key>"
    "<LastModified>2026-11-25T19:48:57.000Z</LastModified>"
    "<ETag>&quot;9dd4e461268c8034f5c8564e155c67a6&quot;</ETag>"
    "<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>"
    "<Size>4182</Size><StorageClass>STANDARD</StorageClass></Contents>"
    "<Contents><Key>4f2a9c1/index.html</Key><LastModified>2026-11-25T19:48:58.000Z</LastModified>"
    "<ETag>&quot;c4ca4238a0b923820dcc509a6f75849b-12&quot;</ETag><Size>0</Size>"
    "<StorageClass>STANDARD_IA</StorageClass></Contents></ListBucketResult>"
)
SEAWEEDFS = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>site</Name>'
    "<Prefix></Prefix><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>"
    "<Contents><Key>a/x</Key><ETag>&#34;c4ca4238a0b923820dcc509a6f75849b&#34;</ETag><Size>1</Size>"
    "<StorageClass>STANDARD</StorageClass><LastModified>2026-11-25T19:49:15Z</LastModified>"
    "</Contents><Contents><Key>a/y+z%26%C3%A9%2B</Key>"
    "<ETag>&#34;c81e728d9d4c2f636f067f89cc14862c&#34;</ETag><Size>1</Size>"
    "<StorageClass>STANDARD</StorageClass><LastModified>2026-11-25T19:49:16Z</LastModified>"
    "</Contents><EncodingType>url</EncodingType><KeyCount>2</KeyCount></ListBucketResult>"
)
CEPH = (
    '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult '
    'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>site</Name><Prefix></Prefix>'
    "<MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated><Contents><Key>a/é&amp;</Key>"
    "<LastModified>2026-11-25T19:49:15.123Z</LastModified>"
    '<ETag>"c4ca4238a0b923820dcc509a6f75849b"</ETag><Size>1</Size>'
    "<StorageClass>STANDARD</StorageClass>"
    "<Owner><ID>me</ID><DisplayName>Me</DisplayName></Owner><Type>Normal</Type></Contents>"
    "<KeyCount>1</KeyCount></ListBucketResult>"
)
MINIO = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>site</Name>'
    "<Prefix></Prefix><KeyCount>1</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>"
    "<Contents><Key>a/x%20y</Key><LastModified>2026-11-25T19:49:15.120Z</LastModified>"
    "<ETag>&#34;c4ca4238a0b923820dcc509a6f75849b&#34;</ETag><Size>1</Size>"
    "<Owner><ID>02d6176db174dc93</ID><DisplayName>minio</DisplayName></Owner>"
    "<StorageClass>STANDARD</StorageClass></Contents><EncodingType>url</EncodingType>"
    "</ListBucketResult>"
)
PAGES = (AWS, SEAWEEDFS, CEPH, MINIO)
TEXTS = (
    "é", "😀", "a b", "\u2028", "&amp;", "&lt;", "&#13;", "&#x1;", "&#xe9;", "&nope;", "&", "<",
    ">", "]]>", "\r", "\r\n", "\n", "\t", " ", "\x01", "\x0b", "\x7f", "\x85", "\ufffe", "\uffff",
    "%", "%2", "%00", "%01", "%ED%A0%80", "+", "%2B", "<!-- x -->", "<![CDATA[x]]>", "<?x y?>",
    "<b/>", "\0", "",
)  # fmt: skip
ELEMENT = re.compile(r"<([A-Za-z]+)>([^<]*)</\1>")

Change = Callable[[str, random.Random], str]


def _insert_randomly(page: str, rng: random.Random, text: str) -> str:
    position = rng.randrange(len(page) + 1)
    return page[:position] + text + page[position:]


def _replace_text(page: str, rng: random.Random) -> str:
    """Replace the text of an element."""
    match = rng.choice(list(ELEMENT.finditer(page)) or [re.search("", page)])
    if not match or not match.re.groups:
        return page
    original = match[2]
    text = rng.choice(
        [*TEXTS, original + rng.choice(TEXTS), rng.choice(TEXTS) + original, quote_plus(original),
         "0", "007", "-1", "+5", " 7 ", "1_0", "9" * 25, "true", "url", "2026-02-30T00:00:00.000Z",
         "2026-11-25T19:48:57.120Z", "2026-11-25T19:48:57.1200Z", "2026-11-25T24:00:00Z",
         "2026-11-25T19:48:57+01:00", "2026-11-25t19:48:57z", "Wed, 25 Nov 2026 19:48:57 GMT",
         "1764100137"]
    )  # fmt: skip
    return f"{page[: match.start(2)]}{text}{page[match.end(2) :]}"


def _reorder(page: str, rng: random.Random) -> str:
    """Shuffle the elements of each entry, in the same way or differently."""
    seed = rng.random()
    is_alike = rng.random() < 0.5

    def shuffle_entry(match: re.Match[str]) -> str:
        parts = re.findall(r"<([A-Za-z]+)>(.*?)</\1>", match[1], re.DOTALL)
        (random.Random(seed) if is_alike else rng).shuffle(parts)  # noqa: S311 - as below
        inside = "".join(f"<{name}>{text}</{name}>" for name, text in parts)
        return f"<Contents>{inside}</Contents>"

    return re.sub("<Contents>(.*?)</Contents>", shuffle_entry, page, flags=re.DOTALL)


def _drop_or_double(page: str, rng: random.Random) -> str:
    match = rng.choice(list(ELEMENT.finditer(page)) or [None])
    if match is None:
        return page
    times = rng.choice([0, 2])
    return page[: match.start()] + match[0] * times + page[match.end() :]


def _double_entry(page: str, rng: random.Random) -> str:
    entry = rng.choice(re.findall("<Contents>.*?</Contents>", page, re.DOTALL) or [""])
    return (
        _insert_randomly(page, rng, entry)
        if rng.random() < 0.3
        else page.replace(entry, entry * 2, 1)
    )


def _spread(page: str, rng: random.Random) -> str:
    return page.replace("><", f">{rng.choice([' ', chr(10), chr(10) + '  ', chr(13)])}<")


def _rename(page: str, rng: random.Random) -> str:
    name = rng.choice(re.findall("<([A-Za-z]+)>", page) or ["x"])
    new_name = rng.choice(["s3:" + name, "Contents", "Other", name.lower()])
    return page.replace(f"<{name}>", f"<{new_name}>").replace(f"</{name}>", f"</{new_name}>")


CHANGES: tuple[Change, ...] = (
    _replace_text,
    _replace_text,
    _replace_text,
    _reorder,
    _drop_or_double,
    _double_entry,
    _spread,
    _rename,
    lambda page, rng: _insert_randomly(page, rng, rng.choice(TEXTS)),
    lambda page, rng: page[: rng.randrange(len(page))],
    lambda page, rng: page[rng.randrange(len(page)) :],
    lambda page, _: page.replace(' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"', ""),
    lambda page, _: page.replace("<ListBucketResult ", '<s3:ListBucketResult xmlns:s3="u" '),
    lambda page, rng: page.replace("<Key>", rng.choice(['<Key a="b">', "<Key >"]), 1),
    lambda page, rng: re.sub(
        f"<({rng.choice(['Size', 'LastModified', 'ETag', 'Key'])})>([^<]*)</",
        r"<\1>\2\n\2</",
        page,
        count=1,
    ),
    lambda page, _: page.replace("<EncodingType>url</EncodingType>", ""),
    lambda page, _: page.replace("<StorageClass>STANDARD</StorageClass>", "<StorageClass/>"),
    lambda page, _: re.sub("<Contents>.*</Contents>", "", page, flags=re.DOTALL),
    lambda page, _: re.sub(r"<\?xml.*?\?>", "<!DOCTYPE html>", page),
    lambda page, _: f"<html><body>{page}</body></html>",
    lambda page, _: page.replace("<Contents>", "<Wrap><Contents>", 1) + "</Wrap>",
    lambda page, _: "\ufeff" + page,
)


@pytest.fixture(scope="module")
def shape() -> botocore.model.Shape:
    description = botocore.loaders.Loader().load_service_model("s3", "service-2")
    model = botocore.model.ServiceModel(description, "s3")
    return model.operation_model("ListObjectsV2").output_shape


def parse_with_botocore(body: bytes, shape: botocore.model.Shape) -> dict:
    """Return a page as parsed by botocore, with ci3's timestamp parser."""
    parser = botocore.parsers.ResponseParserFactory()
    parser.set_parser_defaults(timestamp_parser=parse_timestamp)
    answer = parser.create_parser("rest-xml").parse(
        {"body": body, "headers": {}, "status_code": 200}, shape
    )
    decode_list_object_v2(answer, {"encoding_type_auto_set": True})
    return answer


def to_objects(answer: dict) -> list[StoredObject]:
    return [
        StoredObject(
            key=entry["Key"],
            etag=entry.get("ETag", ""),
            size_bytes=entry["Size"],
            modified_at=entry["LastModified"],
        )
        for entry in answer.pop("Contents", ())
    ]


def compare_with_botocore(body: bytes, shape: botocore.model.Shape) -> bool:
    """Compare with botocore; return whether `split_page` could parse the page."""
    parts = split_page(body)
    if parts is None:
        return False
    rest, listed = parts
    try:
        expected = parse_with_botocore(body, shape)
    except Exception as exc:  # noqa: BLE001 - the rest must raise the same
        with pytest.raises(type(exc)):
            parse_with_botocore(rest, shape)
        return True
    actual = parse_with_botocore(rest, shape)
    listed = get_parsed_objects(actual | {OBJECTS_KEY: listed})
    assert listed is not None
    assert list(listed.to_objects()) == to_objects(expected)
    assert to_comparable(actual) == to_comparable(expected)
    return True


def to_comparable(answer: dict) -> dict:
    """Replace elements in lists with their text: botocore keeps repeated elements unparsed."""
    return {
        name: [getattr(item, "text", item) for item in value] if isinstance(value, list) else value
        for name, value in answer.items()
    }


@pytest.mark.parametrize("page", PAGES, ids=["AWS", "SeaweedFS", "Ceph", "MinIO"])
def test_pages_of_real_servers_are_parsed(page: str, shape) -> None:
    is_plain = "&amp;" not in page.partition("<Contents>")[2] and "<Type>" not in page
    assert compare_with_botocore(page.encode(), shape) is is_plain


def test_mutated_pages_are_parsed_as_by_botocore_or_left_to_it(shape) -> None:
    rng = random.Random(1)  # noqa: S311 - the same bodies in each run
    parsed_count = 0
    for _ in range(BODIES):
        page = rng.choice(PAGES)
        for _ in range(rng.choice([1, 1, 2, 3])):
            page = rng.choice(CHANGES)(page, rng)
        body = page.encode("utf-8", "surrogatepass")
        if rng.random() < 0.05:
            position = rng.randrange(len(body) + 1)
            body = body[:position] + bytes([rng.randrange(256)]) + body[position + 1 :]
        parsed_count += compare_with_botocore(body, shape)
    assert BODIES / 10 < parsed_count < BODIES * 0.9

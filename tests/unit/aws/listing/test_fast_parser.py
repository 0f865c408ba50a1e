"""The reader of listings reads what botocore reads, or leaves it to botocore."""

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


def _at(page: str, chance: random.Random, text: str) -> str:
    place = chance.randrange(len(page) + 1)
    return page[:place] + text + page[place:]


def _replace_text(page: str, chance: random.Random) -> str:
    """Give an element another text."""
    found = chance.choice(list(ELEMENT.finditer(page)) or [re.search("", page)])
    if not found or not found.re.groups:
        return page
    own = found[2]
    text = chance.choice(
        [*TEXTS, own + chance.choice(TEXTS), chance.choice(TEXTS) + own, quote_plus(own), "0",
         "007", "-1", "+5", " 7 ", "1_0", "9" * 25, "true", "url", "2026-02-30T00:00:00.000Z",
         "2026-11-25T19:48:57.120Z", "2026-11-25T19:48:57.1200Z", "2026-11-25T24:00:00Z",
         "2026-11-25T19:48:57+01:00", "2026-11-25t19:48:57z", "Wed, 25 Nov 2026 19:48:57 GMT",
         "1764100137"]
    )  # fmt: skip
    return f"{page[: found.start(2)]}{text}{page[found.end(2) :]}"


def _reorder(page: str, chance: random.Random) -> str:
    """Shuffle the elements of entries, of all alike or of each its own way."""
    seed = chance.random()
    is_alike = chance.random() < 0.5

    def shuffled(found: re.Match[str]) -> str:
        parts = re.findall(r"<([A-Za-z]+)>(.*?)</\1>", found[1], re.DOTALL)
        (random.Random(seed) if is_alike else chance).shuffle(parts)  # noqa: S311 - as below
        inside = "".join(f"<{name}>{text}</{name}>" for name, text in parts)
        return f"<Contents>{inside}</Contents>"

    return re.sub("<Contents>(.*?)</Contents>", shuffled, page, flags=re.DOTALL)


def _drop_or_double(page: str, chance: random.Random) -> str:
    found = chance.choice(list(ELEMENT.finditer(page)) or [None])
    if found is None:
        return page
    times = chance.choice([0, 2])
    return page[: found.start()] + found[0] * times + page[found.end() :]


def _double_entry(page: str, chance: random.Random) -> str:
    found = chance.choice(re.findall("<Contents>.*?</Contents>", page, re.DOTALL) or [""])
    return _at(page, chance, found) if chance.random() < 0.3 else page.replace(found, found * 2, 1)


def _spread(page: str, chance: random.Random) -> str:
    return page.replace("><", f">{chance.choice([' ', chr(10), chr(10) + '  ', chr(13)])}<")


def _rename(page: str, chance: random.Random) -> str:
    name = chance.choice(re.findall("<([A-Za-z]+)>", page) or ["x"])
    other = chance.choice(["s3:" + name, "Contents", "Other", name.lower()])
    return page.replace(f"<{name}>", f"<{other}>").replace(f"</{name}>", f"</{other}>")


CHANGES: tuple[Change, ...] = (
    _replace_text,
    _replace_text,
    _replace_text,
    _reorder,
    _drop_or_double,
    _double_entry,
    _spread,
    _rename,
    lambda page, chance: _at(page, chance, chance.choice(TEXTS)),
    lambda page, chance: page[: chance.randrange(len(page))],
    lambda page, chance: page[chance.randrange(len(page)) :],
    lambda page, _: page.replace(' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"', ""),
    lambda page, _: page.replace("<ListBucketResult ", '<s3:ListBucketResult xmlns:s3="u" '),
    lambda page, chance: page.replace("<Key>", chance.choice(['<Key a="b">', "<Key >"]), 1),
    lambda page, chance: re.sub(
        f"<({chance.choice(['Size', 'LastModified', 'ETag', 'Key'])})>([^<]*)</",
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


def parsed(body: bytes, shape: botocore.model.Shape) -> dict:
    """Read a page as botocore does, with our timestamps; raises what it raises."""
    parser = botocore.parsers.ResponseParserFactory()
    parser.set_parser_defaults(timestamp_parser=parse_timestamp)
    answer = parser.create_parser("rest-xml").parse(
        {"body": body, "headers": {}, "status_code": 200}, shape
    )
    decode_list_object_v2(answer, {"encoding_type_auto_set": True})
    return answer


def entries(answer: dict) -> list[StoredObject]:
    return [
        StoredObject(
            key=entry["Key"],
            etag=entry.get("ETag", ""),
            size_bytes=entry["Size"],
            modified_at=entry["LastModified"],
        )
        for entry in answer.pop("Contents", ())
    ]


def check(body: bytes, shape: botocore.model.Shape) -> bool:
    """Compare, and say whether the reader took the page."""
    found = split_page(body)
    if found is None:
        return False
    rest, listed = found
    try:
        whole = parsed(body, shape)
    except Exception as exc:  # noqa: BLE001 - whatever it is, the rest must bring it too
        with pytest.raises(type(exc)):
            parsed(rest, shape)
        return True
    answer = parsed(rest, shape)
    listed = get_parsed_objects(answer | {OBJECTS_KEY: listed})
    assert listed is not None
    assert list(listed.to_objects()) == entries(whole)
    assert legible(answer) == legible(whole)
    return True


def legible(answer: dict) -> dict:
    """Write out the elements that botocore gives as they are where one stands more than once."""
    return {
        name: [getattr(one, "text", one) for one in value] if isinstance(value, list) else value
        for name, value in answer.items()
    }


@pytest.mark.parametrize("page", PAGES, ids=["AWS", "SeaweedFS", "Ceph", "MinIO"])
def test_pages_of_real_servers_are_read_here(page: str, shape) -> None:
    is_plain = "&amp;" not in page.partition("<Contents>")[2] and "<Type>" not in page
    assert check(page.encode(), shape) is is_plain


def test_changed_pages_are_read_as_botocore_reads_them_or_left_to_it(shape) -> None:
    chance = random.Random(1)  # noqa: S311 - the same bodies at each run
    taken = 0
    for _ in range(BODIES):
        page = chance.choice(PAGES)
        for _ in range(chance.choice([1, 1, 2, 3])):
            page = chance.choice(CHANGES)(page, chance)
        body = page.encode("utf-8", "surrogatepass")
        if chance.random() < 0.05:
            place = chance.randrange(len(body) + 1)
            body = body[:place] + bytes([chance.randrange(256)]) + body[place + 1 :]
        taken += check(body, shape)
    assert BODIES / 10 < taken < BODIES * 0.9

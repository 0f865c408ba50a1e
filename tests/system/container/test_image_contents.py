"""The image has no unused folder, except those that are listed here with a reason."""

from tests.system.container.image import needs_image
from tests.system.container.image_contents import find_unused_folders, measure_parts

pytestmark = needs_image

IMPORTED_ON_REQUEST = {
    "boto3/dynamodb": "boto3 imports it for a resource of DynamoDB",
    "dateutil/zoneinfo": "dateutil's fallback for systems without time zones",
    "pydantic/deprecated": "pydantic imports it for names that it has retired",
    "pydantic/experimental": "pydantic imports it in its own functions",
    "urllib3/contrib/emscripten": "urllib3 imports it in a browser",
}
"""Small parts of libraries that the library itself may import."""
LIMIT_BYTES = 45_000_000


def test_every_folder_is_used_or_listed_with_a_reason():
    unused = {
        path for path in find_unused_folders() if not path.partition("/")[0].endswith("-info")
    }
    assert unused == set(IMPORTED_ON_REQUEST)


def test_size_that_ci3_adds_to_its_base_is_limited():
    assert 0 < measure_parts().total() < LIMIT_BYTES

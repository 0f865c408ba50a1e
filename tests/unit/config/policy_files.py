"""Write and read policy files for tests."""

import re
from pathlib import Path

from ci3.config.policy_file import read_policy_file
from ci3.config.targets import resolve_targets


def write(content: str | bytes) -> str:
    encoded = content.encode("utf-8") if isinstance(content, str) else content
    Path("ci3.yml").write_bytes(encoded)
    return "ci3.yml"


def resolved(content):
    return resolve_targets({}, read_policy_file(write(content)), {})


def written(given):
    return {name: setting.texts for name, setting in given.items()}


def check_place(place, line, key=""):
    """Check that a text begins with the file's name, the line and, if there is one, the key."""
    location, _, rest = place.removeprefix("ci3.yml").partition(key or ": ")
    numbers = [int(number) for number in re.findall(r"\d+", location)]
    assert place.startswith("ci3.yml")
    assert numbers[:1] == ([] if line is None else [line])
    assert not key or (key in place and not rest)

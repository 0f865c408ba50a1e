"""Write and read policy files for tests."""

import re
from pathlib import Path

from ci3.config.policy_file import read_policy_file
from ci3.config.targets import resolve_targets


def write_policy(content: str | bytes) -> str:
    encoded = content.encode("utf-8") if isinstance(content, str) else content
    Path("ci3.yml").write_bytes(encoded)
    return "ci3.yml"


def resolve_policy(content):
    return resolve_targets({}, read_policy_file(write_policy(content)), {})


def list_texts(raw_settings):
    return {name: setting.texts for name, setting in raw_settings.items()}


def check_location(location, line, key=""):
    """Check that a text begins with the file's name, the line and, if there is one, the key."""
    line_text, _, rest = location.removeprefix("ci3.yml").partition(key or ": ")
    numbers = [int(number) for number in re.findall(r"\d+", line_text)]
    assert location.startswith("ci3.yml")
    assert numbers[:1] == ([] if line is None else [line])
    assert not key or (key in location and not rest)

"""The policy file that inputs or options name; where they name none, no YAML is loaded."""

from collections.abc import Mapping

from ci3.config.resolve import Given, text_of
from ci3.config.targets import Policy


def read_named_policy(given: Mapping[str, Given]) -> Policy:
    """Read the policy file that is named, as `read_policy_file`; an empty policy if none is."""
    path = text_of(given, "policy-file")
    if not path:
        return Policy()
    from ci3.config.policy_file import read_policy_file  # noqa: PLC0415 - yaml: few runs have a policy file

    return read_policy_file(path)

"""Read the policy file that an input or option names, without importing YAML if none is named."""

from collections.abc import Mapping

from ci3.config.resolve import Given, text_of
from ci3.config.targets import Policy


def read_named_policy(overrides: Mapping[str, Given]) -> Policy:
    """Return the policy file named by a setting, or an empty one if none is named.

    Raises SettingsError as `read_policy_file` does.
    """
    path = text_of(overrides, "policy-file")
    if not path:
        return Policy()
    from ci3.config.policy_file import read_policy_file  # noqa: PLC0415 - yaml: few runs have a policy file

    return read_policy_file(path)

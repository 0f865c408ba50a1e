"""Read the policy file that an input or option names, without importing YAML if none is named."""

from collections.abc import Mapping

from ci3.config.resolve import RawSetting, raw_text
from ci3.config.targets import PolicyFile


def read_named_policy(overrides: Mapping[str, RawSetting]) -> PolicyFile:
    """Return the policy file named by a setting, or an empty one if none is named.

    Raises SettingsError as `read_policy_file` does.
    """
    path = raw_text(overrides, "policy-file")
    if not path:
        return PolicyFile()
    from ci3.config.policy_file import read_policy_file  # noqa: PLC0415 - yaml: few runs have a policy file

    return read_policy_file(path)

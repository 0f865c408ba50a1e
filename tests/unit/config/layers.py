"""Layers of settings: raw values as they come from inputs or a policy file."""

from ci3.config.resolve import RawSetting, resolve_settings
from ci3.core.model.policy import Origin


def make_inputs(**texts):
    return {
        name.replace("_", "-"): RawSetting(
            texts=(text,) if isinstance(text, str) else tuple(text),
            origin=Origin.INPUT,
            where=f"input {name.replace('_', '-')}",
        )
        for name, text in texts.items()
    }


def make_policy(**texts):
    return {
        name: RawSetting(
            texts=setting.texts, origin=Origin.POLICY_FILE, where=f"ci3.yml, line 1, {name}"
        )
        for name, setting in make_inputs(**texts).items()
    }


def resolve_inputs(**texts):
    return resolve_settings(make_inputs(**{"bucket": "my-site"} | texts))

"""Settings that differ between a saved plan and the run that applies it."""

from ci3.core.model.policy import Origin, PolicyEntry
from ci3.core.plan.policy_diff import list_changed_settings


def make_policy(**values: int | str | tuple[str, ...]) -> dict[str, PolicyEntry]:
    return {
        name.replace("_", "-"): PolicyEntry(value=value, origin=Origin.OPTION)
        for name, value in values.items()
    }


def test_settings_with_other_values_are_listed() -> None:
    saved = make_policy(keep_count=2, match="v.*", protect=("a", "b"))
    current = make_policy(protect=("a",), keep_count=3, keep_within="14d")

    assert list_changed_settings(saved, current) == (
        "keep-count 2 → 3",
        "match v.* → not set",
        "protect a, b → a",
        "keep-within not set → 14d",
    )


def test_origin_of_a_setting_makes_no_difference() -> None:
    current = {"keep-count": PolicyEntry(value=2, origin=Origin.POLICY_FILE)}

    assert list_changed_settings(make_policy(keep_count=2), current) == ()

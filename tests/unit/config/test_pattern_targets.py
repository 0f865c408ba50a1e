"""The settings of a prefix pattern, and those of each of its targets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci3.config.pattern_targets import (
    add_label,
    bind_target,
    label_folder,
    refuse_pattern,
    require_match,
    separate_journals,
)
from ci3.config.resolve import RawSetting, resolve_settings
from ci3.config.settings import Settings
from ci3.config.targets import refuse_overlaps
from ci3.core.model.policy import Origin
from ci3.errors import SettingsError

FOLDERS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=90)


def resolve(**texts: str) -> Settings:
    layer = {
        name.replace("_", "-"): RawSetting(texts=(text,), origin=Origin.INPUT, where="a test")
        for name, text in {"bucket": "site", **texts}.items()
    }
    return resolve_settings(layer)


def bind(target_prefix: str, /, **texts: str) -> Settings:
    bound = bind_target(resolve(**texts), target_prefix)
    assert bound is not None
    return bound


@pytest.mark.parametrize("prefix", ["**", "**/", "apps/**/x", "a**b", "***/"])
def test_double_star_is_refused(prefix: str) -> None:
    with pytest.raises(SettingsError):
        resolve(prefix=prefix)


@pytest.mark.parametrize("prefix", [".ci3/*", "*/.ci3/", "apps/*/.ci3/journals"])
def test_pattern_with_the_journal_folder_is_refused(prefix: str) -> None:
    with pytest.raises(SettingsError):
        resolve(prefix=prefix)


@pytest.mark.parametrize("engine", ["lifecycle", "auto"])
def test_pattern_with_lifecycle_rules_is_refused(engine: str) -> None:
    resolve(prefix="apps/shop", engine=engine)
    with pytest.raises(SettingsError):
        resolve(prefix="apps/*", engine=engine)


def test_pattern_needs_a_match() -> None:
    require_match(resolve(prefix="apps"))
    require_match(resolve(prefix="apps/*", match="[0-9]+"))
    with pytest.raises(SettingsError):
        require_match(resolve(prefix="apps/*"))


def test_pattern_is_refused_if_one_target_is_needed() -> None:
    refuse_pattern(resolve(prefix="apps"), "it is for one target")
    with pytest.raises(SettingsError):
        refuse_pattern(resolve(prefix="apps/*"), "it is for one target")


def test_placeholder_without_a_pattern_is_refused() -> None:
    resolve(prefix="*/", live_from="ssm:/{folder}/live")
    with pytest.raises(SettingsError):
        resolve(prefix="apps", live_from="ssm:/{folder}/live")


def test_pattern_is_recorded_and_a_plain_prefix_is_not() -> None:
    assert resolve(prefix="apps/*/x").recorded["prefix"].value == "apps/*/x/"
    assert "prefix" not in resolve(prefix="apps/x").recorded


def test_target_of_a_pattern_has_its_own_prefix_folder_sources_and_journal() -> None:
    bound = bind(
        "apps/shop/production/",
        prefix="apps/*/production",
        live_from="ssm:/{folder}/live\nbranches",
        journal_file="logs/ci3.jsonl",
    )
    assert (bound.prefix, bound.folder) == ("apps/shop/production/", "shop")
    assert bound.pattern == "apps/*/production/"
    assert [str(source) for source in bound.live_from] == ["ssm:/shop/live", "branches"]
    assert [source.is_of_folder for source in bound.live_from] == [True, False]
    assert bound.journal_file == "logs/ci3-shop.jsonl"
    assert bound.recorded["live-from"].value == ("ssm:/{folder}/live", "branches")


def test_prefix_that_a_pattern_does_not_match_is_not_bound() -> None:
    assert bind_target(resolve(prefix="apps/*"), "apps/a/b/") is None
    assert bind_target(resolve(prefix="apps/a"), "apps/b/") is None
    assert bind_target(resolve(), "apps/b/") is None
    settings = resolve(prefix="apps/a")
    assert bind_target(settings, "apps/a/") is settings


@pytest.mark.parametrize(
    ("source", "folder", "filled"),
    [
        ("ssm:/{folder}/live", "a/b", "ssm:/a/b/live"),
        ("object:{folder}/current", "a b?é", "object:a b?é/current"),
        ("object:live.json#{folder}.commit", "shop", "object:live.json#shop.commit"),
        ("github-deployments:{folder}", "shop", "github-deployments:shop"),
        ("url:https://x.org/{folder}/v", "a b/?#%", "url:https://x.org/a%20b/%3F%23%25/v"),
        ("url:https://{folder}.x.org/v", "shop-1", "url:https://shop-1.x.org/v"),
    ],
)
def test_folder_is_escaped_where_the_source_needs_it(source: str, folder: str, filled: str) -> None:
    bound = bind(f"{folder}/", prefix="/".join("*" * len(folder.split("/"))), live_from=source)
    assert str(bound.live_from[0]) == filled


def test_folder_is_escaped_in_a_query() -> None:
    bound = bind("a&b/", prefix="*/", live_from="url:https://x.org/v?app={folder}&x=1")
    assert bound.live_from[0].argument == "https://x.org/v?app=a%26b&x=1"


@pytest.mark.parametrize(
    ("source", "folder"),
    [
        ("ssm:/{folder}/live", "a b"),
        ("ssm:/{folder}/live", "é"),
        ("url:https://{folder}.x.org/v", "evil.example"),
        ("url:https://{folder}.x.org/v", "a@b"),
        ("url:https://x.org/{folder}/v", ".."),
        ("object:live.json#{folder}", "a[]"),
    ],
)
def test_folder_that_makes_a_source_invalid_is_an_error(source: str, folder: str) -> None:
    with pytest.raises(SettingsError):
        bind(f"{folder}/", prefix="*/", live_from=source)


@pytest.mark.parametrize(
    ("folder", "label"),
    [("shop", "shop"), ("a-b", "a-b"), ("v1.2_x", "v1.2_x"), ("a/b", "a-b~c14cddc0")],
)
def test_label_of_a_folder_is_readable(folder: str, label: str) -> None:
    assert label_folder(folder) == label


@given(st.sets(FOLDERS, min_size=2, max_size=20))
def test_labels_of_folders_are_file_names_and_differ_even_without_case(folders: set[str]) -> None:
    labels = [label_folder(folder) for folder in folders]
    assert len({label.lower() for label in labels}) == len(folders)
    assert all(len(label) <= 70 and set(label).isdisjoint("/\\:\0 ") for label in labels)


@pytest.mark.parametrize(
    ("path", "labelled"),
    [("ci3.jsonl", "ci3-shop.jsonl"), ("a.b/j", "a.b/j-shop"), ("s3://", "s3://"), ("", "")],
)
def test_label_is_added_before_the_suffix(path: str, labelled: str) -> None:
    assert add_label(path, "shop") == labelled


def test_journals_of_two_patterns_with_the_same_folder_differ() -> None:
    targets = [bind(f"{name}/shop/", prefix=f"{name}/*", journal_file="ci3.jsonl") for name in "ab"]
    names = [settings.journal_file for settings in separate_journals(targets)]
    assert names == ["ci3-shop-1.jsonl", "ci3-shop-2.jsonl"]


def test_folder_of_two_patterns_is_refused() -> None:
    first = bind("apps/shop/", prefix="apps/*", match="[0-9]+")
    overlapping = bind("apps/shop/", prefix="*/*", match="[0-9]+")
    disjoint = bind("apps/shop/", prefix="*/*", match="[a-z]+")
    refuse_overlaps([first, disjoint])
    with pytest.raises(SettingsError):
        refuse_overlaps([first, overlapping])


def test_target_in_a_deployment_of_another_pattern_is_refused() -> None:
    outer = bind("shop/", prefix="*/", match="[0-9]+|cart")
    refuse_overlaps([outer, bind("shop/other/", prefix="shop/*", match="[0-9]+")])
    with pytest.raises(SettingsError):
        refuse_overlaps([outer, bind("shop/cart/", prefix="shop/*", match="[0-9]+")])

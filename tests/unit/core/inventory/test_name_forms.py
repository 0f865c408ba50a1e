"""Which names are those of commits, numbers, pull requests, branches and asset folders."""

from collections.abc import Callable

import pytest

from ci3.core.inventory.name_forms import (
    find_number_prefix,
    has_commit,
    is_asset_folder,
    is_branch,
    is_deployment_form,
    is_pull_request,
)

FULL = "9c41e07" + "0" * 33
UUID = "3f2a9c1b-0d4e-4f5a-8b6c-7d8e9f0a1b2c"
FORMS: dict[Callable[[str], bool], tuple[tuple[str, ...], tuple[str, ...]]] = {
    has_commit: (
        ("9c41e07", FULL, "0" * 40, "web-ab12cd3", "main_AB12CD3", "v1.2.3-2-g2222222"),
        ("assets", "20261123", "1234567", "release-2.4", "defa", "ab12cd"),
    ),
    is_pull_request: (
        ("pr-12", "pr12", "PR-12", "pull-7", "mr-3", "preview-9", "pull-request-4", "pr-1-9c41e07"),
        ("pr", "preview", "prod-1", "press-12", "12", "pr-12x"),
    ),
    is_branch: (
        ("main", "develop", "staging", "main-hotfix", "feature-login", "fix-1", "release-2.4"),
        ("assets", "user-uploads", "features", "maintenance", "admin"),
    ),
    is_asset_folder: (
        (
            *("assets", "user-uploads", "static_files", "_next", ".cache", "Images"),
            *("static-2", "data-12", "images-v2", "assets-9c41e07", "release-assets", "files_2024"),
        ),
        (
            *("static-site", "admin", "media-service", "uploader", "builds", "backup-2024"),
            *("9c41e07", "build-1", "2024", "assets-web-1", ""),
        ),
    ),
    is_deployment_form: (
        (
            *("9c41e07", "ab12cd34ef", FULL, "0" * 40, "a" * 64, "v1.2.3-2-g2222222", "pr-12"),
            *("pr-12-9c41e07", "main-9c41e07", "20261123-9c41e07", "2026-11-23-9c41e07"),
            *("9C41E07", FULL.upper()),
        ),
        (
            *("20261123", "1234567", "12", "v1.2.3", "about", "main", UUID, "chunk-3f2a9c1b"),
            *("507f1f77bcf86cd799439011", "d41d8cd98f00b204e9800998ecf8427e", "9C41e07", "9c41e0"),
        ),
    ),
}


@pytest.mark.parametrize("has_form", FORMS, ids=lambda has_form: has_form.__name__)
def test_form_is_recognized_by_the_name(has_form: Callable[[str], bool]) -> None:
    expected_names, other_names = FORMS[has_form]
    names = (*expected_names, *other_names)
    assert {name for name in names if has_form(name)} == {*expected_names}


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("build-95", "build-"),
        ("build-95-hotfix", "build-"),
        ("v1.2.3", ""),
        ("1.2.3-rc1", ""),
        ("v2.0.0-beta.2", ""),
        ("v1.2.3-2-g2222222", ""),
        ("2026-11-02", ""),
        ("3d-models", None),
        ("2024-archive", None),
        ("assets", None),
    ],
)
def test_text_before_a_version_is_its_prefix(name: str, prefix: str | None) -> None:
    assert find_number_prefix(name) == prefix


@pytest.mark.parametrize("text", ["1", "1234", "a1", "-1-g", "pr-1", "v1."])
@pytest.mark.parametrize("separator", ["-", ".", ""])
def test_long_name_takes_no_exponential_time(text: str, separator: str) -> None:
    name = f"1{separator}{separator.join([text] * 100)}!"
    for has_form in FORMS:
        has_form(name)
    assert find_number_prefix(name) is None

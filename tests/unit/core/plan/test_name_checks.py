"""Refusals for folders that are probably not one deployment each."""

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ci3.core.model.decision import Decision, ReasonCode
from ci3.core.model.issues import RefusalCode
from ci3.core.plan.name_checks import (
    find_mixed_names,
    find_name_refusals,
    find_nested_deployments,
)
from tests.support.builders import (
    deployment,
    empty_deployment,
    kept,
    marker_only_deployment,
    to_delete,
)

UUIDS = ("3f2a9c1b-0d4e-4f5a-8b6c-7d8e9f0a1b2c", "00000000-1111-4222-8333-444444444444")
COMMITS = tuple(f"{digit * 6}a" for digit in "12345678")
FULL = tuple(digit * 39 + "f" for digit in "12345678")
PULL_REQUESTS = tuple(f"pr-{number}" for number in range(1, 9))
DESCRIBED = ("v1.2.3-1-g1111111", "v1.2.3-2-g22ab222", "v1.2.4-12-g3c3d3e3")

MIXED: dict[str, tuple[Sequence[str], set[str]]] = {
    "shared folders": ((*FULL, "assets", "user-uploads"), {"assets", "user-uploads"}),
    "short commits": ((*COMMITS, "assets"), {"assets"}),
    "a release": ((*FULL, "release-1"), {"release-1"}),
    "a year": ((*FULL, "2024"), {"2024"}),
    "an alias": (("v1.2.0", "v1.3.0", "v2.0.0", "latest"), {"latest"}),
    "builds": (("build-9", "build-10", "images"), {"images"}),
    "half": ((*FULL[:2], "assets", "images"), {"assets", "images"}),
    "previews": (("main", "feature-login", *PULL_REQUESTS[:3], "assets"), {"assets"}),
    "git describe": ((*DESCRIBED, "v1.2.3", "assets"), {"assets"}),
    "pull requests next to commits": ((*FULL, "pr-1"), {"pr-1"}),
    "dates": (("2026-11-02", "2026-11-03", "backup"), {"backup"}),
    "a year next to pull requests": (("main", *PULL_REQUESTS, "2024"), {"2024"}),
    "numbers next to pull requests": (
        ("main-2", *PULL_REQUESTS, "backup-2024", "static-2", "jquery-3.7.1", "2"),
        {"backup-2024", "static-2", "jquery-3.7.1", "2"},
    ),
    "a backup": ((*(f"build-{n}" for n in range(1, 11)), "backup-2024"), {"backup-2024"}),
    "a library": ((*(f"v1.{n}.0" for n in range(8)), "fontawesome5.15.4"), {"fontawesome5.15.4"}),
    "a page next to dates": (("2026-11-02", "2026-11-03", "404"), {"404"}),
    "a major version": (("v1.2.3", "v1.3.0", "v1"), {"v1"}),
    "assets of a commit": (
        (*(f"main-{name}" for name in COMMITS), "assets-9c41e07"),
        {"assets-9c41e07"},
    ),
    "mostly assets": ((*FULL[:2], "assets", "images", "fonts"), {"assets", "images", "fonts"}),
    "SHA-256 digests": (("a" * 64, "0b" * 32, "assets"), {"assets"}),
    "a SHA-256 digest": ((*COMMITS, "main-" + "0b" * 32, "assets"), {"assets"}),
    "UUIDs": ((*UUIDS, "assets"), {"assets"}),
    "upper-case commits": (("9C41E07", "AB12CD3", "1234567", "assets"), {"assets"}),
    "commits of digits only": (("1234567", "2345678", "9c41e07", "assets"), {"assets"}),
}
ALIKE: dict[str, Sequence[str]] = {
    "none": (),
    "a single one": ("9c41e07",),
    "commits": FULL,
    "short and full commits": (*COMMITS, *FULL, "1234567"),
    "main next to pull requests": ("main", *PULL_REQUESTS),
    "branches next to pull requests": ("main", "develop", "feature-login", *PULL_REQUESTS),
    "more branches than pull requests": ("main", "develop", "staging", "fix-1", "pr-1", "pr-2"),
    "numbers next to pull requests": (*PULL_REQUESTS, "main-2", "docs-1", "main-9c41e07"),
    "issues and commits": (*PULL_REQUESTS, "ABC-123", "alice-fix_12", "9c41e07"),
    "other pull requests": (*PULL_REQUESTS, "preview-3", "pr-9-9c41e07"),
    "describe names next to tags": (*DESCRIBED, "v1.2.3", "v1.2.4"),
    "a describe name next to tags": ("v1.2.3", "v1.2.4", "v1.3.0", DESCRIBED[0]),
    "pre-releases": ("v1.2.0", "v1.3.0-rc.1", "v1.3.0", "2.0.0-beta2", "v2.0"),
    "commits of branches": (*COMMITS, "main-9c41e07", "20261123-ab12cd3"),
    "years": ("2023", "2024", "2025"),
    "words": ("blue", "green", "red"),
    "only asset folders": ("assets", "images", "_next"),
    "applications": (*(f"web-{name}" for name in COMMITS), *(f"api-{name}" for name in COMMITS)),
    "data sets": ("data-1", "data-2", "data-3"),
}
# Asset folders without a short `match`: some other folder has a name of another form.
WITHOUT_MATCH: dict[str, tuple[Sequence[str], set[str]]] = {
    "one commit": ((FULL[0], "assets"), {"assets"}),
    "words": (("blue", "green", "_next"), {"_next"}),
    "nanoids": (
        ("v1stgxr8z5", "jxhi6bmqyq", "4fq0dd13ax", "zz9xr1kq0a", "0abcxhijkl", "user-uploads"),
        {"user-uploads"},
    ),
    "hosts": (("my-app-8xkq02a1z", "my-app-j3himy6b2", "static-2"), {"static-2"}),
    "many kinds": (
        (*COMMITS, *(f"{word}-9c41e07" for word in ("main", "dev", "x", "y", "z")), "assets"),
        {"assets"},
    ),
    "many branches": ((*PULL_REQUESTS, "main", "dev", "feature-a", "fix-b", "assets"), {"assets"}),
    "an application that is called so": (
        (*(f"web-{name}" for name in COMMITS), *(f"assets-{name}" for name in COMMITS)),
        {f"assets-{name}" for name in COMMITS},
    ),
}


@pytest.mark.parametrize("case", MIXED)
def test_folder_named_unlike_the_others_is_returned(case: str) -> None:
    names, expected = MIXED[case]
    mixed_names = find_mixed_names(names, names)
    assert mixed_names is not None
    assert {*mixed_names.names} == expected
    assert mixed_names.refusal.code is RefusalCode.MIXED_NAMES


@pytest.mark.parametrize("case", MIXED)
def test_suggested_match_matches_exactly_the_others(case: str) -> None:
    names, expected = MIXED[case]
    mixed_names = find_mixed_names(names, names)
    assert mixed_names is not None
    assert {name for name in names if not re.fullmatch(mixed_names.match, name)} == expected


@pytest.mark.parametrize("case", WITHOUT_MATCH)
def test_asset_folder_is_returned_without_a_match(case: str) -> None:
    names, expected = WITHOUT_MATCH[case]
    mixed_names = find_mixed_names(names, names)
    assert mixed_names is not None
    assert {*mixed_names.names} == expected
    assert mixed_names.match == ""
    assert find_mixed_names(names, {*names} - expected) is None


def test_asset_folder_between_two_kinds_of_deployments_is_returned() -> None:
    builds = [f"build-{number}" for number in range(8)]
    mixed_names = find_mixed_names([*builds, *COMMITS, "assets"], {"assets"})
    assert mixed_names is not None
    assert mixed_names.names == ("assets",)


@pytest.mark.parametrize("case", ALIKE)
def test_folders_of_one_kind_are_not_mixed(case: str) -> None:
    assert find_mixed_names(ALIKE[case], ALIKE[case]) is None


@pytest.mark.parametrize("code", [ReasonCode.PROTECTED, ReasonCode.LIVE, ReasonCode.CURRENT_COMMIT])
def test_pinned_folder_is_no_risk(code: ReasonCode) -> None:
    assert refuse(kept(deployment("release-1", 9), code)) == []


def test_folder_that_neither_counts_nor_is_deleted_is_no_risk() -> None:
    uploading = kept(marker_only_deployment("assets", 0), ReasonCode.IN_PROGRESS)
    assert refuse(uploading, kept(empty_deployment("css"), ReasonCode.NO_OBJECTS)) == []


def test_folder_alone_in_its_group_is_no_risk() -> None:
    alone = replace(kept(deployment("assets", 9)), group="assets")
    assert refuse(alone) == []
    assert refuse(alone, replace(kept(deployment("css", 9)), group="assets")) != []


@pytest.mark.parametrize(
    "decision",
    [
        to_delete(deployment("assets", 9)),
        kept(deployment("assets", 0)),
        kept(deployment("assets", 0), ReasonCode.AMBIGUOUS_AGE),
        to_delete(marker_only_deployment("assets", 9)),
    ],
)
def test_folder_that_counts_or_is_deleted_refuses(decision: Decision) -> None:
    assert refuse(decision) == [RefusalCode.MIXED_NAMES]


def refuse(*decisions: Decision) -> list[RefusalCode]:
    """Return the refusals of the decisions next to those about three commits."""
    commits = [kept(deployment(name, days)) for days, name in enumerate(FULL[:3], 1)]
    return [refusal.code for refusal in find_name_refusals([*commits, *decisions], "")]


@pytest.mark.parametrize(
    ("subfolders", "prefix", "suggested"),
    [
        ({"admin": ("9c41e07", "ab12cd3"), "api": ()}, "", ["prefix: admin/."]),
        (
            {"api": ("9c41e07", "ab12cd3"), "admin": ("pr-1", "pr-2")},
            "apps/",
            ["apps/admin/, apps/api/", "apps/*/"],
        ),
        ({"feature": ("login/9c41e07", "login/ab12cd3")}, "", ["prefix: feature/login/."]),
        (
            {"apps": ("api/9c41e07", "web/ab12cd3")},
            "x/",
            ["x/apps/api/, x/apps/web/", "x/apps/*/"],
        ),
        ({"a": ("9c41e07", "ab12cd3"), "b": ("c/9c41e07", "c/ab12cd3")}, "", ["a/, b/c/"]),
    ],
)
def test_nested_deployments_suggest_the_folders_that_hold_them(subfolders, prefix, suggested):
    (refusal,) = find_nested_deployments(subfolders, prefix)
    assert refusal.code is RefusalCode.NESTED_DEPLOYMENTS
    assert all(text in refusal.message for text in suggested)
    assert ("*/" in refusal.message) == any("*" in text for text in suggested)


@pytest.mark.parametrize("code", [ReasonCode.PROTECTED, ReasonCode.LIVE, ReasonCode.CURRENT_COMMIT])
def test_pinned_folder_may_hold_several_deployments(code: ReasonCode) -> None:
    folder = replace(deployment("posts", 1), subfolders=("3f2a9c1b", "9e2b11aa"))
    codes = {refusal.code for refusal in find_name_refusals([kept(folder)], "")}
    assert codes == {RefusalCode.NESTED_DEPLOYMENTS}
    assert [*find_name_refusals([kept(folder, code)], "")] == []


@pytest.mark.parametrize("subfolders", [{}, {"admin": ()}, {"admin": ("9c41e07",), "api": ()}])
def test_fewer_than_two_subfolders_refuse_nothing(subfolders) -> None:
    assert [*find_nested_deployments(subfolders, "")] == []


def make_hex(minimum: int, maximum: int) -> st.SearchStrategy[str]:
    text = st.text("0123456789abcdef", min_size=minimum, max_size=maximum)
    return text.filter(lambda digits: re.search("[a-f]", digits) is not None)


KINDS = st.sampled_from([
    make_hex(40, 40),
    make_hex(7, 12),
    make_hex(64, 64),
    st.uuids().map(str),
    make_hex(7, 12).map(str.upper),
    st.integers(1, 999).map("build-{}".format),
    st.integers(1, 999).map("pr-{}".format),
    st.tuples(*[st.integers(0, 30)] * 3).map(lambda parts: "v{}.{}.{}".format(*parts)),
    st.dates().map(str),
])  # fmt: skip
SHARED = st.sampled_from(["assets", "user-uploads", "images", "shared", "fonts", "legacy-site"])


@given(data=st.data(), shared=st.sets(SHARED, min_size=1, max_size=3))
def test_shared_folders_next_to_deployments_of_any_kind_refuse(data, shared: set[str]) -> None:
    kind = data.draw(KINDS)
    names = data.draw(st.sets(kind, min_size=4, max_size=12))
    shuffled = data.draw(st.permutations([*names, *shared]))
    mixed_names = find_mixed_names(shuffled, shuffled)
    assert mixed_names is not None
    assert {*mixed_names.names} == shared
    matching = {name for name in shuffled if re.fullmatch(mixed_names.match, name)}
    assert matching == names
    assert find_mixed_names([*matching], matching) is None


@given(data=st.data())
def test_deployments_of_one_kind_refuse_nothing(data) -> None:
    names = data.draw(st.lists(data.draw(KINDS), max_size=12, unique=True))
    assert find_mixed_names(names, names) is None


@given(data=st.data(), names=st.lists(st.text(min_size=1, max_size=12), max_size=8, unique=True))
def test_result_depends_on_neither_order_nor_safe_names(data, names: list[str]) -> None:
    names += data.draw(st.lists(data.draw(KINDS), max_size=5, unique=True))
    assume(len({*names}) == len(names))
    mixed_names = find_mixed_names(names, names)
    assert find_mixed_names(data.draw(st.permutations(names)), names) == mixed_names
    assert find_mixed_names(names, ()) is None
    if mixed_names is not None:
        risky = data.draw(st.sets(st.sampled_from(mixed_names.names), min_size=1))
        narrowed = find_mixed_names(names, risky)
        assert narrowed is not None
        assert {*narrowed.names} == risky

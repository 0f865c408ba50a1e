"""Subfolders that are named like deployments, in the summary of a listing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci3.core.inventory.subfolders import (
    ENOUGH_SUBFOLDERS,
    find_deployment_subfolders,
    join_subfolders,
    may_hold_deployments,
)
from ci3.core.inventory.summary import SummaryBuilder, summarize_folder, to_sorted_columns
from tests.support.builders import make_object

A, B, C = "9c41e07", "ab12cd3", "deadbee"
UUID = "3f2a9c1b-0d4e-4f5a-8b6c-7d8e9f0a1b2c"
NESTED = {
    "commits": ("admin", [f"{A}/index.html", f"{B}/index.html"], (A, B)),
    "full commits": ("api", [f"{'0' * 40}/a", f"{'1' * 40}/a"], ("0" * 40, "1" * 40)),
    "digits only": ("api", ["1111111/a", "2222222/a"], ("1111111", "2222222")),
    "two levels": ("feature", [f"login/{A}/a", f"login/{B}/a"], (f"login/{A}", f"login/{B}")),
    "three levels": ("apps", [f"web/eu/{A}/a", f"web/eu/{B}/a"], (f"web/eu/{A}", f"web/eu/{B}")),
    "different parents": ("apps", [f"api/{A}/a", f"web/{B}/a"], (f"api/{A}", f"web/{B}")),
    "pull requests": ("previews", ["pr-1/a", "pr-2/a"], ("pr-1", "pr-2")),
    "git describe": ("docs", ["v1.2.3-2-g2222222/a", "v1.2.3-3-g3333333/a"],
                     ("v1.2.3-2-g2222222", "v1.2.3-3-g3333333")),
    "upper-case commits": ("api", [f"{A.upper()}/a", f"{B.upper()}/a"], (A.upper(), B.upper())),
    "regions": ("us-east-1", [f"{A}/a", f"{B}/a"], (A, B)),
    "customers": ("customer-7", [f"{A}/a", f"{B}/a"], (A, B)),
    "deep previews with commits": ("web", [f"x/preview-1-{A}/a", f"x/preview-2-{B}/a"],
                                   (f"x/preview-1-{A}", f"x/preview-2-{B}")),
    "branches with commits": ("web", [f"main-{A}/a", f"develop-{B}/a"],
                              (f"develop-{B}", f"main-{A}")),
    "only the first": ("admin", [f"{A}/a", f"{B}/a", f"{C}/a"], (A, B)),
    "empty folder objects": ("admin", [f"{A}/", f"{B}/"], (A, B)),
    "next to files": ("admin", ["index.html", "css/a", f"x/readme/{A}/a", f"{B}/a"],
                     (B, f"x/readme/{A}")),
}  # fmt: skip
QUIET = {
    "dates": ("2024", ["01/a", "02/a", f"{A}/a", f"{B}/a"]),
    "a commit": (C, [f"{A}/a", f"{B}/a"]),
    "a pull request": ("pr-7", [f"{A}/a", f"{B}/a"]),
    "a year": ("2024", [f"{A}/a", f"{B}/a"]),
    "a major version": ("v1", [f"{A}/a", f"{B}/a"]),
    "pictures": ("production", ["templates/preview-1/a", "templates/preview-2/a"]),
    "a version": ("v1.2.3", [f"{A}/a", f"{B}/a"]),
    "hashed assets": ("main", ["assets/3f2a9c1b/app.js", "assets/9d8e7f6a/app.js"]),
    "hashed assets in a shared folder": ("assets", ["3f2a9c1b/app.js", "9d8e7f6a/app.js"]),
    "build IDs": ("main", [f"_next/static/{A}/a.js", f"_next/static/{B}/a.js"]),
    "webpack": ("blue", ["static/js/3f2a9c1b/a.js", "static/js/9d8e7f6a/a.js"]),
    "vite": ("blue", ["dist/assets/3f2a9c1b/a.js", "dist/9d8e7f6a/a.js"]),
    "users": ("user-uploads", ["alice/a", "bob/a", "3f2a9c1b/a", "9d8e7f6a/a"]),
    "user names": ("people", ["alice/a", "bob/a", f"{UUID}/a", f"{UUID[::-1]}/a"]),
    "object IDs": ("shop", ["507f1f77bcf86cd799439011/a", "507f191e810c19729de860ea/a"]),
    "page numbers": ("main", ["articles/1234567/a", "articles/7654321/a", "12/a", "13/a"]),
    "days": ("main", ["20261123/a", "20261124/a", "2026/11/23/a", "2026/11/24/a"]),
    "versions of docs": ("main", ["docs/v1.0/a", "docs/v1.1/a"]),
    "a single commit": ("admin", [f"{A}/a", f"{A}/b", f"{A}/{B}/c"]),
    "four levels": ("apps", [f"a/b/c/{A}/x", f"a/b/c/{B}/x"]),
    "files": ("admin", [A, B]),
    "nothing": ("admin", []),
}


def summarize(name: str, paths: list[str]) -> tuple[str, ...]:
    objects = [make_object(f"site/{name}/{path}") for path in paths]
    return summarize_folder(name, f"site/{name}/", objects).subfolders


@pytest.mark.parametrize("case", NESTED)
def test_folder_that_holds_deployments_has_two_subfolders(case: str) -> None:
    name, paths, expected = NESTED[case]
    assert summarize(name, paths) == expected


@pytest.mark.parametrize("case", QUIET)
def test_other_folders_have_fewer_than_two_subfolders(case: str) -> None:
    name, paths = QUIET[case]
    assert len(summarize(name, paths)) < ENOUGH_SUBFOLDERS


@pytest.mark.parametrize(
    ("name", "may_hold"),
    [
        ("admin", True),
        ("app1", True),
        ("build-95", True),
        ("v1", False),
        ("2024", False),
        (A, False),
    ],
)
def test_folder_named_like_a_deployment_holds_no_deployments(name: str, may_hold: bool) -> None:
    assert may_hold_deployments(name) is may_hold


PATHS = st.lists(
    st.sampled_from([A, B, C, "pr-1", "css", "assets", "login", "index.html"]),
    min_size=1,
    max_size=5,
).map("/".join)


@given(paths=st.lists(PATHS, max_size=20, unique=True), cut=st.integers(0, 20))
def test_listing_in_parts_shows_the_same(paths: list[str], cut: int) -> None:
    objects = sorted((make_object(f"web/{path}") for path in paths), key=lambda item: item.key)
    complete, first = SummaryBuilder("web/"), SummaryBuilder("web/")
    second = SummaryBuilder("web/", is_first_part=False)
    for builder, part in ((complete, objects), (first, objects[:cut]), (second, objects[cut:])):
        builder.add_objects(to_sorted_columns(part))
    first.append_part(second)
    assert first.build_summary() == complete.build_summary()


@given(paths=st.lists(PATHS, max_size=20, unique=True))
def test_shown_paths_are_folders_of_the_listing(paths: list[str]) -> None:
    keys = sorted(f"web/{path}" for path in paths)
    subfolders = find_deployment_subfolders(keys, "web/")
    for path in subfolders:
        assert any(key.startswith(f"web/{path}/") for key in keys)
    assert join_subfolders(subfolders, subfolders) == subfolders

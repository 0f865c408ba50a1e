"""Which folder names match a reference: by commit, number, branch, tag, and before a commit."""

import pytest

from ci3.core.live.references import Reference

COMMIT = "4f1c2d3e5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d"
LONG_BRANCH = "feature/login-page-with-single-sign-on"


def make_commit_reference(text: str) -> Reference:
    return Reference.from_git_ref("", text)


@pytest.mark.parametrize(
    "name",
    [
        COMMIT,
        COMMIT[:7],
        COMMIT[:12],
        COMMIT.upper(),
        f"{COMMIT}0123",
        f"web-{COMMIT}",
        f"{COMMIT[:7]}-web",
        f"2026.11.02_{COMMIT[:9]}",
        f"pr 12 ({COMMIT[:10]})",
        f"ü{COMMIT[:7]}",
        f"Web_{COMMIT[:7].upper()}!",
        f"a-{COMMIT[:7]}\n",
        f"v1.2.3-2-g{COMMIT[:7]}",
        f"v1.2.3-2-g{COMMIT[:12]}-dirty",
        f"web_G{COMMIT[:7].upper()}",
        f"g{COMMIT}",
    ],
)
def test_name_has_the_commit_if_a_part_of_it_is_its_beginning(name):
    assert make_commit_reference(COMMIT).has_commit(name)
    assert make_commit_reference(COMMIT).matches(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "-",
        COMMIT[:6],
        COMMIT[1:],
        COMMIT[:7].replace("4", "5", 1),
        f"{COMMIT[:39]}c",
        f"{COMMIT[:7]}z",
        f"v{COMMIT}",
        f"{COMMIT[:4]}-{COMMIT[4:]}",
        f"web{COMMIT[:7]}",
        f"g{COMMIT[:6]}",
        f"gg{COMMIT[:7]}",
        f"v1.2.3-2-g{COMMIT[1:8]}",
        "latest",
    ],
)
def test_near_miss_does_not_have_the_commit(name):
    assert not make_commit_reference(COMMIT).matches(name)


@pytest.mark.parametrize(
    ("name", "text", "is_match"),
    [
        (COMMIT, COMMIT[:7], True),
        (COMMIT, COMMIT[:6], False),
        (COMMIT, "", False),
        ("", "", False),
        (COMMIT, COMMIT.upper(), True),
        ("release-1", "release-1", True),
        ("releases", "release", False),
        ("release-1", "Release-1", False),
        (f"v1.2.3-2-g{COMMIT[:7]}", COMMIT[:10], True),
        (COMMIT, f"v1.2.3-2-g{COMMIT[:7]}", True),
        (f"web-{COMMIT[:9]}", f"release/1-2-g{COMMIT[:7]}-dirty", True),
        (COMMIT, f"G{COMMIT[:7]}", True),
        (COMMIT, f"v1.2.3-2-g{COMMIT[1:8]}", False),
        (COMMIT, f"web-{COMMIT}", False),
        (f"web-{COMMIT}", f"web-{COMMIT}", True),
        (COMMIT, f"stable {COMMIT[:7]}", False),
        (COMMIT, f"x 1-2-g{COMMIT[:7]}", False),
        ("pr-12", "pr-12", True),
        ("12", "pr-12", False),
        (COMMIT, f"{COMMIT[:7]}-canary", True),
        (COMMIT, f"{COMMIT[:9]}.zip", True),
        (f"web-{COMMIT}", f"{COMMIT[:7]}_2", True),
        (f"{COMMIT[:7]}-canary", f"{COMMIT[:7]}-canary", True),
        (COMMIT, f"{COMMIT[:6]}-canary", False),
        (COMMIT, f"x{COMMIT[:7]}-canary", False),
    ],
)
def test_text_of_a_pointer_is_a_folder_a_commit_or_a_describe_name(name, text, is_match):
    assert Reference.from_text(text).matches(name) is is_match


@pytest.mark.parametrize(
    "name",
    ["pr-12", "pr12", "PR-12", "pr_12", "Pr.12", "pull-12", "pull12", "mr-12", "MR12", "preview-12",
     "preview12", "preview_12", "12", "-12-", "pr-012", "PR #12"],
)  # fmt: skip
def test_name_is_the_number_of_a_pull_request(name):
    reference = Reference(pull_request=12)

    assert reference.describe_match(name).endswith("#12")
    assert not reference.describe_before_commit(name)


@pytest.mark.parametrize(
    "name",
    ["pr-1", "pr-120", "pr-112", "1-2", "v12", "pr-12-web", "web-pr-12", "pr-12-3", "issue-12",
     "xpr-12", "release-12", "12.0", "", "pr", "pr-", "١٢"],
)  # fmt: skip
def test_other_number_or_text_is_no_pull_request(name):
    assert not Reference(pull_request=12, commits=(COMMIT,)).matches(name)


def test_number_that_is_too_long_is_no_pull_request():
    assert not Reference(pull_request=12).matches(f"pr-{'9' * 5000}")
    assert not Reference(pull_request=12).matches("12" * 3000)


@pytest.mark.parametrize(
    ("ref", "matching", "others"),
    [
        (
            "feature/login",
            ["feature-login", "feature_login", "Feature.Login", "feature--login", "-feature-login-",
             "feature/login"],
            ["feature", "login", "feature-login-2", "feature-logi", "x-feature-login",
             "featurelogin", ""],
        ),
        ("feature-login", ["feature-login", "feature_login"], ["feature-login-2"]),
        ("main", ["main", "MAIN", "_main"], ["mai", "main-2", "mainline", "develop"]),
        ("release/v1.2", ["release-v1-2", "release-v1.2"], ["release-v1-20", "v1.2"]),
        ("12", ["12", "-12"], ["pr-12", "012", "1", "123"]),
        ("pr-12", ["pr-12", "pr_12"], ["12", "pr-1", "pull-12", "pr12"]),
        ("日本", ["日本"], ["", "-", "_", "中国", "main"]),
        ("größe", ["größe", "gr-e", "GRÖßE"], ["grosse", "gr"]),
        (
            LONG_BRANCH,
            ["feature-login-page-with-single-sign-on", "feature-login-page-with-single-sign-o",
             "feature-login-page-w", "feature_login_page_with"],
            ["feature-login-page", "feature-login-page-", "feature-login-page-without",
             "feature-login-page-with-single-sign-on-2"],
        ),
        ("feature/of-the-year/2026", ["feature-of-the-year", "feature-of-the-year-2"],
         ["feature-of-the-yea", "feature-of-the-year-3"]),
        ("a" * 70, ["a" * 70, "a" * 63, "a" * 20], ["a" * 19, "a" * 71, "a"]),
        ("exactly-twenty-chars", ["exactly-twenty-chars"], ["exactly-twenty-char"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["branches", "tags"])
def test_name_is_a_branch_or_tag_or_its_slug(kind, ref, matching, others):
    reference = Reference(**{kind: (ref,)})

    assert [name for name in (*matching, *others) if reference.matches(name)] == matching


@pytest.mark.parametrize("tag", ["v1.2.0", "V1.2.0", "refs/tags/v1.2.0"])
def test_tag_matches_as_a_branch_does_and_does_not_precede_a_commit(tag):
    reference = Reference.from_git_ref(tag, COMMIT)

    assert [name for name in ("v1.2.0", "v1-2-0", "v1_2_0", "v1.2.00", "v1.2") if
            reference.matches(name)] == ["v1.2.0", "v1-2-0", "v1_2_0"]  # fmt: skip
    is_full = tag.startswith("refs/")
    assert bool(reference.describe_before_commit("v1.2.0-1111111")) is not is_full


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pr-12-1111111", "#12"),
        ("PR_12_1111111", "#12"),
        ("12-1111111", "#12"),
        ("preview-12.g1111111", "#12"),
        ("pr-12-1111111-web", "#12"),
        (f"mr12--{COMMIT}", "#12"),
        ("feature-login-1111111", "feature/login"),
        ("Feature_Login_ABCDEF0", "feature/login"),
        ("main-1111111-2222222", "main-1111111"),
        ("pr-13-1111111", ""),
        ("pr-12-111111", ""),
        ("pr-12-11111g1", ""),
        ("pr-12-web-1111111", ""),
        ("web-pr-12-1111111", ""),
        ("pr-12", ""),
        ("feature-login-page-1111111", ""),
        ("feature-1111111", ""),
        ("v1-1111111", ""),
        ("1111111", ""),
        ("-1111111", ""),
    ],
)
def test_number_or_branch_before_a_commit(name, value):
    branches = ("feature/login", "main-1111111")
    reference = Reference(pull_request=12, branches=branches, tags=("v1",))

    assert reference.describe_before_commit(name).rpartition(" ")[2] == value
    assert not (value and reference.matches(name))


def test_branch_without_ascii_letters_is_found_before_a_commit():
    reference = Reference(branches=("日本", "größe", "_"))

    for name in ("日本-1111111", "日本--1111111", "größe-1111111", "gr-e-1111111", "_-1111111"):
        assert reference.describe_before_commit(name)
    assert not reference.describe_before_commit("本-1111111")


def test_truncated_slug_is_found_before_a_commit():
    reference = Reference(branches=(LONG_BRANCH,))

    assert reference.describe_before_commit("feature-login-page-w-1111111")
    assert not reference.describe_before_commit("feature-login-page-1111111")


@pytest.mark.parametrize(
    ("ref", "expected"),
    [
        ("", Reference(commits=(COMMIT,))),
        (COMMIT, Reference(commits=(COMMIT,))),
        (COMMIT[:9].upper(), Reference(commits=(COMMIT,))),
        ("main", Reference(commits=(COMMIT,), branches=("main",))),
        ("4f1c", Reference(commits=(COMMIT,), branches=("4f1c",))),
        ("refs/heads/a/b", Reference(commits=(COMMIT,), branches=("a/b",))),
        ("refs/tags/v1", Reference(commits=(COMMIT,), tags=("v1",))),
        ("refs/pull/12/merge", Reference(commits=(COMMIT,), pull_request=12)),
        ("refs/pull/12/head", Reference(commits=(COMMIT,), pull_request=12)),
        ("12/merge", Reference(commits=(COMMIT,), pull_request=12)),
        ("deadbee", Reference(commits=(COMMIT,), branches=("deadbee",))),
    ],
)
def test_git_ref_is_a_branch_tag_pull_request_or_the_commit(ref, expected):
    assert Reference.from_git_ref(ref, COMMIT) == expected


@pytest.mark.parametrize(
    ("reference", "likely", "unlikely"),
    [
        (
            Reference(commits=(COMMIT,), branches=("main",)),
            ["ab12cd3", "web-ab12cd3", "v1-2-gab12cd3", "main-ab12cd3"],
            ["main", "pr-12", "12", "20261123", "build-95", "release-1", "abcdef", "ab12cd3zz"],
        ),
        (
            Reference(commits=(COMMIT,), pull_request=12),
            ["ab12cd3", "pr-7", "pr7", "7", "pull-8", "mr-1", "preview-3", "pr-7-1111111"],
            ["main", "build-95", "v1.2.0", "2026-11-23", "20261123", "release-1", "pr-7-web"],
        ),
        (Reference(branches=("main",)), [], ["main", "ab12cd3", "pr-7", "7"]),
    ],
)
def test_form_of_a_name_shows_if_the_reference_could_match(reference, likely, unlikely):
    assert [name for name in (*likely, *unlikely) if reference.could_match(name)] == likely


def test_references_of_one_commit_or_pull_request_are_combined():
    run = Reference(commits=("a" * 40,), pull_request=12)
    head = Reference(commits=("b" * 40,), branches=("topic",))
    pull_request_head = Reference(commits=("b" * 40,), pull_request=12)

    assert run.is_same_subject(pull_request_head)
    assert head.is_same_subject(pull_request_head)
    assert not run.is_same_subject(head)
    assert not run.is_same_subject(Reference(commits=("a" * 40,), pull_request=13))
    assert run.combine_with(head) == Reference(
        commits=("a" * 40, "b" * 40), pull_request=12, branches=("topic",)
    )

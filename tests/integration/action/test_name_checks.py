"""Refusals because of folder names: annotation, summary and suggested setting."""

import pytest

FULL = tuple(digit * 39 + "f" for digit in "1234")
SITES = {
    "assets/": ("assets", *FULL),
    "user-uploads/": ("user-uploads/alice", "user-uploads/bob", *FULL),
    "admin/": tuple(f"admin/{name}" for name in FULL),
}


@pytest.fixture
def bucket(bucket):
    for key in bucket.content():
        bucket.remove(key)
    return bucket


@pytest.mark.parametrize("refused_folder", SITES)
def test_refusal_is_shown_and_nothing_is_deleted(act, bucket, github, refused_folder):
    for days, folder in enumerate(reversed(SITES[refused_folder])):
        bucket.deploy(folder, days=days + 1)
    before = bucket.content()

    run = act(mode="apply", keep_count="1")

    assert run.exit_code == 4
    assert bucket.content() == before
    name = refused_folder.removesuffix("/")
    assert any(name in message and "match: '.*'" in message for message in run.annotations("error"))
    assert name in run.summary


def test_suggested_match_deletes_only_deployments(act, bucket):
    for days, folder in enumerate(reversed(SITES["assets/"])):
        bucket.deploy(folder, days=days + 1)

    assert act(mode="apply", keep_count="1", match="[0-9a-f]{40}").exit_code == 0

    assert bucket.folders() == {"assets", FULL[-1]}

"""Whether a run belongs to ci3's own workflow, by GitHub's data on both."""

import pytest

from ci3.github.own_workflow import Creator, OwnWorkflow

REPOSITORY = "octo/app"
FILE = ".github/workflows/cleanup.yml"


def make_workflow(ref: str, name: str = "cleanup") -> OwnWorkflow:
    return OwnWorkflow.from_environ(
        {"GITHUB_RUN_ID": "42", "GITHUB_WORKFLOW_REF": ref, "GITHUB_WORKFLOW": name}
    )


@pytest.mark.parametrize(
    ("ref", "file", "repository"),
    [
        (f"octo/app/{FILE}@refs/heads/main", FILE, "octo/app"),
        (f"octo/app/{FILE}@refs/pull/7/merge", FILE, "octo/app"),
        (f"octo/app/{FILE}@refs/heads/a@b.yml", FILE, "octo/app"),
        ("octo/app/.github/workflows/x.yaml@v1", ".github/workflows/x.yaml", "octo/app"),
        (FILE, FILE, ""),
        ("", "", ""),
        ("octo/app/cleanup.yml@main", "", ""),
    ],
)
def test_workflow_is_read_from_the_runners_variables(ref, file, repository):
    workflow = make_workflow(ref)
    assert (workflow.file, workflow.repository) == (file, repository)
    assert (workflow.run_id, workflow.name) == ("42", "cleanup")


@pytest.mark.parametrize(
    ("path", "name", "creator"),
    [
        (FILE, "cleanup", Creator.OWN_WORKFLOW),
        (FILE, "", Creator.OWN_WORKFLOW),
        (FILE, "Weekly cleanup of main", Creator.OWN_WORKFLOW),  # run-name
        (f"octo/app/{FILE}@main", "cleanup", Creator.OWN_WORKFLOW),
        (f"Octo/App/{FILE}@refs/heads/x", "cleanup", Creator.OWN_WORKFLOW),
        (f"{FILE}@refs/heads/feature/x", "cleanup", Creator.OWN_WORKFLOW),
        (f"octo/central/{FILE}@main", "cleanup", Creator.UNKNOWN),
        (".github/workflows/deploy.yml", "deploy", Creator.OTHER),
        (".github/workflows/deploy.yml@main", "", Creator.OTHER),
        (".github/workflows/cleanup.yaml", "weekly", Creator.OTHER),
        (".github/workflows/before-it-was-renamed.yml", "cleanup", Creator.UNKNOWN),
        ("dynamic/pages/pages-build-deployment", "pages", Creator.OTHER),
        ("something/else", "deploy", Creator.UNKNOWN),
        ("", "", Creator.UNKNOWN),
    ],
)
def test_run_is_compared_by_the_file_of_its_workflow(path, name, creator):
    workflow = make_workflow(f"octo/app/{FILE}@refs/heads/main")
    assert workflow.find_creator(REPOSITORY, path, name) is creator


def test_workflow_of_another_repository_is_not_compared_by_its_file_alone():
    workflow = make_workflow(f"octo/central/{FILE}@refs/heads/main")
    assert workflow.find_creator(REPOSITORY, FILE, "cleanup") is Creator.UNKNOWN


def test_without_a_workflow_the_creator_of_a_run_is_unknown():
    workflow = OwnWorkflow.from_environ({})
    assert workflow.find_creator(REPOSITORY, FILE, "") is Creator.UNKNOWN

"""Which workflow a run is of, and whether another run is of the same workflow."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

# `OWNER/REPO/` may be missing, and so may the ref: runs have `.github/workflows/ci.yml` and
# `octo/app/.github/workflows/ci.yml@main` as their paths.
_WORKFLOW_FILE: Final = re.compile(
    r"(?:([^/@]+/[^/@]+)/)?(\.github/workflows/[^/]+?\.ya?ml)(?:@.*)?", re.DOTALL
)
_GENERATED_PREFIX: Final = "dynamic/"
"""The path of workflows that have no file, such as those of GitHub Pages, begins with this."""


class Creator(StrEnum):
    """What created something: ci3's own workflow, something else, or it can't be determined."""

    OWN_WORKFLOW = "own-workflow"
    OTHER = "other"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnWorkflow:
    """The workflow that ci3 runs in, or its caller if it is a reusable one; texts may be empty.

    `file` is such as `.github/workflows/cleanup.yml`, `repository` the `owner/name` that has it,
    `name` the one shown. Outside of a workflow all are empty.
    """

    run_id: str = ""
    file: str = ""
    repository: str = ""
    name: str = ""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read the workflow from the variables that the runner sets.

        In a reusable workflow they name the caller, as the paths of runs do.
        Source: https://docs.github.com/actions/reference/workflows-and-actions/variables
        """
        match = _WORKFLOW_FILE.fullmatch(environ.get("GITHUB_WORKFLOW_REF", ""))
        return cls(
            run_id=environ.get("GITHUB_RUN_ID", ""),
            file=match[2] if match else "",
            repository=(match[1] or "") if match else "",
            name=environ.get("GITHUB_WORKFLOW", ""),
        )

    def find_creator(self, repository: str, path: str, name: str) -> Creator:
        """Return whether a run is of this workflow, by the path and name that GitHub has for it.

        `repository` is the one that has the run. A workflow of the same name in another file may be
        this one before it was renamed.
        """
        match = _WORKFLOW_FILE.fullmatch(path)
        if not self.file or (match is None and not path.startswith(_GENERATED_PREFIX)):
            return Creator.UNKNOWN
        if match is None or match[2] != self.file:
            return Creator.UNKNOWN if name and name == self.name else Creator.OTHER
        is_same = (match[1] or repository).casefold() == self.repository.casefold()
        return Creator.OWN_WORKFLOW if is_same else Creator.UNKNOWN


NO_WORKFLOW: Final = OwnWorkflow()

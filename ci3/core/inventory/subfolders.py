"""Sub-folders that are named like deployments: a sign that a folder holds several of them."""

from collections.abc import Iterable, Sequence
from enum import Enum, auto
from functools import lru_cache
from typing import Final

from ci3.core.inventory.name_forms import (
    find_number_prefix,
    has_commit,
    is_asset_folder,
    is_build_output,
    is_decimal_commit,
    is_deployment_form,
    is_pull_request,
)

MAXIMUM_DEPTH: Final = 3
"""Levels below the folder that are examined: `feature/team/login/<commit>/`."""
ENOUGH_SUBFOLDERS: Final = 2
"""Sub-folders named like deployments from which on a folder counts as holding several."""


def may_hold_deployments(name: str) -> bool:
    """Return False if a folder's own name is that of one deployment, or of an asset folder.

    A number after a word shows nothing: `customer-1` and `us-east-1` may hold deployments.
    """
    is_number = find_number_prefix(name) == ""
    return not (is_number or has_commit(name) or is_pull_request(name) or is_asset_folder(name))


def find_deployment_subfolders(keys: Iterable[str], folder: str) -> tuple[str, ...]:
    """Return the first sub-folders of `folder` that are named like deployments, at most enough.

    All keys are in `folder`, which ends with a slash. The paths are relative to it, without a slash
    at the end. Neither asset folders nor what is in such a sub-folder is examined:

        admin/9c41e07/index.html             9c41e07
        admin/9c41e07/3f2a9c1b/app.js        9c41e07
        admin/assets/3f2a9c1b/app.js         (none)
        feature/login/pr-12/index.html       login/pr-12
    """
    start = len(folder)
    parents = dict.fromkeys([key.rpartition("/")[0] for key in keys])
    subfolders: dict[str, None] = {}
    for parent in parents:
        if path := _find_deployment_path(parent[start:].split("/", MAXIMUM_DEPTH)):
            subfolders[path] = None
            if len(subfolders) == ENOUGH_SUBFOLDERS:
                break
    return tuple(subfolders)


def join_subfolders(earlier: tuple[str, ...], later: tuple[str, ...]) -> tuple[str, ...]:
    """Return the sub-folders of two parts of a folder's listing, of which one follows the other."""
    return tuple(dict.fromkeys((*earlier, *later)))[:ENOUGH_SUBFOLDERS]


class _Kind(Enum):
    DEPLOYMENT = auto()
    DIRECT_DEPLOYMENT = auto()
    """Named like a deployment if it is directly in the folder; deeper ones are IDs."""
    ASSETS = auto()
    OTHER = auto()


def _find_deployment_path(names: Sequence[str]) -> str:
    """Return the path of the first folder that is named like a deployment, or an empty string."""
    for depth, name in enumerate(names[:MAXIMUM_DEPTH], start=1):
        kind = _classify(name)
        if kind is _Kind.DEPLOYMENT or (kind is _Kind.DIRECT_DEPLOYMENT and depth == 1):
            return "/".join(names[:depth])
        if kind is _Kind.ASSETS:
            return ""
    return ""


@lru_cache(maxsize=1024)
def _classify(name: str) -> _Kind:
    """Return the kind of a sub-folder; those of most deployments have the same names."""
    if is_deployment_form(name):
        # Deeper ones are pictures or pages: templates/preview-1.
        is_picture = name.lower().startswith("preview") and not has_commit(name)
        return _Kind.DIRECT_DEPLOYMENT if is_picture else _Kind.DEPLOYMENT
    if is_decimal_commit(name):
        return _Kind.DIRECT_DEPLOYMENT
    has_assets = is_asset_folder(name) or is_build_output(name)
    return _Kind.ASSETS if has_assets else _Kind.OTHER

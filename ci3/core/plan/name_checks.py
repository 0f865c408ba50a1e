"""Refusals for folders that are probably not one deployment each, if `match` is not set."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Final

from ci3.core.formatting import join_names, pluralize
from ci3.core.inventory.name_forms import (
    find_number_prefix,
    has_commit,
    is_asset_folder,
    is_branch,
    is_pull_request,
)
from ci3.core.inventory.name_pattern import NamePattern, find_frequent_pattern, generalize_name
from ci3.core.inventory.subfolders import ENOUGH_SUBFOLDERS
from ci3.core.model.decision import Decision, ReasonCode
from ci3.core.model.issues import Refusal, RefusalCode

_PIN_CODES = (ReasonCode.PROTECTED, ReasonCode.LIVE, ReasonCode.CURRENT_COMMIT)
_MAXIMUM_ALTERNATIVES: Final = 4
"""Patterns that are joined to a suggested `match`."""
_HEX_DIGITS: Final = ("[0-9a-f]", "[0-9A-F]")
"""Parts of a pattern if the names have a commit."""
_ISSUE: Final = re.compile("(?:[a-z]+[-_])+(?!(?:19|20)[0-9]{2}$)[0-9]+", re.IGNORECASE)
"""Words and a number that is no year, as of a branch for an issue: `docs-1`, `ABC-123`."""
_NAME_LENGTH_SHOWN: Final = 60
_PREFIXES_SHOWN: Final = 3
_ALL_ARE_DEPLOYMENTS: Final = "If every folder is one deployment, set match: '.*'"


@dataclass(frozen=True, slots=True, kw_only=True)
class MixedNames:
    """Folders that are probably no deployments, though they may be deleted.

    They are named unlike the other deployments, of which there are `alike_count`, or like asset
    folders; if it is 0, all are named like asset folders. `match` is a regular expression for the
    others, or empty if there is no short one that is exact.
    """

    names: tuple[str, ...]
    match: str
    alike_count: int

    @property
    def kind(self) -> str:
        """How the folders are named, to be read after "named"."""
        if not self.alike_count:
            return f"like {'an asset folder' if len(self.names) == 1 else 'asset folders'}"
        return f"unlike the {pluralize(self.alike_count, 'folder')} that look like deployments"

    @property
    def refusal(self) -> Refusal:
        """The refusal of a plan."""
        is_single = len(self.names) == 1
        pronoun = "it" if is_single else "them"
        quoted = "'" + self.match.replace("'", "''") + "'"  # as in a policy file
        match = f"set match: {quoted}, or " if self.match else ""
        return Refusal(
            code=RefusalCode.MIXED_NAMES,
            message=f"{'folder' if is_single else 'folders'} {_join_names(self.names)} "
            f"{'is' if is_single else 'are'} named {self.kind}, and would be deleted "
            "or count toward keep-count. To keep "
            f"{pronoun}, {match}add {pronoun} to protect. {_ALL_ARE_DEPLOYMENTS}",
        )


def find_name_refusals(decisions: Sequence[Decision], prefix: str) -> Iterator[Refusal]:
    """Yield the refusals of a target without `match`; `prefix` is that of the target."""
    names = [decision.deployment.name for decision in decisions]
    group_sizes = Counter(decision.group for decision in decisions)
    at_risk = {
        decision.deployment.name
        for decision in decisions
        if _is_at_risk(decision) and group_sizes[decision.group] > 1
    }
    if mixed_names := find_mixed_names(names, at_risk):
        yield mixed_names.refusal
    yield from find_nested_deployments(
        {
            decision.deployment.name: decision.deployment.subfolders
            for decision in decisions
            if not _is_pinned(decision)
        },
        prefix,
    )


def find_mixed_names(names: Sequence[str], at_risk: Collection[str]) -> MixedNames | None:
    """Return the names `at_risk` that are probably not those of deployments, if any.

    Folders at risk are those that would be deleted or that count toward keep-count, and that are
    neither protected nor live, nor alone in a group of `group-by`. Returned are those that are
    named like asset folders, and those that are not of the kind of at least half of the others.
    Names are of one kind if they match the most frequent pattern, or if they are related to it: see
    `_find_related`.
    """
    naming = find_frequent_pattern(names)
    assets = _find_assets(names, naming)
    related = {*_find_related(naming)} - assets
    unlike = {*naming.outliers} - related - assets
    has_kind = bool(naming.pattern) and 2 * len(unlike) <= len(names) - len(assets)
    excluded = assets | unlike if has_kind else assets
    names_at_risk = tuple(sorted(excluded.intersection(at_risk)))
    if not names_at_risk:
        return None
    alike = {*names} - excluded if has_kind else set[str]()
    return MixedNames(
        names=names_at_risk,
        match=_suggest_match(naming.pattern, related, alike, excluded) if has_kind else "",
        alike_count=len(alike),
    )


def find_nested_deployments(
    subfolders: Mapping[str, Sequence[str]], prefix: str
) -> Iterator[Refusal]:
    """Yield a refusal if folders hold several sub-folders that are named like deployments.

    `subfolders` are by folder, each a path within the folder; `prefix` is that of the target.
    """
    nested = {name: paths for name, paths in subfolders.items() if len(paths) >= ENOUGH_SUBFOLDERS}
    if not nested:
        return
    names = sorted(nested)
    paths = [f"{names[0]}/{path}/" for path in nested[names[0]]]
    is_single = len(names) == 1
    yield Refusal(
        code=RefusalCode.NESTED_DEPLOYMENTS,
        message=f"{_join_names([f'{name}/' for name in names])} "
        f"{'counts as one deployment' if is_single else 'count as one deployment each'}, but "
        f"{'has' if is_single else 'have'} subfolders named like deployments, such as "
        f"{_join_names(paths)}. To clean these up, set prefix: "
        f"{_suggest_prefixes(nested, prefix)}. To keep "
        f"{'it' if is_single else 'them'}, add {'it' if is_single else 'them'} to protect. "
        f"{_ALL_ARE_DEPLOYMENTS}",
    )


def _is_at_risk(decision: Decision) -> bool:
    return not _is_pinned(decision) and (decision.is_delete or decision.is_counted)


def _is_pinned(decision: Decision) -> bool:
    return any(decision.has_reason(code) for code in _PIN_CODES)


def _find_assets(names: Sequence[str], naming: NamePattern) -> set[str]:
    """Return the names of asset folders, unless no name is another one's.

    If half of the names are `data-1`, `data-2` and so on, these are not asset folders.
    """
    is_exact = 2 * len(naming.matching) >= len(names) and not naming.has_any_word
    deployments = {*naming.matching} if is_exact else set[str]()
    assets = {name for name in names if is_asset_folder(name) and name not in deployments}
    return set() if len(assets) == len(names) else assets


def _find_related(naming: NamePattern) -> list[str]:
    """Return the names that do not match the pattern, but are those of deployments, too.

    most names            related
    commits               any name with a commit: main-9c41e07, v1.2.3-2-g2222222
    v1.2.3                versions with the same text before them: v2.0.0-rc1, v1.2.3-2-g2222222
    build-95              build-95-hotfix
    pr-12                 pull requests, branches, commits: preview-3, main, docs-1, 9c41e07
    """
    if 2 * sum(map(is_pull_request, naming.matching)) >= len(naming.matching):
        return [name for name in naming.outliers if _may_be_preview(name)]
    has_commits = any(digit in naming.pattern for digit in _HEX_DIGITS)
    families = {_find_number_family(name) for name in naming.matching} - {None}
    if naming.pattern.startswith(_HEX_DIGITS):
        families.clear()  # the first digits of a commit are no version
    return [
        name
        for name in naming.outliers
        if (has_commits and has_commit(name)) or _find_number_family(name) in families
    ]


def _find_number_family(name: str) -> tuple[str, str] | None:
    """Return what names have in common that differ in a number, or None without a number.

    It is the text before the number or, without one, what follows the first digits:

        build-95, build-95-hotfix    ("build-", "")
        v1.2.3, 2.0-rc1              ("", ".")
        2026-11-02                   ("", "-")
        2024, 404, v1                ("", "")
    """
    prefix = find_number_prefix(name)
    if prefix is None:
        return None
    return prefix, "" if prefix else re.sub("^v?[0-9]+", "", name)[:1]


def _may_be_preview(name: str) -> bool:
    is_issue = _ISSUE.fullmatch(name) is not None
    return is_pull_request(name) or is_branch(name) or is_issue or has_commit(name)


def _suggest_match(
    pattern: str, related: Iterable[str], alike: Set[str], excluded: Set[str]
) -> str:
    """Return a regular expression for a pattern and the related names.

    It is empty if it would be long, or if it would not match exactly the names that are alike.
    """
    alternatives = sorted({generalize_name(name, keeps_words=True) for name in related})
    if len(alternatives) >= _MAXIMUM_ALTERNATIVES:
        return ""
    match = re.compile("|".join([pattern, *alternatives]))
    is_exact = all(map(match.fullmatch, alike)) and not any(map(match.fullmatch, excluded))
    return match.pattern if is_exact else ""


def _suggest_prefixes(nested: Mapping[str, Sequence[str]], prefix: str) -> str:
    """Return the parent folders of the sub-folders as prefixes, and a pattern for all of them.

    Only the first ones of many are named. Folders of different depths have no pattern.
    """
    parents = dict.fromkeys(
        f"{prefix}{name}/{path}".rpartition("/")[0] + "/"
        for name in sorted(nested)
        for path in nested[name]
    )
    prefixes = join_names(list(parents), limit=_PREFIXES_SHOWN)
    segments = [parent.split("/") for parent in parents]
    if len(parents) == 1:
        return prefixes
    if len({len(parts) for parts in segments}) > 1:
        return f"{prefixes} (one target each)"
    pattern = "/".join(
        names[0] if len({*names}) == 1 else "*" for names in zip(*segments, strict=True)
    )
    return f"{prefixes} (one target each), or for all such folders {pattern} with a match"


def _join_names(names: Iterable[str]) -> str:
    return join_names(
        [
            name if len(name) <= _NAME_LENGTH_SHOWN else f"{name[:_NAME_LENGTH_SHOWN]}…"
            for name in names
        ]
    )

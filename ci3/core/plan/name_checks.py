"""Refusals for folders that are probably not one deployment each, if `match` is not set."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ci3.core.formatting import join_names, pluralize
from ci3.core.inventory.name_forms import (
    find_number_prefix,
    has_commit,
    is_branch,
    is_numbered,
    is_pull_request,
)
from ci3.core.inventory.name_pattern import NamePattern, find_frequent_pattern, generalize_name
from ci3.core.inventory.subfolders import ENOUGH_SUBFOLDERS
from ci3.core.model.decision import Decision, ReasonCode
from ci3.core.model.issues import Refusal, RefusalCode

_PIN_CODES = (ReasonCode.PROTECTED, ReasonCode.LIVE, ReasonCode.CURRENT_COMMIT)
_MAXIMUM_ALTERNATIVES: Final = 4
"""Patterns that are joined to a suggested `match`."""
_HEX_DIGIT: Final = "[0-9a-f]"
"""Part of a pattern if the names have a commit."""
_PREFIXES_SHOWN: Final = 3
_ALL_ARE_DEPLOYMENTS: Final = "If every folder is one deployment, set match: '.*'"


@dataclass(frozen=True, slots=True, kw_only=True)
class MixedNames:
    """Folders that are named unlike most others, though they may be deleted.

    `match` is a regular expression for the others, of which there are `alike_count`.
    """

    names: tuple[str, ...]
    match: str
    alike_count: int

    @property
    def refusal(self) -> Refusal:
        """The refusal of a plan."""
        is_single = len(self.names) == 1
        quoted = "'" + self.match.replace("'", "''") + "'"  # in a policy file and in a shell
        return Refusal(
            code=RefusalCode.MIXED_NAMES,
            message=f"{_join_names(self.names)} {'is' if is_single else 'are'} named unlike the "
            f"{pluralize(self.alike_count, 'folder')} that look like deployments, and would be "
            f"deleted or counted in keep-count. To leave {'it' if is_single else 'them'} alone, "
            f"set match: {quoted}. {_ALL_ARE_DEPLOYMENTS}",
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
            if not decision.is_protected
        },
        prefix,
    )


def find_mixed_names(names: Sequence[str], at_risk: Collection[str]) -> MixedNames | None:
    """Return the names `at_risk` that are not of the kind of at least half of the names, if any.

    Folders at risk are those that would be deleted or that count toward keep-count, and that are
    neither protected nor live, nor alone in a group of `group-by`. Names are of one kind if they
    match the most frequent pattern, or if they are related to it: see `_find_related`.
    """
    naming = find_frequent_pattern(names)
    related = _find_related(naming)
    unlike = {*naming.outliers}.difference(related)
    names_at_risk = tuple(sorted(unlike.intersection(at_risk)))
    if not naming.pattern or not names_at_risk or 2 * len(unlike) > len(names):
        return None
    return MixedNames(
        names=names_at_risk,
        match=_suggest_match(naming.pattern, related),
        alike_count=len(names) - len(unlike),
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
        f"{'holds' if is_single else 'hold'} sub-folders that are named like deployments, such as "
        f"{_join_names(paths)}. To clean up there, set prefix: "
        f"{_join_prefixes(nested, prefix)}{'' if is_single else ' (a target for each)'}. "
        f"{_ALL_ARE_DEPLOYMENTS}",
    )


def _is_at_risk(decision: Decision) -> bool:
    is_pinned = any(decision.has_reason(code) for code in _PIN_CODES)
    return not is_pinned and (decision.is_delete or decision.is_counted)


def _find_related(naming: NamePattern) -> list[str]:
    """Return the names that do not match the pattern, but are those of deployments, too.

    most names            related
    commits               any name with a commit: main-9c41e07, v1.2.3-2-g2222222
    v1.2.3                versions with the same text before them: v2.0.0-rc1, v1.2.3-2-g2222222
    build-95              build-95-hotfix
    pr-12                 pull requests, branches and numbers: preview-3, main, docs-1
    """
    if 2 * sum(map(is_pull_request, naming.matching)) >= len(naming.matching):
        return [name for name in naming.outliers if _may_be_preview(name)]
    has_commits = _HEX_DIGIT in naming.pattern
    number_prefixes = {
        find_number_prefix(name)
        for name in naming.matching
        if not (has_commits and name.isalnum())  # the digits of a commit are no version
    } - {None}
    return [
        name
        for name in naming.outliers
        if (has_commits and has_commit(name)) or find_number_prefix(name) in number_prefixes
    ]


def _may_be_preview(name: str) -> bool:
    return is_pull_request(name) or is_branch(name) or is_numbered(name) or has_commit(name)


def _suggest_match(pattern: str, related: Iterable[str]) -> str:
    """Return a regular expression for a pattern and, if they are few, the related names."""
    alternatives = sorted({generalize_name(name, keeps_words=True) for name in related})
    if len(alternatives) >= _MAXIMUM_ALTERNATIVES:
        return pattern
    return "|".join([pattern, *alternatives])


def _join_prefixes(nested: Mapping[str, Sequence[str]], prefix: str) -> str:
    """Return the parent folders of the sub-folders as prefixes; only the first ones of many."""
    parents = dict.fromkeys(
        f"{prefix}{name}/{path}".rpartition("/")[0] + "/"
        for name in sorted(nested)
        for path in nested[name]
    )
    return join_names(list(parents), limit=_PREFIXES_SHOWN)


def _join_names(names: Iterable[str]) -> str:
    return join_names([name[:60] for name in names])

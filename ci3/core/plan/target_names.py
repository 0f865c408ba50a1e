"""The folder names of the other targets of a prefix pattern.

A protected name, or what a live source names without a path, must be in at least one of the
targets: an app that was not deployed with a commit has no folder of that name.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ci3.core.live.sources import LiveReference, LiveSource


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetNames:
    """The names of all folders in each target of a pattern, by prefix; empty without a pattern.

    `prefix` is that of the target that is checked. Its own names are passed to each method: they
    may have been listed later.
    """

    prefix: str = ""
    by_prefix: Mapping[str, Collection[str]] = field(default_factory=dict)
    known_matches: dict[Hashable, bool] = field(default_factory=dict, compare=False)
    """Whether a name in any of the targets matches, by key; shared by the checks of all targets."""

    @property
    def is_first(self) -> bool:
        """True for the target that warns of what concerns the pattern: the first one."""
        return not self.by_prefix or self.prefix == min(self.by_prefix)

    def has_target(self, prefix: str) -> bool:
        """Return True if a prefix is that of one of the targets."""
        return prefix == self.prefix or prefix in self.by_prefix

    def has_match(
        self, key: Hashable, matches: Callable[[str], bool], own_names: Iterable[str]
    ) -> bool:
        """Return True if a name matches, in this target or in another one.

        `key` identifies the function: for the other targets, it is called once for all of them.
        """
        if any(map(matches, own_names)):
            return True
        if not self.by_prefix:
            return False
        if key not in self.known_matches:
            self.known_matches[key] = any(
                matches(name) for names in self.by_prefix.values() for name in names
            )
        return self.known_matches[key]

    def has_reference(
        self, source: LiveSource, live: LiveReference, own_names: Sequence[str]
    ) -> bool:
        """Return True if a reference exactly matches a name.

        It must be in one target if the reference has its prefix, or the source its folder.
        """
        matches = live.reference.matches_exactly
        if live.prefix not in ("", self.prefix):
            return any(map(matches, self.by_prefix.get(live.prefix, ())))
        if source.is_of_folder or live.prefix:
            return any(map(matches, own_names))
        return self.has_match(("exactly", live.reference), matches, own_names)


NO_OTHER_TARGETS: Final = TargetNames()

"""The folder names of the other targets of a prefix pattern.

A protected name, or what a live source names, must be in at least one of the targets: an app that
was not deployed with a commit has no folder of that name.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
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

    @property
    def is_first(self) -> bool:
        """True for the target that warns of what concerns the pattern: the first one."""
        return not self.by_prefix or self.prefix == min(self.by_prefix)

    def list_all(self, own_names: Sequence[str]) -> Iterable[str]:
        """Return the names in all targets, those of this one first."""
        others = (names for prefix, names in self.by_prefix.items() if prefix != self.prefix)
        return chain(own_names, *others)

    def list_for_source(self, source: LiveSource, own_names: Sequence[str]) -> Iterable[str]:
        """Return the names of which a source must name one; with `{folder}`, those of its target.

        The result is a new iterable each time.
        """
        return own_names if source.is_of_folder else self.list_all(own_names)

    def list_for_reference(
        self, source: LiveSource, live: LiveReference, own_names: Sequence[str]
    ) -> Iterable[str]:
        """Return the names that a reference may match: with a prefix, those of that target."""
        if live.prefix in ("", self.prefix):
            is_own = source.is_of_folder or bool(live.prefix)
            return own_names if is_own else self.list_all(own_names)
        return self.by_prefix.get(live.prefix, ())


NO_OTHER_TARGETS: Final = TargetNames()

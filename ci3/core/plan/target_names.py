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

    def list_all(self, own_names: Sequence[str], likely_name: str = "") -> Iterable[str]:
        """Return the names in all targets: this one's first, then the likely one if there is it."""
        others = [names for prefix, names in self.by_prefix.items() if prefix != self.prefix]
        is_elsewhere = any(likely_name in names for names in others)
        return chain(own_names, [likely_name] if is_elsewhere else [], *others)

    def list_for_reference(
        self, source: LiveSource, live: LiveReference, own_names: Sequence[str]
    ) -> Iterable[str]:
        """Return the names that a reference may match.

        They are those of one target if the reference has its prefix, or the source its folder.
        """
        if live.prefix not in ("", self.prefix):
            return self.by_prefix.get(live.prefix, ())
        is_own = source.is_of_folder or bool(live.prefix)
        return own_names if is_own else self.list_all(own_names, live.name)


NO_OTHER_TARGETS: Final = TargetNames()

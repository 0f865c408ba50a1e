"""Changes a bucket's lifecycle configuration: read again, written, read again and compared.

S3 replaces the whole of it, and knows no condition: what another writes between the last reading
and the write is lost. So that time is as short as can be, and what stands there afterwards counts.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from ci3.aws.bucket import BucketReader
from ci3.aws.lifecycle.document import LifecycleReading, LifecycleWriter, Written
from ci3.core.formatting import counted
from ci3.core.lifecycle.configuration import (
    MAXIMUM_RULES,
    ConfigurationText,
    RuleText,
    read_configuration,
)
from ci3.core.lifecycle.rule import ExpiryRule, read_rule
from ci3.errors import AccessError

READING_PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Pauses before a configuration is read again that does not show yet what was written."""

Begin = Callable[[LifecycleReading], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a change came to.

    `before` is what stood there right before. With a `problem` not all is as it was to be; where
    it `is_refused`, what stood there before stands for certain.
    """

    before: LifecycleReading
    problem: str = ""
    is_refused: bool = False


@dataclass(slots=True, kw_only=True)
class LifecycleChanger:
    """Makes changes, one after another."""

    reader: BucketReader
    sleep: Callable[[float], None]
    _writer: LifecycleWriter | None = field(init=False, default=None)

    def change(
        self,
        *,
        remove: Collection[str] = (),
        spare: Collection[str] = (),
        add: Sequence[ExpiryRule] = (),
        begin: Begin = lambda _before: None,
    ) -> Change:
        """Take rules of ours away, by ID, and put others in; all else stays byte for byte.

        None of ours is left for the prefixes to `spare`, also where one was taken away and shows
        again: S3 may answer with an older configuration for a while. `begin` is told what stands
        there right before it is written. Raises AccessError where it can't be read; what comes of
        the write is told in the answer.
        """
        writer = self._open_writer()
        before = self.reader.read_lifecycle()
        ours = [
            one
            for one in before.text.rules
            if (own := read_rule(one.rule)) and (own.rule_id in remove or own.prefix in spare)
        ]
        there = {one.rule_id for one in before.text.rules} - {one.rule_id for one in ours}
        if taken := [one.rule_id for one in add if one.rule_id in there]:
            problem = f"there is a rule {taken[0]} already"
            return Change(before=before, problem=problem, is_refused=True)
        raw = spliced(before.text, ours, add)
        expected = read_configuration(raw)
        if len(expected.rules) > MAXIMUM_RULES:
            problem = f"a bucket has room for {MAXIMUM_RULES:,} lifecycle rules"
            return Change(before=before, problem=problem, is_refused=True)
        if raw == before.text.raw:
            return Change(before=before)
        begin(before)
        written = writer.write(raw, before.transition_minimum)
        problem = self._look(before, expected, written, [one.rule_id for one in ours])
        return Change(before=before, problem=problem, is_refused=written.is_refused)

    def put_back(self, before: LifecycleReading, added: Sequence[ExpiryRule]) -> str:
        """Put a saved configuration back, byte for byte, or say why that was not done.

        Where somebody else has written since, only what was added is taken out of it. Where
        nothing of it shows it is put back all the same: what was written may show late. What was
        added is known by its ID, whatever has become of the rest of it.
        """
        ids = {one.rule_id for one in added}
        try:
            now = self.reader.read_lifecycle()
            ours = [one for one in now.text.rules if one.rule_id in ids]
            left = read_configuration(spliced(now.text, ours, ()))
            is_as_before = left.meanings == before.text.meanings
            if not ours and not is_as_before:
                return _like(added, now.text, before.text)
            goal = before.text if is_as_before else left
            written = self._open_writer().write(goal.raw, before.transition_minimum)
            if not ours:
                return written.problem
            problem = self._look(now, goal, written, [one.rule_id for one in ours])
            return problem or _like(added, left, before.text)
        except AccessError as exc:
            return exc.message

    def check(self, rules: Collection[str]) -> str:
        """Say whether rules that were written stand yet, or what became of them."""
        standing = {one.rule_id for one in self.reader.read_lifecycle().text.rules}
        lacking = len(set(rules) - standing)
        return _overtaken(f"{counted(lacking, 'rule')} of ci3's not there") if lacking else ""

    def _look(
        self,
        before: LifecycleReading,
        expected: ConfigurationText,
        written: Written,
        removed: Sequence[str],
    ) -> str:
        """Read what stands there now, and say what is wrong with it, if anything is."""
        if written.is_refused:
            return written.problem
        try:
            after = self._read_until_changed(before)
        except AccessError as exc:
            return f"what was written could not be read again: {exc.message}"
        if after.text.meanings == expected.meanings:
            was, now = before.transition_minimum, after.transition_minimum
            if was and now != was and expected.rules:
                return f"TransitionDefaultMinimumObjectSize was {was}, is {now or 'none'}"
            return ""
        if after.text.meanings == before.text.meanings:
            return written.problem or "S3 took what was written, and does not show it"
        return self._lost(after, expected, removed)

    def _read_until_changed(self, before: LifecycleReading) -> LifecycleReading:
        """Read until something else shows than what stood there before."""
        for pause in READING_PAUSES_SECONDS:
            after = self.reader.read_lifecycle()
            if after.text.meanings != before.text.meanings:
                return after
            self.sleep(pause)
        return self.reader.read_lifecycle()

    def _lost(
        self, after: LifecycleReading, expected: ConfigurationText, removed: Sequence[str]
    ) -> str:
        """Say what another writer has undone; what they did besides is theirs, and fine."""
        lacking = _own_meanings(expected) - _own_meanings(after.text)
        back = [one.rule_id for one in after.text.rules if one.rule_id in removed]
        if not lacking and not back:
            return ""
        told = []
        if lacking:
            told.append(f"{counted(lacking.total(), 'rule')} of ci3's not there")
        if back:
            told.append(f"{counted(len(back), 'rule')} there again that ci3 took away")
        return _overtaken(", ".join(told))

    def _open_writer(self) -> LifecycleWriter:
        self._writer = self._writer or self.reader.open_lifecycle_writer()
        return self._writer


def _overtaken(what: str) -> str:
    return (
        f"somebody else wrote the bucket's lifecycle rules at the same time: {what}. Look at them, "
        "and run again"
    )


def _like(added: Iterable[ExpiryRule], now: ConfigurationText, before: ConfigurationText) -> str:
    """Say which rules that came since are for the folders of what was added, under other IDs."""
    folders = {one.prefix.removesuffix("/") for one in added}
    likely = [
        one.rule_id
        for one in now.rules
        if one.rule.meaning not in before.meanings and one.prefix.removesuffix("/") in folders
    ]
    return f"rules for the same folders are new: {', '.join(likely)}" if likely else ""


def is_ours(one: RuleText) -> bool:
    """Say whether a rule is exactly one that ci3 writes."""
    return read_rule(one.rule) is not None


def spliced(
    text: ConfigurationText, doomed: Iterable[RuleText], added: Sequence[ExpiryRule]
) -> bytes:
    """Cut rules out of a configuration, and put others in."""
    rest = read_configuration(text.without(doomed) if text.raw else b"")
    return rest.with_rules(one.elements for one in added) if added else rest.raw


def _own_meanings(text: ConfigurationText) -> Counter[tuple[object, ...]]:
    return Counter(one.rule.meaning for one in text.rules if is_ours(one))

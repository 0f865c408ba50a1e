"""The retention rules a second time, slow and obvious, to compare the real ones with."""

import fnmatch
import re
from collections.abc import Iterable
from typing import NamedTuple

from ci3.core.live.pins import Pin
from ci3.core.model.decision import Action, ReasonCode
from ci3.core.retention.decide import AgeFrom
from tests.support import obvious_references

SUPERSEDED = [ReasonCode.SUPERSEDED]


class Verdict(NamedTuple):
    """What happens to one deployment, and the codes of the reasons."""

    name: str
    group: str
    action: Action
    codes: list[ReasonCode]


class Aged(NamedTuple):
    """A deployment with objects, and the two ends of what is taken for its age."""

    name: str
    start: object
    end: object
    newest_at: object
    is_complete: bool


def obvious_verdicts(deployments, policy, pins: Iterable[Pin], now, minimum):
    """Decide about every deployment by itself; newest first, without objects last."""
    verdicts = []
    shared = {one.name for one in deployments if is_protected(one, pins)}
    for one in shown_order(deployments):
        codes = [pin.code for pin in pins if is_pinned(one, pin, deployments, policy, pins)]
        if one.newest_at is None:
            codes.append(ReasonCode.NO_OBJECTS)
        else:
            complete = [
                aged(other, policy.age_from)
                for other in dated_group(one, deployments, policy)
                if other.is_complete and other.name not in shared
            ]
            codes += codes_of_rules(aged(one, policy.age_from), complete, policy, now, minimum)
        action = Action.KEEP if codes else Action.DELETE
        group = group_name(one.name, policy.group_by)
        verdicts.append(Verdict(one.name, group, action, codes or SUPERSEDED))
    return verdicts


def is_pinned(one, pin, deployments, policy, pins):
    """Say whether a pin keeps a deployment, for its name or as the newest one of its branch."""
    if pin.code is ReasonCode.PROTECTED:
        return is_protected(one, [pin])
    if obvious_references.matches(pin.reference, one.name):
        return True
    group = [
        aged(other, policy.age_from)
        for other in dated_group(one, deployments, policy)
        if other.newest_at is not None
    ]
    shared = {other.name for other in deployments if is_protected(other, pins)}
    return one.name in obvious_references.find_kept(pin.reference, group, protected=shared)


def is_protected(one, pins):
    """Say whether `protect` matches, whatever other pins match too."""
    for pin in pins:
        if pin.code is ReasonCode.PROTECTED:
            if one.name == pin.pattern:
                return True
            if fnmatch.fnmatchcase(one.name, pin.pattern):
                return True
    return False


def shown_order(deployments):
    """Put the newest first, whatever the groups, and those without objects last."""
    empty = [one for one in deployments if one.newest_at is None]
    dated = [one for one in deployments if one.newest_at is not None]
    dated.sort(key=lambda one: one.name)
    dated.sort(key=lambda one: one.oldest_at, reverse=True)
    dated.sort(key=lambda one: one.newest_at, reverse=True)
    return dated + sorted(empty, key=lambda one: one.name)


def group_name(name, group_by):
    """Name the group that a deployment is shown in."""
    if group_by is None:
        return ""
    found = group_by.fullmatch(name)
    if found is None:
        return name
    texts = []
    for text in found.groups():
        texts.append("" if text is None else text)  # noqa: PERF401 - said step by step
    return "/".join(texts)


def dated_group(one, deployments, policy):
    """Find the deployments with objects that are decided together with this one, itself too."""
    if policy.group_by is not None and policy.group_by.fullmatch(one.name) is None:
        return [one]
    members = []
    for other in deployments:
        if other.newest_at is None:
            continue
        if policy.group_by is not None:
            if policy.group_by.fullmatch(other.name) is None:
                continue
            if group_name(other.name, policy.group_by) != group_name(one.name, policy.group_by):
                continue
        members.append(other)
    return members


def aged(one, age_from):
    """Tell from when to when a deployment's age may lie."""
    if age_from is AgeFrom.SPAN:
        start, end = one.oldest_at, one.newest_at
    elif age_from is AgeFrom.OLDEST:
        start, end = one.oldest_at, one.oldest_at
    elif age_from in (AgeFrom.NEWEST, AgeFrom.NAME):
        start, end = one.newest_at, one.newest_at
    else:
        assert age_from is AgeFrom.FIRST_OBJECT
        start = one.oldest_at if one.first_object_at is None else one.first_object_at
        end = max(start, one.newest_at) if one.is_fully_listed else start
    return Aged(one.name, start, end, one.newest_at, one.is_complete)


def is_known_newer(one, other):
    """Say whether all of one is newer than all of the other."""
    return one.start > other.end


def overlap(one, other):
    """Say whether neither is known to be newer."""
    return not is_known_newer(one, other) and not is_known_newer(other, one)


def stands_before(one, other):
    """Say whether one comes first where the newest come first."""
    if one.end != other.end:
        return one.end > other.end
    if one.start != other.start:
        return one.start > other.start
    return one.name < other.name


def codes_of_rules(one, complete, policy, now, minimum):
    """Hold every rule against one member of a group, which has these complete, counted ones."""
    if not one.is_complete and all(one.newest_at >= other.newest_at for other in complete):
        return [ReasonCode.IN_PROGRESS]
    # An hour, and a quarter of one for clocks that differ.
    if not one.is_complete and (now - one.newest_at).total_seconds() < 75 * 60:
        return [ReasonCode.IN_PROGRESS]
    codes = []
    if policy.age_from is AgeFrom.NAME:
        codes += name_codes(one, complete, max(policy.keep_count, minimum))
    codes += count_codes(one, complete, policy.keep_count, minimum)
    codes += within_codes(one, complete, policy.keep_within, now)
    if one in complete:
        if is_newest_of_period(one, complete, policy.keep_daily, day_of):
            codes.append(ReasonCode.KEEP_DAILY)
        if is_newest_of_period(one, complete, policy.keep_weekly, week_of):
            codes.append(ReasonCode.KEEP_WEEKLY)
        if is_newest_of_period(one, complete, policy.keep_monthly, month_of):
            codes.append(ReasonCode.KEEP_MONTHLY)
    return codes


def count_codes(one, complete, keep_count, minimum):
    """Keep the newest complete ones, and what may be one of them."""
    before = [other for other in complete if other != one and stands_before(other, one)]
    if one in complete and len(before) < keep_count:
        return [ReasonCode.KEEP_COUNT]
    if one in complete and len(before) < minimum:
        return [ReasonCode.MINIMUM_KEEP_COUNT]
    newer = [other for other in complete if is_known_newer(other, one)]
    if len(newer) >= keep_count and len(newer) >= minimum:
        return []
    if any(overlap(other, one) for other in before):
        return [ReasonCode.AMBIGUOUS_AGE]
    return [ReasonCode.KEEP_COUNT]


def name_codes(deployment, complete, needed):
    """Keep those for which too few names are higher, and those that cannot be compared."""
    others = [other for other in complete if other.name != deployment.name]
    comparable = [other for other in others if has_same_form(other.name, deployment.name)]
    higher = [other for other in comparable if numbers_of(other.name) > numbers_of(deployment.name)]
    if len(higher) >= needed:
        return []
    members = [*comparable, deployment] if deployment in complete else comparable
    if has_same_form(deployment.name, deployment.name) and len(members) > needed:
        return [ReasonCode.KEEP_COUNT]
    if len(higher) + len(others) - len(comparable) >= needed:
        return [ReasonCode.INCOMPARABLE_NAME]
    return [ReasonCode.KEEP_COUNT]


def has_same_form(name, other):
    """Return True if both have numbers, with the same text around them."""
    return any(map(str.isdigit, name)) and re.sub("[0-9]+", "#", name) == re.sub(
        "[0-9]+", "#", other
    )


def numbers_of(name):
    return [int(digits) for digits in re.findall("[0-9]+", name)]


def within_codes(one, complete, keep_within, now):
    """Keep what nothing has followed, or only lately."""
    if keep_within is None:
        return []
    first = None
    for other in complete:
        if not is_known_newer(other, one):
            continue
        if first is None or (other.newest_at, other.name) < (first.newest_at, first.name):
            first = other
    if first is None or now - first.newest_at <= keep_within.length:
        return [ReasonCode.KEEP_WITHIN]
    return []


def day_of(when):
    return when.date()


def week_of(when):
    return when.isocalendar().year, when.isocalendar().week


def month_of(when):
    return when.year, when.month


def is_newest_of_period(one, complete, wanted, period_of):
    """Say whether one is the newest of its period, and that one of the last that are wanted."""
    later_periods = set()
    for other in complete:
        if other.newest_at <= one.newest_at:
            continue
        if period_of(other.newest_at) == period_of(one.newest_at):
            return False
        later_periods.add(period_of(other.newest_at))
    return len(later_periods) < wanted

"""A second, slow and simple implementation of the retention rules, to compare ci3's with."""

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
    """Whether one deployment is kept or deleted, and the codes of the reasons."""

    name: str
    group: str
    action: Action
    codes: list[ReasonCode]


class AgedDeployment(NamedTuple):
    """A deployment with objects, and the first and last time that its age may have."""

    name: str
    start: object
    end: object
    newest_at: object
    is_complete: bool


def compute_verdicts(deployments, policy, pins: Iterable[Pin], now, minimum):
    """Decide about each deployment separately; return the newest first, empty ones last."""
    verdicts = []
    protected = {deployment.name for deployment in deployments if is_protected(deployment, pins)}
    for deployment in sort_for_display(deployments):
        codes = [pin.code for pin in pins if is_pinned(deployment, pin, deployments, policy, pins)]
        if deployment.newest_at is None:
            codes.append(ReasonCode.NO_OBJECTS)
        else:
            complete = [
                determine_age(member, policy.age_from)
                for member in find_group(deployment, deployments, policy)
                if member.is_complete and member.name not in protected
            ]
            aged = determine_age(deployment, policy.age_from)
            codes += check_rules(aged, complete, policy, now, minimum)
        action = Action.KEEP if codes else Action.DELETE
        group = format_group(deployment.name, policy.group_by)
        verdicts.append(Verdict(deployment.name, group, action, codes or SUPERSEDED))
    return verdicts


def is_pinned(deployment, pin, deployments, policy, pins):
    """Return True if a pin keeps a deployment, by its name or as the newest of its branch."""
    if pin.code is ReasonCode.PROTECTED:
        return is_protected(deployment, [pin])
    if obvious_references.matches(pin.reference, deployment.name):
        return True
    group = [
        determine_age(member, policy.age_from)
        for member in find_group(deployment, deployments, policy)
        if member.newest_at is not None
    ]
    protected = {member.name for member in deployments if is_protected(member, pins)}
    return deployment.name in obvious_references.find_kept(
        pin.reference, group, protected=protected
    )


def is_protected(deployment, pins):
    """Return True if `protect` matches, regardless of the other pins."""
    for pin in pins:
        if pin.code is ReasonCode.PROTECTED:
            if deployment.name == pin.pattern:
                return True
            if fnmatch.fnmatchcase(deployment.name, pin.pattern):
                return True
    return False


def sort_for_display(deployments):
    """Sort from newest to oldest, regardless of the groups; those without objects are last."""
    empty = [deployment for deployment in deployments if deployment.newest_at is None]
    dated = [deployment for deployment in deployments if deployment.newest_at is not None]
    dated.sort(key=lambda deployment: deployment.name)
    dated.sort(key=lambda deployment: deployment.oldest_at, reverse=True)
    dated.sort(key=lambda deployment: deployment.newest_at, reverse=True)
    return dated + sorted(empty, key=lambda deployment: deployment.name)


def format_group(name, group_by):
    """Return the name of the group that a deployment is shown in."""
    if group_by is None:
        return ""
    match = group_by.fullmatch(name)
    if match is None:
        return name
    texts = []
    for text in match.groups():
        texts.append("" if text is None else text)  # noqa: PERF401 - as simple as possible
    return "/".join(texts)


def find_group(deployment, deployments, policy):
    """Return the deployments with objects that are in the same group, including this one."""
    if policy.group_by is not None and policy.group_by.fullmatch(deployment.name) is None:
        return [deployment]
    group = format_group(deployment.name, policy.group_by)
    members = []
    for candidate in deployments:
        if candidate.newest_at is None:
            continue
        if policy.group_by is not None:
            if policy.group_by.fullmatch(candidate.name) is None:
                continue
            if format_group(candidate.name, policy.group_by) != group:
                continue
        members.append(candidate)
    return members


def determine_age(deployment, age_from):
    """Return a deployment with the first and last time that its age may have."""
    if age_from is AgeFrom.SPAN:
        start, end = deployment.oldest_at, deployment.newest_at
    elif age_from is AgeFrom.OLDEST:
        start, end = deployment.oldest_at, deployment.oldest_at
    elif age_from in (AgeFrom.NEWEST, AgeFrom.NAME):
        start, end = deployment.newest_at, deployment.newest_at
    else:
        assert age_from is AgeFrom.FIRST_OBJECT
        first_at = deployment.first_object_at
        start = deployment.oldest_at if first_at is None else first_at
        end = max(start, deployment.newest_at) if deployment.is_fully_listed else start
    return AgedDeployment(deployment.name, start, end, deployment.newest_at, deployment.is_complete)


def is_known_newer(first, second):
    """Return True if the first deployment starts after the second ends."""
    return first.start > second.end


def is_overlapping(first, second):
    """Return True if neither deployment is known to be newer."""
    return not is_known_newer(first, second) and not is_known_newer(second, first)


def is_sorted_before(first, second):
    """Return True if the first comes before the second in an order from newest to oldest."""
    if first.end != second.end:
        return first.end > second.end
    if first.start != second.start:
        return first.start > second.start
    return first.name < second.name


def check_rules(deployment, complete, policy, now, minimum):
    """Return the codes of the rules that keep a deployment.

    `complete` are the complete deployments of its group that `protect` does not match.
    """
    if not deployment.is_complete and all(
        deployment.newest_at >= member.newest_at for member in complete
    ):
        return [ReasonCode.IN_PROGRESS]
    # One hour, and 15 minutes for the difference between the clocks.
    if not deployment.is_complete and (now - deployment.newest_at).total_seconds() < 75 * 60:
        return [ReasonCode.IN_PROGRESS]
    codes = []
    if policy.age_from is AgeFrom.NAME:
        codes += check_name_order(deployment, complete, max(policy.keep_count, minimum))
    codes += check_keep_count(deployment, complete, policy.keep_count, minimum)
    codes += check_keep_within(deployment, complete, policy.keep_within, now)
    if deployment in complete:
        if is_newest_of_period(deployment, complete, policy.keep_daily, get_day):
            codes.append(ReasonCode.KEEP_DAILY)
        if is_newest_of_period(deployment, complete, policy.keep_weekly, get_week):
            codes.append(ReasonCode.KEEP_WEEKLY)
        if is_newest_of_period(deployment, complete, policy.keep_monthly, get_month):
            codes.append(ReasonCode.KEEP_MONTHLY)
    return codes


def check_keep_count(deployment, complete, keep_count, minimum):
    """Keep the newest complete deployments, and every deployment that may be one of them."""
    before = [
        member
        for member in complete
        if member != deployment and is_sorted_before(member, deployment)
    ]
    if deployment in complete and len(before) < keep_count:
        return [ReasonCode.KEEP_COUNT]
    if deployment in complete and len(before) < minimum:
        return [ReasonCode.MINIMUM_KEEP_COUNT]
    newer = [member for member in complete if is_known_newer(member, deployment)]
    if len(newer) >= keep_count and len(newer) >= minimum:
        return []
    if any(is_overlapping(member, deployment) for member in before):
        return [ReasonCode.AMBIGUOUS_AGE]
    return [ReasonCode.KEEP_COUNT]


def check_name_order(deployment, complete, needed_count):
    """Keep a deployment if too few names are higher, or too few can be compared with its name."""
    others = [member for member in complete if member.name != deployment.name]
    comparable = [member for member in others if has_same_form(member.name, deployment.name)]
    higher = [
        member for member in comparable if list_numbers(member.name) > list_numbers(deployment.name)
    ]
    if len(higher) >= needed_count:
        return []
    members = [*comparable, deployment] if deployment in complete else comparable
    if has_same_form(deployment.name, deployment.name) and len(members) > needed_count:
        return [ReasonCode.KEEP_COUNT]
    if len(higher) + len(others) - len(comparable) >= needed_count:
        return [ReasonCode.INCOMPARABLE_NAME]
    return [ReasonCode.KEEP_COUNT]


def has_same_form(first, second):
    """Return True if both names have numbers, with the same text around them."""
    return any(map(str.isdigit, first)) and re.sub("[0-9]+", "#", first) == re.sub(
        "[0-9]+", "#", second
    )


def list_numbers(name):
    return [int(digits) for digits in re.findall("[0-9]+", name)]


def check_keep_within(deployment, complete, keep_within, now):
    """Keep a deployment that was never superseded, or not longer than `keep_within` ago."""
    if keep_within is None:
        return []
    successor = None
    for member in complete:
        if not is_known_newer(member, deployment):
            continue
        if successor is None or (member.newest_at, member.name) < (
            successor.newest_at,
            successor.name,
        ):
            successor = member
    if successor is None or now - successor.newest_at <= keep_within.length:
        return [ReasonCode.KEEP_WITHIN]
    return []


def get_day(time):
    return time.date()


def get_week(time):
    return time.isocalendar().year, time.isocalendar().week


def get_month(time):
    return time.year, time.month


def is_newest_of_period(deployment, complete, period_count, get_period):
    """Return True if a deployment is the newest of one of the last `period_count` periods."""
    later_periods = set()
    for member in complete:
        if member.newest_at <= deployment.newest_at:
            continue
        if get_period(member.newest_at) == get_period(deployment.newest_at):
            return False
        later_periods.add(get_period(member.newest_at))
    return len(later_periods) < period_count

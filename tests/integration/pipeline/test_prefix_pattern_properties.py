"""A prefix pattern deletes no more than the same targets in a list."""

import re
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from ci3.core.plan.plan import Plan
from ci3.errors import RefusedError
from ci3.pipeline.context import TargetContext
from ci3.pipeline.run import open_run
from tests.support.apps import MATCH, PATTERN
from tests.support.cleanup_run import make_context
from tests.support.s3.memory_site import MemorySite, running_site

APPS = ("blog", "docs", "shop")
COMMITS = tuple(f"{number:040x}" for number in range(1, 6))
OTHER_NAMES = ("stable", "assets", ".ci3")
DEPLOYMENTS = st.dictionaries(
    st.sampled_from(COMMITS + OTHER_NAMES), st.integers(1, 20), max_size=6
)
LAYOUTS = st.fixed_dictionaries(dict.fromkeys(APPS, DEPLOYMENTS))
NAMES = st.sampled_from([*COMMITS, "stable", "gone", f"apps/shop/production/{COMMITS[0]}"])
SETTINGS = st.fixed_dictionaries(
    {"keep_count": st.sampled_from(["1", "2", "3"])},
    optional={
        "protect": st.sampled_from([*COMMITS[:2], "stable", "gone", "0*1"]),
        "live_from": st.just("object:current"),
        "max_delete": st.sampled_from(["1", "50%"]),
        "required_file": st.just("index.html"),
    },
)


def fill(site: MemorySite, layout: dict[str, dict[str, int]]) -> None:
    for app, deployments in layout.items():
        for name, days in deployments.items():
            site.put(f"apps/{app}/production/{name}/index.html", days=days)
        site.put(f"apps/{app}/notes.txt")


def plan_targets(contexts: Sequence[TargetContext]) -> dict[str, Plan]:
    run = open_run(contexts)
    return {plan.target.prefix: plan for plan in run.make_plans()}


def list_prefixes_to_delete(plan: Plan) -> set[str]:
    return {decision.deployment.prefix for decision in plan.to_delete}


@settings(max_examples=25, deadline=None)
@given(layout=LAYOUTS, target_settings=SETTINGS, pointer=st.lists(NAMES, min_size=1, max_size=3))
def test_pattern_deletes_nothing_that_the_same_targets_in_a_list_keep(
    layout: dict[str, dict[str, int]], target_settings: dict[str, str], pointer: list[str]
) -> None:
    with running_site() as site:
        fill(site, layout)
        site.put("current", body="\n".join(pointer).encode())
        prefixes = [
            f"apps/{app}/production/" for app, names in layout.items() if {*names} & {*COMMITS}
        ]
        listed = (
            plan_targets(
                [
                    make_context(site, prefix=prefix, match=MATCH, **target_settings)
                    for prefix in prefixes
                ]
            )
            if prefixes
            else {}
        )
        try:
            plans = plan_targets(
                [make_context(site, prefix=PATTERN, match=MATCH, **target_settings)]
            )
        except RefusedError:
            assert not prefixes
            return
        assert {*plans} == {*listed}
        for prefix, plan in plans.items():
            assert list_prefixes_to_delete(plan) <= list_prefixes_to_delete(listed[prefix])
            if "live_from" not in target_settings:
                assert plan.decisions == listed[prefix].decisions
            if (
                plan.is_applyable
                and "protect" not in target_settings
                and "live_from" not in target_settings
            ):
                assert listed[prefix].is_applyable
        if all(plan.is_applyable for plan in listed.values()):
            assert all(plan.is_applyable for plan in plans.values())


SEGMENTS = st.sampled_from(
    [".ci3", "user-uploads", "alice", "assets", "images", "2024", "pr-1", COMMITS[0], COMMITS[1]]
)
KEYS = st.lists(
    st.lists(SEGMENTS, min_size=1, max_size=4).map(lambda parts: "/".join([*parts, "file"])),
    max_size=12,
)


@settings(max_examples=25, deadline=None)
@given(keys=KEYS, pattern=st.sampled_from(["*/", "*/*/", "user-*/", "*/*/*/", "*/alice/"]))
def test_only_folders_named_by_a_commit_are_deployments(keys: list[str], pattern: str) -> None:
    with running_site() as site:
        for days, key in enumerate(keys):
            site.put(key, days=days + 1)
        try:
            run = open_run([make_context(site, prefix=pattern, match=MATCH, keep_count="1")])
        except RefusedError:
            return
        for plan in run.make_plans():
            for decision in plan.decisions:
                assert re.fullmatch(MATCH, decision.deployment.name)
            assert ".ci3" not in plan.target.prefix.split("/")
        if len(run.contexts) == 1:
            run.apply_plans(run.reconcile_rules(run.make_plans()), is_fresh=True)
            deleted_keys = {*keys} - site.keys()
            depth = pattern.count("/")
            assert all(re.fullmatch(MATCH, key.split("/")[depth]) for key in deleted_keys)
            assert not any(".ci3" in key.split("/")[:depth] for key in deleted_keys)

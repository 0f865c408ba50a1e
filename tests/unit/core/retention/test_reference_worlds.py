"""Random buckets with realistic names, compared with a second implementation.

`make test` compares a few hundred, the same each time; `make soak` compares SOAK_WORLDS.
"""

import os
import random
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

import pytest

from ci3.core.live.pins import Pin, pin_protected
from ci3.core.live.references import Reference
from ci3.core.live.sources import LiveReading, LiveReference, LiveSource
from ci3.core.model.decision import ReasonCode
from ci3.core.model.deployment import Deployment
from ci3.core.model.issues import RefusalCode
from ci3.core.plan.live_checks import find_live_refusals
from ci3.core.retention.age_order import AgeFrom
from ci3.core.retention.decide import RetentionPolicy, decide
from ci3.core.retention.newest_pins import resolve_pins
from tests.support.builders import NOW, inventory
from tests.support.obvious_references import (
    comes_before_commit,
    find_kept,
    has_form,
    matches,
    matches_exactly,
)

WORLDS = int(os.environ.get("SOAK_WORLDS", "400"))
BATCHES = 8
"""How many tests the worlds are divided into."""

COMMITS = tuple(f"{digits}{'0123456789abcdef' * 3}"[:40] for digits in
                ("1111111", "2222222", "a1b2c3d", "a1b2c3e", "20261123", "deadbeef"))  # fmt: skip
BRANCHES = (
    "main", "develop", "feature/login", "feature-login", "feature_login", "Feature/Login",
    "feature", "feature/login-page-with-single-sign-on", "feature/of-the-year/2026", "release/1.2",
    "12", "pr-12", "pr/12", "v1.2.0", "deadbeef", "main-1111111", "日本", "größe", "-x-", "_",
    "dependabot/npm_and_yarn/lodash-4.17.21", "a" * 70,
)  # fmt: skip
TAGS = ("v1.2.0", "v1.2.3", "1.2.0", "release-2026-11-23", "V2")
NUMBERS = (1, 2, 7, 12, 120, 20261123)
SHARED = ("assets", "user-uploads", "static", "latest", "index", "2026", "node_modules", "g", "-")
GROUPINGS = (
    re.compile(r"(pr-\d+)-.*|.*"),
    re.compile(r"(web|api)-.*"),
    re.compile(r".*-(web|api)"),
)


class Pool(NamedTuple):
    """The few values that names and references of a world are made of, so that many match."""

    commits: tuple[str, ...]
    branches: tuple[str, ...]
    tags: tuple[str, ...]
    numbers: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class World:
    deployments: tuple[Deployment, ...]
    references: tuple[Reference, ...]
    protected: tuple[str, ...]
    policy: RetentionPolicy

    @property
    def names(self):
        return [deployment.name for deployment in self.deployments]

    @property
    def pins(self):
        live = (
            Pin(code=ReasonCode.LIVE, reference=reference, evidence="it says so")
            for reference in self.references
        )
        return (*pin_protected(self.protected), *live)


@dataclass(frozen=True, kw_only=True)
class Dated:
    """A deployment with the times that count for `age-from`."""

    name: str
    is_complete: bool
    start: object
    end: object


def make_name(choose, pool):
    """Make a realistic folder name, often of values that references have, too."""
    commit = choose(pool.commits)[: choose((6, 7, 8, 12, 40))]
    number, branch, tag = choose(pool.numbers), choose(pool.branches), choose(pool.tags)
    slug = re.sub(choose(("[^A-Za-z0-9]", "[^A-Za-z0-9]+", "/")), choose("-_."), branch)
    slug = choose((slug, slug.lower(), slug[:63], slug.lower()[: choose((19, 20, 21, 30))]))
    numbered = (
        f"{choose(('pr', 'pull', 'mr', 'preview', 'PR', 'build', ''))}{choose('-_ ')}{number}"
    )
    numbered = choose((numbered, numbered.replace("-", ""), numbered.lstrip("-_ ")))
    base = choose((
        commit, commit.upper(), slug, slug, numbered, numbered, tag, f"{tag}-2-g{commit}",
        f"2026-11-{choose(range(1, 31)):02}", "20261123", f"20261123-{commit}", choose(SHARED),
        f"{slug}-{commit}", f"{slug}-{commit}", f"{numbered}-{commit}", f"{numbered}-{commit}",
        f"{slug}_{number}.g{commit}", f"web-{slug}-{commit}", f"{numbered}-web", f"g{commit}",
    ))  # fmt: skip
    base = choose(
        (base, base, base, f"web-{base}", f"{base}-web", f"{base}-api", f"{base}-{commit}")
    )
    return base.replace("/", "-") or "x"


def make_reference(choose, pool):
    commit = choose(pool.commits)[: choose((40, 40, 40, 7, 12))]
    kind = choose(("pull", "pull", "branch", "branch", "tag", "text", "text", "run", "record"))
    match kind:
        case "pull":
            return Reference(
                commits=(commit,),
                pull_request=choose(pool.numbers),
                branches=(choose(pool.branches),),
            )
        case "branch":
            return Reference(commits=(commit,), branches=(choose(pool.branches),))
        case "tag":
            return Reference(commits=(commit,), tags=(choose(pool.tags),))
        case "run":
            return Reference(
                commits=(commit, choose(pool.commits)),
                pull_request=choose((None, *pool.numbers)),
                branches=(choose(pool.branches), choose(pool.branches)),
            )
        case "record":
            refs = (
                *pool.branches,
                *pool.tags,
                commit,
                "refs/pull/12/merge",
                "refs/tags/v1.2.0",
                "",
            )
            return Reference.from_git_ref(choose(refs), commit)
        case _:
            return Reference.from_text(make_name(choose, pool))


def make_world(seed):
    choose = random.Random(seed).choice  # noqa: S311 - reproducible
    pool = Pool(
        *(tuple(choose(values) for _ in range(3)) for values in (COMMITS, BRANCHES, TAGS, NUMBERS))
    )
    names = {make_name(choose, pool) for _ in range(choose(range(1, 25)))}
    return World(
        deployments=tuple(make_deployment(choose, name) for name in sorted(names)),
        references=tuple(make_reference(choose, pool) for _ in range(choose((1, 1, 2, 3, 5)))),
        protected=choose(((), (), ("*-web",), ("main*", "v*"))),
        policy=RetentionPolicy(
            keep_count=1,
            group_by=choose((None, None, None, *GROUPINGS)),
            age_from=choose((AgeFrom.SPAN, AgeFrom.SPAN, AgeFrom.NEWEST, AgeFrom.OLDEST)),
        ),
    )


def make_deployment(choose, name):
    start = NOW - timedelta(days=choose(range(2, 40)))
    end = start + timedelta(days=choose((0, 0, 0, 1)))
    is_complete = choose((True, True, True, False))
    return Deployment(
        name=name, prefix=f"{name}/", object_count=2, size_bytes=1, oldest_at=start, newest_at=end,
        is_complete=is_complete, fingerprint=name,
    )  # fmt: skip


def find_groups(world):
    """Return the deployments of each group."""
    groups = {}
    group_by = world.policy.group_by
    for deployment in world.deployments:
        match = group_by and group_by.fullmatch(deployment.name)
        key = match.groups("") if match else "all" if group_by is None else deployment
        start, end = deployment.oldest_at, deployment.newest_at
        if world.policy.age_from is AgeFrom.NEWEST:
            start = end
        elif world.policy.age_from is AgeFrom.OLDEST:
            end = start
        dated = Dated(
            name=deployment.name, is_complete=deployment.is_complete, start=start, end=end
        )
        groups.setdefault(key, []).append(dated)
    return [*groups.values()]


def check_pins(world):
    protected = {
        name for name in world.names if any(pin.matches(name) for pin in world.pins
                                            if pin.code is ReasonCode.PROTECTED)
    }  # fmt: skip
    resolved = resolve_pins(
        world.pins,
        world.deployments,
        group_by=world.policy.group_by,
        age_from=world.policy.age_from,
    )
    live = [pin for pin in resolved if pin.code is ReasonCode.LIVE]
    decisions = decide(
        inventory(*world.deployments), world.policy, world.pins, NOW, minimum_keep_count=1
    )
    deleted = {decision.deployment.name for decision in decisions if decision.is_delete}
    for reference, pin in zip(world.references, live, strict=True):
        expected = set()
        for group in find_groups(world):
            expected |= find_kept(reference, group, protected=protected)
        assert {name for name in world.names if pin.matches(name)} == expected, reference
        assert not deleted & expected
        for name in world.names:
            assert bool(reference.describe_before_commit(name)) is comes_before_commit(
                reference, name
            )


def check_refusals(world):
    readings = {
        source: LiveReading(
            source=LiveSource.parse(source),
            references=tuple(
                LiveReference(name="", evidence="it says so", reference=reference)
                for reference in world.references
            ),
        )
        for source in ("branches", "open-pull-requests", "github-deployments")
    }
    codes = {
        source: [refusal.code for refusal in find_live_refusals([reading], world.names)]
        for source, reading in readings.items()
    }
    pairs = [(reference, name) for reference in world.references for name in world.names]
    is_named = any(matches(*pair) for pair in pairs)
    is_named_exactly = any(matches_exactly(*pair) for pair in pairs)
    may_be_named = is_named or any(comes_before_commit(*pair) or has_form(*pair) for pair in pairs)
    expected = [] if may_be_named else [RefusalCode.LIVE_MATCHES_NOTHING]
    assert codes == {
        "branches": expected,
        "open-pull-requests": expected,
        "github-deployments": [] if is_named_exactly else [RefusalCode.LIVE_NOT_FOUND],
    }


@pytest.mark.parametrize("batch", range(BATCHES))
def test_references_match_as_in_the_second_implementation(batch):
    for seed in range(batch, WORLDS, BATCHES):
        world = make_world(seed)
        check_pins(world)
        check_refusals(world)


def test_worlds_have_every_case():
    """Otherwise, the comparison would cover little."""
    worlds = [make_world(seed) for seed in range(300)]
    pairs = [
        (reference, name)
        for world in worlds
        for reference in world.references
        for name in world.names
    ]

    assert sum(matches(*pair) for pair in pairs) > 1000
    assert sum(comes_before_commit(*pair) for pair in pairs) > 200
    assert 100 < sum(has_form(*pair) for pair in pairs) < len(pairs) / 2

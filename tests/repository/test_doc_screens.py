"""The docs' screens: each shows what its commands print on the story's bucket."""

import json
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.screens import BLOCK, Act, World, assert_page_shows

DOCS = ROOT / "docs"
DEPLOYMENTS = {
    "9c41e07": 0.2,
    "5d2f8ab": 1.1,
    "e7730c9": 2.4,
    "0b96d14": 4,
    "c85fa32": 8,
    "71ae5d0": 11,
    "f20b6c8": 15,
}
IDENTITY_RESPONSE = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
    "<GetCallerIdentityResult>{}</GetCallerIdentityResult></GetCallerIdentityResponse>"
)


def fill_bucket(world: World) -> None:
    for name, days in DEPLOYMENTS.items():
        world.deploy(name, days=days)


def expire_noncurrent_versions(world: World) -> None:
    """Simulate a lifecycle rule that removes the noncurrent versions of one deleted key."""

    def expire() -> None:
        versions = world.bucket.versions["f20b6c8/index.html"]
        if versions[0].is_marker:
            del versions[1:]

    world.proxy.call_before("GET", r"\?versions", expire)


def fill_with_noncurrent_version(world: World) -> None:
    world.put("f20b6c8/assets/chunk-01.js", days=16)
    fill_bucket(world)


def fill_small_bucket(world: World) -> None:
    for name, days in (("9c41e07", 0.2), ("5d2f8ab", 1.1), ("e7730c9", 2.4)):
        world.deploy(name, days=days, files=2)
    world.put("robots.txt", days=90)


def assume_role(world: World, role: str) -> None:
    arn = f"<Arn>arn:aws:sts::123456789012:assumed-role/{role}/me</Arn>"
    world.proxy.answer("POST", "^/$", IDENTITY_RESPONSE.format(arn))


def assume_role_with_policy_file(role: str, path: str) -> Act:
    """Return an act that assumes a role with a policy that an earlier command has printed."""

    def act(world: World) -> None:
        assume_role(world, role)
        world.proxy.policy = json.loads(Path(path).read_text(encoding="utf-8"))

    return act


def fill_with_rule_and_script(world: World) -> None:
    """Add a lifecycle rule, and a script's list that keeps the last five deployments by name."""
    fill_bucket(world)
    rule = (
        "<Rule><ID>expire-old-builds</ID><Filter><Prefix></Prefix></Filter>"
        "<Status>Enabled</Status><Expiration><Days>30</Days></Expiration></Rule>"
    )
    rules = f"<LifecycleConfiguration>{rule}</LifecycleConfiguration>"
    world.proxy.answer("GET", r"\?lifecycle", rules)
    no_lock = "<Error><Code>ObjectLockConfigurationNotFoundError</Code></Error>"
    world.proxy.answer("GET", r"\?object-lock", no_lock, status=404)
    assume_role(world, "clean-my-site")
    by_name = sorted(DEPLOYMENTS)
    Path("by-script").write_text("\n".join([*by_name[:-5], ""]), encoding="utf-8")


def edit_plan(_: World) -> None:
    """Add a deployment to the plan, like a user who edits it."""
    text = Path("plan.json").read_text(encoding="utf-8")
    edited = text.replace('"decision": "keep"', '"decision": "delete"', 1)
    Path("edited.json").write_text(edited, encoding="utf-8")


def set_versioning(status: str) -> Act:
    def act(world: World) -> None:
        world.bucket.versioning = status

    return act


def fill_and_suspend_versioning(world: World) -> None:
    fill_bucket(world)
    world.bucket.versioning = "Suspended"


def deny(key: str) -> Act:
    return lambda world: world.proxy.refuse([key], "AccessDenied", message="Access Denied")


def kill_next_command(world: World) -> None:
    world.is_killed_next = True


STORIES: dict[str, tuple[str, str, dict[str, Act]]] = {
    "undo": (
        "recovery.md",
        "Enabled",
        {
            "begin": fill_bucket,
            "deploy-again": lambda world: world.put("71ae5d0/index.html", days=0.03),
            "expire-one": expire_noncurrent_versions,
        },
    ),
    "final": ("recovery.md", "", {"begin": fill_bucket}),
    "suspended": (
        "recovery.md",
        "Enabled",
        {"begin": fill_and_suspend_versioning, "turn-on": set_versioning("Enabled")},
    ),
    "killed": ("recovery.md", "Enabled", {"begin": fill_bucket, "kill": kill_next_command}),
    "partly": (
        "recovery.md",
        "Enabled",
        {"begin": fill_bucket, "deny": deny("f20b6c8/index.html")},
    ),
    "stored": ("recovery.md", "Enabled", {"begin": fill_bucket}),
    "stuck": (
        "recovery.md",
        "Enabled",
        {
            "begin": fill_with_noncurrent_version,
            "deny-old": deny("f20b6c8/assets/chunk-01.js"),
        },
    ),
    "plan": (
        "plan-format.md",
        "Enabled",
        {
            "begin": fill_small_bucket,
            "edit": edit_plan,
            "deploy-again": lambda world: world.put("e7730c9/index.html", days=0.03),
        },
    ),
    "roles": (
        "permissions.md",
        "Enabled",
        {
            "begin": fill_bucket,
            "read-only": assume_role_with_policy_file("read-my-site", "plan-policy.json"),
            "full": assume_role_with_policy_file("clean-my-site", "apply-policy.json"),
        },
    ),
    "moving": ("coming-from.md", "", {"begin": fill_with_rule_and_script}),
}
"""The page, the bucket's initial versioning and the acts of each story."""


@pytest.mark.parametrize("story", STORIES)
def test_page_shows_what_its_commands_print(story: str) -> None:
    page, versioning, acts = STORIES[story]
    assert_page_shows(DOCS / page, story, versioning, acts)


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.md")), ids=lambda path: path.stem)
def test_every_screen_of_the_docs_belongs_to_a_story(path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    stories = {match[1] for match in BLOCK.finditer(page)}
    assert page.count("```console") == len(list(BLOCK.finditer(page)))
    assert stories == {story for story, (name, *_) in STORIES.items() if name == path.name}

"""The docs' screens: each is what its commands print, on a bucket to which that happens."""

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
TELLS_IDENTITY = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
    "<GetCallerIdentityResult>{}</GetCallerIdentityResult></GetCallerIdentityResponse>"
)


def begin(world: World) -> None:
    for name, days in DEPLOYMENTS.items():
        world.deploy(name, days=days)


def expire_one(world: World) -> None:
    """Let a lifecycle rule remove what is hidden of one key, once it is."""

    def expire() -> None:
        versions = world.bucket.versions["f20b6c8/index.html"]
        if versions[0].is_marker:
            del versions[1:]

    world.proxy.call_before("GET", r"\?versions", expire)


def begin_with_old_versions(world: World) -> None:
    world.put("f20b6c8/assets/chunk-01.js", days=16)
    begin(world)


def begin_small(world: World) -> None:
    for name, days in (("9c41e07", 0.2), ("5d2f8ab", 1.1), ("e7730c9", 2.4)):
        world.deploy(name, days=days, files=2)
    world.put("robots.txt", days=90)


def be(world: World, role: str) -> None:
    arn = f"<Arn>arn:aws:sts::123456789012:assumed-role/{role}/me</Arn>"
    world.proxy.answer("POST", "^/$", TELLS_IDENTITY.format(arn))


def as_role_by_policy_file(role: str, path: str) -> Act:
    """Be a role that may do what a policy allows which was printed before."""

    def act(world: World) -> None:
        be(world, role)
        world.proxy.policy = json.loads(Path(path).read_text(encoding="utf-8"))

    return act


def begin_with_a_rule_and_a_script(world: World) -> None:
    """Have a lifecycle rule, and a script that keeps the last five by name."""
    begin(world)
    rule = (
        "<Rule><ID>expire-old-builds</ID><Filter><Prefix></Prefix></Filter>"
        "<Status>Enabled</Status><Expiration><Days>30</Days></Expiration></Rule>"
    )
    rules = f"<LifecycleConfiguration>{rule}</LifecycleConfiguration>"
    world.proxy.answer("GET", r"\?lifecycle", rules)
    nothing = "<Error><Code>ObjectLockConfigurationNotFoundError</Code></Error>"
    world.proxy.answer("GET", r"\?object-lock", nothing, status=404)
    be(world, "clean-my-site")
    by_name = sorted(DEPLOYMENTS)
    Path("by-script").write_text("\n".join([*by_name[:-5], ""]), encoding="utf-8")


def edit_plan(_: World) -> None:
    """Let somebody put another deployment into the plan."""
    text = Path("plan.json").read_text(encoding="utf-8")
    edited = text.replace('"decision": "keep"', '"decision": "delete"', 1)
    Path("edited.json").write_text(edited, encoding="utf-8")


def set_versioning(status: str) -> Act:
    def act(world: World) -> None:
        world.bucket.versioning = status

    return act


def begin_and_suspend(world: World) -> None:
    begin(world)
    world.bucket.versioning = "Suspended"


def deny(key: str) -> Act:
    return lambda world: world.proxy.refuse([key], "AccessDenied", message="Access Denied")


def kill(world: World) -> None:
    world.is_killed_next = True


STORIES: dict[str, tuple[str, str, dict[str, Act]]] = {
    "undo": (
        "recovery.md",
        "Enabled",
        {
            "begin": begin,
            "deploy-again": lambda world: world.put("71ae5d0/index.html", days=0.03),
            "expire-one": expire_one,
        },
    ),
    "final": ("recovery.md", "", {"begin": begin}),
    "suspended": (
        "recovery.md",
        "Enabled",
        {"begin": begin_and_suspend, "turn-on": set_versioning("Enabled")},
    ),
    "killed": ("recovery.md", "Enabled", {"begin": begin, "kill": kill}),
    "partly": (
        "recovery.md",
        "Enabled",
        {"begin": begin, "deny": deny("f20b6c8/index.html")},
    ),
    "stored": ("recovery.md", "Enabled", {"begin": begin}),
    "stuck": (
        "recovery.md",
        "Enabled",
        {
            "begin": begin_with_old_versions,
            "deny-old": deny("f20b6c8/assets/chunk-01.js"),
        },
    ),
    "plan": (
        "plan-format.md",
        "Enabled",
        {
            "begin": begin_small,
            "edit": edit_plan,
            "deploy-again": lambda world: world.put("e7730c9/index.html", days=0.03),
        },
    ),
    "roles": (
        "permissions.md",
        "Enabled",
        {
            "begin": begin,
            "read-only": as_role_by_policy_file("read-my-site", "plan-policy.json"),
            "full": as_role_by_policy_file("clean-my-site", "apply-policy.json"),
        },
    ),
    "moving": ("coming-from.md", "", {"begin": begin_with_a_rule_and_a_script}),
}
"""Of each story its page, the bucket's versioning at first, and what happens in it."""


@pytest.mark.parametrize("story", STORIES)
def test_page_shows_what_its_commands_print(story: str) -> None:
    page, versioning, acts = STORIES[story]
    assert_page_shows(DOCS / page, story, versioning, acts)


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.md")), ids=lambda path: path.stem)
def test_every_screen_of_the_docs_is_of_a_story(path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    told = {found[1] for found in BLOCK.finditer(page)}
    assert page.count("```console") == len(list(BLOCK.finditer(page)))
    assert told == {story for story, (name, *_) in STORIES.items() if name == path.name}

"""Complete commands on terminals of 80 and 60 columns: every line fits, and equals its golden."""

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from ci3.cli.main import main
from tests.support.golden_screens import find_wide_lines
from tests.support.s3.memory_site import MemorySite, running_site

COMMITS = [sha256(bytes([number])).hexdigest()[:40] for number in range(7)]
LIVE = COMMITS[2]
OLDEST = COMMITS[4]
PREVIEW = f"pr-128-{COMMITS[5]}"
MATCH = r"[0-9a-f]{40}|pr-\d+-[0-9a-f]{40}"
KEEP_2 = ("--keep-count", "2", "--live-from", "object:current")
POLICY_FILE = """\
defaults:
  keep-count: 1
  match: '{match}'
targets:
  - {{bucket: site, prefix: app/, endpoint-url: '{url}'}}
  - {{bucket: site, prefix: previews/, endpoint-url: '{url}'}}
"""


class Keyboard(io.StringIO):
    """A terminal's input, which echoes what is typed."""

    def isatty(self) -> bool:
        return True

    def readline(self, *args) -> str:
        line = super().readline(*args)
        sys.stderr.write(line)
        return line


class Output(io.StringIO):
    """A terminal's output without colors."""

    def isatty(self) -> bool:
        return True


class Screen:
    """A terminal of `width` columns on which commands for the folder app/ run."""

    def __init__(self, site: MemorySite, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.site = site
        self.width = width
        self.bucket = site.options()
        self.app = [*self.bucket, "--prefix", "app/", "--match", MATCH]

    def show(self, *argv: str, answers: str = "", code: int = 0) -> str:
        """Run a command; check that its lines fit, and return its output."""
        self._monkeypatch.setenv("COLUMNS", str(self.width))
        self._monkeypatch.setattr("sys.stdin", Keyboard(answers))
        self._monkeypatch.setenv("LINES", "24")
        self._monkeypatch.setenv("TERM", "dumb")
        output = Output()
        with redirect_stdout(output), redirect_stderr(output):
            assert main(argv) == code, output.getvalue()
        assert find_wide_lines(output.getvalue(), self.width) == []
        return output.getvalue()


def deploy_target(site: MemorySite, prefix: str) -> None:
    for name, days in zip(COMMITS[:5], (1, 3, 8, 20, 45), strict=True):
        deploy(site, f"{prefix}{name}", days=days)
    for name, days in zip(COMMITS[5:], (2, 12), strict=True):
        deploy(site, f"{prefix}pr-128-{name}", days=days)


def deploy(site: MemorySite, folder: str, *, days: float) -> None:
    at = datetime.now(UTC) - timedelta(days=days)
    for name in ("index.html", "assets/app-5d2f8ab0.js", "assets/app-5d2f8ab0.css"):
        site.put_at(f"{folder}/{name}", at, body=b"-" * 40_000)


@pytest.fixture(params=[80, 60])
def screen(request, monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    """A versioned bucket with two targets, app/ and previews/, and a pointer to the live one."""
    with running_site() as site:
        site.enable_versioning()
        deploy_target(site, "app/")
        deploy_target(site, "previews/")
        site.put("app/robots.txt", days=90)
        site.put("current", body=LIVE.encode())
        policy = POLICY_FILE.format(match=MATCH, url=site.endpoint_url)
        Path("policy.yml").write_text(policy, encoding="utf-8")
        yield Screen(site, request.param, monkeypatch)


Screens = Callable[[Screen], str]

PLANS: dict[str, Screens] = {
    "plan": lambda screen: screen.show("plan-cleanup", *screen.app, *KEEP_2),
    "warning": lambda screen: screen.show(
        "plan-cleanup", *screen.app, *KEEP_2, "--protect", "release-*"
    ),
    "groups": lambda screen: screen.show(
        "plan-cleanup", *screen.app, "--keep-count", "1", "--group-by", "(pr-[0-9]+)?.*"
    ),
    "refused": lambda screen: screen.show(
        "plan-cleanup", *screen.app, "--live-from", "object:releases/missing-pointer.json",
        "--max-delete", "1", "--keep-count", "2", code=4,
    ),
    "targets": lambda screen: screen.show("plan-cleanup", "--policy-file", "policy.yml"),
    "quiet": lambda screen: screen.show("plan-cleanup", *screen.app, *KEEP_2, "--quiet"),
    "nothing matches": lambda screen: screen.show(
        "plan-cleanup", *screen.bucket, "--prefix", "app/", "--match", "v[0-9]+"
    ),
}  # fmt: skip
OTHER_COMMANDS: dict[str, Screens] = {
    "list-deployments": lambda screen: screen.show("list-deployments", *screen.app),
    "list-objects": lambda screen: screen.show("list-objects", LIVE[:8], *screen.app),
    "explain": lambda screen: screen.show(
        "explain", LIVE[:8], *screen.app, *KEEP_2, "--keep-within", "14d"
    ),
    "explain a deletion": lambda screen: screen.show("explain", OLDEST[:8], *screen.app, *KEEP_2),
    "explain no deployment": lambda screen: screen.show("explain", "nosuch", *screen.app, code=2),
    "doctor": lambda screen: screen.show("doctor", *screen.app, *KEEP_2),
    "simulate": lambda screen: screen.show("simulate", *screen.app, "--keep-count", "2"),
    "simulate two": lambda screen: screen.show(
        "simulate", *screen.app, "--keep-count", "4", "--against", "policy.yml"
    ),
}


@pytest.mark.parametrize("name", [*PLANS, *OTHER_COMMANDS])
def test_screen_that_changes_nothing(screen: Screen, assert_screen, name: str) -> None:
    before = screen.site.versions()
    assert_screen((PLANS | OTHER_COMMANDS)[name](screen), has_table=True)
    assert screen.site.versions() == before


def test_names_that_need_a_pattern(screen: Screen, assert_screen) -> None:
    """The refusal has two settings to be copied."""
    for name, days in zip(COMMITS[:5], range(5), strict=True):
        deploy(screen.site, f"mixed/{name}", days=days)
    deploy(screen.site, "mixed/shared-assets", days=30)
    assert_screen(screen.show("plan-cleanup", *screen.bucket, "--prefix", "mixed/", code=4))


def test_cleanup_that_is_declined(screen: Screen, assert_screen) -> None:
    assert_screen(screen.show("cleanup", *screen.app, *KEEP_2, answers="n\n", code=4))


def test_cleanup_and_restore(screen: Screen, assert_screen) -> None:
    before = screen.site.keys()
    assert_screen(screen.show("cleanup", *screen.app, *KEEP_2, answers="y\n"), "approved")
    (journal,) = Path.cwd().glob("ci3-journal-*")
    declined = screen.show("restore", journal.name, answers="n\n", code=4)
    assert_screen(declined, "restore declined")
    assert_screen(screen.show("restore", journal.name, answers="y\n"), "restored")
    assert screen.site.keys() == before


def test_cleanup_of_all_versions(screen: Screen, assert_screen) -> None:
    argv = ("cleanup", *screen.app, *KEEP_2, "--delete-versions")
    assert_screen(screen.show(*argv, answers="y\n4\n"))


def test_cleanup_that_is_denied(screen: Screen, assert_screen) -> None:
    screen.site.proxy.refuse([f"app/{OLDEST}/index.html"], "AccessDenied", message="Access Denied")
    argv = ("cleanup", *screen.app, *KEEP_2, "--auto-approve")
    assert_screen(screen.show(*argv, code=3))


def test_cleanup_of_two_targets(screen: Screen, assert_screen) -> None:
    argv = ("cleanup", "--policy-file", "policy.yml", "--auto-approve")
    assert_screen(screen.show(*argv))


def test_cleanup_that_is_refused_shows_each_problem_once(screen: Screen, assert_screen) -> None:
    output = screen.show("cleanup", *screen.app, "--max-delete", "1", "--keep-count", "2", code=4)
    assert output.count("max-delete allows") == 1
    assert_screen(output)

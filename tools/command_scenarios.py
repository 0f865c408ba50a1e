"""Records what the commands of ci3 print, on sample buckets."""

from itertools import count

from tools import sample_buckets
from tools.sample_buckets import BROAD_RULE, DEMO, FOREIGN_RULE, MIXED, PLAIN
from tools.stage import MISSING, Stage

FORMATS = ("table", "json", "markdown")
RULES = "--keep-count 4 --protect 'release-*'"
ON_DEMO = f"--bucket-name {DEMO}"
ON_PLAIN = f"--bucket-name {PLAIN}"
ON_MIXED = f"--bucket-name {MIXED}"
GROUPED = (
    f"{ON_MIXED} --match '(pr|main)-.*' --group-by '(pr-\\d+)-.*' --required-file index.html "
    "--keep-count 1 --keep-within 4d --keep-daily 2 --keep-weekly 2 --keep-monthly 1"
)
IN_WORKFLOW = {"GITHUB_ACTIONS": "true", "GITHUB_SHA": "5d2f8ab" + "0" * 33}


def record_demo(stage: Stage) -> None:
    """Record `ci3 demo`, which starts its own S3 server."""
    stage.run_ci3("demo", "demo")


def record_lists(stage: Stage) -> None:
    """Record the commands that list or examine a bucket, in each format."""
    sample_buckets.fill(stage)
    stage.bucket(MIXED).lifecycle = BROAD_RULE
    for output in FORMATS:
        options = f"--output {output}"
        stage.run_ci3(f"deployments-{output}", f"list-deployments {ON_DEMO} {options}")
        stage.run_ci3(f"mixed-deployments-{output}", f"list-deployments {ON_MIXED} {options}")
        stage.run_ci3(f"objects-{output}", f"list-objects 3ad97e1 {ON_DEMO} {options}")
        stage.run_ci3(f"doctor-{output}", f"doctor {ON_DEMO} {options}")
        stage.run_ci3(f"mixed-doctor-{output}", f"doctor {ON_MIXED} {options}")
    stage.run_ci3("targets", "list-deployments --policy-file targets.yml")
    stage.run_ci3("empty", "list-deployments --bucket-name empty-site")
    stage.run_ci3("doctor-probe", f"doctor {ON_PLAIN} --probe-deletes --match '[0-9a-f]{{7}}'")
    stage.run_ci3("doctor-versions", f"doctor {ON_DEMO} --delete-versions --protect releas-2.4")
    stage.run_ci3("doctor-endpoint", f"doctor {ON_DEMO} --endpoint-url http://s3.recorded.test")


def record_plans(stage: Stage) -> None:
    """Record plans, explanations and simulations, in each format."""
    sample_buckets.fill(stage)
    for output in FORMATS:
        options = f"--output {output}"
        stage.run_ci3(f"plan-{output}", f"plan-cleanup {ON_DEMO} {RULES} {options}")
        stage.run_ci3(f"plain-{output}", f"plan-cleanup {ON_PLAIN} --delete-versions {options}")
        stage.run_ci3(f"mixed-{output}", f"plan-cleanup {GROUPED} {options}")
        stage.run_ci3(f"explain-deleted-{output}", f"explain 3ad97e1 {ON_DEMO} {RULES} {options}")
        stage.run_ci3(f"explain-kept-{output}", f"explain pr-12-0a0b {GROUPED} {options}")
        stage.run_ci3(f"simulate-{output}", f"simulate {ON_DEMO} {RULES} {options}")
        comparison = f"simulate {ON_DEMO} {RULES} --against other.yml {options}"
        stage.run_ci3(f"simulate-against-{output}", comparison)
    stage.run_ci3("all-kept", f"plan-cleanup {ON_DEMO} --keep-count 20")
    stage.run_ci3("empty", "plan-cleanup --bucket-name empty-site")
    stage.run_ci3("exit-code", f"plan-cleanup {ON_DEMO} {RULES} --detailed-exitcode")
    stage.run_ci3("versions", f"plan-cleanup {ON_DEMO} {RULES} --delete-versions")
    stage.run_ci3("live", f"plan-cleanup {ON_MIXED} --keep-count 1 --live-from object:live")
    stage.run_ci3("in-workflow", f"plan-cleanup {ON_DEMO} --keep-count 1", variables=IN_WORKFLOW)
    stage.run_ci3("unmatched-glob", f"plan-cleanup {ON_DEMO} --protect 'v*' --age-from newest")
    stage.run_ci3("targets-table", "plan-cleanup --policy-file targets.yml")
    stage.run_ci3("targets-json", "plan-cleanup --policy-file targets.yml --output json")
    stage.run_ci3("refused-targets", "plan-cleanup --policy-file targets.yml --max-delete 1")
    for name, option in (
        ("max-delete", "--max-delete 2"),
        ("max-delete-bytes", "--max-delete-bytes 1MB"),
        ("protect", "--protect release-2.5"),
        ("live", "--live-from object:none"),
    ):
        stage.run_ci3(f"refused-{name}", f"plan-cleanup {ON_DEMO} --keep-count 2 {option}")


def record_cleanup(stage: Stage) -> None:
    """Record cleanups with a journal, and their restore, in each format."""
    for output in FORMATS:
        sample_buckets.fill(stage)
        options = f"--auto-approve --output {output}"
        journal = f"{output}.jsonl"
        stage.run_ci3(
            f"cleanup-{output}", f"cleanup {ON_DEMO} {RULES} {options} --journal-file {journal}"
        )
        stage.save_file(journal)
        stage.save_bucket(f"deleted-{output}.keys", DEMO)
        stage.run_ci3(f"restore-{output}", f"restore {journal} {options}")
        stage.save_bucket(f"restored-{output}.keys", DEMO)
        stage.run_ci3(f"restore-again-{output}", f"restore {journal} {options}")
    sample_buckets.fill(stage)
    targets = "cleanup --policy-file targets.yml --auto-approve"
    stage.run_ci3("targets", f"{targets} --journal-file targets.jsonl")
    stage.save_file("targets-1.jsonl")
    stage.save_file("targets-2.jsonl")
    stage.run_ci3("nothing", f"{targets} --output markdown")
    stage.run_ci3("default-journal", f"cleanup {ON_DEMO} --keep-count 1 --auto-approve")
    names = [path.name for path in stage.folder.glob("ci3-journal-*.jsonl")]
    stage.save_file(next(iter(names), MISSING), "default-journal.jsonl")


def record_approval(stage: Stage) -> None:
    """Record cleanups and restores with and without approval."""
    sample_buckets.fill(stage)
    command = f"cleanup {ON_DEMO} {RULES} --journal-file j.jsonl"
    stage.run_ci3("no-terminal", command)
    stage.run_ci3("declined", command, answer="n\n")
    stage.run_ci3("approved", command, answer="y\n")
    stage.run_ci3("restore-no-terminal", "restore j.jsonl")
    stage.run_ci3("restore-declined", "restore j.jsonl", answer="n\n")
    stage.run_ci3("restore-approved", "restore j.jsonl", answer="y\n")
    versions = f"cleanup {ON_MIXED} --keep-count 1 --delete-versions --journal-file v.jsonl"
    stage.run_ci3("versions-declined", versions, answer="y\n3\n")
    stage.run_ci3("versions-approved", versions, answer="y\n14\n")


def record_final_cleanup(stage: Stage) -> None:
    """Record cleanups that can't be restored: of all versions, and of an unversioned bucket."""
    for output in FORMATS:
        sample_buckets.fill(stage)
        options = f"--auto-approve --output {output}"
        # One request at a time, so that the journal's order does not vary.
        versions = f"--keep-count 2 --delete-versions --concurrency 1 --journal-file {output}.jsonl"
        stage.run_ci3(f"versions-{output}", f"cleanup {ON_MIXED} {versions} {options}")
        plain = f"{RULES} --journal-file plain-{output}.jsonl"
        stage.run_ci3(f"plain-{output}", f"cleanup {ON_PLAIN} {plain} {options}")
    stage.save_file("table.jsonl", "versions.jsonl")
    stage.save_file("plain-table.jsonl", "plain.jsonl")
    stage.save_bucket("versions.keys", MIXED)
    stage.save_bucket("plain.keys", PLAIN)
    stage.run_ci3("restore-versions", "restore table.jsonl --auto-approve")
    stage.run_ci3("restore-plain", "restore plain-table.jsonl --auto-approve")


def record_lifecycle(stage: Stage) -> None:
    """Record cleanups by lifecycle rules, later plans, and their restore."""
    rules = f"{ON_DEMO} {RULES} --engine lifecycle"
    for output in FORMATS:
        sample_buckets.fill(stage)
        stage.bucket(DEMO).lifecycle = FOREIGN_RULE
        options = f"--output {output}"
        journal = f"lifecycle-{output}.jsonl"
        stage.run_ci3(f"plan-{output}", f"plan-cleanup {rules} {options}")
        apply = f"cleanup {rules} {options} --auto-approve --journal-file {journal}"
        stage.run_ci3(f"apply-{output}", apply)
        stage.save_bucket(f"apply-{output}.keys", DEMO)
        stage.run_ci3(f"plan-again-{output}", f"plan-cleanup {rules} {options}")
        stage.run_ci3(f"restore-{output}", f"restore {journal} {options} --auto-approve")
    stage.save_file("lifecycle-table.jsonl")
    stage.save_bucket("restored.keys", DEMO)
    stage.run_ci3("explain", f"explain 3ad97e1 {rules}")
    stage.run_ci3("auto", f"plan-cleanup {ON_DEMO} {RULES} --engine auto")
    versions = "--engine lifecycle --delete-versions --auto-approve --journal-file v.jsonl"
    stage.run_ci3("versions", f"cleanup {ON_MIXED} --keep-count 2 {versions}")
    stage.save_bucket("versions.keys", MIXED)
    stage.run_ci3("given-up", f"cleanup {ON_MIXED} --auto-approve --journal-file g.jsonl")
    stage.bucket(PLAIN).lifecycle = FOREIGN_RULE.replace(b"<Status>", b"<New/><Status>")
    stage.run_ci3("refused", f"plan-cleanup {ON_PLAIN} --engine lifecycle")


def record_saved_plan(stage: Stage) -> None:
    """Record saved plans that are applied, stale, edited or missing."""
    sample_buckets.fill(stage)
    numbers = count(1)

    def apply(name: str, plan: str = "plan.json", options: str = "") -> None:
        journal = f"--journal-file j{next(numbers)}.jsonl --auto-approve"
        stage.run_ci3(name, f"cleanup --plan-file {plan} {journal} {options}")

    stage.run_ci3("plan", f"plan-cleanup {ON_DEMO} {RULES} --plan-file plan.json")
    stage.save_file("plan.json")
    plan = stage.folder / "plan.json"
    text = plan.read_text(encoding="utf-8") if plan.exists() else MISSING
    for name, edited in (
        ("edited", text.replace('"decision": "keep"', '"decision": "delete"', 1)),
        ("unknown", text.replace('"ignored"', '"ignord"')),
        ("format", text.replace("ci3-plan/2", "ci3-plan/9")),
        ("cut", text[:200]),
    ):
        (stage.folder / f"{name}.json").write_text(edited, encoding="utf-8")
        apply(f"{name}-plan", f"{name}.json")
    apply("no-plan", "none.json")
    stage.put(DEMO, "3ad97e1/late.js", days=0.01)
    apply("stale")
    apply("other-settings", options="--keep-count 3")
    apply("skip-changed", options="--skip-changed")
    apply("again")
    apply("again-json", options="--skip-changed --output json")
    stage.run_ci3("plain-plan", f"plan-cleanup {ON_PLAIN} {RULES} --plan-file p.json")
    apply("apply", "p.json")
    apply("apply-again", "p.json")
    stage.run_ci3("targets-plan", "plan-cleanup --policy-file targets.yml --plan-file t.json")
    stage.save_file("t.json")


def record_failures(stage: Stage) -> None:
    """Record a cleanup that S3 partly denies, its resumption, and journals stored in S3."""
    sample_buckets.fill(stage)
    stage.proxy.refuse(["3ad97e1/index.html"], "AccessDenied", message="Access Denied")
    for output in FORMATS:
        journal = f"--auto-approve --output {output} --journal-file {output}.jsonl"
        stage.run_ci3(f"partial-{output}", f"cleanup {ON_DEMO} {RULES} {journal}")
    stage.save_file("table.jsonl")
    stage.proxy.forget_rules()
    stage.run_ci3("resume", "cleanup --resume table.jsonl --auto-approve")
    stage.save_file("table.jsonl", "resumed.jsonl")
    stage.run_ci3("resume-again", "cleanup --resume table.jsonl --auto-approve")
    stage.run_ci3("resume-missing", "cleanup --resume none.jsonl --auto-approve")
    stage.run_ci3("journal-exists", f"cleanup {ON_PLAIN} --auto-approve --journal-file table.jsonl")
    stage.run_ci3("stored", f"cleanup {ON_DEMO} --keep-count 2 --auto-approve --journal-file s3://")
    stage.save_bucket("stored.keys", DEMO)
    keys = [key for key in stage.bucket(DEMO).versions if key.startswith(".ci3/journals/")]
    run_id = keys[0].split("/")[2] if keys else MISSING
    stage.run_ci3("restore-stored", f"restore --run-id '{run_id}' {ON_DEMO} --auto-approve")
    stage.run_ci3("restore-since", f"restore 3ad97e1 --deleted-since 2h {ON_DEMO} --auto-approve")
    stage.proxy.answer("POST", r"\?delete", status=403)
    stage.run_ci3("denied", f"cleanup {ON_PLAIN} --auto-approve --journal-file d.jsonl")
    stage.proxy.answer("GET", "list-type=2", status=403)
    stage.run_ci3("no-access", f"plan-cleanup {ON_PLAIN}")
    stage.run_ci3("doctor-no-access", f"doctor {ON_PLAIN}")


def record_terminals(stage: Stage) -> None:
    """Record output on a terminal of 80 columns, with and without colors."""
    sample_buckets.fill(stage)
    for name, command in (
        ("plan", f"plan-cleanup {ON_DEMO} {RULES}"),
        ("mixed", f"plan-cleanup {GROUPED}"),
        ("deployments", f"list-deployments {ON_DEMO}"),
        ("explain", f"explain 3ad97e1 {ON_DEMO} {RULES}"),
        ("simulate", f"simulate {ON_DEMO} {RULES} --against other.yml"),
        ("doctor", f"doctor {ON_MIXED}"),
        ("help", "cleanup --help"),
    ):
        stage.run_ci3(f"{name}-color", command, is_terminal=True)
        if name != "help":
            plain = {"NO_COLOR": "1", "TERM": "dumb"}
            stage.run_ci3(f"{name}-plain", command, is_terminal=True, variables=plain)
    apply = f"cleanup {ON_DEMO} {RULES} --auto-approve --journal-file j.jsonl"
    stage.run_ci3("cleanup-color", apply, is_terminal=True)
    stage.run_ci3("restore-color", "restore j.jsonl --auto-approve", is_terminal=True)
    forced = {"FORCE_COLOR": "1"}
    stage.run_ci3("error-color", "plan-cleanup --bucket-name missing-site", variables=forced)

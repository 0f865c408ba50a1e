"""Several targets in one run: which value counts, and which targets conflict."""

import pytest

from ci3.config.policy_file import read_policy_text
from ci3.config.resolve import RawSetting
from ci3.config.targets import PolicyFile, resolve_targets
from ci3.core.model.policy import Origin, PolicyEntry
from ci3.errors import ExitCode, SettingsError
from tests.support.golden import assert_messages
from tests.support.messages import numbers_in


def make_layer(origin=Origin.OPTION, **texts):
    return {
        name.replace("_", "-"): RawSetting(texts=(text,), origin=origin, where=f"option {name}")
        for name, text in texts.items()
    }


def resolve(text, inputs=None, **options):
    return resolve_targets(inputs or {}, read_policy_text(text, "ci3.yml"), make_layer(**options))


def refuse(text, **options):
    with pytest.raises(SettingsError) as caught:
        resolve(text, **options)
    assert caught.value.exit_code is ExitCode.USAGE
    return caught.value


def format_targets(*lines):
    return "targets:\n" + "".join(f"- {{{line}}}\n" for line in lines)


def test_file_without_targets_has_one_target():
    (settings,) = resolve("bucket: my-site\nkeep-count: 3\n", keep_daily="7")

    assert (settings.bucket, settings.keep_count, settings.keep_daily) == ("my-site", 3, 7)
    assert not settings.has_targets


def test_run_without_a_policy_file_has_one_target():
    (settings,) = resolve_targets({}, PolicyFile(), make_layer(bucket="my-site"))

    assert (settings.bucket, settings.has_targets) == ("my-site", False)


def test_targets_keep_their_order_and_are_marked_as_targets():
    targets = resolve(format_targets("bucket: b-site", "bucket: a-site", "bucket: c-site"))

    assert [settings.bucket for settings in targets] == ["b-site", "a-site", "c-site"]
    assert all(settings.has_targets for settings in targets)
    (only_target,) = resolve(format_targets("bucket: a-site"))
    assert only_target.has_targets


LAYERS = [
    ("", "", "", 0),
    ("2", "", "", 2),
    ("2", "3", "", 3),
    ("", "3", "", 3),
    ("2", "3", "4", 4),
    ("2", "", "4", 4),
    ("", "", "4", 4),
]


@pytest.mark.parametrize(("default", "own", "option", "value"), LAYERS)
def test_option_overrides_the_target_and_the_target_overrides_the_defaults(
    default, own, option, value
):
    target = f"bucket: a-site, keep-daily: {own}" if own else "bucket: a-site"
    text = f"defaults:\n  keep-daily: {default}\n{format_targets(target)}"

    (settings,) = resolve(text, keep_daily=option)

    assert settings.keep_daily == value


def test_policy_file_overrides_inputs():
    inputs = make_layer(Origin.INPUT, keep_daily="1", keep_weekly="1")
    text = f"defaults: {{keep-daily: 2}}\n{format_targets('bucket: a-site')}"

    (settings,) = resolve(text, inputs)

    assert (settings.keep_daily, settings.keep_weekly) == (2, 1)


def test_value_of_a_target_does_not_apply_to_others():
    first_target, second_target = resolve(
        f"defaults: {{keep-count: 3, protect: [all]}}\n"
        f"{format_targets('bucket: a-site, keep-count: 9, protect: [one]', 'bucket: b-site')}"
    )

    assert (first_target.keep_count, first_target.protect) == (9, ("all", "one"))
    assert (second_target.keep_count, second_target.protect) == (3, ("all",))


def test_protect_and_live_from_of_all_layers_are_combined():
    (settings,) = resolve(
        "defaults: {protect: [a], live-from: [branches]}\n"
        f"{format_targets('bucket: a-site, protect: [b], live-from: [branches, cloudfront]')}",
        protect="c",
        live_from="cloudfront\nssm:/live",
    )

    assert settings.protect == ("a", "b", "c")
    assert [str(source) for source in settings.live_from] == [
        "branches",
        "cloudfront",
        "ssm:/live",
    ]


def test_plan_records_where_each_targets_value_came_from():
    targets_text = format_targets("bucket: a-site, keep-daily: 7", "bucket: b-site")
    first_target, second_target = resolve(
        f"defaults: {{keep-count: 3}}\n{targets_text}", keep_weekly="4"
    )

    weekly = {"keep-weekly": PolicyEntry(value=4, origin=Origin.OPTION)}
    count = {"keep-count": PolicyEntry(value=3, origin=Origin.POLICY_FILE)}
    daily = {"keep-daily": PolicyEntry(value=7, origin=Origin.POLICY_FILE)}
    assert (first_target.recorded, second_target.recorded) == (
        count | daily | weekly,
        count | weekly,
    )


def test_bucket_may_be_given_once_for_all_targets():
    targets = resolve(format_targets("prefix: a", "prefix: b"), bucket="my-site")

    assert [(settings.bucket, settings.prefix) for settings in targets] == [
        ("my-site", "a/"),
        ("my-site", "b/"),
    ]


def test_target_without_a_bucket_is_named():
    error = refuse(format_targets("bucket: a-site", "prefix: b"))

    assert error.message.startswith("ci3.yml")
    assert numbers_in(error.message) == [3, 2]
    assert "--bucket-name" in error.hint


TWO = format_targets("bucket: a-site", "bucket: b-site")


@pytest.mark.parametrize(
    ("journal", "numbered"),
    [
        ("journal.jsonl", ["journal-1.jsonl", "journal-2.jsonl"]),
        ("out/run.jsonl", ["out/run-1.jsonl", "out/run-2.jsonl"]),
        ("/tmp/a.b/journal", ["/tmp/a.b/journal-1", "/tmp/a.b/journal-2"]),  # noqa: S108
        ("a.tar.gz", ["a.tar-1.gz", "a.tar-2.gz"]),
        (".journal", [".journal-1", ".journal-2"]),
        ("", ["", ""]),
        (".", [".", "."]),
        ("..", ["..", ".."]),
        ("out/", ["out/", "out/"]),
    ],
)
def test_each_of_several_targets_has_a_separate_journal(journal, numbered):
    assert [settings.journal_file for settings in resolve(TWO, journal_file=journal)] == numbered
    text = f"defaults: {{journal-file: '{journal}'}}\n{TWO}"
    assert [settings.journal_file for settings in resolve(text)] == numbered


def test_only_target_keeps_the_journals_name():
    (settings,) = resolve(format_targets("bucket: a-site"), journal_file="journal.jsonl")

    assert settings.journal_file == "journal.jsonl"


SAME_FOLDER = [
    ("bucket: a-site", "bucket: a-site"),
    ("bucket: a-site, prefix: app", "bucket: a-site, prefix: app/"),
    ("bucket: a-site, region: eu-west-1", "bucket: a-site, region: eu-west-2"),
    ("bucket: a-site", "bucket: a-site, endpoint-url: 'https://s3.eu-west-1.amazonaws.com'"),
    ("bucket: a-site", "bucket: a-site, endpoint-url: 'https://s3.x-1.amazonaws.com.cn'"),
    (
        "bucket: a-site",
        "bucket: a-site, endpoint-url: 'https://S3.eusc-de-east-1.amazonaws.eu'",
    ),
    ("bucket: a-site", "bucket: a-site, endpoint-url: 'https://s3.us-iso-east-1.c2s.ic.gov'"),
    (
        "bucket: a-site, endpoint-url: 'https://minio.test'",
        "bucket: a-site, endpoint-url: 'http://MINIO.test:80/'",
    ),
    ("bucket: a-site, match: a-.*", "bucket: a-site"),
    ("bucket: a-site, match: a-.*", "bucket: a-site, match: a-.*"),
    ("bucket: a-site, match: '.*'", "bucket: a-site"),
]


@pytest.mark.parametrize(("first_target", "second_target"), SAME_FOLDER)
def test_two_targets_for_the_same_folder_are_refused(first_target, second_target):
    error = refuse(format_targets("bucket: another", first_target, second_target))

    assert numbers_in(error.message) == [2, 3, 3, 4]
    assert error.message.count("s3://a-site/") == 2


@pytest.mark.parametrize(
    ("first_target", "second_target"),
    [
        ("bucket: a-site", "bucket: b-site"),
        ("bucket: a-site, prefix: app", "bucket: a-site, prefix: apps"),
        ("bucket: a-site, prefix: app", "bucket: a-site, prefix: App"),
        ("bucket: a-site", "bucket: a-site, endpoint-url: 'https://minio.test'"),
        (
            "bucket: a-site, endpoint-url: 'https://minio.test:9000'",
            "bucket: a-site, endpoint-url: 'https://minio.test:9001'",
        ),
        (
            "bucket: a-site, endpoint-url: 'https://minio.test/a'",
            "bucket: a-site, endpoint-url: 'https://minio.test/b'",
        ),
        ("bucket: a-site", "bucket: b-site, prefix: app"),
        ("bucket: a-site", "bucket: a-site, prefix: a, endpoint-url: 'https://minio.test'"),
        ("bucket: a-site, match: 'pr-.*'", "bucket: a-site, prefix: main"),
        ("bucket: a-site, match: 'ma'", "bucket: a-site, prefix: main"),
        ("bucket: a-site, prefix: app, match: '[0-9]+'", "bucket: a-site, prefix: app/main/x"),
        ("bucket: a-site, match: a-.*", "bucket: a-site, match: b-.*"),
        ("bucket: a-site, prefix: x, match: a-.*", "bucket: a-site, prefix: x/, match: .*-a"),
    ],
)
def test_two_separate_targets_are_accepted(first_target, second_target):
    assert len(resolve(format_targets(first_target, second_target))) == 2
    assert len(resolve(format_targets(second_target, first_target))) == 2


OTHER_ENGINE = (
    "targets:\n- {{bucket: a-site, match: a-.*}}\n"
    "- {{bucket: a-site, match: b-.*, engine: {engine}}}\n"
)


@pytest.mark.parametrize("engine", ["lifecycle", "auto"])
def test_targets_of_one_folder_with_another_engine_are_refused(engine):
    error = refuse(OTHER_ENGINE.format(engine=engine))

    assert numbers_in(error.message) == [1, 2, 2, 3]
    assert "direct" in error.message


def test_target_in_a_deployment_of_either_target_of_one_folder_is_refused():
    text = format_targets(
        "bucket: a-site, match: a-.*", "bucket: a-site, match: b-.*", "bucket: a-site, prefix: b-1"
    )

    error = refuse(text)

    assert numbers_in(error.message) == [3, 4, 2, 3]
    assert "'b-1'" in error.message


def test_option_that_changes_the_bucket_of_a_target_is_refused():
    error = refuse(TWO, bucket="a-site")

    assert numbers_in(error.message) == [3, 2]
    assert error.message.count("bucket") == 2


def test_option_may_set_what_the_file_does_not():
    text = "targets:\n- {prefix: a}\n- {prefix: b}\n"
    urls = [settings.url for settings in resolve(text, bucket="a-site")]
    assert urls == ["s3://a-site/a/", "s3://a-site/b/"]


@pytest.mark.parametrize(
    ("outer", "inner", "folder"),
    [
        ("bucket: a-site", "bucket: a-site, prefix: main", "main"),
        ("bucket: a-site", "bucket: a-site, prefix: main/x/y", "main"),
        ("bucket: a-site, prefix: app", "bucket: a-site, prefix: app/main", "main"),
        ("bucket: a-site, prefix: a/b", "bucket: a-site, prefix: a/b/main/x", "main"),
        ("bucket: a-site, match: 'm.*'", "bucket: a-site, prefix: main", "main"),
        ("bucket: a-site, protect: [main]", "bucket: a-site, prefix: main", "main"),
    ],
)
def test_target_in_a_possible_deployment_of_another_is_refused(outer, inner, folder):
    error = refuse(format_targets(outer, inner))

    assert numbers_in(error.message) == [2, 3, 1, 2]
    assert repr(folder) in error.message
    assert (numbers_in(error.hint), repr(folder) in error.hint) == ([1, 2], True)
    assert numbers_in(refuse(format_targets(inner, outer)).message) == [1, 2, 2, 3]


def test_match_that_an_option_sets_counts_for_nested_targets():
    nested = format_targets("bucket: a-site, match: 'pr-.*'", "bucket: a-site, prefix: main")

    assert len(resolve(nested)) == 2
    assert "'main'" in refuse(nested, match=".*").message


def test_nested_targets_are_found_at_every_depth():
    error = refuse(
        format_targets(
            "bucket: a-site, match: x",
            "bucket: a-site, prefix: a/b",
            "bucket: a-site, prefix: a/b/c/d",
        )
    )
    assert numbers_in(error.message)[:2] == [3, 4]
    assert "'c'" in error.message


def test_prefix_in_an_error_is_escaped():
    error = refuse(format_targets('bucket: a-site, prefix: "\\e[2J"', "bucket: a-site"))

    assert "\\x1b[2J" in error.message
    assert "\x1b" not in error.message + error.hint


def test_messages_are_the_golden_ones():
    nested = format_targets("bucket: a-site", "bucket: a-site, prefix: main")
    files = [
        *(
            format_targets("bucket: another", first_target, second_target)
            for first_target, second_target in SAME_FOLDER
        ),
        OTHER_ENGINE.format(engine="auto"),
        nested,
        format_targets("bucket: a-site", "prefix: b"),
    ]
    moved = refuse(TWO, bucket="a-site")
    assert_messages(
        __file__, [*((file, refuse(file)) for file in files), ("moved by an option", moved)]
    )

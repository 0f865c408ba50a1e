"""References that are kept as a precaution: they neither replace the live ones nor must exist."""

from ci3.core.live.sources import LiveReading, LiveReference, LiveSource
from ci3.core.model.issues import RefusalCode
from ci3.core.plan.checks import find_live_refusals

PRECAUTION = LiveReference(name="old", evidence="old", is_required=False, is_precaution=True)


def find_codes(*references, names):
    source = LiveSource.parse("github-deployments")
    reading = LiveReading(source=source, references=references)
    return [refusal.code for refusal in find_live_refusals([reading], names)]


def test_precaution_does_not_replace_the_live_one():
    live = LiveReference(name="live", evidence="live")
    assert find_codes(live, PRECAUTION, names=["old"]) == [RefusalCode.LIVE_NOT_FOUND]
    assert find_codes(live, PRECAUTION, names=["live"]) == []


def test_precaution_does_not_replace_a_deployment_in_progress():
    coming = LiveReference(name="coming", evidence="coming", is_required=False)
    assert find_codes(coming, PRECAUTION, names=["old"]) == [RefusalCode.LIVE_NOT_FOUND]
    assert find_codes(coming, PRECAUTION, names=["coming"]) == []


def test_precaution_alone_establishes_nothing():
    assert find_codes(PRECAUTION, names=["old"]) == [RefusalCode.LIVE_SOURCE_UNREADABLE]

from ci3.errors import ExitCode


def test_doctor_tells_in_log_and_summary_and_deletes_nothing(bucket, act):
    before = bucket.content()
    run = act(mode="doctor", keep_count="1")
    assert (run.exit_code, run.outputs["outcome"]) == (ExitCode.DONE, "examined")
    assert "### ci3 doctor: Nothing is in ci3's way" in run.summary
    assert "site-[0-9]+" in run.log
    assert run.annotations("error") == []
    assert bucket.content() == before


def test_what_stands_in_the_way_is_annotated_and_fails_the_step(bucket, act):
    bucket.put("assets/logo.png", days=1)
    run = act(mode="doctor", live_from="object:live.txt")
    assert (run.exit_code, run.outputs["outcome"]) == (ExitCode.REFUSED, "refused")
    [problem] = run.annotations("error")
    assert problem.startswith("live: live-from object:live.txt can't be read")
    assert any(one.startswith("folders: ") for one in run.annotations("warning"))


def test_bucket_that_can_not_be_read_fails_the_step(bucket, act):
    run = act(mode="doctor", bucket="nowhere-at-all", environ={"INPUT_BUCKET": "nowhere-at-all"})
    assert (run.exit_code, run.outputs["outcome"]) == (ExitCode.ACCESS, "failed")
    assert "NoSuchBucket" in run.annotations("error")[0]

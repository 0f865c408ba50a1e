import json
import subprocess
import sys

import pytest
import requests

from tests.support.github.contract import (
    Answer,
    ContractViolationError,
    Received,
    answer_violations,
)
from tests.support.github.fake_github import REPOSITORY, TOKEN, FakeGitHub
from tests.support.paths import ROOT

COMMENTS = f"/repos/{REPOSITORY}/issues/7/comments"
ISSUES = f"/repos/{REPOSITORY}/issues"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", COMMENTS, {"bodi": "misspelt"}),
        ("POST", COMMENTS, {"body": 5}),
        ("GET", f"{COMMENTS}?perpage=100", None),
        ("GET", f"{COMMENTS}?per_page=many", None),
        ("GET", f"{COMMENTS}?per_page=101", None),
        ("GET", f"/repos/{REPOSITORY}/issues/seven/comments", None),
        ("GET", f"/repos/{REPOSITORY}/comments", None),
        ("PATCH", COMMENTS, {"body": "wrong method"}),
        ("GET", f"{ISSUES}?author=me", None),
        ("GET", f"{ISSUES}?state=reopened", None),
        ("POST", ISSUES, {"body": "no title"}),
        ("PATCH", f"{ISSUES}/501", {"state": "reopened"}),
    ],
)
def test_request_outside_the_contract_is_refused_and_fails_the_test(method, path, body):
    fake = FakeGitHub()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    response = requests.request(method, fake.url + path, json=body, headers=headers, timeout=5)

    assert response.status_code == 500
    assert response.json()["message"]
    with pytest.raises(ContractViolationError, match=method):
        fake.close()


def test_answer_outside_the_contract_is_a_violation():
    received = Received(method="GET", path=COMMENTS, query={}, headers={}, body=b"")
    answer = Answer(status=200, body=json.dumps([{"id": "one"}]).encode())

    assert list(answer_violations(received, answer))


def test_error_that_the_description_leaves_out_still_has_its_shape():
    received = Received(method="GET", path=COMMENTS, query={}, headers={}, body=b"")
    answer = Answer(status=401, body=json.dumps({"message": 5}).encode())

    assert list(answer_violations(received, answer))


def test_fake_serves_until_stdin_closes():
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.github.fake_github", "--port", "0"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        url = server.stdout.readline().strip()
        headers = {"Authorization": f"Bearer {TOKEN}"}
        response = requests.get(url + COMMENTS, headers=headers, timeout=5)
        server.stdin.close()

        assert server.wait(timeout=10) == 0
    assert response.json() == []

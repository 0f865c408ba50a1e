"""A user of the in-process S3 whose permissions moto enforces, except policy conditions."""

import json
from collections.abc import Mapping
from itertools import count

import moto.settings
import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends

_numbers = count(1)


def use_policy(monkeypatch: pytest.MonkeyPatch, policy: Mapping, s3_url: str) -> str:
    """Use a new user's credentials from now on, and enforce its policy; return its ARN."""
    backend = iam_backends[DEFAULT_ACCOUNT_ID]["aws"]
    name = f"cleaner-{next(_numbers)}"
    user = backend.create_user("us-east-1", name)
    backend.put_user_policy(name, "all", json.dumps(policy))
    key = backend.create_access_key(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key.secret_access_key)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", s3_url)
    monkeypatch.setattr(moto.settings, "INITIAL_NO_AUTH_ACTION_COUNT", 0)
    return user.arn

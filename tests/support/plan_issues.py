"""Readers of the refusals and warnings in the JSON of a plan."""

import json


def warning_codes(plan_json: str) -> list[str]:
    """Return the codes of a plan's warnings in order."""
    return [warning["code"] for warning in json.loads(plan_json)["warnings"]]


def format_issues(plan_json: str) -> str:
    """Return a plan's refusals and warnings as text, for golden files."""
    plan = json.loads(plan_json)
    return "\n".join(
        f"{issue['code']}: {issue['message']}"
        for kind in ("refusals", "warnings")
        for issue in plan[kind]
    )


def deployment_reasons(plan_json: str, name: str) -> dict[str, str]:
    """Return the reasons of the decision on a deployment: messages by codes."""
    (deployment,) = [
        deployment
        for deployment in json.loads(plan_json)["deployments"]
        if deployment["name"] == name
    ]
    return {reason["code"]: reason["message"] for reason in deployment["reasons"]}

"""Refusal of a plan whose deployments have no order by name, for `age-from: name`."""

from collections.abc import Iterable, Sequence

from ci3.core.formatting import join_names
from ci3.core.inventory.name_forms import has_commit
from ci3.core.live.pins import Pin, is_protected
from ci3.core.model.deployment import Deployment
from ci3.core.model.issues import Refusal, RefusalCode
from ci3.core.retention.age_order import AgeFrom


def refuse_hexadecimal_names(
    deployments: Iterable[Deployment], pins: Sequence[Pin], age_from: AgeFrom
) -> tuple[Refusal, ...]:
    """Return a refusal if names that must be ordered contain commit hashes, which have no order.

    Protected deployments are not ordered.
    """
    if age_from is not AgeFrom.NAME:
        return ()
    names = [
        deployment.name
        for deployment in deployments
        if has_commit(deployment.name) and not is_protected(deployment.name, pins)
    ]
    if not names:
        return ()
    message = (
        f"age-from: name cannot order names that contain a commit hash: {join_names(names)}. Use "
        "another age-from, or a match that excludes these folders"
    )
    return (Refusal(code=RefusalCode.HEXADECIMAL_NAMES, message=message),)

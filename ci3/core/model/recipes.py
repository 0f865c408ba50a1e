"""Links from refusals and warnings of a plan to the recipes of the docs that resolve them."""

from collections.abc import Mapping
from typing import Final

from ci3.core.model.issues import RefusalCode, WarningCode

DOCS_URL: Final = "https://github.com/OWNER/ci3/blob/main/docs"

_SECTIONS: Final[Mapping[str, str]] = {
    RefusalCode.MIXED_NAMES: "layouts.md#deployments-next-to-other-folders",
    RefusalCode.NESTED_DEPLOYMENTS: "layouts.md#one-bucket-many-apps",
    RefusalCode.NAMES_CONTRADICT_TIMES: "layouts.md#numbered-builds-and-versions",
    RefusalCode.HEXADECIMAL_NAMES: "layouts.md#copied-or-restored-buckets",
    RefusalCode.IN_TWO_TARGETS: "layouts.md#two-kinds-of-deployments-in-one-folder",
    WarningCode.NEVER_DELETABLE: "layouts.md#deployments-that-change-after-their-upload",
    WarningCode.NOTHING_MATCHES: "layouts.md#find-your-layout",
}
"""By the code of a refusal, a warning or both, page and heading below `DOCS_URL`."""


def find_recipe_url(code: RefusalCode | WarningCode) -> str:
    """Return the URL of the recipe for a refusal or warning, or an empty string."""
    section = _SECTIONS.get(code)
    return f"{DOCS_URL}/{section}" if section else ""

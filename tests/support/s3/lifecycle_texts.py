"""Lifecycle configurations of other tools: arbitrary rules in unusual but valid XML."""

from datetime import UTC, datetime
from xml.sax.saxutils import escape

from hypothesis import strategies as st

from ci3.core.lifecycle.configuration import NAMESPACE
from ci3.core.lifecycle.rule import ManagedRule

EXPIRES_AT = datetime(2026, 12, 2, 10, tzinfo=UTC)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn")), max_size=12)
SPACE = st.sampled_from(("", "\n  ", "\t", " ", "<!-- <Rule> -->", "<?pi x?>", "\r\n"))
ACTIONS = st.sampled_from(
    (
        ("Expiration", (("Days", "30"),)),
        ("Expiration", (("Date", "2027-01-01T00:00:00.000Z"),)),
        ("Expiration", (("ExpiredObjectDeleteMarker", "true"),)),
        ("Transition", (("Days", "30"), ("StorageClass", "GLACIER"))),
        ("NoncurrentVersionTransition", (("NoncurrentDays", "9"), ("StorageClass", "GLACIER"))),
        ("NoncurrentVersionExpiration", (("NoncurrentDays", "9"),
                                         ("NewerNoncurrentVersions", "2"))),
        ("AbortIncompleteMultipartUpload", (("DaysAfterInitiation", "7"),)),
    )
)  # fmt: skip


def make_rule(prefix: str, **changes: object) -> ManagedRule:
    """Return a rule that ci3 manages."""
    fields = {"prefix": prefix, "days": 20, "noncurrent_days": None, "expires_at": EXPIRES_AT}
    return ManagedRule(**(fields | changes))


def config(rules: str) -> bytes:
    return f'<LifecycleConfiguration xmlns="{NAMESPACE}">{rules}</LifecycleConfiguration>'.encode()


def foreign_rule(rule_id: str = "logs", prefix: str = "logs/", days: int = 30) -> str:
    return (
        f"<Rule><ID>{rule_id}</ID><Filter><Prefix>{prefix}</Prefix></Filter>"
        f"<Status>Enabled</Status><Expiration><Days>{days}</Days></Expiration></Rule>"
    )


@st.composite
def configurations(draw: st.DrawFn) -> bytes:
    """Generate configurations that ci3 did not create."""
    qualifier = draw(st.sampled_from(("", "", "s3:", "a:")))
    namespace_attribute = f' xmlns{":" if qualifier else ""}{qualifier[:-1]}="{NAMESPACE}"'
    other_attribute = draw(
        st.sampled_from(("", ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'))
    )

    def element(name: str, content: str) -> str:
        tag = f"{qualifier}{name}"
        if not content and draw(st.booleans()):
            return f"<{tag}/>"
        space = draw(st.sampled_from(("", " ", "\n")))
        return f"<{tag}{space}>{content}</{tag}{space}>"

    def leaf(name: str, text: str) -> str:
        return element(
            name, f"<![CDATA[{text}]]>" if draw(st.booleans()) and text else escape(text)
        )

    def group(name: str, parts: list[str]) -> str:
        return element(name, "".join(draw(SPACE) + part for part in parts) + draw(SPACE))

    def rule() -> str:
        parts = [
            leaf("ID", draw(TEXT)),
            leaf("Status", draw(st.sampled_from(("Enabled", "Disabled")))),
        ]
        tag = group("Tag", [leaf("Key", draw(TEXT)), leaf("Value", draw(TEXT))])
        filter_xml = draw(
            st.sampled_from(
                (
                    leaf("Prefix", draw(TEXT)),
                    element("Filter", ""),
                    group("Filter", [leaf("Prefix", draw(TEXT))]),
                    group("Filter", [tag]),
                    group("Filter", [group("And", [leaf("Prefix", draw(TEXT)), tag, tag])]),
                    group("Filter", [leaf("ObjectSizeGreaterThan", "5")]),
                )
            )
        )
        actions = draw(st.lists(ACTIONS, min_size=1, max_size=3))
        parts += [
            filter_xml,
            *(
                group(name, [leaf(*leaf_arguments) for leaf_arguments in leaves])
                for name, leaves in actions
            ),
        ]
        return group("Rule", draw(st.permutations(parts)))

    rules = [draw(SPACE) + rule() for _ in range(draw(st.integers(1, 3)))]
    head = draw(st.sampled_from(("", '<?xml version="1.0" encoding="UTF-8"?>\n', "<!-- x -->")))
    name = f"{qualifier}LifecycleConfiguration"
    tail = draw(st.sampled_from(("", "\n", "<!-- the end -->")))
    start_tag = f"<{name}{namespace_attribute}{other_attribute}>"
    return f"{head}{start_tag}{''.join(rules)}{draw(SPACE)}</{name} >{tail}".encode()

"""A second implementation of names and references: by brute force, from the text of the design.

It uses only the fields of a reference, and no code of `ci3.core.live`.
"""

from functools import cache

LETTERS_AND_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
HEX_DIGITS = "0123456789abcdef"
WORDS = ("pr", "pull", "mr", "preview")


@cache
def matches(reference, name):
    """Return True if a name belongs to the reference, or contains its commit: rules 1 and 2."""
    if reference.folder and name == reference.folder:
        return True
    if any(has_commit(name, commit) for commit in reference.commits):
        return True
    return is_named(name, reference.pull_request, (*reference.branches, *reference.tags))


@cache
def matches_exactly(reference, name):
    """Return True if a name matches, but not as the beginning of a branch or tag."""
    exact_refs = [ref for ref in (*reference.branches, *reference.tags) if is_same(name, ref)]
    return (
        (bool(reference.folder) and name == reference.folder)
        or any(has_commit(name, commit) for commit in reference.commits)
        or is_named(name, reference.pull_request, exact_refs)
    )


def is_same(name, ref):
    return name == ref or (bool(make_slug(ref)) and make_slug(name) == make_slug(ref))


@cache
def comes_before_commit(reference, name):
    """Return True if a name has the number or a branch before a commit: rule 3."""
    return is_before_commit(reference.pull_request, reference.branches, name)


def is_before_commit(number, branches, name):
    return any(
        is_named(name[:end], number, branches)
        for end in range(1, len(name))
        if name[end].lower() not in LETTERS_AND_DIGITS
        and may_be_commit(first_part(name[end:].lower()))
    )


def has_form(reference, name):
    """Return True if the commit or number could be written as a name."""
    if reference.commits and any(
        may_be_commit(part) and not part.isdecimal() and not part[1:].isdecimal()
        for part in parts(name)
    ):
        return True
    heads = [name] + [
        name[:end]
        for end in range(1, len(name))
        if name[end].lower() not in LETTERS_AND_DIGITS
        and may_be_commit(first_part(name[end:].lower()))
    ]
    return reference.pull_request is not None and any(is_any_number(head) for head in heads)


def find_kept(reference, deployments, *, protected):
    """Return the names that a reference keeps among the deployments of one group.

    Deployments have a name, `is_complete`, and the times `start` and `end`.
    """
    kept = {deployment.name for deployment in deployments if matches(reference, deployment.name)}
    deployed = [
        deployment.name
        for deployment in deployments
        if deployment.is_complete
        and deployment.name not in protected
        and any(has_commit(deployment.name, sha) for sha in reference.commits)
    ]
    if any(not comes_before_commit(reference, name) for name in deployed):
        return kept
    subjects = [(reference.pull_request, ()), *((None, (branch,)) for branch in reference.branches)]
    for number, branches in subjects:
        if any(branches or is_before_commit(number, (), name) for name in deployed):
            continue
        builds = [
            deployment
            for deployment in deployments
            if is_before_commit(number, branches, deployment.name)
        ]
        for build in builds:
            newer_builds = [
                candidate
                for candidate in builds
                if candidate.is_complete
                and candidate.name not in protected
                and candidate.start > build.end
                and have_same_head(number, branches, build.name, candidate.name)
            ]
            if not newer_builds:
                kept.add(build.name)
    return kept


def have_same_head(number, branches, first_name, second_name):
    """Return True if both have the same complete number or branch before their first commit."""
    head, second_head = (find_head(number, branches, name) for name in (first_name, second_name))
    is_exact = is_named(head, number, ()) or any(
        head == ref or make_slug(head) == make_slug(ref) for ref in branches
    )
    return is_exact and (make_slug(head) or head) == (make_slug(second_head) or second_head)


def find_head(number, branches, name):
    for end in range(1, len(name)):
        head = name[:end]
        while head and head[-1].lower() not in LETTERS_AND_DIGITS and not head[-1].isalpha():
            head = head[:-1]
        if (
            name[end].lower() not in LETTERS_AND_DIGITS
            and may_be_commit(first_part(name[end:].lower()))
            and (is_named(name[:end], number, branches))
        ):
            return head or name[:end]
    return ""


def has_commit(name, commit):
    for part in parts(name):
        for candidate in (part, part[1:] if part.startswith("g") else ""):
            shorter, longer = sorted((candidate, commit), key=len)
            if len(shorter) >= 7 and is_hex(shorter) and longer[: len(shorter)] == shorter:
                return True
    return False


def is_named(name, number, refs):
    slug = make_slug(name)
    if number is not None:
        digits = [str(number).zfill(width) for width in range(19)]
        if slug in [form for text in digits for form in (*list_forms(text), text)]:
            return True
    return any(ref and (name == ref or is_slug_of(slug, ref)) for ref in refs)


def is_slug_of(slug, ref):
    full = make_slug(ref)
    cut_off = [full[:length].strip("-") for length in range(20, len(full))]
    return bool(slug) and slug in (full, *cut_off)


def list_forms(digits):
    return [f"{word}{separator}{digits}" for word in WORDS for separator in ("", "-")]


def is_any_number(name):
    slug = make_slug(name)
    for word in ("", *WORDS):
        for separator in ("", "-") if word else ("",):
            digits = slug[len(word + separator) :]
            is_number = bool(digits) and set(digits) <= set("0123456789")
            if slug.startswith(word + separator) and is_number and int(digits) < 1_000_000:
                return True
    return False


def may_be_commit(part):
    return any(
        is_hex(text) and 7 <= len(text) <= 64
        for text in (part, part[1:] if part.startswith("g") else "")
    )


def is_hex(text):
    return all(character in HEX_DIGITS for character in text)


def parts(name):
    """Return the runs of letters and digits of a name."""
    words, current = [], ""
    for character in name.lower() + "-":
        if character in LETTERS_AND_DIGITS:
            current += character
        elif current:
            words.append(current)
            current = ""
    return words


def make_slug(text):
    return "-".join(parts(text))


def first_part(text):
    """Return the text after the first character, up to the next separator."""
    part = ""
    for character in text[1:]:
        if character not in LETTERS_AND_DIGITS:
            break
        part += character
    return part

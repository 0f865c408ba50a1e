"""Checks code and texts for users: retired words, vague names, docstring openings, size limits.

Run as `python -m tools.retired_words`, or with folders or files to check only that code. The words
are in `tools/retired_words.txt`. Exits with 1 if there is a violation.
"""

import json
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self

from tools.code_limits import (
    MAX_FUNCTION_LINES,
    MAX_MODULE_LINES,
    MAX_OPENING_SHARE,
    count_docstrings,
    find_large_functions,
    find_large_modules,
    find_openings,
)
from tools.python_source import NameKind, Prose, PythonSource
from tools.user_texts import read_help_texts, read_user_texts

ROOT = Path(__file__).resolve().parent.parent
WORD_LIST = Path(__file__).with_suffix(".txt")
SCOPE = ("ci3", "bench", "tools", "tests")
LIMITED = "ci3/"
"""Where the limits on sizes and docstring openings apply."""
VAGUE_NAMES = ("one", "place", "ran", "some", "there")
SCHEMAS = ROOT / "docs"
"""The folder of the schemas: what they publish is for users, and not code to check."""

_IDENTIFIER_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_PROSE_WORD = re.compile(r"[A-Za-z]+|[.!?:;|]")
"""A word, or the end of a sentence or table cell: a phrase does not continue after it."""
_BREAK = "."
_NOT_PROSE = re.compile(r"`[^`\n]*(?:\n[^`\n]+)?`|https?://\S+")
"""Code in backticks, on one line or two, and addresses."""
_VOWELS = "aeiou"


Phrase = tuple[str, ...]


class TextKind(StrEnum):
    """The texts in which a word is retired."""

    IDENTIFIER = "identifier"
    PROSE = "prose"
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetiredWord:
    """A line of the word list, with its phrases as tuples of lower-case words.

    `allowed` are longer phrases in which a retired one has a standard meaning.
    """

    phrases: frozenset[Phrase]
    allowed: frozenset[Phrase]
    text_kind: TextKind
    replacement: str

    @classmethod
    def parse(cls, line: str) -> Self:
        """Parse `word+, !word in this phrase | where | replacement`; raises ValueError."""
        fields = [field.strip() for field in line.split("|")]
        if len(fields) not in (2, 3) or not fields[0]:
            raise ValueError(f"expected `words | where | replacement`, not {line!r}")
        forms = [form.strip() for form in fields[0].split(",")]
        retired = [form for form in forms if not form.startswith("!")]
        allowed = [form.removeprefix("!") for form in forms if form.startswith("!")]
        return cls(
            phrases=frozenset(phrase for form in retired for phrase in _phrases(form)),
            allowed=frozenset(phrase for form in allowed for phrase in _phrases(form)),
            text_kind=TextKind(fields[1]),
            replacement=fields[2] if len(fields) == 3 else "",  # noqa: PLR2004 - see above
        )


class WordList:
    """The retired words of names or of prose, ready to search for."""

    def __init__(self, words: Iterable[RetiredWord], text_kind: TextKind) -> None:
        selected = [word for word in words if word.text_kind in (text_kind, TextKind.BOTH)]
        self._replacements = {
            phrase: word.replacement for word in selected for phrase in word.phrases
        }
        self._allowed = {phrase for word in selected for phrase in word.allowed}

    def find(self, words: Sequence[str]) -> Iterator[tuple[int, Phrase, str]]:
        """Yield the position, the phrase and the replacement of each retired phrase in `words`."""
        allowed_at = {
            position + offset
            for position, phrase in _find_phrases(words, self._allowed)
            for offset in range(len(phrase))
        }
        for position, phrase in _find_phrases(words, self._replacements):
            if position not in allowed_at:
                yield position, phrase, self._replacements[phrase]


def read_word_list(text: str) -> tuple[RetiredWord, ...]:
    """Parse the word list; raises ValueError for a line that does not have the format."""
    lines = (line.strip() for line in text.splitlines())
    return tuple(RetiredWord.parse(line) for line in lines if line and not line.startswith("#"))


def read_published_texts(folder: Path) -> frozenset[str]:
    """Return the names and descriptions of all schemas in a folder; they are not code to check."""

    def find_texts(value: object) -> Iterator[str]:
        if isinstance(value, dict):
            yield from value
            yield _join_lines(str(value.get("description", "")))
        if isinstance(value, dict | list):
            for child in value.values() if isinstance(value, dict) else value:
                yield from find_texts(child)

    schemas = (json.loads(path.read_text("utf-8")) for path in folder.glob("*.schema.json"))
    return frozenset(text for schema in schemas for text in find_texts(schema))


def find_retired_words(
    source: PythonSource, words: Sequence[RetiredWord], published: Collection[str] = ()
) -> Iterator[str]:
    """Yield a message for each retired word in the names, comments and docstrings of a file.

    Names and docstrings that are `published` in a schema are left out.
    """
    identifiers = WordList(words, TextKind.IDENTIFIER)
    for name in source.names():
        if name.text in published:
            continue
        split = [word.lower() for word in _IDENTIFIER_WORD.findall(name.text)]
        for _, phrase, replacement in identifiers.find(split):
            yield f"{source.path}:{name.line}: {_describe(phrase, replacement)} (in {name.text})"
    prose_words = WordList(words, TextKind.PROSE)
    for prose in source.prose():
        if _join_lines(prose.text) in published:
            continue
        lines, split = _split_prose(prose)
        for position, phrase, replacement in prose_words.find(split):
            yield f"{source.path}:{lines[position]}: {_describe(phrase, replacement)}"


def find_retired_words_in_text(name: str, text: str, words: Sequence[RetiredWord]) -> Iterator[str]:
    """Yield a message for each retired word in a text for users; code in backticks is left out."""
    lines, split = _split_prose(Prose(text=text, line=1))
    for position, phrase, replacement in WordList(words, TextKind.PROSE).find(split):
        yield f"{name}:{lines[position]}: {_describe(phrase, replacement)}"


def find_vague_names(source: PythonSource) -> Iterator[str]:
    """Yield a message for each variable, parameter or attribute with a name of VAGUE_NAMES."""
    for name in source.names():
        if name.kind is NameKind.VARIABLE and name.text in VAGUE_NAMES:
            location = f"{source.path}:{name.line}"
            yield f'{location}: "{name.text}" is no name; write the noun, such as "deployment"'


def check_words(
    sources: Sequence[PythonSource], words: Sequence[RetiredWord], published: Collection[str]
) -> list[str]:
    """Return a message for each retired word and vague name."""
    return [
        message
        for source in sources
        for message in (*find_retired_words(source, words, published), *find_vague_names(source))
    ]


def check_limits(sources: Sequence[PythonSource]) -> tuple[list[str], str]:
    """Return a message for each exceeded limit, and the share of docstring openings as a line."""
    limited = [source for source in sources if source.path.startswith(LIMITED)]
    messages = [
        *find_large_modules(limited, MAX_MODULE_LINES),
        *find_large_functions(limited, MAX_FUNCTION_LINES),
    ]
    total, openings = count_docstrings(limited), find_openings(limited)
    share = len(openings) / total if total else 0.0
    if share > MAX_OPENING_SHARE:
        messages += openings
    summary = (
        f"docstrings with a retired opening: {len(openings)} of {total} ({share:.1%}); "
        f"the limit is {MAX_OPENING_SHARE:.0%}"
    )
    return messages, summary


def main(arguments: Sequence[str]) -> int:
    """Check the folders or files of the arguments, or the whole scope; return the exit code."""
    paths = [ROOT / argument for argument in arguments or SCOPE]
    if missing := [str(path) for path in paths if not path.exists()]:
        sys.stderr.write(f"no such file or folder: {', '.join(missing)}\n")
        return 2
    files = sorted(
        file for path in paths for file in (path.rglob("*.py") if path.is_dir() else [path])
    )
    sources = [PythonSource.read(ROOT, file) for file in files]
    words = read_word_list(WORD_LIST.read_text(encoding="utf-8"))
    messages = check_words(sources, words, read_published_texts(SCHEMAS))
    if not arguments:
        for name, text in (*read_user_texts(ROOT), *read_help_texts()):
            messages += find_retired_words_in_text(name, text, words)
    exceeded, summary = check_limits(sources)
    for message in (*messages, *exceeded, summary):
        print(message)
    return 1 if messages or exceeded else 0


def _find_phrases(
    words: Sequence[str], phrases: Collection[Phrase]
) -> Iterator[tuple[int, Phrase]]:
    for length in sorted({len(phrase) for phrase in phrases}):
        for position in range(len(words) - length + 1):
            phrase = tuple(words[position : position + length])
            if phrase in phrases:
                yield position, phrase


def _join_lines(text: str) -> str:
    return " ".join(text.split())


def _describe(phrase: Phrase, replacement: str) -> str:
    return f'"{" ".join(phrase)}" is retired' + (f"; write {replacement}" if replacement else "")


def _phrases(form: str) -> Iterator[Phrase]:
    """Yield the phrase of a form; if it ends with `+`, with each inflection of its last word."""
    *head, last = form.removesuffix("+").lower().split()
    yield (*head, last)
    if form.endswith("+"):
        for inflected in _inflections(last):
            yield (*head, inflected)


def _inflections(word: str) -> tuple[str, ...]:
    """Return the regular inflections of a noun or verb: `call` gives calls, called, calling(s)."""
    if word.endswith("e"):
        return f"{word}s", f"{word}d", f"{word[:-1]}ing", f"{word[:-1]}ings"
    if word.endswith("y") and word[-2] not in _VOWELS:
        return f"{word[:-1]}ies", f"{word[:-1]}ied", f"{word}ing", f"{word}ings"
    ending = "es" if word.endswith(("s", "x", "ch", "sh", "o")) else "s"
    return f"{word}{ending}", f"{word}ed", f"{word}ing", f"{word}ings"


def _split_prose(prose: Prose) -> tuple[list[int], list[str]]:
    """Split into lower-case words, each with its line; code and addresses are left out."""
    text = _NOT_PROSE.sub(lambda code: f" {_BREAK} " + "\n" * code[0].count("\n"), prose.text)
    lines, words = [], []
    for offset, line in enumerate(text.split("\n")):
        for word in _PROSE_WORD.findall(line) or [_BREAK]:  # an empty line ends a paragraph
            lines.append(prose.line + offset)
            words.append(word.lower())
    return lines, words


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

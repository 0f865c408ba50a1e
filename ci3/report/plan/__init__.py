"""Plans and results of an apply: sentences, the terminal table, the summary and the comment.

Must not depend on the other commands' renderings.
May import: `ci3.core`, and `markdown_format`, `terminal_format` and `charts` of `ci3.report`.
Start reading: `headlines` and `text` (sentences that all formats share), then `markdown` or
`terminal`.
"""

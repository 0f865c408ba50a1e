"""Plans and results of an apply: sentences, the terminal table, the summary and the comment.

May import: `ci3.core` and the formats beside this package.
Start reading: `text` (sentences that all formats share), then `markdown` or `terminal`.
"""

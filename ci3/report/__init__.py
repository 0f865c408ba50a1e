"""Rendering of plans and results as terminal output, Markdown and JSON.

Takes values of `ci3.core` and returns text, or prints to a console that is passed in. Must not
decide anything or read files, the network or the environment.

May import: `ci3.core` and the layers below it; no other package of the same layer.
Start reading: `plan` (plans and applies). `doctor`, `restore`, `simulation` and `listings` render
the other commands. All lay out their text with `terminal_format` and `markdown_format`.
"""

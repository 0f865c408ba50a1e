"""Everything that is shown: plans and results as terminal output, Markdown and JSON.

Takes values of `ci3.core` and returns text, or prints to a console that is passed in. Decides
nothing and reads nothing.

May import: `ci3.core` and the layers below it; no other package of its own layer.
Start reading: `plan` (plans and applies); `doctor`, `restore`, `simulation` and `listings` render
the other commands.
"""

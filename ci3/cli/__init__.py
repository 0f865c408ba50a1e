"""The command line: `ci3` and its commands.

Parses options, calls the pipeline and prints results. Must not decide what is deleted. The module
of a command is imported when the command is called.

May import: every layer below it; not `ci3.action`.
Start reading: `main` (the list of commands), then `cleanup`.
"""

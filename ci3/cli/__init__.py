"""The command line: `ci3` and its commands.

Parses options, calls the pipeline, prints. Commands are imported when they are called.

May import: every layer below it; not `ci3.action`.
Start reading: `main` (the list of commands), then `cleanup`.
"""

"""Reading live sources: AWS, GitHub, URLs and pointer objects that say what is live.

A source that cannot be read is a reading with a problem, never an empty one: then nothing may be
deleted.

May import: `ci3.aws`, `ci3.github`, `ci3.core` and the layers below them; `url` alone imports
requests here, since the pages it fetches are not GitHub's.
Start reading: `reader`.
"""

"""Reading live sources: AWS, GitHub, URLs and pointer objects that name what is live.

A source that can't be read returns a reading with a problem, never an empty one: nothing may be
deleted then.

May import: `ci3.aws`, `ci3.github`, `ci3.core` and the layers below them; `url` alone imports
requests here, since the pages it fetches are not GitHub's.
Start reading: `reader`.
"""

"""Effects on a bucket: listing it fast, deleting from it safely, restoring, journaling.

Decides nothing that `ci3.core` can decide; it executes approved plans and reports one outcome for
each object.

May import: `ci3.aws`, `ci3.core` and the layers below them. Sub-packages import downward only:
restore > deletion, lifecycle, doctor > gate, inventory, journal, live_watch > workers.
Start reading: `deletion.objects` (a deletion from start to end), `gate` (the last check before a
request), `inventory.listing`.
"""

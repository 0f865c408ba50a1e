"""Journals: header, entries, location, and the plan of a resumed run.

May import: `ci3.core.plan` and the packages below it. Files are read and written by
`ci3.engine.journal`.
Start reading: `header`, `entry`, then `resume`.
"""

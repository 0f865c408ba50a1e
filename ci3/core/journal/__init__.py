"""What a journal says: its header, its entries, where it is stored, and what a resume may do.

May import: `ci3.core.plan` and the packages below it. Files are read and written by
`ci3.engine.journal`.
Start reading: `header`, `entry`, then `resume`.
"""

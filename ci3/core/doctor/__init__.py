"""The checks of `ci3 doctor`: facts about a bucket in, findings out.

May import: `ci3.core.plan` and the packages below it. Facts are read by `ci3.engine.doctor`.
Start reading: `facts`, then `checks`.
"""

"""The data model: deployments, decisions, results, refusals and warnings.

Owns frozen dataclasses and enums. May import: `ci3.errors` and `ci3.constants`.
Start reading: `deployment`, then `decision`; `result` has the results of an apply.
"""

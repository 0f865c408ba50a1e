"""The data model: deployments, decisions, results, and what may be wrong with a plan.

Frozen dataclasses and enums without behavior that needs anything else. Imports nothing of ci3 but
`ci3.errors` and `ci3.constants`.
Start reading: `deployment`, then `decision`; `result` holds what a deletion returns.
"""

"""Settings: one definition for the action input, the option, the policy-file key and the docs.

Parses and merges defaults, policy file, inputs and options, and refuses invalid values.

May import: `ci3.core` and the layers below it; no other package of the same layer.
Start reading: `settings` (every setting), then `resolve` (how layers are merged) and `targets`.
"""

"""All decisions of a target with refusals and warnings, as data and as JSON.

May import: `ci3.core.retention`, `ci3.core.lifecycle` and the packages below them. Rendering is
done by `ci3.report`.
Start reading: `plan`, then `checks` (what refuses a plan), `json_writer` and `json_reader`.
"""

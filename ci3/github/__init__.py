"""GitHub: its REST API, OIDC tokens, and the runner's interface for a workflow step.

The only package that imports requests and actions_toolkit (`ci3.live.url` fetches pages with
requests too). Translates their exceptions into `ci3.errors` once. Decides nothing.

May import: `ci3.core` and the layers below it; no other package of the same layer.
Start reading: `http` (one request with retries), `api` (requests about a repository),
`workflow_run` and `run_references` (the run's event, commits and pull request), `comments` and
`issues` (the report that is kept up to date; `markers` finds it).
"""

"""GitHub: its REST API, OIDC tokens, and the runner that a workflow step talks to.

The only package that imports requests and actions_toolkit (`ci3.live.url` fetches pages with
requests too). Translates their exceptions into `ci3.errors` once. Decides nothing.

May import: `ci3.core` and the layers below it; no other package of its own layer.
Start reading: `http` (one request with retries), `api` (what ci3 asks), `workflow_run` (what runs).
"""

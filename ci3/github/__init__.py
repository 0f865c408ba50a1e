"""What is asked of GitHub and its runner; the only importer of requests and actions_toolkit."""

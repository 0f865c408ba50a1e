"""The commands of `ci3`, and nothing that decides."""

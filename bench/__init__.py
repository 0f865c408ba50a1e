"""Measures ci3 beside its peers, on servers of its own on loopback; no part of the package."""

"""Generates the docs: tables, schemas, action.yml and screenshots."""

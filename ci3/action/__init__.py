"""The GitHub Action: inputs in, outputs, job summary, annotations and comment out.

May import: every layer below it; not `ci3.cli`.
Start reading: `main`, then `reporter`.
"""

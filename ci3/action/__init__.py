"""The GitHub Action: reads inputs; writes outputs, summary, annotations, a comment or an issue.

Must not decide what is deleted.

May import: every layer below it; not `ci3.cli`.
Start reading: `main`, then `reporter`.
"""

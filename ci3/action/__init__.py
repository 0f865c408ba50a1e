"""The GitHub Action: reads inputs; writes outputs, job summary, annotations and a comment.

Must not decide what is deleted.

May import: every layer below it; not `ci3.cli`.
Start reading: `main`, then `reporter`.
"""

"""Mutation testing: change the safety logic in one place at a time, and see which tests fail.

A change is a mutant. A mutant that no test detects shows a test that is missing, code that has no
effect, or a change without an effect; the last are listed in `equivalent.txt` with the reason.
Start reading: `__main__` (the run), `suites` (what is mutated and which tests must detect it).
"""

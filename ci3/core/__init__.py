"""What is decided: pure, with no I/O, clock, environment or threads."""

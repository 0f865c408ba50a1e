"""What is done to a bucket."""

"""Whole workflows, run by act: with the built image, a real S3 server and a fake GitHub."""

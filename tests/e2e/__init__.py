"""Whole workflows in a real runner's stead (act), with the built image, a real S3 and a fake GitHub."""

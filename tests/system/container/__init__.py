"""Tests of the image, on an image that was built on this machine."""

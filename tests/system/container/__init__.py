"""What the image promises, checked on an image that was built on this machine."""

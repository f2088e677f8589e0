"""The images that experiments run on."""

"""The core's own plugin: it comes through the same door as every other."""

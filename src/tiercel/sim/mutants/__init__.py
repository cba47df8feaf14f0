"""Bugs planted on purpose, one class each: what the simulation must find, or its silence means nothing."""

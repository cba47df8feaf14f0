"""The grammar engine with which Silver answers in character when no model is installed."""

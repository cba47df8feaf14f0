"""Judging engines by what they did: observed speed, failure windows, breakers, the budget of retries."""

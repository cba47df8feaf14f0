"""What is known of each engine before it is asked: where it is, what it can do, what it costs."""

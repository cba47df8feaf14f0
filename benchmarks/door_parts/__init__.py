"""Parts of the benchmark of the door."""

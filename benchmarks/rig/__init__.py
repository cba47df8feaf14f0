"""What the benchmarks share: starting and weighing processes, calling over HTTP, naming the machine. Linux only."""

"""The parts of ``benchmarks/gateway.py``: the mock engine, the gateways beside ours, the load, the verdict."""

"""The parts of ``benchmarks/fault_mix.py``: what is asked and which faults it meets, and what a reply has to be."""

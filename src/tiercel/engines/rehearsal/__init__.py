"""The understudy engine: plays every reply and every fault a model server can, for tests, benchmarks and simulations.

Read ``script.py`` first: ``rehearse(request, part)`` says which bytes leave, and when. It knows no loop and no socket;
``player.py`` plays its beats on any loop, ``server.py`` puts the player on a real loopback port.
"""

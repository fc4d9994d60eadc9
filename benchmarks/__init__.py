"""How fast and how heavy whispercore is: ``python -m benchmarks``, run in the root of the repository.

Each module with a ``run`` measures one thing. Nothing here fails because a machine is slow: figures are compared with
their bars, and a bar that is missed is shown as missed.
"""

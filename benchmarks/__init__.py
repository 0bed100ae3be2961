"""How fast the twin is, beside a plain SimPy model of the same world.

Read first: :mod:`benchmarks.reference` (one process per device), then
:mod:`benchmarks.reference_center` (its people), :mod:`benchmarks.trace` (what both models are fed)
and :mod:`benchmarks.test_speed` (what is measured).
"""

"""Experiments: many simulated periods of a scenario, and what they allow to say.

Read first: :mod:`twin.experiment.replicate` (periods over the cores, the same luck for every
design), then :mod:`twin.experiment.evidence` (when figures of few periods are enough to say that a
target is met), then :mod:`twin.experiment.size` (the smallest center that meets its targets).
"""

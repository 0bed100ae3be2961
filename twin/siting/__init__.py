"""Siting: the rules of 5.1.1 and 5.1.2, candidates, times, areas, and choosing sites exactly.

Read first: :mod:`twin.siting.rules`, then :mod:`twin.siting.choose`. :mod:`twin.planning` puts them
together for a scenario.
"""

"""Vendor platforms: where heartbeats end, what they believe of their devices, what they hand on.

``settings`` is what a scenario may say about one vendor; ``platform`` holds the rules, as functions
over arrays of devices. A vendor platform that really speaks Annex B, for tests and for whoever
integrates, is in ``service``; what it has is in ``registry``, its command in ``command``.
"""

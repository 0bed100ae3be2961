"""Venues of the low-protection area and their fleet of devices.

Read :mod:`twin.venues.kinds` (what a venue kind is), then :func:`twin.venues.build.build_venues`;
:mod:`twin.venues.files` reads a customer's list of venues.
"""

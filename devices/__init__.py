"""Detectors and gateways: what each kind senses, says and suffers.

Imports nothing of :mod:`twin`. Read :mod:`devices.kinds` first.
"""

"""Annex B of DB3211/T 1066-2023 as both sides speak it; what it leaves open is fixed here.

Read first: :mod:`~twin.alarmcore.annexb.apis` (the 22 APIs, who serves which), then
:mod:`~twin.alarmcore.annexb.messages` (what travels in them), then
:mod:`~twin.alarmcore.annexb.codes` (statuses and return codes). The same, for people who integrate:
``docs/annex-b.openapi.json``, written by :mod:`~twin.alarmcore.annexb.openapi`.
"""

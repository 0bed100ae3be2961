"""The alarm core as a running service: HTTPS around the lifecycle, PostgreSQL beneath it.

Read first :mod:`twin.alarmcore.service.ingest` (from a push to its answer),
:mod:`twin.alarmcore.service.engine` (what a message does), :mod:`twin.alarmcore.service.app` (the
routes) and :mod:`twin.alarmcore.service.serve` (how it all starts).
"""

"""The alarm core: what the on-site platform does with the messages it receives.

Its logic is pure and is shared by the simulation (virtual time) and by a real service. Read first:
:mod:`twin.alarmcore.lifecycle` (an alarm from its first message to its closed record, clauses 6.1
to 6.4), which hands on the words it uses (:mod:`twin.alarmcore.events`,
:mod:`twin.alarmcore.state`), then :mod:`twin.alarmcore.device_rules` (tickets, online,
availability) and :mod:`twin.alarmcore.settings`.
"""

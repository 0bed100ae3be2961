"""Load tests of an alarm core, this project's own or another: traffic, drivers, the account.

Read first: :mod:`twin.load.traffic` (what a fleet sends, and when), then
:mod:`twin.load.driver` (sends it over real connections and times every answer) and
:mod:`twin.load.account` (what became of every message: once, unchanged, lost, duplicated).
:mod:`twin.load.siege` starts a core as a process of its own, so that it can be killed.
"""

"""The service center: the people who answer, go and maintain.

Read :mod:`twin.center.response` first (the procedure of clause 6), then
:mod:`twin.center.maintenance`. :mod:`twin.center.desk` and :mod:`twin.center.dispatch` are the two
queues behind them, :mod:`twin.center.roster` says who is on duty when.
"""

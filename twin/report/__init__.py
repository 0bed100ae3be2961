"""What people read of a run: the table on the terminal, CSV tables, figures, one HTML page.

Read first: :mod:`twin.report.write` (what lands in a run's folder), then :mod:`twin.report.table`.
Everything shown is computed from the log by :mod:`twin.kpi` and judged by :mod:`twin.assessment`;
:mod:`twin.report.series` only lays the same figures out over time. The heavy packages are imported
where something is drawn.
"""

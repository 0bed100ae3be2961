"""What the alarm core keeps, in PostgreSQL.

Read ``schema.sql`` and ``schema_<n>.sql`` first, then :mod:`twin.alarmcore.store.database`
(connecting, the embedded cluster, what a database must promise) and
:mod:`twin.alarmcore.store.batch` (how what arrived together is written together).
"""

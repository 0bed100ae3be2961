"""A discrete-event simulation and digital twin of township smart fire service centers.

Read first: :mod:`twin.terms` (the words and the log's contract), :mod:`twin.scenario` (what goes
in), :mod:`twin.world` (where the parts are wired), :mod:`twin.assessment` (what comes out).
"""

__version__ = "0.1.0"

"""The world: the only place where the parts are wired into running centers.

``simulate(scenario)`` gives the event log. Read :mod:`twin.world.center_year` first (one center's
run), then :mod:`twin.world.way` (how a message travels), :mod:`twin.world.condition` (what is
true of each device) and :mod:`twin.world.aftermath` (the rows of whole populations).
"""

from twin.world.simulate import Run, Site, simulate

__all__ = ["Run", "Site", "simulate"]

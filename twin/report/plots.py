"""The report's figures one by one, for a notebook: from a log, on the map of a run, of a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twin.kpi import Rows, compute_rows
from twin.log import Log
from twin.report.figures import FIGURES, Pen
from twin.report.texts import Language

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from twin.planning.plan import SitePlan
    from twin.world.simulate import Run


def plot(log: Log, name: str, center: str | None = None, lang: Language = "en") -> Figure:
    """A figure of a center, from its log alone.

    Parameters
    ----------
    log : of one or more centers.
    name : ``online``, ``chain``, ``waits``, ``alarms``, ``desk`` or ``maintenance``.
    center : which center; the first by name unless given.
    lang : of the labels.

    Raises
    ------
    ValueError
        For a name or a center that is not there, or a log without the rows that the figure shows.
    """
    import matplotlib as mpl

    known = {figure: draw for figure, draw, _ in FIGURES}
    if name not in known:
        raise ValueError(f'no figure "{name}"; there are {", ".join(known)}')
    rows = Rows(log.of_center(_center(log, center)))
    pen = Pen(lang)
    with mpl.rc_context(pen.rc()):
        figure = known[name](rows, compute_rows(rows), pen)
    if figure is None:
        raise ValueError(f'the log holds nothing that the figure "{name}" would show')
    return figure


def plot_map(run: Run, center: str | None = None, lang: Language = "en") -> Figure:
    """The area of a center: roads, venues by the time to reach them, hazards, stations, 8 km.

    Parameters
    ----------
    run : a finished run.
    center, lang : as in :func:`plot`.

    Raises
    ------
    ValueError
        For a center that is not there.
    """
    import matplotlib as mpl

    from twin.report.area_map import draw_map

    name = _center(run.log, center)
    pen = Pen(lang)
    with mpl.rc_context(pen.rc()):
        return draw_map(Rows(run.log.of_center(name)), run.network, run.sites[name], pen)


def plot_plan(plan: SitePlan, lang: Language = "en") -> Figure:
    """A plan of centers on the district's roads: areas, reach, limits, what is not reached.

    Parameters
    ----------
    plan : of :func:`twin.plan_sites`.
    lang : of the labels.
    """
    import matplotlib as mpl

    from twin.report.site_map import draw_plan

    pen = Pen(lang)
    with mpl.rc_context(pen.rc()):
        return draw_plan(plan, pen)


def _center(log: Log, center: str | None) -> str:
    names = log.centers()
    if center is None:
        return names[0]
    if center not in names:
        raise ValueError(f'no center "{center}" in the log; there are {", ".join(names)}')
    return center

"""A plan on the terminal: what is not reached first, then the centers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from math import isfinite
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text as Line

from twin.planning.centers import Binding, CenterPlan, place_name
from twin.planning.plan import SitePlan, Uncovered
from twin.report.grid import grid
from twin.report.site_texts import centers_word, km, minutes, percent, side, tell
from twin.report.texts import Language, tidy, word
from twin.siting.services import nearest_hydrants

SHOWN = 5
"""Rows of a list on the terminal; the files have all."""

SINGLE = 20
"""Up to so many places that are not reached stand by themselves; more are told by village."""


# -- as words -----------------------------------------------------------------------------------


def limits(plan: SitePlan, lang: Language) -> dict[str, str]:
    """The limits of 5.1.1 as the plan has them, for texts."""
    settings, gap = plan.settings, "" if lang == "zh" else " "
    return {
        "limit": f"{settings.travel_limit / 60:g}{gap}min",
        "radius": f"{settings.radius / 1000:g}{gap}km",
    }


def question(plan: SitePlan, lang: Language) -> str:
    """What was asked."""
    settings = plan.settings
    return tell(
        f"question_{settings.objective}", lang, k=settings.k, capacity=f"{settings.capacity:,}"
    )


def quality(plan: SitePlan, lang: Language) -> str:
    """How good the answer is: proven, or the gap."""
    choice = plan.choice
    if choice.status == "optimal":
        return tell("proven", lang)
    bound = f"{choice.bound:,.6g}" if isfinite(choice.bound) else "-"
    gap = percent(choice.gap) if isfinite(choice.gap) else "-"
    status = choice.status if lang == "en" else "到达时间上限"
    return tell("gap", lang, status=status, bound=bound, gap=gap)


def headline(plan: SitePlan, lang: Language) -> str:
    """How many centers reach how much."""
    points = plan.points
    return tell(
        "head",
        lang,
        centers=centers_word(len(plan.centers), lang),
        reach="reaches" if len(plan.centers) == 1 else "reach",
        covered=f"{plan.covered_points:,}",
        points=f"{points:,}",
        share=percent(plan.covered_points / points),
        free=percent(plan.covered_free_flow / points),
        **limits(plan, lang),
    )


def edge_line(plan: SitePlan, lang: Language) -> str:
    """How much of the district's edge is reached; "" where it was not asked for."""
    total = len(plan.demand) - plan.demand.venues
    if total == 0:
        return ""
    missed = sum(u.demand >= plan.demand.venues for u in plan.uncovered)
    return tell("edge_head", lang, reached=total - missed, all=total)


def missed_heads(plan: SitePlan, lang: Language) -> list[tuple[str, list[Uncovered]]]:
    """What is not reached, in two groups with their heads; empty groups are left out."""
    groups = []
    for key, coverable in (("no_candidate", False), ("not_chosen", True)):
        mine = [u for u in plan.uncovered if u.coverable == coverable]
        if mine:
            colon = "：" if lang == "zh" else ": "
            groups.append((f"{tell(key, lang)}{colon}{_how_much(plan, mine, lang)}", mine))
    return groups


def _how_much(plan: SitePlan, missed: Sequence[Uncovered], lang: Language) -> str:
    """Venues, their points, and points of the edge and roads."""
    at = np.array([one.demand for one in missed])
    venues = int((at < plan.demand.venues).sum())
    parts = []
    if venues:
        points = f"{int(plan.demand.points[at].sum()):,}"
        parts.append(tell("missed_venues", lang, venues=f"{venues:,}", points=points))
    if edge := len(missed) - venues:
        parts.append(tell("missed_edge", lang, edge=edge, s="" if edge == 1 else "s"))
    return ("，" if lang == "zh" else ", ").join(parts)


def missed_lines(plan: SitePlan, missed: Sequence[Uncovered], lang: Language) -> list[str]:
    """What is not reached: each by itself, or, where that is too much to read, by place.

    Places with the most points come first.
    """
    if len(missed) <= SINGLE:
        return [missed_line(plan, one, lang) for one in missed]
    demand = plan.demand
    places: dict[str, list[Uncovered]] = {}
    for one in missed:
        name = place_name(plan.network, float(demand.x[one.demand]), float(demand.y[one.demand]))
        places.setdefault(name, []).append(one)
    order = sorted(places, key=lambda name: -sum(demand.points[u.demand] for u in places[name]))
    lines = []
    for name in order:
        mine = places[name]
        nearest = Counter(plan.site_name(one.candidate) for one in mine).most_common(1)[0][0]
        lines.append(
            tell(
                "missed_place",
                lang,
                place=name or tell("nowhere", lang),
                what=_how_much(plan, mine, lang),
                candidate=nearest,
                minutes=minutes(max(one.seconds for one in mine), lang),
                straight=km(max(one.straight_m for one in mine)),
            )
        )
    return lines


def missed_line(plan: SitePlan, one: Uncovered, lang: Language) -> str:
    """A demand point that is not reached, and the candidate that comes nearest."""
    demand, settings = plan.demand, plan.settings
    x, y = float(demand.x[one.demand]), float(demand.y[one.demand])
    facts = [place_name(plan.network, x, y)]
    if one.demand < demand.venues:
        facts.append(tell("missed_points", lang, points=f"{demand.points[one.demand]:,}"))
    joined = ("，" if lang == "zh" else ", ").join(fact for fact in facts if fact)
    if joined:
        joined = f"（{joined}）" if lang == "zh" else f" ({joined})"
    late, far = one.seconds > settings.travel_limit, one.straight_m > settings.radius
    why = "too_late_and_far" if late and far else "too_late" if late else "too_far"
    road = tell("missed_no_road", lang)
    if isfinite(one.road_m):
        road = tell("missed_road", lang, road=km(one.road_m))
    return tell(
        "missed",
        lang,
        name=demand.names[one.demand],
        facts=joined,
        candidate=plan.site_name(one.candidate),
        minutes=minutes(one.seconds, lang),
        straight=km(one.straight_m),
        road=road,
        why=tell(why, lang, **limits(plan, lang)),
    )


def excluded_line(plan: SitePlan, lang: Language) -> str:
    """How many candidates 5.1.2 rules out, by rule."""
    gone = [e for e in plan.excluded if not e.standing]
    if not gone:
        return tell("excluded_none", lang, all=plan.offered)
    settings = plan.settings
    limit = {
        "chemicals": f"{settings.chemicals_distance:g}",
        "filling": f"{settings.filling_distance:g}",
        "wind": f"{settings.wind_range / 1000:g}",
    }
    count = Counter(e.rule for e in gone)
    why = ("，" if lang == "zh" else ", ").join(
        tell(f"why_{rule}", lang, count=count[rule], limit=limit[rule])
        for rule in ("chemicals", "filling", "wind")
        if count[rule]
    )
    sites = len({e.site for e in gone})
    return tell("excluded", lang, count=sites, all=plan.offered, why=why)


def remarks(plan: SitePlan, lang: Language) -> Iterator[str]:
    """Centers that do not keep 5.1.1 or 5.1.2, and centers above the capacity."""
    for center in plan.centers:
        yield from _broken(plan, center, lang)
    for e in plan.excluded:
        if e.standing:
            why = tell(f"rule_{e.rule}", lang)
            yield tell("standing_remark", lang, name=e.site, why=why, hazard=e.hazard)
    for center in plan.centers:
        if center.points > plan.settings.capacity:
            yield tell(
                "over",
                lang,
                name=center.name,
                capacity=f"{plan.settings.capacity:,}",
                people=center.people_per_shift,
            )


def _broken(plan: SitePlan, center: CenterPlan, lang: Language) -> Iterator[str]:
    """What of a center lies beyond a limit of 5.1.1, and whether anybody could reach it."""
    import shapely

    words = limits(plan, lang)
    lost = [one.demand for one in plan.uncovered if not one.coverable]
    inside = [
        plan.demand.names[k]
        for k in lost
        if shapely.contains_xy(center.area, plan.demand.x[k], plan.demand.y[k])
    ]
    unit = "km" if lang == "zh" else " km"
    parts = [
        tell(
            "edge_part",
            lang,
            count=limit.broken,
            limit=words[which],
            value=minutes(limit.value, lang) if which == "limit" else km(limit.value) + unit,
            side=side(_bearing(center, limit), lang),
        )
        for which, limit in (("limit", center.time), ("radius", center.radius))
        if limit is not None and limit.share > 1.0
    ]
    if parts and center.edge is not None:
        names = ", ".join(inside[:SHOWN]) + (", ..." if len(inside) > SHOWN else "")
        yield tell(
            "edge_broken",
            lang,
            name=center.name,
            all=len(center.edge),
            parts=("，" if lang == "zh" else ", ").join(parts),
            unreached=tell("edge_unreached", lang, names=names) if inside else "",
        )


def staff_line(plan: SitePlan, lang: Language) -> str:
    """The people of all centers."""
    duty = sum(center.duty for center in plan.centers)
    maintenance = sum(center.maintenance for center in plan.centers)
    return tell(
        "staff",
        lang,
        people=f"{duty + maintenance:,}",
        duty=f"{duty:,}",
        maintenance=f"{maintenance:,}",
    )


def venues_alone_line(plan: SitePlan, lang: Language) -> str:
    """How many centers the venues alone would need; "" where that is not known to be fewer."""
    enough = [point.centers for point in plan.front if point.covered >= plan.covered_points - 0.5]
    asked = plan.settings.edge and plan.settings.objective == "fewest"
    if not asked or not enough or min(enough) >= len(plan.centers):
        return ""
    return tell("venues_alone", lang, venues=centers_word(min(enough), lang))


def fact_lines(plan: SitePlan, lang: Language) -> list[str]:
    """What stands below the headline."""
    lines = [
        staff_line(plan, lang),
        edge_line(plan, lang),
        venues_alone_line(plan, lang),
        excluded_line(plan, lang),
    ]
    if plan.settings.objective == "cheapest":
        lines.append(price_line(plan, lang))
    return [line for line in lines if line]


def brigade_lines(plan: SitePlan, lang: Language) -> list[str]:
    """Who should have a brigade of its own (article 38)."""
    lines = []
    for advice in plan.brigades:
        if not advice.advised:
            continue
        station = tell("brigade_no_station", lang)
        if advice.station:
            station = tell(
                "brigade_far", lang, station=advice.station, minutes=minutes(advice.seconds, lang)
            )
        kind = tell(f"kind_{advice.kind}", lang)
        lines.append(tell("brigade_yes", lang, name=advice.name, kind=kind, station=station))
    near = sum(not advice.advised for advice in plan.brigades)
    if near:
        limit = f"{plan.settings.brigade_far / 60:g}" + ("min" if lang == "zh" else " min")
        lines.append(tell("brigade_near", lang, count=near, limit=limit))
    return lines


def water_line(plan: SitePlan, lang: Language) -> str:
    """How far the venues are from a hydrant that works."""
    hydrants = plan.hydrants
    if len(hydrants) == 0:
        return tell("no_water", lang)
    near = plan.settings.hydrant_near
    median = float(np.median(plan.water_m))
    return tell(
        "water",
        lang,
        share=percent(float((plan.water_m <= near).mean())),
        limit=f"{near:g}",
        median=f"{median:,.0f}" + ("m" if lang == "zh" else " m") if isfinite(median) else "-",
        working=int(hydrants.working.sum()),
        all=len(hydrants),
    )


def incident_lines(plan: SitePlan, lon: float, lat: float, lang: Language) -> list[str]:
    """The nearest working hydrants of an incident (document 000, task 5)."""
    x, y = plan.network.project(lon, lat)
    found = nearest_hydrants(plan.network, plan.hydrants, float(x), float(y))
    lines = [tell("incident", lang, place=f"{lon:g}, {lat:g}")]
    for hydrant, metres in found:
        name = plan.hydrants.names[hydrant]
        at = degrees(plan, float(plan.hydrants.x[hydrant]), float(plan.hydrants.y[hydrant]))
        place = {axis: f"{value:.5f}" for axis, value in at.items()}
        lines.append(tell("incident_row", lang, name=name, metres=f"{metres:,.0f}", **place))
    return lines if found else [*lines, tell("incident_none", lang)]


FRONT_COLUMNS = ("centers", "covered", "mean", "proof")
"""What is said of a number of centers, in the order of :func:`front_rows`."""


def front_rows(plan: SitePlan, lang: Language) -> list[list[str]]:
    """The trade-off: for each number of centers its best coverage and least mean time.

    The plan itself stands below the numbers that are not larger than its own.
    """
    rows = []
    for centers in sorted({point.centers for point in plan.front}):
        mine = [point for point in plan.front if point.centers == centers]
        gap = max(point.choice.gap for point in mine)
        row = [
            str(centers),
            percent(max(point.covered for point in mine) / plan.points),
            minutes(min(point.mean_s for point in mine), lang),
            tell("front_gap", lang, gap=percent(gap)) if gap else tell("front_proven", lang),
        ]
        rows.append((centers, row))
    if rows:
        chosen = len(plan.centers)
        own = [
            tell("own", lang, centers=chosen),
            percent(plan.covered_points / plan.points),
            minutes(plan.mean_s, lang),
            "",
        ]
        rows.insert(sum(centers <= chosen for centers, _ in rows), (chosen, own))
    return [[tidy(cell, lang) for cell in row] for _, row in rows]


def price_line(plan: SitePlan, lang: Language) -> str:
    """What the plan costs a year, by the settings' prices."""
    people = sum(center.duty for center in plan.centers)
    price = f"{plan.price:,.0f}"
    return tell("price", lang, price=price, centers=len(plan.centers), people=people)


def binds(plan: SitePlan, center: CenterPlan, lang: Language) -> str:
    """Which limit binds at the center's edge, and on which side."""
    limit = tightest(center)
    if limit is None:
        return tell("none", lang)
    words = limits(plan, lang)
    name = words["limit"] if center.binds == "time" else words["radius"]
    return tell("binds_time", lang, limit=name, side=side(_bearing(center, limit), lang))


def tight_value(center: CenterPlan, lang: Language) -> str:
    """How near the limit that binds comes to being broken, as a map writes it."""
    if center.time is None or center.radius is None:
        return ""
    if center.binds == "time":
        return minutes(center.time.value, lang)
    return km(center.radius.value) + ("km" if lang == "zh" else " km")


def tight_line(plan: SitePlan, center: CenterPlan, lang: Language) -> str:
    """Both limits of 5.1.1 at the edge of a center, and on which side the nearer one binds."""
    limit = tightest(center)
    if limit is None or center.time is None or center.radius is None:
        return ""
    return tell(
        "tight",
        lang,
        name=center.name,
        side=side(_bearing(center, limit), lang),
        time=minutes(center.time.value, lang),
        straight=km(center.radius.value),
        **limits(plan, lang),
    )


def tightest(center: CenterPlan) -> Binding | None:
    """The limit that binds at the edge of a center; None where it has no edge."""
    return {"time": center.time, "radius": center.radius}.get(center.binds or "")


def holds(center: CenterPlan) -> bool:
    """Whether both limits hold at the whole edge and for all its venues (5.1.1)."""
    within = [limit.share <= 1.0 for limit in (center.time, center.radius) if limit is not None]
    return all(within)


def _bearing(center: CenterPlan, limit: Binding) -> float:
    return float(np.degrees(np.arctan2(limit.x - center.x, limit.y - center.y)) % 360.0)


# -- on the terminal ----------------------------------------------------------------------------


def print_plan(
    console: Console,
    plan: SitePlan,
    lang: Language,
    incident: tuple[float, float] | None = None,
    folder: Path | None = None,
) -> None:
    """Prints a plan: what is not reached, the answer, the centers, what is around them."""
    for head, missed in missed_heads(plan, lang):
        console.print(Line(head, style="bold red"))
        lines = missed_lines(plan, missed, lang)
        _print_list(console, lines[:SHOWN])
        _print_more(console, len(lines), "uncovered.csv", lang)
    console.print(Line(headline(plan, lang), style="bold"))
    colon = "：" if lang == "zh" else ": "
    console.print(Line(question(plan, lang) + colon + quality(plan, lang)))
    for line in fact_lines(plan, lang):
        console.print(Line(line))
    told = list(remarks(plan, lang))
    for line in told[: 2 * SHOWN]:
        console.print(Line(line, style="yellow"))
    if len(told) > 2 * SHOWN:
        more = tell("more", lang, count=len(told) - 2 * SHOWN, file="site.html")
        console.print(Line(more, style="yellow"))
    console.print(_table(plan, lang, console.width))
    if plan.front:
        console.print(Line(tell("front", lang), style="bold"))
        heads = {key: tell(key, lang) for key in FRONT_COLUMNS}
        rows = front_rows(plan, lang)
        console.print(grid(heads, rows, console.width, (), ("centers", "proof")))
    advice = brigade_lines(plan, lang)
    if advice:
        console.print(Line(tell("brigades", lang), style="bold"))
        _print_list(console, advice[:SHOWN])
        _print_more(console, len(advice), "brigades.csv", lang)
    console.print(Line(water_line(plan, lang)))
    if incident is not None:
        head, *lines = incident_lines(plan, *incident, lang)
        console.print(Line(head, style="bold"))
        _print_list(console, lines)
    if folder is not None:
        # on one line each, so that they can be copied
        first = next(k for k, center in enumerate(plan.centers, 1) if center.points)
        page, scenario = folder / "site.html", folder / "scenarios" / f"center-{first}.toml"
        console.print(f"{word('report_at', lang)}{colon}{page}", soft_wrap=True, markup=False)
        console.print(tell("run_them", lang, file=scenario), soft_wrap=True, markup=False)


def _print_list(console: Console, lines: Sequence[str]) -> None:
    """Lines that hang: what does not fit stands below the first word."""
    for line in lines:
        console.print(Padding(Line(line), (0, 0, 0, 2), expand=False))


def _print_more(console: Console, count: int, file: str, lang: Language) -> None:
    if count > SHOWN:
        _print_list(console, [tell("more", lang, count=count - SHOWN, file=file)])


def _table(plan: SitePlan, lang: Language, width: int) -> Table:
    shown = [k for k, key in enumerate(COLUMNS) if key not in _WIDE]
    heads = {key: tell(key, lang) for key in [*(COLUMNS[k] for k in shown), "verdict"]}
    rows, styles = [], []
    for center in plan.centers:
        cells, met = center_cells(plan, center, lang), holds(center)
        rows.append([*(cells[k] for k in shown), tell("met" if met else "not_met", lang)])
        styles.append("green" if met else "bold red")
    return grid(heads, rows, width, ("center", "near"), ("binds", "verdict"), {"verdict": styles})


COLUMNS = (
    "center", "near", "points", "shift", "people", "slowest", "edge", "free", "straight", "road",
    "binds",
)  # fmt: skip
"""What is said of a center, in the order of :func:`center_cells`."""

_WIDE = ("people", "free", "road")
"""Columns for which a terminal has no room; the page and the file have them."""


def center_cells(plan: SitePlan, center: CenterPlan, lang: Language) -> list[str]:
    """A center's row, but for the verdict."""
    measured = center.measured
    name = f"{center.name} ({tell('standing', lang)})" if center.standing else center.name
    unit = "km" if lang == "zh" else " km"
    return [
        name,
        center.near or "-",
        f"{center.points:,}",
        str(center.people_per_shift),
        f"{center.duty} + {center.maintenance}",
        minutes(center.slowest_s, lang),
        "-" if center.time is None else minutes(center.time.value, lang),
        "-" if measured is None else minutes(float(measured.free_flow_s.max()), lang),
        "-" if center.radius is None else km(center.radius.value) + unit,
        "-" if measured is None else km(float(measured.road_m.max())) + unit,
        binds(plan, center, lang),
    ]


def degrees(plan: SitePlan, x: float, y: float) -> dict[str, float]:
    """A place of the plan as longitude and latitude, to the centimetre."""
    lon, lat = plan.network.unproject(x, y)
    return {"lon": round(float(lon), 7), "lat": round(float(lat), 7)}

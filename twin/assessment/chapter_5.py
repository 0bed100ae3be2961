"""Clause 5: the center and its terminals."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from twin.assessment.checklist import CHECKLIST, items
from twin.assessment.finding import (
    Evidence,
    Finding,
    Text,
    holds,
    judged,
    no_rows,
    number,
    percent,
    signed,
    ticked,
    ticked_items,
)
from twin.kpi import Rows
from twin.log import LogError
from twin.standard import (
    CHEMICALS_M,
    FILLING_M,
    POINTS_PER_CENTER,
    RADIUS_M,
    SHIFT_MIN,
    TRAVEL_S,
)
from twin.terms import Category, Kind

FREE_FLOW = "free_flow"
CHEMICALS = "dangerous_chemicals"
FILLING = "filling_station"
_VALVE_BEFORE_US = 600 * 1_000_000  # a valve's report may overtake the alarm's: assumption
_VALVE_AFTER_US = 3600 * 1_000_000  # later than that it is not this alarm's: assumption


def _by_text(evidence: Evidence, kind: Kind) -> dict[str, list[tuple[str, float]]]:
    """Subjects and values of the rows of a kind, by their text."""
    rows = evidence.rows
    at = rows.at(kind)
    table: dict[str, list[tuple[str, float]]] = {}
    for name, value, word in zip(
        rows.subjects(at), rows.log.value[at].tolist(), rows.texts(at), strict=True
    ):
        table.setdefault(word, []).append((name, value))
    return table


def _worst(entries: Sequence[tuple[str, float]]) -> tuple[str, float]:
    return max(entries, key=lambda entry: entry[1])


def clause_5_1_1(evidence: Evidence) -> list[Finding]:
    """15 min to the edge in the worst hour; 8 km as a straight line."""
    times = _by_text(evidence, Kind.EDGE_TIME)
    distances = _by_text(evidence, Kind.EDGE_DISTANCE)
    straight = distances.get("straight", [])
    places = edge_places(evidence.rows)
    return [
        _travel(times, straight, places),
        _radius(times, straight, distances.get("road", []), places),
    ]


def edge_places(rows: Rows) -> dict[str, EdgePlace]:
    """Where the points of the area's edge lie, by their names in the log.

    Raises
    ------
    LogError
        For an EDGE_POINT row that does not say where.
    """
    at = rows.at(Kind.EDGE_POINT)
    places = {}
    for name, words in zip(rows.subjects(at), rows.texts(at), strict=True):
        try:
            facts = json.loads(words)
            places[name] = EdgePlace(
                float(facts["lon"]), float(facts["lat"]), str(facts.get("near", "")),
                float(facts.get("metres", 0.0)), float(facts.get("bearing", 0.0)),
            )  # fmt: skip
        except (ValueError, TypeError, KeyError) as error:
            raise LogError(
                f'the log\'s edge_point row "{name}" does not say where it lies; a JSON object '
                "with lon and lat is expected"
            ) from error
    return places


@dataclass(frozen=True)
class EdgePlace:
    """Where a point of the edge lies: degrees; metres and compass bearing from a named place."""

    lon: float
    lat: float
    near: str
    metres: float
    bearing: float

    @property
    def words(self) -> Text:
        """``3.2 km north-east of 陈家村 (119.5512, 32.0413)``."""
        here = Text(f"{self.lon:.4f}, {self.lat:.4f}", f"经度{self.lon:.4f}、纬度{self.lat:.4f}")
        if not self.near:
            return here
        way, way_zh = COMPASS[round(self.bearing / 45.0) % 8]
        km = f"{self.metres / 1000:.1f}"
        return Text(
            f"{km} km {way} of {self.near} ({here.en})",
            f"{self.near}{way_zh}{km}km处，{here.zh}",
        )


COMPASS = (
    ("north", "正北"),
    ("north-east", "东北"),
    ("east", "正东"),
    ("south-east", "东南"),
    ("south", "正南"),
    ("south-west", "西南"),
    ("west", "正西"),
    ("north-west", "西北"),
)


def _named(point: str, places: Mapping[str, EdgePlace]) -> Text:
    """A point of the edge, with where it lies if the log says so."""
    if point not in places:
        return Text(point, point)
    words = places[point].words
    return Text(f"{point}, {words.en}", f"{point}（{words.zh}）")


_DAYS = dict(
    zip(
        ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
        ("周一", "周二", "周三", "周四", "周五", "周六", "周日"),
        strict=True,
    )
)


def hour_of_week(word: str) -> Text:
    """An hour as the log writes it (``Fri 17:00``, ``free_flow``), in both languages."""
    if word == FREE_FLOW:
        return Text("free flow", "自由流")
    day, _, clock = word.partition(" ")
    return Text(word, f"{_DAYS.get(day, day)}{clock}")


def _minutes(seconds: float) -> Text:
    if math.isinf(seconds):
        return Text("not by road", "道路不可达")
    minutes = number(seconds / 60, 1, TRAVEL_S / 60)
    return Text(f"{minutes} min", f"{minutes}min")


def _binds(
    hours: dict[str, list[tuple[str, float]]], straight: list[tuple[str, float]]
) -> Text | None:
    """Which of the two limits is nearer to being broken."""
    busy = [entry for hour, entries in hours.items() if hour != FREE_FLOW for entry in entries]
    if not busy or not straight:
        return None
    time, radius = _worst(busy)[1] / TRAVEL_S, _worst(straight)[1] / RADIUS_M
    if time >= radius:
        return Text("the 15 min bind, not the 8 km", "起控制作用的是15min，而非8km")
    return Text("the 8 km bind, not the 15 min", "起控制作用的是8km，而非15min")


def _travel(
    times: dict[str, list[tuple[str, float]]],
    straight: list[tuple[str, float]],
    places: Mapping[str, EdgePlace],
) -> Finding:
    busy = {hour: _worst(entries) for hour, entries in times.items() if hour != FREE_FLOW}
    free = _worst(times[FREE_FLOW]) if FREE_FLOW in times else None
    if not busy and (free is None or free[1] <= TRAVEL_S):
        return no_rows("5.1.1.travel", "worst_hour" if free else "edge")
    hour, (point, seconds) = (
        max(busy.items(), key=lambda entry: entry[1][1]) if busy else (FREE_FLOW, free or ("", 0.0))
    )
    late = sum(value > TRAVEL_S for _, value in times[hour])
    gave, gave_zh = _minutes(seconds)
    beside = _minutes(free[1]) if free else Text("-", "-")
    gap = TRAVEL_S - seconds
    share = 1.0 - late / len(times[hour])
    binding = _binds(times, straight)
    where, when = _named(point, places), hour_of_week(hour)
    return judged(
        "5.1.1.travel",
        seconds <= TRAVEL_S,
        Text(
            f"{gave} to {where.en}; {when.en}; {percent(share, 1)} of the edge in time; "
            f"free flow {beside.en}",
            f"到{where.zh}需{gave_zh}；{when.zh}；边缘{percent(share, 1)}按时可达；"
            f"自由流{beside.zh}",
        ),
        margin=(
            Text(f"{signed(gap / 60, 1)} min", f"{signed(gap / 60, 1)}min")
            if math.isfinite(gap)
            else None
        ),
        margin_value=gap,
        reason=Text(
            "turnout and travel of an ordinary vehicle to the boundary, worst hour of the week"
            + (f"; {binding.en}" if binding else ""),
            "普通车辆出动与行驶到辖区边缘，一周最不利时段" + (f"；{binding.zh}" if binding else ""),
        ),
    )


def _radius(
    times: dict[str, list[tuple[str, float]]],
    straight: list[tuple[str, float]],
    road: list[tuple[str, float]],
    places: Mapping[str, EdgePlace],
) -> Finding:
    if not straight:
        return no_rows("5.1.1.radius", "edge")
    point, metres = _worst(straight)
    gap = RADIUS_M - metres
    binding = _binds(times, straight)
    stricter = None
    if road:
        far = _worst(road)[1]
        word = holds(far <= RADIUS_M)
        shown = number(far / 1000, 2, RADIUS_M / 1000)
        stricter = Text(f"by road {shown} km: {word.en}", f"按道路{shown}km：{word.zh}")
    where, km = _named(point, places), number(metres / 1000, 3, RADIUS_M / 1000)
    return judged(
        "5.1.1.radius",
        metres <= RADIUS_M,
        Text(
            f"{km} km in a straight line to {where.en}",
            f"到{where.zh}直线{km}km",
        ),
        margin=Text(f"{signed(gap, 0)} m", f"{signed(gap, 0)}m"),
        margin_value=gap,
        reason=Text(
            "the radius is read as a straight line" + (f"; {binding.en}" if binding else ""),
            "半径按直线距离" + (f"；{binding.zh}" if binding else ""),
        ),
        stricter=stricter,
    )


def clause_5_1_2(evidence: Evidence) -> list[Finding]:
    """Distances to dangerous places, and the side of the wind."""
    distances = _by_text(evidence, Kind.HAZARD_DISTANCE)
    findings = [_wind(evidence)]
    for key, word, limit in (
        ("5.1.2.chemicals", CHEMICALS, CHEMICALS_M),
        ("5.1.2.filling", FILLING, FILLING_M),
    ):
        if word not in distances:
            findings.append(no_rows(key, word))
            continue
        name, metres = min(distances[word], key=lambda entry: entry[1])
        gap = metres - limit
        near = sum(value < limit for _, value in distances[word])
        findings.append(
            judged(
                key,
                near == 0,
                Text(
                    f"{number(metres, 0, limit)} m to {name}; {near} of {len(distances[word])} "
                    "too near",
                    f"距{name}{number(metres, 0, limit)}m；{len(distances[word])}处中{near}处过近",
                ),
                margin=Text(f"{signed(gap, 0)} m", f"{signed(gap, 0)}m"),
                margin_value=gap,
            )
        )
    return findings


def _is_sector(text: str) -> bool:
    try:
        return 0.0 <= float(text) < 360.0
    except ValueError:
        return False


def _wind(evidence: Evidence) -> Finding:
    from twin.siting.rules import wind_side  # loads the roads: only where there is wind to judge

    key = "5.1.2.wind"
    bearings = _by_text(evidence, Kind.HAZARD_BEARING).get(CHEMICALS, [])
    rows = evidence.rows
    at = rows.at(Kind.WIND)
    if not bearings or not len(at):
        lacking = [CHEMICALS] * (not bearings) + ["wind"] * (not len(at))
        return no_rows(key, *lacking)
    values = rows.log.value[at].tolist()
    wind: dict[float, float] = {}
    for sector, value in zip(rows.subjects(at), values, strict=True):
        if not _is_sector(sector) or not 0 <= value <= 1:
            raise LogError(
                f'the log\'s wind row "{sector}" with {value:g} is no sector of a wind rose; '
                "degrees from 0 to below 360 and a share from 0 to 1 are expected"
            )
        wind[float(sector)] = value
    if max(wind.values()) == 0:
        raise LogError("the log's wind rows are all 0, so no wind prevails; give the rose's shares")
    sides = {name: wind_side(degrees, wind) for name, degrees in bearings}
    downwind = [name for name, side in sides.items() if side == "downwind"]
    words = {"upwind": "上风", "crosswind": "侧风", "downwind": "下风"}
    return judged(
        key,
        not downwind,
        Text(
            ", ".join(f"{side} of {name}" for name, side in sides.items()),
            "，".join(f"位于{name}{words[side]}处" for name, side in sides.items()),
        ),
        margin=Text(
            f"{len(downwind)} of {len(sides)} downwind", f"{len(sides)}处中{len(downwind)}处为下风"
        ),
        margin_value=float(-len(downwind)),
        reason=Text(
            "as seen from the hazard, in the long-term prevailing wind",
            "自危险源看，按常年主导风向",
        ),
    )


def clause_5_1_3(evidence: Evidence) -> list[Finding]:
    """Fire resistance, where the center is detached."""
    if evidence.checklist.get("5.1.3.detached") == 0:
        gave = Text("inside a building: does not apply", "附设在建筑内，不适用")
        return [judged("5.1.3", True, gave, item="fire_resistance")]
    return [ticked(evidence, "5.1.3", item="fire_resistance")]


def clause_5_1_4(evidence: Evidence) -> list[Finding]:
    """Floor and wall where it is inside a building; exits everywhere."""
    exits = ticked(evidence, "5.1.4.exits")
    if evidence.checklist.get("5.1.3.detached", 0) > 0:
        gave = Text("detached: does not apply", "单独建造，不适用")
        return [judged("5.1.4.ground_floor", True, gave), exits]
    return [ticked(evidence, "5.1.4.ground_floor"), exits]


def clause_5_1_5(evidence: Evidence) -> list[Finding]:
    """Floor area."""
    return [ticked(evidence, "5.1.5", item="floor_area")]


def clause_5_1_6(evidence: Evidence) -> list[Finding]:
    """Functional areas."""
    return [ticked(evidence, "5.1.6.required"), ticked(evidence, "5.1.6.optional")]


def clause_5_1_7(evidence: Evidence) -> list[Finding]:
    """Ventilation and hygiene."""
    return [ticked(evidence, "5.1.7", item="ventilation")]


def clause_5_1_8(evidence: Evidence) -> list[Finding]:
    """Energy efficiency."""
    return [ticked(evidence, "5.1.8", item="energy")]


def clause_5_1_9(evidence: Evidence) -> list[Finding]:
    """Table 1; and that it is enough and replaced in time."""
    keys = ("5.1.9.enough", "5.1.9.replaced")
    table = [item for item in items("5.1.9") if item.key not in keys]
    kept = [CHECKLIST[key] for key in keys]
    return [
        ticked_items(evidence, "5.1.9", table, item="table_1"),
        ticked_items(evidence, "5.1.9", kept, item="enough_and_replaced"),
    ]


def clause_5_1_10(evidence: Evidence) -> list[Finding]:
    """Table 2; of projector and display one."""
    return [ticked(evidence, "5.1.10", item="table_2")]


def clause_5_1_11(evidence: Evidence) -> list[Finding]:
    """Alarm at once (checklist); gas alarms that reported a closed valve (log)."""
    rows = evidence.rows
    log = rows.log
    alarm = ticked(evidence, "5.1.11.alarm")
    gas = rows.where_text(rows.at(Kind.FIRE_ALARM), Category.GAS)
    if not len(gas):
        return [alarm, ticked(evidence, "5.1.11.valve")]
    shut = rows.where_text(rows.at(Kind.ACTUATION), "gas_valve_closed")
    closings: dict[int, list[int]] = {}
    for code, time in zip(log.subject.codes[shut].tolist(), log.time[shut].tolist(), strict=True):
        closings.setdefault(code, []).append(time)
    seen: dict[tuple[int, int], int] = {}
    for code, name, time in zip(
        log.subject.codes[gas].tolist(),
        log.alarm[gas].tolist(),
        log.time[gas].tolist(),
        strict=True,
    ):
        seen.setdefault((code, name), time)
    unreported = sum(
        not any(
            time - _VALVE_BEFORE_US <= at <= time + _VALVE_AFTER_US for at in closings.get(code, [])
        )
        for (code, _), time in seen.items()
    )
    valve = judged(
        "5.1.11.valve",
        unreported == 0,
        Text(
            f"{unreported} of {len(seen)} gas alarms without a report that the valve closed",
            f"{len(seen)}次燃气报警中{unreported}次未报告阀门关闭",
        ),
        margin_value=float(-unreported),
        reason=Text(
            "by the reported actuation; a report that was lost counts against it",
            "按上报的联动事件判定，上报丢失亦计入",
        ),
    )
    return [alarm, valve]


def clause_5_1_12(evidence: Evidence) -> list[Finding]:
    """More than 20,000 points: split, or one more person per shift for each started 20,000."""
    kpis = evidence.kpis
    if not len(kpis.registry):
        return [no_rows("5.1.12", "device", item="points")]
    count = kpis.devices.points
    gap = POINTS_PER_CENTER - count
    shown = Text(f"{count:,} points", f"{count}点")
    margin = Text(f"{gap:+,} points", f"{gap:+}点")
    if gap >= 0:
        found = judged("5.1.12", True, shown, item="points", margin=margin, margin_value=float(gap))
        return [found]
    if not kpis.staffing.stated:
        return [no_rows("5.1.12", "duty", item="points")]
    key = "5.1.12.extra_per_started_20000"
    each = evidence.checklist.get(key, CHECKLIST[key].limit)
    needed = SHIFT_MIN + math.ceil(each * math.ceil(-gap / POINTS_PER_CENTER))
    minutes = kpis.staffing.minutes_with_fewer_than(needed)
    return [
        judged(
            "5.1.12",
            minutes == 0,
            Text(
                f"{shown.en}; {number(minutes, 1, 0)} min with fewer than {needed} on duty",
                f"{shown.zh}；在岗不足{needed}人{number(minutes, 1, 0)}分钟",
            ),
            item="points",
            margin=margin,
            margin_value=float(gap),
            reason=Text(
                f"not split; {each:g} more on each shift for each started 20,000 points beyond "
                "the first (assumption)",
                f"未分设；超过20000点后每20000点每班增加{each:g}人（假设）",
            ),
        )
    ]


def clause_5_1_13(evidence: Evidence) -> list[Finding]:
    """Product liability insurance."""
    return [ticked(evidence, "5.1.13", item="insurance")]


def clause_5_2(evidence: Evidence) -> list[Finding]:
    """5.2.1 to 5.2.8: choice and placement of the terminals, by the checklist."""
    return [
        ticked(evidence, key, item=item)
        for key, item in (
            ("5.2.1", "annex_b"),
            ("5.2.2", "spacing"),
            ("5.2.3", "by_survey"),
            ("5.2.4.detectors", ""),
            ("5.2.4.split_core", ""),
            ("5.2.5", "gas_detectors"),
            ("5.2.6", "call_points"),
            ("5.2.7", "heat_alarms"),
            ("5.2.8", "combined_use"),
        )
    ]


def clause_5_2_9(evidence: Evidence) -> list[Finding]:
    """Enough spares: no repair waits for one."""
    rows = evidence.rows
    if not rows.has(Kind.SPARE_USED, Kind.SPARE_MISSING, Kind.SPARE_ORDERED, Kind.SPARE_RECEIVED):
        return [no_rows("5.2.9", "spare", item="spares")]
    waiting, used = (
        evidence.kpis.maintenance.waiting_for_spare,
        evidence.kpis.maintenance.spares_used,
    )
    least = rows.log.value[rows.at(Kind.SPARE_USED)]
    least = least[np.isfinite(least)]
    repairs = "repair" if waiting == 1 else "repairs"
    stock = f"{least.min():.0f}" if len(least) else "-"
    return [
        judged(
            "5.2.9",
            waiting == 0,
            Text(
                f"{waiting} {repairs} waited for a spare; {used} spares used; least stock {stock}",
                f"{waiting}次维修等待备件；使用备件{used}件；最低库存{stock}",
            ),
            item="spares",
            margin=Text(f"{-waiting:+d} {repairs}", f"{-waiting:+d}次") if waiting else None,
            margin_value=float(-waiting),
            reason=Text("enough: no repair waits for a spare", "适当数量：无维修因缺备件等待"),
        )
    ]

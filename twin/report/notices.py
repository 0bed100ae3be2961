"""What a reader has to know before the verdicts of a run: how its input was taken."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence

from pydantic import ValidationError

from twin.assessment.chapter_5 import EdgePlace, edge_places
from twin.assessment.finding import Text
from twin.kpi import Rows
from twin.log import Log
from twin.scenario import Scenario


def scenario_of(log: Log) -> Scenario | None:
    """The scenario that a log carries; None for a log without one, or one of another version."""
    try:
        return Scenario.model_validate(tomllib.loads(log.meta["twin.scenario"]))
    except (KeyError, tomllib.TOMLDecodeError, ValidationError):
        return None


def notices(log: Log, center: str) -> tuple[Text, ...]:
    """The notices about one center of a log; none for a log that carries no scenario."""
    scenario = scenario_of(log)
    if scenario is None or center not in scenario.centers:
        return ()
    found = []
    roads, venues = scenario.roads, scenario.venues
    if scenario.centers[center].lon is None and (roads.file or roads.place):
        found.append(
            Text(
                "The scenario does not say where the center stands, so it stands in the middle of "
                "the road network. That is arbitrary: what 5.1.1 and 5.1.2 say holds for this spot "
                f"alone. Give centers.{center}.lon and lat, or let `twin site` choose.",
                "场景未指定服务中心位置，故置于路网中央。该位置是任意的：5.1.1、5.1.2的结论仅对此处成立。"
                f"请填写centers.{center}.lon和lat，或用twin site选址。",
            )
        )
    if venues.file and venues.coordinates != "wgs84":
        places = edge_places(Rows(log.of_center(center))).values()
        if places and _outside_china(list(places)):
            name = venues.coordinates.upper().replace("GCJ", "GCJ-").replace("BD", "BD-")
            found.append(
                Text(
                    f"venues.coordinates says {name}, which is offset from WGS-84 in China only; "
                    "the area lies outside, so the offset of GCJ-02 is nothing here. Are the "
                    'coordinates really not plain "wgs84"?',
                    f"venues.coordinates设为{name}，其偏移仅在中国境内存在；本辖区在境外，"
                    "GCJ-02未作任何偏移。请确认坐标是否本为wgs84。",
                )
            )
    return tuple(found)


def _outside_china(places: Sequence[EdgePlace]) -> bool:
    """Whether the whole edge lies where GCJ-02 equals WGS-84."""
    from twin.roads.coordinates import in_china

    return not in_china([place.lon for place in places], [place.lat for place in places]).any()

"""Venues and fleets: exact points, the rules of 5.2, buses, places, and bad files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError
from shapely import contains_xy, distance, linestrings, multilinestrings, points
from shapely.geometry import box

from devices.kinds import KIND_NAMES, KINDS
from twin.roads.coordinates import wgs84_to_bd09, wgs84_to_gcj02
from twin.roads.network import Feature, RoadNetwork, projection
from twin.roads.settings import ROAD_CLASSES
from twin.streams import Streams
from twin.venues.build import Fleet, Venues, build_venues
from twin.venues.kinds import VENUE_KIND_NAMES, VENUE_KINDS
from twin.venues.settings import VenueSettings

ORIGIN = (119.6, 32.0)


def grid(features: tuple[Feature, ...] = ()) -> RoadNetwork:
    """A grid of streets, 21 x 21 nodes 200 m apart, both ways, around (119.6, 32.0)."""
    side = 21
    index = np.arange(side * side).reshape(side, side)
    x, y = np.meshgrid((np.arange(side) - 10) * 200.0, (np.arange(side) - 10) * 200.0)
    a = np.concatenate([index[:, :-1].ravel(), index[:-1].ravel()])
    b = np.concatenate([index[:, 1:].ravel(), index[1:].ravel()])
    start, end = np.concatenate([a, b]), np.concatenate([b, a])
    lon, lat = projection(*ORIGIN)(x.ravel(), y.ravel(), inverse=True)
    m = start.size
    return RoadNetwork(
        lon=np.asarray(lon),
        lat=np.asarray(lat),
        x=x.ravel(),
        y=y.ravel(),
        start=start.astype(np.int32),
        end=end.astype(np.int32),
        length=np.full(m, 200.0),
        road_class=np.full(m, ROAD_CLASSES.index("residential"), np.int8),
        speed=np.full(m, 8.0),
        contraflow=np.zeros(m, bool),
        junction=np.ones(side * side, bool),
        boundary=box(-2000, -2000, 2000, 2000),
        features=features,
        origin=ORIGIN,
        name="grid",
        source="grid.osm",
    )


GRID = grid()


def build(**numbers: object) -> tuple[Venues, Fleet]:
    chosen = VenueSettings.model_validate(numbers)
    return build_venues(chosen, GRID, Streams(1))


# -- the fleet ------------------------------------------------------------------------------------


@given(st.integers(1, 4000), st.integers(0, 50))
@settings(max_examples=25, deadline=None)
def test_a_fleet_has_exactly_its_points_and_is_in_order(wanted: int, seed: int) -> None:
    venues, fleet = build_venues(VenueSettings(points=wanted), GRID, Streams(seed))
    assert fleet.points == wanted
    order = fleet.kind.astype(np.int64) * len(venues.ids) + fleet.venue
    assert np.all(np.diff(order) >= 0)
    assert list(fleet.kind_slices) == list(KIND_NAMES)
    for name, here in fleet.kind_slices.items():
        assert np.all(fleet.kind[here] == KIND_NAMES.index(name))
    assert sum(s.stop - s.start for s in fleet.kind_slices.values()) == fleet.kind.size
    # no venue without a point: every venue is there for its devices
    assert np.all(np.bincount(fleet.venue[fleet.is_point], minlength=len(venues.ids)) > 0)
    assert len(set(fleet.ids)) == fleet.kind.size
    check_buses(fleet)


def check_buses(fleet: Fleet) -> None:
    """Exactly the RS485 devices have a host: in their own venue, at most 32 on each, none idle."""
    on_bus = np.array([KINDS[name].link == "rs485" for name in KIND_NAMES])[fleet.kind]
    np.testing.assert_array_equal(fleet.gateway >= 0, on_bus)
    host = fleet.gateway[on_bus]
    assert np.all(fleet.kind[host] == KIND_NAMES.index("electrical_fire_host"))
    np.testing.assert_array_equal(fleet.venue[host], fleet.venue[on_bus])
    hosts = fleet.kind_slices["electrical_fire_host"]
    load = np.bincount(host, minlength=fleet.kind.size)[hosts]
    assert np.all((load >= 1) & (load <= 32))
    # no more hosts in a venue than its devices need
    slaves = np.bincount(fleet.venue[on_bus])
    many = np.bincount(fleet.venue[hosts], minlength=slaves.size)
    np.testing.assert_array_equal(many, -(-slaves // 32))


def test_twenty_thousand_points_are_a_few_thousand_venues() -> None:
    venues, fleet = build(points=20_000)
    assert fleet.points == 20_000
    assert 2500 <= len(venues.ids) <= 4000
    share = np.bincount(venues.kind, minlength=6) / len(venues.ids)
    np.testing.assert_allclose(share, list(VenueSettings().mix.values()), atol=0.03)


def test_a_larger_fleet_begins_with_the_smaller_ones_venues() -> None:
    small, few = build(points=1000)
    large, many = build(points=3000)
    n = len(small.ids) - 1  # the last venue of the smaller one may be cut short
    for name in ("kind", "x", "y", "node", "video", "contract_end_s"):
        np.testing.assert_array_equal(getattr(small, name)[:n], getattr(large, name)[:n])
    for number in range(len(KIND_NAMES)):
        a, b = (np.bincount(f.venue[f.kind == number], minlength=n)[:n] for f in (few, many))
        np.testing.assert_array_equal(a, b)


def test_seeds_differ() -> None:
    a, _ = build_venues(VenueSettings(points=500), GRID, Streams(1))
    b, _ = build_venues(VenueSettings(points=500), GRID, Streams(2))
    assert not np.isin(a.x, b.x).any()


def test_the_device_mix_follows_5_2() -> None:
    venues, fleet = build(points=20_000)
    counts = {
        name: np.bincount(fleet.venue[s], minlength=len(venues.ids))
        for name, s in fleet.kind_slices.items()
    }
    whole = np.arange(len(venues.ids)) < len(venues.ids) - 1

    def at(kind: str) -> NDArray[np.bool_]:
        return np.asarray(whole & (venues.kind == VENUE_KIND_NAMES.index(kind)))

    # a local alarm system is what makes that kind; the others have self-contained smoke alarms
    assert np.all(counts["local_alarm_system"][at("local_alarm_unit")] == 1)
    assert counts["local_alarm_system"][~at("local_alarm_unit")].sum() == 0
    for kind in VENUE_KIND_NAMES[:5]:
        assert np.all(counts["smoke_alarm"][at(kind)] >= 1)
    assert np.mean(counts["manual_call_point"][at("enterprise")] > 0) > 0.8  # 5.2.6
    bus = counts["arcing_fault_detector"] + counts["residual_current_detector"]
    assert bus[~at("enterprise") & ~at("combined_use") & whole].sum() == 0
    assert bus[at("enterprise")].sum() > 0


def test_every_device_of_a_rule_is_a_known_point() -> None:
    for kind in VENUE_KINDS.values():
        assert all(KINDS[name].is_point for name in kind.devices)
        assert len(kind.occupancy) == 24
        assert all(0 <= odds <= 1 for odds in kind.occupancy)
        assert sum(kind.places.values()) == pytest.approx(1)


# -- people, fires, contracts ---------------------------------------------------------------------


def test_answers_fires_and_contracts_come_from_the_settings() -> None:
    venues, _ = build(
        points=6000,
        responsible=4,
        answer={"enterprise": "90 %"},
        fires={"enterprise": "1 /year"},
        video_share="50 %",
    )
    enterprise = VENUE_KIND_NAMES.index("enterprise")
    older = VENUE_KIND_NAMES.index("older_person_home")
    assert venues.answer.shape == (6, 24)
    assert venues.answer[enterprise, 12] == pytest.approx(0.9)
    assert venues.answer[enterprise, 3] == pytest.approx(0.72)
    assert venues.answer[older, 12] == pytest.approx(0.75)
    assert np.all(venues.responsible == 4)
    assert venues.fire_rate_per_year[venues.kind == enterprise] == pytest.approx(1)
    assert venues.fire_rate_per_year[venues.kind == older] == pytest.approx(2 * 6.25e-4)
    assert venues.video.mean() == pytest.approx(0.5, abs=0.06)
    cycle = 3 * 365.25 * 86400
    assert venues.contract_end_s.max() < cycle
    assert np.mean(venues.contract_end_s < cycle / 3) == pytest.approx(1 / 3, abs=0.06)


@pytest.mark.parametrize(
    ("numbers", "word"),
    [
        ({"mix": {"nine_small": "90 %"}}, "90 %, not 100 %"),
        ({"mix": {"shop": "100 %"}}, "nine_small"),
        ({"answer": {"shop": "50 %"}}, "shop"),
        ({"fires": {"enterprise": "often"}}, "rate"),
        ({"points": 0}, "greater than or equal to 1"),
    ],
)
def test_bad_settings_are_named(numbers: dict[str, object], word: str) -> None:
    with pytest.raises(ValidationError, match=word):
        VenueSettings.model_validate(numbers)


# -- places ---------------------------------------------------------------------------------------


def test_venues_stand_beside_streets_within_the_area() -> None:
    venues, _ = build(points=5000)
    ends = np.stack([np.column_stack([GRID.x[n], GRID.y[n]]) for n in (GRID.start, GRID.end)], 1)
    off = distance(points(venues.x, venues.y), multilinestrings(linestrings(ends)))
    assert off.max() <= 40.001
    assert np.mean(off < 7.99) < 0.15  # those near a cross street
    assert contains_xy(GRID.boundary.buffer(40), venues.x, venues.y).all()
    d = np.hypot(GRID.x[venues.node] - venues.x, GRID.y[venues.node] - venues.y)
    np.testing.assert_allclose(d, venues.road_offset_m)


def test_kinds_stand_in_the_areas_that_suit_them() -> None:
    network = grid(
        (
            Feature("town", "town", -1000, -1000, radius_m=600),
            Feature("village", "village", 1000, 1000, radius_m=400),
            Feature("industrial", "park", 1000, -1000, radius_m=500),
        )
    )
    venues, _ = build_venues(VenueSettings(points=20_000), network, Streams(1))
    park = np.hypot(venues.x - 1000, venues.y + 1000) < 645
    village = np.hypot(venues.x - 1000, venues.y - 1000) < 545
    enterprise = venues.kind == VENUE_KIND_NAMES.index("enterprise")
    older = venues.kind == VENUE_KIND_NAMES.index("older_person_home")
    assert park[enterprise].mean() == pytest.approx(0.75, abs=0.1)
    assert village[older].mean() == pytest.approx(0.70, abs=0.06)
    core = np.hypot(venues.x - 1000, venues.y + 1000) < 350  # no edge of the open reaches in
    assert core[enterprise].any()
    assert not core[older].any()


def test_venues_in_buildings() -> None:
    corners = [(x, y) for x in range(-1500, 1600, 300) for y in range(-1500, 1600, 300)]
    features = tuple(
        Feature("building", "", x + 7.0, y, use="industrial" if i % 4 == 0 else "yes")
        for i, (x, y) in enumerate(corners)
    )
    network = grid(features)
    chosen = VenueSettings(points=2000, buildings=True)
    venues, _ = build_venues(chosen, network, Streams(1))
    use = {(f.x, f.y): f.use for f in features}
    for x, y, kind in zip(venues.x, venues.y, venues.kind, strict=True):
        industrial = VENUE_KIND_NAMES[kind] in ("enterprise", "local_alarm_unit")
        assert use[x, y] == ("industrial" if industrial else "yes")
    with pytest.raises(ValueError, match=r"grid\.osm has no buildings"):
        build_venues(chosen, GRID, Streams(1))


# -- files ----------------------------------------------------------------------------------------


def write(folder: Path, text: str, name: str = "venues.csv") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_csv_with_counts_is_taken_as_it_is(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "\ufeffid,lon,lat,kind,responsible,smoke_alarm,arcing_fault_detector,owner\n"
        "A,119.6,32.0,enterprise,7,3,40,Li\n"
        "B,119.605,32.005,nine_small,,2,,Wang\n",
    )
    venues, fleet = build(file=file)
    assert venues.ids == ["A", "B"]
    assert venues.responsible.tolist() == [7, 5]
    assert fleet.points == 45
    assert fleet.ids[:4] == [
        "A/smoke_alarm-1",
        "A/smoke_alarm-2",
        "A/smoke_alarm-3",
        "B/smoke_alarm-1",
    ]
    assert fleet.ids[-2:] == ["A/electrical_fire_host-1", "A/electrical_fire_host-2"]
    np.testing.assert_allclose([venues.x[0], venues.y[0]], 0, atol=0.01)
    check_buses(fleet)


def test_a_csv_without_counts_gets_the_mix_of_its_kinds(tmp_path: Path) -> None:
    file = write(tmp_path, "lon,lat,kind\n119.6,32,nine_small\n119.6,32.001,local_alarm_unit\n")
    venues, fleet = build(file=file)
    assert venues.ids == ["V00001", "V00002"]
    slices = fleet.kind_slices
    assert fleet.venue[slices["smoke_alarm"]].max() == 0
    assert fleet.venue[slices["local_alarm_system"]].tolist() == [1]


def test_geojson_and_csv_are_the_same(tmp_path: Path) -> None:
    feature = {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [119.601, 32.002]},
        "properties": {"id": "A", "kind": "nine_small", "smoke_alarm": 4},
    }
    text = json.dumps({"type": "FeatureCollection", "features": [feature]})
    a, fleet_a = build(file=write(tmp_path, text, "v.geojson"))
    b, fleet_b = build(
        file=write(tmp_path, "id,lon,lat,kind,smoke_alarm\nA,119.601,32.002,nine_small,4\n")
    )
    assert (a.ids, a.x[0], a.y[0]) == (b.ids, b.x[0], b.y[0])
    assert fleet_a.ids == fleet_b.ids


@pytest.mark.parametrize("system", ["gcj02", "bd09"])
def test_chinese_coordinates_come_out_where_they_are(tmp_path: Path, system: str) -> None:
    shift = wgs84_to_gcj02 if system == "gcj02" else wgs84_to_bd09
    lon, lat = shift(119.602, 32.003)
    assert abs(float(lon) - 119.602) > 0.001  # hundreds of metres off if it were not undone
    file = write(tmp_path, f"lon,lat,kind\n{float(lon)!r},{float(lat)!r},nine_small\n")
    venues, _ = build(file=file, coordinates=system)
    x, y = GRID.project(119.602, 32.003)
    assert np.hypot(venues.x[0] - x, venues.y[0] - y) < 0.5


HEAD = "id,lon,lat,kind,smoke_alarm\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lon,lat\n119.6,32\n", ['"kind"', "lon, lat"]),
        ("", ["no venue"]),
        (HEAD, ["no venue"]),
        (HEAD + "A,x,32,nine_small,1\n", ["row 2", '"lon"', "'x'", "not a number"]),
        (HEAD + "A,119.6,32,nine_small,1\nB,119.6,nan,nine_small,1\n", ["row 3", '"lat"']),
        (HEAD + "A,32,119.6,nine_small,1\n", ["row 2", "swapped"]),
        (HEAD + "A,1119.6,32,nine_small,1\n", ["row 2", "not on the earth"]),
        (HEAD + "A,119.6,32,shop,1\n", ["row 2", '"shop"', "nine_small", "enterprise"]),
        (HEAD + "A,119.6,32,nine_small,1.5\n", ["row 2", "smoke_alarm", "whole number"]),
        (HEAD + "A,119.6,32,nine_small,-1\n", ["row 2", "smoke_alarm", "whole number"]),
        (HEAD + "A,119.6,32,nine_small,1\n\nA,119.6,32,nine_small,1\n", ["row 4", "row 2", '"A"']),
        (
            HEAD + "A,119.6,32,nine_small,1\nB,119.7,32,nine_small,1\n",
            ["row 3", '"B"', "7.4 km", "GCJ-02"],
        ),
        ("lon,lat,kind,smoke_alarms\n119.6,32,nine_small,1\n", ["smoke_alarms", '"smoke_alarm"']),
    ],
)
def test_bad_csv_files_are_named_with_their_place(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    with pytest.raises(ValueError, match=r"venues\.csv") as error:
        build(file=write(tmp_path, text))
    assert all(word in str(error.value) for word in words), str(error.value)


def test_swapped_degrees_that_are_on_the_earth_are_seen_too(tmp_path: Path) -> None:
    from dataclasses import replace

    europe = replace(GRID, origin=(11.5, 49.9))
    file = write(tmp_path, "lon,lat,kind\n49.9,11.5,nine_small\n")
    with pytest.raises(ValueError, match=r"row 2: .* swapped"):
        build_venues(VenueSettings(file=file), europe, Streams(1))


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("v.geojson", "{", "line 1: not JSON"),
        ("v.geojson", "[]", "FeatureCollection"),
        ("v.geojson", '{"features": [{"geometry": null}]}', "feature 1"),
        ("v.xlsx", "", "ends in"),
    ],
)
def test_other_bad_files(tmp_path: Path, name: str, text: str, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        build(file=write(tmp_path, text, name))


def test_a_missing_file_and_one_that_is_not_utf_8(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.csv: cannot be read"):
        build(file=str(tmp_path / "none.csv"))
    (tmp_path / "gbk.csv").write_bytes("lon,lat,kind,名称\n".encode("gbk"))
    with pytest.raises(ValueError, match=r"gbk\.csv: not UTF-8"):
        build(file=str(tmp_path / "gbk.csv"))

"""What a planner sees of a plan: the map, the page, the terminal and the layers."""

from __future__ import annotations

import html
import itertools
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from twin.planning import SitePlan, plan_sites
from twin.report.figures import INK, LIMIT, Pen
from twin.report.grid import grid
from twin.report.site_layers import layers
from twin.report.site_map import COLOURS, draw_plan, main_centers, reached_from_own, tints
from twin.report.site_svg import picture
from twin.report.site_table import (
    front_rows,
    incident_lines,
    missed_lines,
    print_plan,
    remarks,
    tightest,
    venues_alone_line,
)
from twin.report.site_texts import percent
from twin.report.site_write import write_plan
from twin.scenario import load_scenario

pytestmark = pytest.mark.filterwarnings("ignore:Glyph")  # no Chinese font here is no matter

SMALL = ["venues.points=1500"]


@pytest.fixture(scope="module")
def plan() -> SitePlan:
    """The fewest centers, which reach everything."""
    return plan_sites(load_scenario("township", [*SMALL, "siting.front=6"]))


@pytest.fixture(scope="module")
def short() -> SitePlan:
    """Two centers, which do not."""
    asked = ["siting.objective=best", "siting.k=2", "siting.front=0"]
    return plan_sites(load_scenario("township", [*SMALL, *asked]))


def words(figure: Any) -> list[Any]:
    from matplotlib.text import Text

    figure.draw_without_rendering()
    return cast("list[Text]", figure.findobj(Text))


def test_the_map_says_which_limit_binds_where(plan: SitePlan) -> None:
    """At each center's tightest point its figure stands, in the unit of the limit that binds."""
    figure = draw_plan(plan, Pen("en"))
    texts = [text.get_text() for text in words(figure)]
    for center in plan.centers:
        limit = tightest(center)
        assert limit is not None
        shares = {}
        for which in (center.time, center.radius):
            assert which is not None
            shares[which.value] = which.share
        assert limit.share == max(shares.values())
        unit = " min" if center.binds == "time" else " km"
        scale = 60.0 if center.binds == "time" else 1000.0
        digits = 1 if center.binds == "time" else 2
        assert f"{limit.value / scale:.{digits}f}{unit}" in texts
        assert f"{center.name}: {center.points:,}" in texts
    assert not any(text.get_color() == LIMIT and text.get_text() for text in words(figure))


def test_what_is_not_reached_stands_above_the_answer(short: SitePlan) -> None:
    """On the figure, in red; a limit that is broken is red as well."""
    figure = draw_plan(short, Pen("en"))
    red = [t for t in words(figure) if t.get_color() == LIMIT and t.get_text()]
    missed = next(t for t in red if t.get_text().startswith("Not reached from the chosen"))
    answer = next(t for t in words(figure) if t.get_text().startswith("2 centers reach"))
    assert answer.get_color() == INK
    assert missed.get_window_extent().y0 >= answer.get_window_extent().y1
    broken = [c for c in short.centers if (limit := tightest(c)) is not None and limit.share > 1]
    assert broken
    assert sum(bool(re.fullmatch(r"[\d.]+ (min|km)", t.get_text())) for t in red) == len(broken)


def test_the_words_of_the_map_lie_on_it(plan: SitePlan, short: SitePlan) -> None:
    """No headline is cut at the edge of the picture, and none presses the map together."""
    first, *rest = short.uncovered
    both = replace(short, uncovered=[replace(first, coverable=False), *rest])
    for drawn, shown in ((plan, 1), (short, 2), (both, 3)):
        figure = draw_plan(drawn, Pen("en"))
        heads = [t for t in words(figure) if t.get_text() and t.get_weight() == "bold"]
        assert len(heads) == shown + len(drawn.centers)
        for head in heads:
            extent = head.get_window_extent()
            assert extent.x1 <= figure.bbox.x1
            assert extent.y1 <= figure.bbox.y1
        (ax,) = figure.axes
        assert ax.get_window_extent().width > 0.93 * figure.bbox.width


def test_without_a_chinese_font_no_box_stands_on_the_map(
    short: SitePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chinese names of centers, villages and what is not reached are left out, no boxes drawn."""
    for module in ("figures", "area_map"):
        monkeypatch.setattr(f"twin.report.{module}.chinese_font", lambda: None)
    named = [replace(center, name=f"镇中心{k}") for k, center in enumerate(short.centers)]
    plan = replace(short, centers=named, uncovered=short.uncovered[:3])
    texts = [text.get_text() for text in words(draw_plan(plan, Pen("zh")))]
    assert f"1: {named[1].points:,}" in texts
    assert not re.search("[\u3000-\u9fff\uff00-\uffef]", "".join(texts))


def test_neighbours_have_different_colours(plan: SitePlan) -> None:
    """With more centers than colours a colour comes again only far away."""
    centers = [
        replace(plan.centers[0], x=float(x), y=float(y))
        for x, y in itertools.product(range(6), range(5))
    ]
    many = replace(plan, centers=centers)
    found = tints(many)
    assert set(found) == set(COLOURS)
    at = np.array([[c.x, c.y] for c in centers])
    for one, other in itertools.combinations(range(len(centers)), 2):
        if np.hypot(*(at[one] - at[other])) <= 1.0:
            assert found[one] != found[other]


def test_every_venue_has_the_colour_of_who_serves_most_of_it(plan: SitePlan) -> None:
    main = main_centers(plan)
    served = plan.served.toarray()
    assert np.array_equal(served[np.arange(len(main)), main], served.max(axis=1))


def test_a_center_shades_what_it_reaches_of_its_own_area(plan: SitePlan) -> None:
    for center, shade in zip(plan.centers, reached_from_own(plan), strict=True):
        assert 0 < shade.area <= center.reached.area * 1.01
        assert shade.difference(center.area.buffer(plan.settings.verge + 6)).area < 1.0


def test_the_page_has_a_mark_for_every_limit(short: SitePlan) -> None:
    drawn = picture(short, "en")
    group = re.search(r'<g class="limits">(.*?)</g><g class="uncovered">', drawn, re.DOTALL)
    assert group is not None
    titles = [html.unescape(t) for t in re.findall(r"<title>(.*?)</title>", group[1])]
    assert len(titles) == len(short.centers)
    for center, title in zip(short.centers, titles, strict=True):
        assert center.time is not None
        assert center.radius is not None
        assert title.startswith(f"{center.name}, edge in the ")
        assert f"{center.time.value / 60:.1f} min of 15 min" in title
        assert f"{center.radius.value / 1000:.2f} km of 8 km" in title
    assert group[1].count("mark broken") == sum(
        limit.share > 1 for c in short.centers if (limit := tightest(c)) is not None
    )


def test_many_that_are_not_reached_are_told_by_village(
    short: SitePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them, those with the most points first."""
    venues = [one for one in short.uncovered if one.demand < short.demand.venues]
    assert len(venues) > 10
    monkeypatch.setattr("twin.report.site_table.SINGLE", 10)
    lines = missed_lines(short, venues, "en")
    assert len(lines) < len(venues)
    told = [re.search(r"([\d,]+) venues with ([\d,]+) points", line) for line in lines]
    counts = [(int(m[1].replace(",", "")), int(m[2].replace(",", ""))) for m in told if m]
    assert len(counts) == len(lines)
    assert sum(count for count, _ in counts) == len(venues)
    points = [point for _, point in counts]
    assert sum(points) == short.demand.points[[one.demand for one in venues]].sum()
    assert points == sorted(points, reverse=True)
    few = missed_lines(short, venues[:3], "en")
    for one, line in zip(venues[:3], few, strict=True):
        assert line.startswith(short.demand.names[one.demand])
        late = one.seconds > short.settings.travel_limit
        far = one.straight_m > short.settings.radius
        assert line.endswith(
            {(True, False): "beyond 15 min", (False, True): "beyond 8 km"}.get(
                (late, far), "beyond 15 min and 8 km"
            )
        )


def test_why_there_are_more_centers_than_the_venues_need(plan: SitePlan) -> None:
    """The front knows how few centers the venues alone would need."""
    fewest = min(p.centers for p in plan.front if p.covered >= plan.covered_points)
    assert fewest < len(plan.centers)
    assert venues_alone_line(plan, "en").startswith(f"{fewest} centers would reach every venue")
    alone = plan_sites(load_scenario("township", [*SMALL, "siting.edge=false", "siting.front=6"]))
    assert len(alone.centers) == fewest
    assert venues_alone_line(alone, "en") == ""


def test_the_plan_stands_among_the_numbers_of_centers(plan: SitePlan) -> None:
    rows = front_rows(plan, "en")
    own = rows.index(next(row for row in rows if row[0].endswith("this plan")))
    assert rows[own - 1][0] == str(len(plan.centers))
    assert [row[0] for row in rows[: own - 1]] == [str(k) for k in range(1, len(plan.centers))]


def test_a_center_that_does_not_hold_says_by_how_much(short: SitePlan) -> None:
    told = list(remarks(short, "en"))
    for center in short.centers:
        for limit in (center.time, center.radius):
            if limit is not None and limit.share > 1:
                assert center.edge is not None
                mine = [t for t in told if t.startswith(f"{center.name} does not keep 5.1.1")]
                assert any(
                    f"of {len(center.edge)} points" in t and f"{limit.broken} lie beyond" in t
                    for t in mine
                )


def test_the_hydrants_of_an_incident_can_be_found(plan: SitePlan) -> None:
    """They stand where the answer says, and the nearest comes first."""
    x, y = plan.demand.x[0], plan.demand.y[0]
    lon, lat = (float(value) for value in plan.network.unproject(x, y))
    _, *lines = incident_lines(plan, lon, lat, "en")
    away = []
    for line in lines:
        found = re.fullmatch(r"(.*): ([\d,]+) m by road, at ([\d.]+), ([\d.]+)", line)
        assert found is not None
        at = plan.hydrants.names.index(found[1])
        east, north = plan.network.project(float(found[3]), float(found[4]))
        assert np.hypot(east - plan.hydrants.x[at], north - plan.hydrants.y[at]) < 2.0
        away.append(int(found[2].replace(",", "")))
    assert away == sorted(away)
    assert lines


@pytest.mark.parametrize(("share", "says"), [
    (0.0, "0 %"), (1e-5, "< 0.1 %"), (0.5, "50.0 %"), (0.99999, "< 100 %"), (1.0, "100 %"),
])  # fmt: skip
def test_a_share_is_all_or_nothing_only_where_it_is(share: float, says: str) -> None:
    assert percent(share) == says


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("width", [80, 100, 120])
def test_the_terminal_shows_every_name_and_number_whole(
    plan: SitePlan, short: SitePlan, width: int, lang: Any
) -> None:
    from rich.cells import cell_len

    for drawn in (plan, short):
        console = Console(width=width, record=True, file=Path("/dev/null").open("w"))  # noqa: SIM115
        print_plan(console, drawn, lang)
        lines = console.export_text().splitlines()
        assert max(map(cell_len, lines)) <= width
        for center in drawn.centers:
            mine = [text for text in lines if text.startswith(f"{center.name} ")]
            (row,) = (text for text in mine if text.rstrip().endswith(("met", "符合")))
            assert re.search(rf"(?<![\d,]){center.points:,}(?![\d,])", row)


def test_the_chinese_page_is_chinese(short: SitePlan, tmp_path: Path) -> None:
    """No English is left but names, commands and units."""
    write_plan(tmp_path / "zh", short, "zh")
    page = (tmp_path / "zh" / "site.html").read_text(encoding="utf-8")
    shown = re.sub(r"(?s)<(style|script|code)>.*?</\1>|<[^>]*>", " ", page)
    found = set(re.findall(r"[A-Za-z][A-Za-z.-]*", html.unescape(shown)))
    found = {word.strip(".-") for word in found}
    units = {"s", "m", "km", "min", "h", "d"}
    names = {"DB", "T", "township", "center", "road", "edge", "V", "N", "H", "OSRM", "NFPA", "GB"}
    assert found - units - names <= {"siting", "siting.edge", "false", "uncovered.csv", "e", "a",
                                     "b", "v", "twin", "size", "csv", "edge.csv"}  # fmt: skip
    assert "%" in shown
    assert not re.search(r"\d %", shown)


def test_layers_are_as_a_gis_expects_them(short: SitePlan) -> None:
    """Rings as RFC 7946 has them, columns of one type, what is not reached by itself."""
    import json

    from twin.report.site_layers import _geojson

    found = {layer.name: layer for layer in layers(short)}
    assert len(found["uncovered"].rows) == len(short.uncovered)
    assert len(found["limits"].rows) == len(short.centers)
    for layer in found.values():
        features = json.loads(_geojson(layer))["features"]
        for name in features[0]["properties"]:
            kinds = {type(f["properties"][name]) for f in features} - {type(None)}
            assert len(kinds - {int, float}) + bool(kinds & {int, float}) <= 1, (layer.name, name)
            assert "" not in {f["properties"][name] for f in features}
    for layer in (found["areas"], found["reach"]):
        for shape in layer.shapes:
            assert shape.is_valid
            for part in shape.geoms:
                assert part.exterior.is_ccw
                assert not any(ring.is_ccw for ring in part.interiors)


@given(
    st.lists(st.tuples(st.integers(0, 10**7), st.integers(0, 10**5)), min_size=1, max_size=5),
    st.integers(60, 120),
)
def test_a_table_never_cuts_a_number(rows: list[tuple[int, int]], width: int) -> None:
    cells = [["a name of several words that may be broken", f"{a:,}", f"{b:,}"] for a, b in rows]
    heads = {"name": "name", "one": "a head of many words", "two": "辖区边缘最不利时段"}
    console = Console(width=width, record=True, file=Path("/dev/null").open("w"))  # noqa: SIM115
    console.print(grid(heads, cells, width, ("name",)))
    text = console.export_text()
    for _, one, two in cells:
        assert re.search(rf"(?<![\d,]){one}(?![\d,])", text)
        assert re.search(rf"(?<![\d,]){two}(?![\d,])", text)

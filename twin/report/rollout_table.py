"""A rollout as rows of text, for the terminal and the page, and as CSV tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text as Line

from twin.assessment.finding import Text
from twin.experiment.evidence import Decision
from twin.experiment.rollout import CenterYear, Rollout, Year
from twin.experiment.targets import targets
from twin.report.grid import grid
from twin.report.output import write_rows
from twin.report.size_table import STYLES, value
from twin.report.size_texts import tell
from twin.report.texts import Language, say, tidy

WORDS: dict[str, Text] = {
    "title": Text(
        "A rollout year by year: DB3211/T 1066-2023, 5.1.1 and 5.1.12; document 000",
        "分年推广方案：DB3211/T 1066-2023 第5.1.1、5.1.12条；抚州实施方案",
    ),
    "head": Text(
        "{first} to {last}: {centers} centers and {people} people at the end, for {points} points",
        "{first}—{last}年：期末{points}点，需{centers}个服务中心、{people}人",
    ),
    "year": Text("year", "年份"),
    "points": Text("points", "点数"),
    "alarms": Text("smoke alarms", "“九小”感烟"),
    "centers": Text("centers", "中心数"),
    "new": Text("new", "新增"),
    "duty": Text("on duty", "值守"),
    "maintenance": Text("crew", "维保"),
    "people": Text("people", "人员"),
    "vans": Text("vans", "车辆"),
    "spares": Text("spares", "备件"),
    "missed": Text("not reached", "不可达点"),
    "decision": Text("shown enough", "已证明"),
    "enough": Text("all", "全部满足"),
    "open": Text("{met} of {centers}", "{centers}个中{met}个"),
    "center": Text("center", "服务中心"),
    "near": Text("near", "附近"),
    "since": Text("since", "始于"),
    "shift": Text("per shift", "每班"),
    "gives_way": Text("not shown", "未证明"),
    "each_year": Text("Each year", "各年情况"),
    "fig_years": Text(
        "What each year needs: what stood already, and what the year adds",
        "各年所需：已有与新增",
    ),
    "fig_map": Text("Where the centers stand, by the year that adds them", "各中心位置与建设年份"),
    "standing": Text("stood already", "已有"),
    "added": Text("added", "新增"),
    "notes": Text("How it is decided", "判定方法"),
    "note_sites": Text(
        "Every year sites anew for all that is connected by then, with last year's centers "
        "standing (twin site): {status}.",
        "每年按已接入的全部点位重新选址，上一年的中心保留（twin site）：{status}。",
    ),
    "note_proven": Text("every choice is proven to be best", "各年结果均已证明最优"),
    "note_gap": Text("not proven in {years}: gap {gap}", "{years}年未证明最优：间隙{gap}"),
    "note_size": Text(
        "Every center is sized anew for the points that it then has, by up to {periods} simulated "
        "years (four times as many for small ones): it keeps what it has, and what it lacks is "
        "added until the mean of every target holds. It is shown to be enough where every target "
        "is met with {confidence} confidence. Targets that plenty of everything is not shown to "
        "meet are left out, and named as not shown.",
        "每个中心按当年点数以至多{periods}个模拟年（小中心至多4倍）重新配置：保留已有配置，逐项增加不足"
        "部分，直至各项均值达到要求；各项均以{confidence}置信度满足者为“已证明”。配置充裕亦不能证明满足的"
        "要求另行列出，不计入。",
    ),
    "note_count": Text(
        "The plan of document 000 names numbers for 2019 and 2020; what is connected in the end is "
        "an assumption of the scenario.",
        "抚州方案给出2019、2020年数量；最终接入总量为场景假设。",
    ),
}


def words(key: str, lang: Language, **values: object) -> str:
    """One of the rollout's own words, with its values."""
    return tidy(say(WORDS[key], lang).format(**values), lang)


YEAR_COLUMNS = (
    "year", "points", "alarms", "centers", "new", "duty", "maintenance", "people", "vans",
    "spares", "missed", "decision",
)  # fmt: skip
CENTER_COLUMNS = (
    "center", "near", "since", "points", "shift", "maintenance", "people", "vans", "spares",
    "decision", "gives_way",
)  # fmt: skip


def head(rollout: Rollout, lang: Language) -> str:
    """The answer, in a sentence."""
    first, last = rollout.years[0], rollout.years[-1]
    return words(
        "head",
        lang,
        first=first.name,
        last=last.name,
        centers=len(last.centers),
        people=f"{last.people:,}",
        points=f"{last.points:,}",
    )


def year_row(year: Year, lang: Language) -> list[str]:
    """A year, by :data:`YEAR_COLUMNS`."""
    crew = sum(center.design.maintenance for center in year.centers)
    open_ = words("open", lang, met=len(year.centers) - year.undecided, centers=len(year.centers))
    return [
        year.name,
        f"{year.points:,}",
        f"{year.smoke_alarms:,}",
        str(len(year.centers)),
        str(year.new),
        f"{year.people - crew:,}",
        f"{crew:,}",
        f"{year.people:,}",
        str(sum(center.design.vans for center in year.centers)),
        f"{sum(center.spares for center in year.centers):,}",
        f"{year.uncovered:,}",
        open_ if year.undecided else words("enough", lang),
    ]


def center_row(
    center: CenterYear, rollout: Rollout, lang: Language, brief: bool = False
) -> list[str]:
    """A center in a year, by :data:`CENTER_COLUMNS`; ``brief``: clauses instead of words."""
    return [
        center.name,
        center.near,
        center.since,
        f"{center.points:,}",
        str(center.design.people),
        str(center.design.maintenance),
        str(center.people),
        str(center.design.vans),
        f"{center.spares:,}",
        tell(center.trial.decision.value, lang),
        tidy(("、" if lang == "zh" else ", ").join(_open(center, rollout, lang, brief)), lang),
    ]


def _open(center: CenterYear, rollout: Rollout, lang: Language, brief: bool) -> Iterable[str]:
    """What is not shown to be met, with its figure where people may mend it."""
    by_name = {target.name: target for target in targets(rollout.settings)}
    told = {
        name: f" {value(by_name[name], found.mean)}"
        for name, found in center.trial.estimates.items()
        if found.decision is not Decision.MET
    } | dict.fromkeys(center.unreached, "")
    if brief:
        return dict.fromkeys(by_name[name].clause for name in told)
    return [f"{say(by_name[name].short, lang)}{figure}" for name, figure in told.items()]


def notes(rollout: Rollout, lang: Language) -> list[str]:
    """How it is decided."""
    open_ = [year for year in rollout.years if year.status != "optimal"]
    status = words("note_proven", lang)
    if open_:
        status = words(
            "note_gap",
            lang,
            years=", ".join(year.name for year in open_),
            gap=f"{100 * max(year.gap for year in open_):.1f} %",
        )
    return [
        words("note_sites", lang, status=status),
        words(
            "note_size",
            lang,
            periods=rollout.settings.replications,
            confidence=f"{100 * rollout.settings.confidence:g} %",
        ),
        words("note_count", lang),
    ]


def print_rollout(console: Console, rollout: Rollout, lang: Language, folder: Path) -> None:
    """Prints the years, the last year's centers, and where the report is."""
    colon = "：" if lang == "zh" else ": "
    console.print(Line(head(rollout, lang), style="bold"))

    def show(
        names: Sequence[str], rows: Sequence[Sequence[str]], decisions: Sequence[Decision] = ()
    ) -> None:
        heads = {name: words(name, lang) for name in names}
        styles = {"decision": [STYLES[decision] for decision in decisions]} if decisions else {}
        wide, left = ("center", "near", "gives_way"), ("year", "since")
        console.print(grid(heads, rows, console.width, wide, left, styles))

    show(YEAR_COLUMNS, [year_row(year, lang) for year in rollout.years])
    last = rollout.years[-1]
    console.print()
    console.print(Line(last.name, style="bold"))
    show(
        CENTER_COLUMNS,
        [center_row(center, rollout, lang, brief=True) for center in last.centers],
        [center.trial.decision for center in last.centers],
    )
    for line in notes(rollout, lang):
        console.print(Line(line, style="dim"))
    console.print(Line(f"{tell('report_at', lang)}{colon}{folder / 'report.html'}"))


def write_tables(folder: Path, rollout: Rollout) -> None:
    """``years.csv`` and ``centers.csv``."""
    write_rows(
        folder / "years.csv",
        [
            {
                "year": year.name,
                "points": year.points,
                "smoke_alarms": year.smoke_alarms,
                "centers": len(year.centers),
                "new_centers": year.new,
                "people": year.people,
                "maintenance": sum(c.design.maintenance for c in year.centers),
                "vans": sum(c.design.vans for c in year.centers),
                "spares": sum(c.spares for c in year.centers),
                "points_not_reached": year.uncovered,
                "siting": year.status,
                "gap": year.gap,
                "centers_not_shown_enough": year.undecided,
                **{f"connected_{kind}": share for kind, share in year.connected.items()},
            }
            for year in rollout.years
        ],
    )
    write_rows(
        folder / "centers.csv",
        [
            {
                "year": year.name,
                "center": center.name,
                "near": center.near,
                "lon": round(center.lon, 7),
                "lat": round(center.lat, 7),
                "since": center.since,
                "points": center.points,
                "people_per_shift": center.design.people,
                "maintenance": center.design.maintenance,
                "people": center.people,
                "vans": center.design.vans,
                "spares_share": center.design.spares,
                "spares": center.spares,
                "decision": center.trial.decision.value,
                "simulated_years": center.trial.periods,
                "left_out": " ".join(center.unreached),
                **{f"mean_{n}": found.mean for n, found in center.trial.estimates.items()},
            }
            for year in rollout.years
            for center in year.centers
        ],
    )

"""The figures of a report, one function per figure, drawn with matplotlib without a display.

Each takes a center's rows and figures and gives a matplotlib ``Figure``, or None where the log
does not hold what it would show.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twin import standard
from twin.assessment.finding import number, percent
from twin.kpi import Kpis, Rows
from twin.kpi.alarms import ANNOTATIONS
from twin.report import series
from twin.report.texts import Language
from twin.terms import Annotation, Kind, Ticket, View

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, GRID, LIMIT = "#222222", "#dddddd", "#c0392b"
VIEW_COLOURS = {View.PLATFORM: "#1f5fa8", View.VENDOR: "#e08e0b", View.TRUTH: "#2e8b57"}
COLOURS = ("#c0392b", "#e67e22", "#7f8c8d", "#1f5fa8", "#8fb8de", "#bbbbbb", "#2e8b57")

FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Microsoft YaHei",
    "PingFang SC",
    "Hiragino Sans GB",
    "SimHei",
    "Noto Sans CJK JP",
    "Droid Sans Fallback",
)
"""Fonts with Chinese characters, in order of preference; none comes along."""

_FONT_FILES = ("cjk", "notosanssc", "sourcehan", "wqy", "msyh", "pingfang", "simhei", "hiragino")

_ZH = {
    "date": "日期",
    "online rate": "在线率",
    "platform (what 4.7 judges)": "现场端平台（4.7所判定）",
    "vendor platform": "厂商平台",
    "truth": "实际状态",
    "4.7: at least 99 %": "4.7：不低于99%",
    "seconds from receipt": "自收到起（秒）",
    "messages": "火警信息（条）",
    "response (6.1: 5 s)": "响应（6.1：5 s）",
    "verification (6.1: 1 min)": "复核（6.1：1 min）",
    "later": "更晚",
    "hour of day": "时刻",
    "fire alarms": "火警（次）",
    "incipient fire": "初期火灾和险情",
    "confirmed fire": "确认火灾",
    "test": "测试火警",
    "false alarm: nuisance": "误报：非火灾因素",
    "false alarm: fault or unexplained": "误报：设备故障或不明原因",
    "no annotation": "未标注",
    "open tickets": "未完成工单",
    "maintenance timeliness": "维保及时率",
    "battery": "电池",
    "offline": "离线",
    "fault": "故障",
    "cleaning": "清洗",
    "hazard": "隐患",
    "periodic": "定期维保",
    "end of life": "到期更换",
    "share of time": "时间占比",
    "two or more at the desk": "2人及以上在岗",
    "two or more on duty, one at the desk": "2人及以上在班，1人在岗",
    "fewer than two on duty": "在班不足2人",
    "nobody at the desk": "无人在岗",
    "signals of all detectors": "现场报警信号",
    "arrived at the platform": "平台收到",
    "of these fire alarm messages": "其中火警信息",
    "verified": "已复核",
    "answered by somebody, or seen on scene": "有人答复或到场查看",
    "the same within 1 min": "其中1 min内",
    "fire alarms (repeats merged, no tests)": "火警（合并重复，不含测试）",
    "handled": "已处置",
    "handled, every deadline met": "已处置且全部时限达标",
    "Mon": "周一",
    "Tue": "周二",
    "Wed": "周三",
    "Thu": "周四",
    "Fri": "周五",
    "Sat": "周六",
    "Sun": "周日",
    "minutes from the order, worst hour": "自出动指令起（分钟，最差时段）",
    "center": "服务中心",
    "fire station": "消防站",
    "dangerous chemicals": "危险化学品",
    "filling station": "加油加气站",
    "edge of the area": "辖区边缘",
    "last point of the edge": "边缘最晚到达处",
    "farthest point of the edge": "边缘最远处",
    "not by road": "道路不可达",
    "km": "km",
    "radius 8 km": "半径8 km",
    "radius 8 km: beyond the map": "半径8 km（在图外）",
    "min": "分钟",
}


@lru_cache(maxsize=1)
def chinese_font() -> str | None:
    """An installed font with Chinese characters; None where there is none."""
    from matplotlib import font_manager

    def found() -> str | None:
        installed = {font.name for font in font_manager.fontManager.ttflist}
        return next((name for name in FONTS if name in installed), None)

    if found() is None:  # matplotlib's list is a cache that does not notice new fonts
        for path in font_manager.findSystemFonts():
            if any(part in path.lower() for part in _FONT_FILES):
                font_manager.fontManager.addfont(path)
    return found()


class Pen:
    """Makes figures and words in the language of a report.

    Without a Chinese font the labels stay English: a figure full of empty boxes says nothing.
    """

    def __init__(self, lang: Language) -> None:
        self.lang: Language = "en" if chinese_font() is None else lang

    def __call__(self, text: str) -> str:
        """A label in the report's language."""
        return _ZH.get(text, text) if self.lang == "zh" else text

    def rc(self) -> Any:
        """matplotlib's settings while a figure is made and saved."""
        font = chinese_font()
        return {
            "font.family": ["DejaVu Sans", *([font] if font else [])],
            "font.size": 9.5,
            "axes.edgecolor": "#999999",
            "axes.labelcolor": INK,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.grid.axis": "y",
            "grid.color": GRID,
            "axes.axisbelow": True,
            "legend.frameon": False,
            "axes.titlelocation": "left",
            "axes.titlesize": 10.5,
            "axes.unicode_minus": False,
        }

    def sheet(
        self, columns: int = 1, height: float = 3.0, width: float = 9.0
    ) -> tuple[Figure, Any]:
        """A new figure with its axes side by side."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots(1, columns)
        return figure, axes


def online(rows: Rows, kpis: Kpis, pen: Pen) -> Figure | None:
    """The online rate over the period in the three views, with the 99 % of 4.7."""
    by_view = series.online_by_day(rows)
    if not by_view:
        return None
    figure, ax = pen.sheet()
    names = {
        View.PLATFORM: pen("platform (what 4.7 judges)"),
        View.VENDOR: pen("vendor platform"),
        View.TRUTH: pen("truth"),
    }
    least, limit = 1.0, standard.ONLINE_RATE
    for view in (View.TRUTH, View.VENDOR, View.PLATFORM):
        if view not in by_view:
            continue
        rate = by_view[view]
        style = "--" if view is View.VENDOR else "-"
        width = 1.6 if view is View.PLATFORM else 1.1
        order = 3 if view is View.PLATFORM else 2
        dates = _dates(rows, len(rate))
        mean = percent(kpis.devices.online[view].mean, limit=limit)
        ax.plot(dates, 100 * rate, style, color=VIEW_COLOURS[view], lw=width, zorder=order,
                label=f"{names[view]}: {mean}")  # fmt: skip
        least = min(least, float(np.nanmin(rate)))
    ax.axhline(100 * limit, color=LIMIT, lw=1)
    ax.annotate(pen("4.7: at least 99 %"), (0.005, 100 * limit), xycoords=("axes fraction", "data"),
                xytext=(0, 3), textcoords="offset points", color=LIMIT)  # fmt: skip
    bottom = min(100 * limit - 0.15, 100 * least - 0.1)
    ax.set_ylim(max(bottom, 0), 100 + 0.05 * (100 - bottom))
    ax.set_ylabel(pen("online rate") + " %")
    _date_axis(ax, pen)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=3)
    return figure


def _dates(rows: Rows, days: int) -> NDArray[np.datetime64]:
    """Local dates of the period's days."""
    start = rows.period.start_us + 12 * series.HOUR_US  # noon is on the local date
    first = np.datetime64(start, "us").astype("datetime64[D]")
    dates: NDArray[np.datetime64] = first + np.arange(days)
    return dates


def _date_axis(ax: Axes, pen: Pen, ticks: int = 13) -> None:
    from matplotlib import dates

    typed: Any = dates  # its stubs leave these calls untyped
    locator = typed.AutoDateLocator(minticks=3, maxticks=ticks)
    ax.xaxis.set_major_locator(locator)
    formats: dict[str, list[str]] = {}
    if pen.lang == "zh":
        day = ["%Y年", "%m月", "%d日", "%H:%M", "%H:%M", "%S"]
        offset = ["", "%Y年", "%Y年%m月", *["%Y年%m月%d日"] * 3]
        formats = {"formats": day, "zero_formats": ["", *day[:5]], "offset_formats": offset}
    ax.xaxis.set_major_formatter(typed.ConciseDateFormatter(locator, **formats))
    ax.margins(x=0.01)


def waits(rows: Rows, _: Kpis, pen: Pen) -> Figure | None:
    """How long fire alarm messages waited for response and verification, against 5 s and 60 s."""
    response, verification = series.waits(rows)
    if not len(response):
        return None
    figure, (left, right) = pen.sheet(2)
    _waits(left, response, standard.RESPONSE_S, 0.5, 12.0, pen("response (6.1: 5 s)"), pen)
    title = pen("verification (6.1: 1 min)")
    _waits(right, verification, standard.VERIFICATION_S, 5.0, 150.0, title, pen)
    return figure


def _waits(
    ax: Axes, seconds: series.Floats, limit: float, step: float, most: float, title: str, pen: Pen
) -> None:
    edges = np.arange(0.0, most + step, step)
    counts, _ = np.histogram(np.minimum(seconds, most - step / 2), edges)
    late = edges[:-1] >= limit
    ax.bar(edges[:-1], counts, step * 0.94, align="edge",
           color=np.where(late, LIMIT, VIEW_COLOURS[View.PLATFORM]))  # fmt: skip
    ax.axvline(limit, color=INK, lw=1)
    share = float((seconds <= limit + 2e-6).mean())
    shown = percent(share, 1)
    ax.set_title(f"{title}: {shown} {'≤' if pen.lang == 'zh' else 'in'} {limit:g} s")
    ax.set_xlabel(pen("seconds from receipt"))
    ax.set_ylabel(pen("messages"))
    if counts[-1]:
        ax.annotate(pen("later"), (most - step / 2, counts[-1]), ha="center", va="bottom")


_CLASSES = {
    Annotation.CONFIRMED_FIRE: "confirmed fire",
    Annotation.INCIPIENT_FIRE: "incipient fire",
    Annotation.TEST: "test",
    Annotation.FALSE_NUISANCE: "false alarm: nuisance",
    Annotation.FALSE_FAULT: "false alarm: fault or unexplained",
}


def alarms(rows: Rows, kpis: Kpis, pen: Pen) -> Figure | None:
    """Fire alarms by hour of day and class (6.4)."""
    table = kpis.alarms.table
    if not len(table.id):
        return None
    counts = series.alarms_by_hour(rows, table.raised_us, table.annotation)
    figure, ax = pen.sheet()
    base = np.zeros(24)
    parts = [(ANNOTATIONS.index(word), pen(name)) for word, name in _CLASSES.items()]
    parts.append((len(ANNOTATIONS), pen("no annotation")))
    for (row, name), colour in zip(parts, COLOURS, strict=False):
        total = int(counts[row].sum())
        if total:
            ax.bar(np.arange(24), counts[row], 0.86, base, color=colour, label=f"{name}: {total}")
            base += counts[row]
    ax.set_xticks(range(0, 24, 2), [f"{hour:02d}" for hour in range(0, 24, 2)])
    ax.set_xlabel(pen("hour of day"))
    ax.set_ylabel(pen("fire alarms"))
    ax.margins(x=0.01)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def maintenance(rows: Rows, kpis: Kpis, pen: Pen) -> Figure | None:
    """Open tickets by kind over the period, and the timeliness of each month."""
    open_tickets = series.open_tickets_by_day(rows)
    if not open_tickets:
        return None
    figure, (left, right) = pen.sheet(2, height=3.2)
    days = max(len(values) for values in open_tickets.values())
    dates = _dates(rows, days)
    names = [pen(kind.value.replace("_", " ")) for kind in open_tickets]
    left.stackplot(dates, *open_tickets.values(), labels=names,
                   colors=[_TICKET_COLOURS[kind] for kind in open_tickets])  # fmt: skip
    left.set_title(pen("open tickets"))
    left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=4, columnspacing=1.0)
    _date_axis(left, pen, 7)
    months = [month[5:] for month in kpis.period.months]
    timely = 100 * np.array(kpis.maintenance.by_month["maintenance_timeliness"])
    right.bar(months, timely, 0.75, color=VIEW_COLOURS[View.PLATFORM])
    for place, value in enumerate(timely):
        if np.isfinite(value):
            right.annotate(number(value, 0, 100), (place, value), ha="center", va="bottom",
                           fontsize=8)  # fmt: skip
    right.set_ylim(0, 108)
    right.set_title(pen("maintenance timeliness") + " %")
    return figure


_TICKET_COLOURS = dict(
    zip(
        Ticket,
        ("#e08e0b", "#1f5fa8", "#c0392b", "#8fb8de", "#6d4c8d", "#bbbbbb", "#7f8c8d"),
        strict=True,
    )
)


def desk(rows: Rows, _: Kpis, pen: Pen) -> Figure | None:
    """How well the desk is staffed over the week: shares of the time, hour by hour."""
    week = series.desk_week(rows)
    if week is None:
        return None
    figure, ax = pen.sheet(height=2.6)
    base = np.zeros(168)
    for (name, share), colour in zip(week.items(), _DESK_COLOURS, strict=True):
        label = f"{pen(name)}: {percent(float(share.mean()), 1, 0.0)}"
        ax.stairs(100 * (base + share), np.arange(169), baseline=100 * base, fill=True,
                  color=colour, label=label)  # fmt: skip
        base = base + share
    ax.set_xticks(np.arange(7) * 24 + 12, [pen(day) for day in DAYS])
    ax.tick_params(axis="x", length=0)
    for day in range(1, 7):
        ax.axvline(24 * day, color="white", lw=1.2)
    ax.set_xlim(0, 168)
    ax.set_ylim(0, 100)
    ax.set_ylabel(pen("share of time") + " %")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2)
    return figure


_DESK_COLOURS = ("#1f5fa8", "#8fb8de", "#e08e0b", "#c0392b")
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def chain(rows: Rows, kpis: Kpis, pen: Pen) -> Figure | None:
    """The account of the alarm chain: signals, receipts, verification, handling."""
    found = kpis.alarms
    received = len(rows.at(Kind.FIRE_ALARM))
    if not received:
        return None
    bars: list[tuple[str, int, str]] = []
    if rows.has(Kind.SIGNAL):
        bars.append(("signals of all detectors", len(rows.at(Kind.SIGNAL)), "#8fb8de"))
    bars += [
        ("arrived at the platform", received, "#8fb8de"),
        ("of these fire alarm messages", received - sum(found.other_messages.values()), "#1f5fa8"),
        ("verified", found.verified, "#1f5fa8"),
        ("answered by somebody, or seen on scene", found.strictly_verified, "#1f5fa8"),
        ("the same within 1 min", found.strictly_verified_at_once, "#1f5fa8"),
        ("fire alarms (repeats merged, no tests)", found.alarms, "#2e8b57"),
        ("handled", found.handled, "#2e8b57"),
        ("handled, every deadline met", found.strictly_handled, "#2e8b57"),
    ]
    figure, ax = pen.sheet(height=3.0)
    place = np.arange(len(bars))[::-1]
    ax.barh(place, [count for _, count, _ in bars], 0.72, color=[colour for *_, colour in bars])
    for at, (_, count, _) in zip(place, bars, strict=True):
        ax.annotate(f" {count:,}", (count, at), va="center")
    ax.set_yticks(place, [pen(name) for name, *_ in bars])
    ax.grid(visible=False)
    ax.spines["bottom"].set_visible(False)
    ax.set_xticks([])
    ax.tick_params(axis="y", length=0)
    ax.margins(x=0.08)
    return figure


Draw = Callable[[Rows, Kpis, Pen], "Figure | None"]

FIGURES: Sequence[tuple[str, Draw, tuple[str, str]]] = (
    ("online", online, (
        "Online rate over the period (3.3, 4.7): what the platform believes, what the vendor "
        "believes, and what is true",
        "在线率（3.3、4.7）：现场端平台、厂商平台与实际状态",
    )),
    ("chain", chain, (
        "From signal to closed record: what became of every alarm",
        "从报警信号到处置记录：每次报警的去向",
    )),
    ("waits", waits, (
        "Response and verification of each fire alarm message (6.1); red is too late",
        "每条火警信息的响应与复核时间（6.1），红色为超时",
    )),
    ("alarms", alarms, (
        "Fire alarms by hour of day and class (6.4)", "火警的时段分布与分类（6.4）",
    )),
    ("desk", desk, (
        "Staffing over the week (4.4): people on duty, and at the desk",
        "一周值班人员（4.4）：在班与在岗",
    )),
    ("maintenance", maintenance, (
        "Maintenance: backlog of tickets, and the share of devices maintained in time (6.5, 7.1)",
        "维护保养：未完成工单与维保及时率（6.5、7.1）",
    )),
)  # fmt: skip
"""Name, function, and caption in English and Chinese, in the report's order."""

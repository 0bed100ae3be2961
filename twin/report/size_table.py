"""A sizing study as rows of text, for the terminal and the page, and as CSV tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text as Line

from twin.experiment.curve import Threshold
from twin.experiment.design import Design, duration
from twin.experiment.evidence import Decision, Estimate
from twin.experiment.size import Trial
from twin.experiment.study import Study
from twin.experiment.targets import Target, in_time
from twin.report.grid import grid
from twin.report.output import write_rows
from twin.report.size_texts import tell
from twin.report.texts import Language, say, tidy
from twin.standard import POINTS_PER_CENTER

STYLES = {Decision.MET: "green", Decision.MISSED: "bold red", Decision.UNDECIDED: "yellow"}
COLUMNS = ("handling", "response", "verification", "maintenance")
"""Targets whose thresholds are shown."""


def percent(value: float, digits: int = 2) -> str:
    """A share; rounded down, so that nothing looks better than it is."""
    if not math.isfinite(value):
        return "-"
    scale = 10**digits
    return f"{math.floor(100 * value * scale + 1e-6) / scale:.{digits}f} %"


def value(target: Target, number: float) -> str:
    """A target's figure; what is lost of the messages is rounded up."""
    if not target.paired:
        return percent(number)
    if not math.isfinite(number):
        return "-"
    return f"{math.ceil(-100 * min(number, 0.0) * 100 - 1e-6) / 100 + 0.0:.2f} %"


def heartbeat(study: Study, design: Design) -> str:
    """The interval of a design; that of the vendors where it has none of its own."""
    if design.heartbeat is not None:
        return duration(design.heartbeat)
    found = {duration(vendor.heartbeat) for vendor in study.scenario.vendors.values()}
    return " / ".join(sorted(found))


def head(study: Study, lang: Language) -> str:
    """The answer, in a sentence."""
    sizing = study.sizing
    facts = {"center": sizing.center, "points": f"{sizing.points:,}"}
    if sizing.design is None or sizing.final is None:
        return tell("head_none", lang, **facts)
    key = {
        Decision.MET: "head_met",
        Decision.MISSED: "head_missed",
        Decision.UNDECIDED: "head_undecided",
    }[sizing.final.decision]
    return tell(
        key,
        lang,
        **facts,
        people=sizing.design.people,
        maintenance=sizing.design.maintenance,
        staff=sizing.design.staff(study.scenario, sizing.center),
        vans=sizing.design.vans,
        spares=f"{100 * sizing.design.spares:g} %",
        heartbeat=heartbeat(study, sizing.design),
        periods=sizing.final.periods,
        confidence=f"{100 * sizing.settings.confidence:g} %",
    )


def out_of_reach(study: Study, lang: Language) -> list[str]:
    """The targets that plenty of everything does not meet."""
    lines = []
    for target in study.sizing.targets:
        if target.name not in study.sizing.reached:
            found = study.sizing.plenty.estimates[target.name]
            missed = found.decision is Decision.MISSED
            lines.append(
                tell(
                    "out_of_reach" if missed else "not_decided",
                    lang,
                    asks=f"{target.clause} {say(target.asks, lang)}",
                    mean=value(target, found.mean),
                    between=between(target, found),
                    periods=found.periods,
                )
            )
    return lines


def between(target: Target, found: Estimate) -> str:
    """The bounds of a mean, as ``97.49 - 98.58``."""
    low, high = max(found.lower, -1.0), found.upper
    if not target.paired:
        low, high = max(low, 0.0), min(high, 1.0)
    else:
        low, high = high, low  # the more is lost, the less is left
    low_text, high_text = (value(target, bound).removesuffix(" %") for bound in (low, high))
    return f"{low_text} .. {high_text} %"


def asked(target: Target) -> str:
    """What is asked, as a table writes it."""
    return f"{'≤' if target.paired else '≥'} {100 * abs(target.least):g} %"


def design_rows(study: Study, lang: Language) -> list[list[str]]:
    """What, enough, the scenario's: the parts of the size."""
    sizing, center = study.sizing, study.sizing.center
    now, best = sizing.present.design, sizing.design

    def row(key: str, cell: Any) -> list[str]:
        return [tell(key, lang), "-" if best is None else str(cell(best)), str(cell(now))]

    return [
        row("people", lambda d: d.people),
        row("maintenance", lambda d: d.maintenance),
        row("staff", lambda d: d.staff(study.scenario, center)),
        row("vans", lambda d: d.vans),
        row("spares", lambda d: f"{100 * d.spares:g} %"),
        row("heartbeat", lambda d: heartbeat(study, d)),
    ]


def target_rows(study: Study, lang: Language) -> list[tuple[list[str], Decision | None]]:
    """Clause, what is asked, mean, bounds, years that reach it, decision; scenario and plenty."""
    sizing = study.sizing
    rows = []
    for target in sizing.targets:
        final = None if sizing.final is None else sizing.final.estimates.get(target.name)
        now, most = (trial.estimates[target.name] for trial in (sizing.present, sizing.plenty))
        cells = [target.clause, say(target.asks, lang)]
        if final is None:
            cells += ["-", "-", "-", "-"]
        else:
            cells += [
                value(target, final.mean),
                between(target, final),
                percent(final.share, 0),
                tell(final.decision.value, lang),
            ]
        cells += [value(target, now.mean), "" if target.paired else value(target, most.mean)]
        rows.append((cells, None if final is None else final.decision))
    return rows


def beside_rows(study: Study, lang: Language) -> list[list[str]]:
    """Figures that are shown and not asked for: of the size found, the scenario, plenty."""
    sizing = study.sizing
    trials = [sizing.final, sizing.present, sizing.plenty]

    def row(key: str, cell: Any) -> list[str]:
        return [tell(key, lang), *("-" if t is None else cell(t) for t in trials)]

    def share(name: str) -> Any:
        return lambda t: percent(sum(in_time(f, name) for f in t.found) / t.periods)

    def mean(name: str, digits: int = 0) -> Any:
        return lambda t: f"{t.mean(name):,.{digits}f}"

    return [
        row("in_5_s", share("responded")),
        row("in_1_min", share("verified")),
        row("below_two", mean("minutes_below_two")),
        row("alarms_day", mean("alarms_per_day", 2)),
        row("batteries", mean("tickets_battery")),
    ]


def roster_line(study: Study, lang: Language) -> str:
    """How many minutes each number of people leaves fewer than two on duty (4.4)."""
    by_people: dict[int, Trial] = {}
    for trial in study.sizing.trials:
        by_people.setdefault(trial.design.people, trial)
    final = study.sizing.final
    if final is not None:
        by_people[final.design.people] = final
    parts = [
        tell("roster_of", lang, people=n, minutes=f"{by_people[n].mean('minutes_below_two'):,.0f}")
        for n in sorted(by_people)
        if n <= study.sizing.settings.people
    ]
    return tell("roster", lang, parts=("；" if lang == "zh" else "; ").join(parts))


def trial_rows(study: Study, lang: Language) -> list[tuple[list[str], Decision]]:
    """Step, people, maintenance, vans, spares, heartbeat, periods, decision, what gives way."""
    names = {target.name: target for target in study.sizing.targets}
    rows = []
    for trial in study.sizing.trials:
        design = trial.design
        open_ = [
            f"{names[name].clause} {value(names[name], found.mean)}"
            for name, found in trial.estimates.items()
            if found.decision is (trial.decision if trial.decision is not Decision.MET else None)
        ]
        cells = [
            tell(f"step_{trial.step}", lang),
            str(design.people),
            str(design.maintenance),
            str(design.vans),
            f"{100 * design.spares:g} %",
            heartbeat(study, design),
            str(trial.periods),
            tell(trial.decision.value, lang),
            ", ".join(open_),
        ]
        rows.append((cells, trial.decision))
    return rows


def smaller(study: Study, lang: Language) -> list[str]:
    """The greatest option of each step that is not shown to be enough, and why; of maintenance
    the shift's own (0 people) as well."""
    best = study.sizing.design
    if best is None:
        return []
    names = {target.name: target for target in study.sizing.targets}
    lines = []
    short = [trial for trial in study.sizing.trials if trial.decision is not Decision.MET]
    beside = [trial for trial in short if trial.design.people == best.people]
    for step, trials in (
        ("people", short),
        ("maintenance", [trial for trial in beside if trial.design.maintenance == 0]),
        ("maintenance", [trial for trial in beside if trial.design.maintenance > 0]),
        ("vans", beside),
        ("spares", beside),
        ("heartbeat", beside),
    ):
        options = [trial for trial in trials if trial.step == step]
        if not options:
            continue
        trial = max(options, key=lambda t: float(getattr(t.design, step) or 0.0))
        why = [
            f"{names[name].clause} {say(names[name].short, lang)} {value(names[name], found.mean)} "
            f"({between(names[name], found)})"
            for name, found in trial.estimates.items()
            if found.decision is trial.decision
        ]
        option = {
            "spares": f"{100 * trial.design.spares:g} %",
            "heartbeat": heartbeat(study, trial.design),
        }.get(step, str(getattr(trial.design, step)))
        decision = tell(trial.decision.value, lang)
        facts = {"option": option, "decision": decision, "why": "; ".join(why)}
        lines.append(tell("smaller", lang, what=tell(f"step_{step}", lang), **facts))
    return lines


def crossing(points: float, grid: Sequence[int]) -> str:
    """Where a figure crosses what is asked, to two figures; beyond what was tried says so."""
    if points == math.inf:
        return f"> {grid[-1]:,}"
    if points == -math.inf:
        return f"< {grid[0]:,}"
    digits = 10 ** (len(str(int(points))) - 2)
    return f"{round(points / digits) * digits:,}"


def thresholds(study: Study) -> list[Threshold]:
    """Base line, own crew, drivers."""
    found = study.curve
    return [] if found is None else [found.base, found.crew, *found.drivers]


def threshold_rows(study: Study, lang: Language) -> list[list[str]]:
    """What is changed, points by target, met to, not met from, handling with plenty."""
    return [
        [
            say(found.variation.says, lang),
            *(crossing(found.crossings[name], sorted(found.trials)) for name in COLUMNS),
            f"{found.enough:,}" if found.enough else "-",
            f"{found.too_many:,.0f}" if found.too_many < math.inf else "-",
            percent(found.with_plenty("handling")),
        ]
        for found in thresholds(study)
    ]


def threshold_lead(study: Study, lang: Language) -> str:
    """The threshold, in a sentence."""
    assert study.curve is not None
    facts: dict[str, str] = {}
    for before, found in (("", study.curve.base), ("crew_", study.curve.crew)):
        tried = sorted(found.trials)
        for name in COLUMNS:
            low, high = (crossing(points, tried) for points in found.between[name])
            one_side = low == high  # both ends beyond what was tried
            facts[before + name] = (
                low if one_side else f"{crossing(found.crossings[name], tried)} ({low} .. {high})"
            )
    lost = f"{100 * study.sizing.settings.lost:g} %"
    return tell("threshold_lead", lang, standard=f"{POINTS_PER_CENTER:,}", lost=lost, **facts)


def notes(study: Study, lang: Language) -> list[str]:
    """How it is decided."""
    settings = study.sizing.settings
    found = [
        tell("note_statistic", lang),
        tell("note_search", lang, periods=settings.replications),
        tell("note_late", lang, lost=f"{100 * settings.lost:g} %"),
    ]
    if study.curve is not None:
        found.append(
            tell(
                "threshold_how",
                lang,
                confidence=f"{100 * settings.confidence:g} %",
                per=f"{study.curve.points_per_maintainer:,}",
            )
        )
        if not study.curve.generated:
            found.append(tell("threshold_in_turn", lang, center=study.sizing.center))
        if study.curve.left_out:
            numbers = ", ".join(f"{points:,}" for points in study.curve.left_out)
            found.append(tell("threshold_left_out", lang, points=numbers))
    elif settings.curve:
        found.append(tell("threshold_none", lang))
    return found


# -- on the terminal --------------------------------------------------------------------------


def print_study(console: Console, study: Study, lang: Language, folder: Path) -> None:
    """Prints the answer, the targets, the threshold, and where the report is."""
    colon = "：" if lang == "zh" else ": "
    console.print(Line(head(study, lang), style="bold"))
    for line in out_of_reach(study, lang):
        console.print(Line(line, style="red"))
    console.print(Line(roster_line(study, lang), style="yellow"))

    def show(
        names: Sequence[str],
        rows: Sequence[Sequence[str]],
        decisions: Sequence[Decision | None] = (),
    ) -> None:
        heads = {name: tell(name, lang) for name in names}
        styles = {"decision": [STYLES[d] if d else "" for d in decisions]} if decisions else {}
        wide, left = ("target", "variation", "beside", "size"), ("clause",)
        tidied = [[tidy(cell, lang) for cell in row] for row in rows]
        console.print(grid(heads, tidied, console.width, wide, left, styles))

    console.print()
    show(["size", "found", "as_is"], design_rows(study, lang))
    for line in smaller(study, lang):
        console.print(Line(line, style="dim"))
    console.print()
    rows = target_rows(study, lang)
    show(
        ["clause", "target", "least", "found", "bound", "share", "decision", "as_is"],
        [
            [target.clause, say(target.short, lang), asked(target), *cells[2:7]]
            for target, (cells, _) in zip(study.sizing.targets, rows, strict=True)
        ],
        [decision for _, decision in rows],
    )
    console.print()
    show(["beside", "found", "as_is", "plenty"], beside_rows(study, lang))
    console.print(Line(tell("ceiling", lang), style="dim"))
    if study.curve is not None:
        console.print()
        console.print(Line(tell("threshold", lang), style="bold"))
        console.print(Line(threshold_lead(study, lang)))
        heads = ["variation", *(f"col_{name}" for name in COLUMNS)]
        show([*heads, "enough", "too_many", "with_plenty"], threshold_rows(study, lang))
    console.print()
    console.print(Line(f"{tell('report_at', lang)}{colon}{folder / 'report.html'}"))


# -- as files ---------------------------------------------------------------------------------


def write_tables(folder: Path, study: Study) -> None:
    """``trials.csv``, ``periods.csv``, ``curve.csv`` and ``thresholds.csv``."""
    write_rows(folder / "trials.csv", (row for t in study.sizing.trials for row in _estimates(t)))
    write_rows(folder / "periods.csv", _periods(study))
    if study.curve is None:
        return
    grid = [(found, points, trial) for found in thresholds(study)
            for points, trial in found.trials.items()]  # fmt: skip
    write_rows(
        folder / "curve.csv",
        (
            {"variation": found.variation.name, "points": points, **row}
            for found, points, trial in grid
            for row in _estimates(trial)
        ),
    )
    write_rows(
        folder / "thresholds.csv",
        (
            {
                "variation": found.variation.name,
                "what": found.variation.says.en,
                "binding": found.binding,
                "points": found.points,
                **{f"points_{name}": at for name, at in found.crossings.items()},
                **{f"low_{name}": low for name, (low, _) in found.between.items()},
                **{f"high_{name}": high for name, (_, high) in found.between.items()},
                "met_to": found.enough or "",
                "not_met_from": "" if found.too_many == math.inf else found.too_many,
            }
            for found in thresholds(study)
        ),
    )


def _estimates(trial: Trial) -> Iterable[Mapping[str, Any]]:
    design = trial.design
    for name, found in trial.estimates.items():
        yield {
            "step": trial.step,
            "people_per_shift": design.people,
            "maintenance": design.maintenance,
            "vans": design.vans,
            "spares": design.spares,
            "heartbeat": "" if design.heartbeat is None else duration(design.heartbeat),
            "periods": found.periods,
            "target": name,
            "asked": found.least,
            "mean": found.mean,
            "lower": found.lower,
            "upper": found.upper,
            "share_of_periods": found.share,
            "decision": found.decision.value,
            "all_targets": trial.decision.value,
        }


_FIGURES = (
    "alarms", "handled", "handling_rate", "online_rate_platform", "online_rate_truth", "messages",
    "responded_late", "verified_late", "maintenance_timeliness", "repairs_waiting_for_a_spare",
    "spares_used", "not_notified", "not_on_scene", "minutes_below_two", "minutes_desk_empty",
)  # fmt: skip


def _periods(study: Study) -> Iterable[Mapping[str, Any]]:
    seed = study.scenario.seed
    for trial in study.sizing.trials:
        for number, figures in zip(trial.numbers, trial.found, strict=True):
            yield {
                "step": trial.step,
                "people_per_shift": trial.design.people,
                "maintenance": trial.design.maintenance,
                "vans": trial.design.vans,
                "spares": trial.design.spares,
                "seed": (seed + number) % 2**63,
                **{name: figures[name] for name in _FIGURES},
            }

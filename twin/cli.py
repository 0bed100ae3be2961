"""The ``twin`` command: run a scenario, judge a log, write the schema, list the scenarios.

Exit codes: 0 it worked, whatever the verdicts; 1 with ``--strict`` where a *shall* is not met;
2 for what the user got wrong; 130 when interrupted.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin import __version__
from twin.alarmcore.service.command import add_parser as add_core
from twin.vendor.command import add_parser as add_vendor

if TYPE_CHECKING:
    from rich.console import Console

    from twin.assessment import Assessment
    from twin.log import Log

WORKED, UNMET, USER_ERROR, INTERRUPTED = 0, 1, 2, 130
LINE = 1000  # characters of a message's line; a list of what is known takes most

_LOADERS = (
    "twin.roads.areas",
    "twin.roads.build",
    "twin.roads.geojson",
    "twin.roads.load",
    "twin.siting.candidates",
    "twin.siting.rules",
    "twin.siting.services",
    "twin.venues.build",
    "twin.venues.files",
)
"""What reads a user's files; a ValueError raised there names the file and the place."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code.

    Parameters
    ----------
    argv : the arguments; those of the process by default.
    """
    arguments = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = arguments.command
    try:
        return command(arguments)
    except KeyboardInterrupt:
        print("twin: interrupted; no half result is left behind", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        if not _is_outside(error):
            raise
        print(f"twin: {_of_the_system(error)}", file=sys.stderr)
        return USER_ERROR
    except ValueError as error:
        if not _is_the_users(error):
            raise
        print(f"twin: {_brief(str(error))}", file=sys.stderr)
        return USER_ERROR


def _is_outside(error: OSError) -> bool:
    """Whether the system refused a path of the user's, or has no room; else we did wrong."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO):
        return True
    if not isinstance(error.filename, (str, bytes, os.PathLike)):
        return False
    ours = (sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), Path(__file__).parent)
    return not any(Path(os.fsdecode(error.filename)).is_relative_to(own) for own in ours)


def _of_the_system(error: OSError) -> str:
    """The system's refusal in a line."""
    where = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
    why = (error.strerror or str(error)).splitlines()[0]
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        why += "; nothing was left behind: make room, or name another disk with --out"
    else:
        why += "; name a path that can be used"
    return _brief(where + why)


def _brief(message: str) -> str:
    """A message whose lines are not longer than a reader would read."""
    return "\n".join(
        line if len(line) <= LINE else f"{line[: LINE // 2]} ... {line[-LINE // 2 :]}"
        for line in message.splitlines()
    )


def _is_the_users(error: ValueError) -> bool:
    """Whether an error is about what the user gave, and not a mistake of the program."""
    from twin.alarmcore.errors import CoreError
    from twin.log import LogError
    from twin.report.folder import FolderError
    from twin.scenario import ScenarioError

    if isinstance(error, (CoreError, ScenarioError, LogError, FolderError)):
        return True
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_globals.get("__name__") in _LOADERS


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="twin",
        description="Simulates township smart fire service centers and judges them clause by "
        "clause against DB3211/T 1066-2023.",
    )
    parser.add_argument("--version", action="version", version=f"twin {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    run = commands.add_parser(
        "run", help="simulate a scenario and judge it", description="Simulates a scenario."
    )
    run.set_defaults(command=_run)
    run.add_argument("scenario", help="a scenario file, or the name of a shipped one (township)")
    run.add_argument("--seed", type=_whole(0), metavar="N", help="seed of all random streams")
    run.add_argument("--days", type=_whole(1, 3660), metavar="D", help="length of the run in days")
    run.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help='any setting, such as venues.points=5000 or vendors.vendor.heartbeat="1 h"',
    )
    run.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the output (runs/SCENARIO-SEED)"
    )
    run.add_argument(
        "--processes", type=_whole(1), metavar="N", help="processes for several centers (the cores)"
    )
    _judging(run)

    site = commands.add_parser(
        "site",
        help="plan centers: how many, where, with what",
        description="Plans the centers of a district by 5.1.1, 5.1.2 and 5.1.12; the table "
        "[siting] of the scenario says what is asked.",
    )
    site.set_defaults(command=_site)
    site.add_argument("scenario", help="a scenario file, or the name of a shipped one (district)")
    site.add_argument("--seed", type=_whole(0), metavar="N", help="seed of the generated venues")
    site.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any setting, such as siting.objective=capacitated or siting.count=800",
    )
    site.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the plan (plans/SCENARIO-SEED)"
    )
    site.add_argument(
        "--incident", type=_place, metavar="LON,LAT", help="name the nearest working hydrants"
    )
    site.add_argument("--lang", choices=("en", "zh"), default="en", help="language of the output")

    size = commands.add_parser(
        "size",
        help="size a center: people, vans, spares, heartbeat",
        description="Looks for the smallest staffing, vans, spares and heartbeat that meet the "
        "targets, by simulated years, and for the points at which two people on each shift stop "
        "being enough; the table [size] of the scenario says what is tried and asked. A scenario "
        "with a [rollout] is sited and sized year by year.",
    )
    size.set_defaults(command=_size)
    size.add_argument("scenario", help="a scenario file, or the name of a shipped one (township)")
    size.add_argument("--seed", type=_whole(0), metavar="N", help="seed of the first year")
    size.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any setting, such as size.people=6 or size.curve=[]",
    )
    size.add_argument(
        "--replications",
        type=_whole(2, 10_000),
        metavar="N",
        help="simulated years of a design at most (32); more of them decide closer cases",
    )
    size.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the output (runs/SCENARIO-size)"
    )
    size.add_argument(
        "--workers", type=_whole(1, 1000), metavar="N", help="processes to simulate in (the cores)"
    )
    size.add_argument("--lang", choices=("en", "zh"), default="en", help="language of the output")

    evaluate = commands.add_parser(
        "evaluate", help="judge an event log", description="Judges an event log, whoever wrote it."
    )
    evaluate.set_defaults(command=_evaluate)
    evaluate.add_argument("log", type=Path, help="the log: events.parquet of a run, or an export")
    evaluate.add_argument(
        "--out", type=Path, metavar="DIR", help="write the report into this folder"
    )
    _judging(evaluate)

    schema = commands.add_parser("schema", help="the JSON schema of a scenario file, for editors")
    schema.set_defaults(command=_schema)
    scenarios = commands.add_parser("scenarios", help="the scenarios that come with twin")
    scenarios.set_defaults(command=_scenarios)
    add_core(commands)
    add_vendor(commands)
    return parser


def _judging(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lang", choices=("en", "zh"), default="en", help="language of the output")
    parser.add_argument(
        "--strict", action="store_true", help="exit with 1 where a shall is not met"
    )


def _whole(least: int, most: int = 2**63 - 1) -> Callable[[str], int]:
    """Reads a whole number of an option, within its range."""

    def number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(
                f"{_brief(text)}: a whole number of at least {least} and at most {most} is expected"
            )
        return value

    return number


def _place(text: str) -> tuple[float, float]:
    """Reads a place of an option, longitude first."""
    try:
        lon, lat = (float(part) for part in text.split(","))
    except ValueError:
        lon, lat = 181.0, 91.0
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise argparse.ArgumentTypeError(
            f"{_brief(text)}: degrees are expected, longitude first, for example 119.6,32.0"
        )
    return lon, lat


# -- commands ---------------------------------------------------------------------------------


def _run(arguments: argparse.Namespace) -> int:
    from twin.report.folder import check_folder
    from twin.scenario import load_scenario

    settings = list(arguments.settings)
    if arguments.days is not None:
        settings.append(f'duration="{arguments.days} d"')
    if arguments.seed is not None:
        settings.append(f"seed={arguments.seed}")
    scenario = load_scenario(arguments.scenario, settings)
    folder = arguments.out or Path("runs") / f"{_file_name(scenario.name)}-{scenario.seed}"
    check_folder(folder, Path(arguments.scenario))
    replaced = folder.is_dir() and any(folder.iterdir())

    from twin.assessment import assess
    from twin.report.write import write_run
    from twin.world import simulate

    with _progress(f"{scenario.name}, {scenario.duration / 86400:g} days") as report:
        run = simulate(
            scenario, lambda share: report("simulating", 0.5 * share), arguments.processes
        )
        report("judging", 0.5)
        assessments = assess(run.log)
        write_run(
            folder,
            run,
            assessments,
            arguments.lang,
            lambda share: report("drawing", 0.6 + 0.4 * share),
        )
    return _judged(run.log, assessments, arguments, folder, replaced)


def _site(arguments: argparse.Namespace) -> int:
    from twin.report.folder import check_folder
    from twin.scenario import load_scenario

    settings = list(arguments.settings)
    if arguments.seed is not None:
        settings.append(f"seed={arguments.seed}")
    scenario = load_scenario(arguments.scenario, settings)
    folder = arguments.out or Path("plans") / f"{_file_name(scenario.name)}-{scenario.seed}"
    check_folder(folder, Path(arguments.scenario))

    from twin.planning import plan_sites
    from twin.report.site_table import print_plan
    from twin.report.site_write import write_plan
    from twin.siting.services import check_incident

    with _progress(scenario.name) as report:
        plan = plan_sites(scenario, lambda step, share: report(step, 0.7 * share))
        if arguments.incident is not None:
            lon, lat = arguments.incident
            check_incident(plan.network, lon, lat, scenario.venues.road_limit)
        report("drawing", 0.7)
        write_plan(folder, plan, arguments.lang)
    with _until_the_reader_leaves():
        print_plan(_console(), plan, arguments.lang, arguments.incident, folder)
    return WORKED


def _size(arguments: argparse.Namespace) -> int:
    from twin.report.folder import check_folder
    from twin.scenario import load_scenario

    settings = list(arguments.settings)
    if arguments.seed is not None:
        settings.append(f"seed={arguments.seed}")
    if arguments.replications is not None:
        settings.append(f"size.replications={arguments.replications}")
    scenario = load_scenario(arguments.scenario, settings)
    folder = arguments.out or Path("runs") / f"{_file_name(scenario.name)}-size"
    check_folder(folder, Path(arguments.scenario))

    if scenario.rollout is not None:
        from twin.experiment.rollout import roll_out
        from twin.report.rollout_table import print_rollout
        from twin.report.rollout_write import write_rollout

        with _progress(scenario.name) as report:
            years = roll_out(
                scenario, arguments.workers, lambda what, share: report(what, 0.98 * share)
            )
            report("drawing", 0.98)
            write_rollout(folder, years, arguments.lang)
        with _until_the_reader_leaves():
            print_rollout(_console(), years, arguments.lang, folder)
        return WORKED

    from twin.experiment.study import study
    from twin.report.size_table import print_study
    from twin.report.size_write import write_study

    with _progress(f"{scenario.name}, size") as report:
        found = study(scenario, arguments.workers, lambda what, share: report(what, 0.98 * share))
        report("drawing", 0.98)
        write_study(folder, found, arguments.lang)
    with _until_the_reader_leaves():
        print_study(_console(), found, arguments.lang, folder)
    return WORKED


def _evaluate(arguments: argparse.Namespace) -> int:
    from twin.assessment import assess
    from twin.log import LogError, read_log
    from twin.report.folder import check_folder

    replaced = False
    if arguments.out is not None:
        check_folder(arguments.out, arguments.log)
        replaced = arguments.out.is_dir() and any(arguments.out.iterdir())
    log = read_log(arguments.log)
    try:
        assessments = assess(log)
    except LogError as error:
        raise LogError(f"{arguments.log}: {error}") from error
    if arguments.out is not None:
        from twin.report.write import write_evaluation

        with _progress(str(arguments.log)) as report:
            write_evaluation(
                arguments.out, log, assessments, arguments.lang, lambda s: report("drawing", s)
            )
    return _judged(log, assessments, arguments, arguments.out, replaced)


def _schema(_: argparse.Namespace) -> int:
    from twin.scenario import scenario_schema

    with _until_the_reader_leaves():
        print(json.dumps(scenario_schema(), indent=2, ensure_ascii=False))
    return WORKED


def _scenarios(_: argparse.Namespace) -> int:
    from twin.scenario import load_scenario, shipped_scenarios

    shipped = shipped_scenarios()
    width = max(map(len, shipped), default=0)
    with _until_the_reader_leaves():
        for name, path in shipped.items():
            print(f"{name:<{width}}  {load_scenario(path).purpose}")
    return WORKED


# -- output -----------------------------------------------------------------------------------


def _judged(
    log: Log,
    assessments: Sequence[Assessment],
    arguments: argparse.Namespace,
    folder: Path | None,
    replaced: bool,
) -> int:
    """Prints the tables; the exit code."""
    from twin.assessment import Verdict
    from twin.report.notices import notices
    from twin.report.table import print_assessment, print_close

    with _until_the_reader_leaves():
        console = _console()
        for assessment in assessments:
            known = notices(log, assessment.center)
            print_assessment(console, assessment, arguments.lang, known)
        print_close(console, assessments, arguments.lang, folder, replaced)
    unmet = any(assessment.with_verdict(Verdict.NOT_MET) for assessment in assessments)
    return UNMET if arguments.strict and unmet else WORKED


def _console() -> Console:
    """Standard output; 100 to 120 columns wide where it is no terminal that knows better."""
    from rich.console import Console

    class Piped(Console):
        def on_broken_pipe(self) -> None:
            """Leaves it to the caller, where rich would exit with 1."""
            raise BrokenPipeError

    console = Console(highlight=False)
    width = console.width if console.is_terminal else max(console.width, 100)
    return Piped(highlight=False, width=min(width, 120))


@contextmanager
def _until_the_reader_leaves() -> Iterator[None]:
    """Prints as long as the other end of a pipe (head, less) wants to see more."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # what is still buffered would be flushed, and fail, at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _progress(what: str) -> Iterator[Callable[[str, float], None]]:
    """A bar on standard error while it is a terminal; else one line."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        print(f"twin: {what}", file=sys.stderr)
        yield lambda _phase, _share: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns: list[Any] = [TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()]
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=1.0)

        def report(phase: str, share: float) -> None:
            bar.update(task, completed=share, description=f"{what}: {phase}")

        yield report


def _file_name(name: str) -> str:
    """A scenario's name as a folder's name."""
    kept = "".join(char if char.isalnum() or char in "-_." else "-" for char in name)
    return kept.strip(".-") or "scenario"


if __name__ == "__main__":
    sys.exit(main())

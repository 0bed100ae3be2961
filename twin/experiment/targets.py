"""What a center is sized against: the figures, the least that is asked of them, and where it says.

Two kinds of target. The rates of 4.6 and 4.7 stand for themselves. The deadlines of 6.1 (5 s and
1 min) are missed now and then with any number of people: a reaction is slow, a telephone rings out.
What people can mend is that nobody was free. So the deadlines are put against the same periods,
with the same luck, of a center with plenty of people: no more than a small share of the messages
may be late here that is not late there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from twin import standard
from twin.assessment.finding import Text
from twin.center.sizing import SizeSettings
from twin.experiment.evidence import Estimate, Sample, estimate
from twin.experiment.replicate import Figures
from twin.kpi.rates import handling_rate, verification_rate


@dataclass(frozen=True)
class Target:
    """A figure and the least that is asked of it.

    Attributes
    ----------
    name : in tables; clause : of the standard; asks : in words; short : in a few words.
    least : of the mean over periods.
    sample : the figure of a period, from its figures and those of the same period with plenty.
    paired : whether it needs the period with plenty.
    """

    name: str
    clause: str
    asks: Text
    short: Text
    least: float
    sample: Callable[[Figures, Figures], Sample]
    paired: bool = False

    def estimate(
        self,
        found: Sequence[Figures],
        plenty: Sequence[Figures],
        error: float,
        error_upper: float | None = None,
    ) -> Estimate:
        """The figure's mean over these periods, with its bounds."""
        samples = [self.sample(a, b) for a, b in zip(found, plenty, strict=True)]
        return estimate(samples, self.least, error, error_upper)


def _late(name: str) -> Callable[[Figures, Figures], Sample]:
    def sample(found: Figures, plenty: Figures) -> Sample:
        mine, theirs = in_time(found, name), in_time(plenty, name)
        more = found[f"{name}_late"] - plenty[f"{name}_late"]
        return Sample(mine - theirs, more, found["messages"])

    return sample


def in_time(found: Figures, name: str) -> float:
    """Share of the fire alarm messages with ``responded`` or ``verified`` in time (6.1)."""
    late, of = found[f"{name}_late"], found["messages"]
    return float(verification_rate(of - late, of))


def _online(found: Figures, _: Figures) -> Sample:
    return Sample(found["online_rate_platform"])


def _truly_online(found: Figures, _: Figures) -> Sample:
    return Sample(found["online_rate_truth"])


def _handling(found: Figures, _: Figures) -> Sample:
    handled, alarms = found["handled"], found["alarms"]
    return Sample(float(handling_rate(handled, alarms)), alarms - handled, alarms)


def _timely(found: Figures, _: Figures) -> Sample:
    return Sample(found["maintenance_timeliness"])


def _spares(found: Figures, _: Figures) -> Sample:
    missing, used = found["repairs_waiting_for_a_spare"], found["spares_used"]
    wanted = missing + used
    return Sample(1.0 - missing / wanted if wanted else float("nan"), missing, wanted)


def targets(settings: SizeSettings) -> list[Target]:
    """All targets, in the order of the standard."""
    lost = f"{100 * settings.lost:g}"
    return [
        Target(
            "handling",
            "4.6",
            Text("incident handling rate at least 97 %", "事故处置率不低于97%"),
            Text("handling rate", "事故处置率"),
            standard.HANDLING_RATE,
            _handling,
        ),
        Target(
            "online",
            "4.7",
            Text("online rate at least 99 %", "在线率不低于99%"),
            Text("online rate", "在线率"),
            standard.ONLINE_RATE,
            _online,
        ),
        Target(
            "truly_online",
            "4.7",
            Text(
                "at least 99 % of the devices truly online, whatever the platform believes",
                "实际在线率不低于99%（不以平台标志为准）",
            ),
            Text("truly online", "实际在线率"),
            standard.ONLINE_RATE,
            _truly_online,
        ),
        Target(
            "spares",
            "5.2.9",
            Text(
                f"at most {100 * settings.waiting:g} % of the spares needed are not there",
                f"所需备件缺货比例不超过{100 * settings.waiting:g}%",
            ),
            Text("spares at hand", "备件供应率"),
            1.0 - settings.waiting,
            _spares,
        ),
        Target(
            "response",
            "6.1",
            Text(
                f"response within 5 s: at most {lost} % of the messages lost for want of people",
                f"5s内响应：因人手不足而超时的信息不超过{lost}%",
            ),
            Text("5 s: lost for want of people", "5s响应：因人手不足"),
            -settings.lost,
            _late("responded"),
            paired=True,
        ),
        Target(
            "verification",
            "6.1",
            Text(
                f"verified within 1 min: at most {lost} % of the messages lost for want of people",
                f"1min内复核：因人手不足而超时的信息不超过{lost}%",
            ),
            Text("1 min: lost for want of people", "1min复核：因人手不足"),
            -settings.lost,
            _late("verified"),
            paired=True,
        ),
        Target(
            "maintenance",
            "6.5",
            Text(
                f"at least {100 * settings.timely:g} % of the devices maintained in time",
                f"维保及时率不低于{100 * settings.timely:g}%",
            ),
            Text("maintained in time", "维保及时率"),
            settings.timely,
            _timely,
        ),
    ]

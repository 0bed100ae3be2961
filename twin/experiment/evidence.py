"""What the figures of a few periods allow to say of the mean over all periods.

Statistic: the mean of a figure over periods (the mean yearly rate), against the least that a
target asks. A target is *met* when the lower one-sided confidence bound of the mean reaches it,
*missed* when the upper bound stays below it, else *undecided*. The share of periods that reach it
by themselves stands beside, without a bound.

The bound is the wider of two: Student's t on the periods' values, and, for figures that count
failures among trials, Clopper and Pearson's on the sums. The first sees that periods differ more
than chance within a period would have it, the second that "no failure yet" is not "never". Rates
near 100 % are skewed: a bad year is farther off than a good one can be, and t alone claims too
much (94 to 92 % where 95 % is meant, for 32 to 8 years of some 250 alarms). So t is widened on the
long tail's side by Johnson's term for skewness (J. Am. Stat. Assoc. 73, 1978, 536-544), which
brings back most of it.

Periods are added in a few looks, each longer than the one before; the error that the confidence
leaves is split evenly over the looks (Bonferroni), so that looking more than once costs nothing of
it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

NAN = float("nan")


class Decision(StrEnum):
    """What can be said of a target."""

    MET = "met"
    MISSED = "not met"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Sample:
    """A figure of one period.

    Attributes
    ----------
    value : of the period; NaN where there was nothing to count.
    failed, trials : what it counts, 0 of 0 where it is no count.
    """

    value: float
    failed: float = 0.0
    trials: float = 0.0


@dataclass(frozen=True)
class Estimate:
    """A figure over periods, against the least that is asked.

    Attributes
    ----------
    periods : with a value; mean : of their values.
    lower, upper : one-sided confidence bounds of the mean.
    least : what is asked; share : of the periods that reach it.
    """

    periods: int
    mean: float
    lower: float
    upper: float
    least: float
    share: float

    @property
    def decision(self) -> Decision:
        """What these bounds say of the target."""
        if self.lower >= self.least:
            return Decision.MET
        return Decision.MISSED if self.upper < self.least else Decision.UNDECIDED


def estimate(
    samples: Sequence[Sample], least: float, error: float, error_upper: float | None = None
) -> Estimate:
    """The mean of a figure with its bounds.

    Parameters
    ----------
    samples : one per period; those without a value are left out.
    least : what is asked.
    error : odds that the lower bound lies above the true mean.
    error_upper : odds that the upper bound lies below it; ``error`` unless given.
    """
    known = [sample for sample in samples if not math.isnan(sample.value)]
    n = len(known)
    if n < 2:
        mean = known[0].value if known else NAN
        return Estimate(n, mean, -math.inf, math.inf, least, NAN)
    values = [sample.value for sample in known]
    mean = math.fsum(values) / n
    above = error if error_upper is None else error_upper
    down, up = _widths(values, mean, error, above)
    trials = math.fsum(sample.trials for sample in known)
    if trials > 0:
        # A difference of counts may be negative; then there was no failure to speak of.
        failed = min(max(math.fsum(sample.failed for sample in known), 0.0), trials)
        rate = failed / trials
        down = max(down, _failures_at_most(failed, trials, error) - rate)
        up = max(up, rate - _failures_at_least(failed, trials, above))
    reached = sum(value >= least - 1e-12 for value in values) / n
    return Estimate(n, mean, mean - down, mean + up, least, reached)


def _widths(
    values: Sequence[float], mean: float, error: float, error_upper: float
) -> tuple[float, float]:
    """How far the bounds lie below and above the mean, by t and Johnson's term."""
    n = len(values)
    variance = math.fsum((value - mean) ** 2 for value in values) / (n - 1)
    if variance == 0.0:
        return 0.0, 0.0
    deviation = math.sqrt(variance)
    skewness = 0.0
    if n > 2:
        third = math.fsum((value - mean) ** 3 for value in values)
        skewness = n / (n - 1) / (n - 2) * third / deviation**3
    t_down, t_up = t_quantile(n - 1, error), t_quantile(n - 1, error_upper)
    tail = skewness * deviation / (6 * n)
    down = t_down * deviation / math.sqrt(n) + max(-tail, 0.0) * (1 + 2 * t_down**2)
    up = t_up * deviation / math.sqrt(n) + max(tail, 0.0) * (1 + 2 * t_up**2)
    return down, up


def t_quantile(freedom: int, error: float) -> float:
    """Student's t that is exceeded with the odds ``error``."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 1.0 - error))


def _failures_at_most(failed: float, trials: float, error: float) -> float:
    """Clopper and Pearson's upper bound of a rate of failures."""
    from scipy.special import betaincinv

    return 1.0 if failed >= trials else float(betaincinv(failed + 1, trials - failed, 1 - error))


def _failures_at_least(failed: float, trials: float, error: float) -> float:
    from scipy.special import betaincinv

    return 0.0 if failed <= 0 else float(betaincinv(failed, trials - failed + 1, error))


def looks(first: int, most: int) -> list[int]:
    """After how many periods the figures are looked at: twice as many each time.

    >>> looks(8, 40)
    [8, 16, 40]
    """
    found = [min(first, most)]
    while 2 * found[-1] <= most:
        found.append(2 * found[-1])
    if found[-1] < most:
        # a last look soon after the one before would cost more confidence than it brings
        if len(found) > 1 and most < 1.5 * found[-1]:
            found.pop()
        found.append(most)
    return found

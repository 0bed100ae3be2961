"""The rates of clauses 3, 4 and 7.1, each defined once, on counts.

They use nothing but operators, so that they take single counts (a live core's running counts) as
well as arrays over time. A rate of nothing is NaN: it is not judged.
"""

from __future__ import annotations

from typing import Any


def _share(part: Any, whole: Any) -> Any:
    """``part / whole``; NaN where a single whole is 0."""
    if isinstance(whole, (int, float)) and whole == 0:
        return float("nan")
    return part / whole


def online_rate(offline: Any, components: Any) -> Any:
    """3.3: components with no current offline alarm / all components, at an instant."""
    return 1.0 - _share(offline, components)


def availability_rate(unavailable: Any, components: Any) -> Any:
    """3.5: components neither faulty, disabled nor offline / all components, at an instant.

    The word 故障率 in the standard's printed denominator is read as a slip.
    """
    return 1.0 - _share(unavailable, components)


def false_alarm_rate(false_alarms: Any, device_years: Any) -> Any:
    """3.4: false fire alarms / triggering devices of the same kind, in a year; may exceed 1."""
    return _share(false_alarms, device_years)


def fault_rate(faults: Any, device_years: Any) -> Any:
    """3.6: faults (events, not devices) / components of the same kind, in a year."""
    return _share(faults, device_years)


def verification_rate(verified: Any, messages: Any) -> Any:
    """4.6: verified fire alarm messages / all fire alarm messages (repeats are messages, too)."""
    return _share(verified, messages)


def handling_rate(handled: Any, alarms: Any) -> Any:
    """4.6, D.1 item 3: handled fire alarms / fire alarms without tests."""
    return _share(handled, alarms)


def maintenance_timeliness(devices_in_time: Any, devices_concerned: Any) -> Any:
    """7.1 note: devices maintained and tested as required / all devices concerned (not tickets)."""
    return _share(devices_in_time, devices_concerned)


def completion_rate(closed: Any, tickets: Any) -> Any:
    """7.2 (not defined there): tickets closed / tickets closed or past their deadline."""
    return _share(closed, tickets)

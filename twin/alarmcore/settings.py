"""The alarm core's settings: rules that a center sets for itself."""

from __future__ import annotations

from twin.alarmcore.lifecycle import Rules
from twin.quantity import Settings, param


class AlarmCoreSettings(Settings):
    """Rules of the alarm core; the deadlines are the standard's and not settings."""

    disable_after: int = param(
        0,
        "a device that reopened an alarm so often without a fire is disabled; 0: never",
        "assumption",
        vary="0 to 10",
        least=0,
        most=1000,
    )

    def rules(self) -> Rules:
        """The same as the lifecycle takes them."""
        return Rules(self.disable_after)

"""The alarm core's settings: rules that a center sets for itself."""

from __future__ import annotations

from twin.alarmcore.lifecycle import Rules
from twin.quantity import Seconds, Settings, param


class AlarmCoreSettings(Settings):
    """Rules of the alarm core; the times of clause 6 are the standard's and not settings."""

    notify: Seconds = param(
        "1 min",
        "the responsible people are to be notified within this time of the first message",
        "reading of D.1 item 3 (in time), after the 1 min of 6.1",
        vary="10 s to 5 min",
    )
    on_scene: Seconds = param(
        "15 min",
        "somebody is to be on scene within this time of the dispatch order",
        "5.1.1, D.1 item 3",
        vary="5 min to 30 min",
    )
    disable_after: int = param(
        0,
        "a device that reopened an alarm so often without a fire is disabled; 0: never",
        "assumption",
        vary="0 to 10",
        least=0,
    )

    def rules(self) -> Rules:
        """The same as the lifecycle takes them."""
        return Rules(self.notify, self.on_scene, self.disable_after)

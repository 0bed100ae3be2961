"""What an alarm core is told: ``core.toml`` in its data folder."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationError, field_validator

from twin.alarmcore.errors import CoreError
from twin.alarmcore.settings import AlarmCoreSettings
from twin.quantity import Seconds, Settings, param


class Helper(Settings):
    """Somebody who gets confirmed alarms (4.9): a grid worker, a micro fire station, a brigade."""

    role: Literal["grid_worker", "micro_fire_station", "brigade"] = param(
        "grid_worker", "grid_worker, micro_fire_station or brigade", "4.9"
    )
    channel: str = param("app", "channel over which they are reached", "assumption")
    address: str = param("", "telephone number, user or URL", "input")


class Supervisor(Settings):
    """Somebody who is told when a deadline of an alarm is missed (6.1, 6.2)."""

    channel: str = param("app", "channel over which they are reached", "assumption")
    address: str = param("", "telephone number, user or URL", "input")


class PullSettings(Settings):
    """How vendor platforms are pulled (B.2.2, B.3)."""

    timeout: Seconds = param(
        "30 s",
        "how long an answer of a vendor platform may take",
        "assumption",
        vary="5 s to 60 s",
    )
    first_retry: Seconds = param(
        "5 s", "until the first retry after a failure; doubles", "assumption", vary="1 s to 60 s"
    )
    longest_retry: Seconds = param(
        "15 min", "longest time between retries", "assumption", vary="1 min to 1 h"
    )
    history: Seconds = param(
        "1 year",
        "how far back history data are got at first contact (extension); 0 s: none",
        "assumption",
        vary="0 d to 10 year",
    )
    trust: str = param(
        "",
        "PEM file, in the data folder, of certificates of vendor platforms that are trusted beside "
        "the system's",
        "input",
    )


class Upstream(Settings):
    """A central platform (4.3). It is told as a vendor platform tells, by API 22 of Annex B."""

    name: str = param("upstream", "its name in the outbox", "input")
    url: str = Field(description="its base, as https://host:port")
    token: str = Field(description="API_TOKEN that it gave us")
    trust: str = param(
        "", "file of its certificate, in the data folder, where it is self-signed", "input"
    )

    @field_validator("url")
    @classmethod
    def _is_https(cls, url: str) -> str:
        if not url.startswith("https://"):
            raise ValueError(f"{url!r}; https://host:port is expected (B.2.1)")
        return url


class CoreSettings(Settings):
    """Settings of the service. Deadlines are the standard's and not settings."""

    center: str = param("center", "name of the center, as in its log", "input")
    time_zone: str = param("Asia/Shanghai", "IANA time zone of the center", "input")
    rules: AlarmCoreSettings = Field(default_factory=AlarmCoreSettings)
    channels: dict[str, str] = Field(
        default_factory=dict,
        description="delivery by channel (voice, sms, app, wechat, announcement, brigade, command, "
        "forward): a webhook's https URL, or file:NAME in the data folder (development: what is in "
        "the file counts as received); of a channel that is not named nobody is reached",
    )
    helpers: dict[str, Helper] = Field(
        default_factory=dict, description="who gets confirmed alarms, by name (4.9)"
    )
    supervisors: dict[str, Supervisor] = Field(
        default_factory=dict,
        description="who is told, by name, when the response, the verification, the notification "
        "or the arrival of an alarm is late (6.1, 6.2)",
    )
    upstream: Upstream | None = Field(
        default=None, description="central platform that alarms are forwarded to (4.3)"
    )
    most_body_bytes: int = param(
        1_000_000, "largest body that is read", "assumption", least=1000, most=100_000_000
    )
    most_events_per_s: int = param(
        100_000,
        "events that a worker takes of one vendor in a second, fires apart, which are always taken",
        "assumption",
        least=1,
    )
    pull: PullSettings = Field(default_factory=PullSettings)
    notify_tries: int = param(8, "times a delivery is tried", "assumption", least=1, most=100)
    notify_retry: Seconds = param("5 s", "until the first retry; doubles", "assumption")
    receipt_wait: Seconds = param(
        "10 min", "until a notification that was sent without a receipt has failed", "assumption"
    )

    @field_validator("time_zone")
    @classmethod
    def _is_known(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{zone!r}; an IANA name such as Asia/Shanghai is expected") from None
        return zone

    @field_validator("channels")
    @classmethod
    def _lead_somewhere(cls, channels: dict[str, str]) -> dict[str, str]:
        for name, where in channels.items():
            scheme, _, rest = where.partition(":")
            url = scheme in ("http", "https") and len(rest) > 2 and rest.startswith("//")
            file = scheme == "file" and rest and "/" not in rest and "\0" not in rest
            if not (url or file):
                raise ValueError(
                    f"{name} is {where!r}; an https URL, or file:NAME for a file in the data "
                    "folder, is expected"
                )
        return channels

    @field_validator("channels", "helpers", "supervisors")
    @classmethod
    def _are_named(cls, named: dict[str, Any]) -> dict[str, Any]:
        """The database keeps no name with a null character: a deadline would never be reported."""
        for name in named:
            if not name or "\0" in name:
                raise ValueError(f"{name!r}; a name without null characters is expected")
        return named


def unreachable(settings: CoreSettings) -> list[str]:
    """Who is to be told over a channel that leads nowhere, each in a sentence."""
    return [
        f"[{table}.{name}] is not reached: [channels] has no {one.channel}"
        for table, people in (("helpers", settings.helpers), ("supervisors", settings.supervisors))
        for name, one in people.items()
        if one.channel not in settings.channels
    ]


def load_settings(path: Path) -> CoreSettings:
    """Settings from a file; the defaults where there is none.

    Raises
    ------
    CoreError
    """
    if not path.exists():
        return CoreSettings()
    try:
        return CoreSettings.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CoreError(f"{path}: not TOML: {error}") from error
    except ValidationError as error:
        raise CoreError(f"{path}: {_said(error.errors()[0])}") from error


def _said(error: Any) -> str:
    """Where something is wrong, what, and what would be right."""
    where = error["loc"]
    place = ".".join(str(part) for part in where)
    if error["type"] == "extra_forbidden":
        model: Any = CoreSettings
        if len(where) > 1:  # a table, or one by name, or one that may be left out
            kind = CoreSettings.model_fields[where[0]].annotation
            model = next(one for one in (kind, *get_args(kind)) if hasattr(one, "model_fields"))
        return f"{place}: unknown setting; known here are {', '.join(sorted(model.model_fields))}"
    if error["type"] in ("model_type", "dict_type"):
        return f"{place}: a table is expected ([{place}])"
    return f"{place}: {error['msg'].removeprefix('Value error, ')}"

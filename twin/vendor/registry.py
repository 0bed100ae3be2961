"""What a vendor platform has, in memory, as a JSON file tells it and as its APIs serve it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from twin.alarmcore.annexb.messages import (
    BATCH,
    Channel,
    Device,
    DeviceState,
    Event,
    Gateway,
    Page,
    Project,
    Venue,
    instant,
)

T = TypeVar("T")


class VendorData(msgspec.Struct, rename="camel"):
    """A vendor's registry; the file's keys are these names in camelCase.

    Parameters
    ----------
    projects, venues, gateways, devices, channels : base data.
    states : what it believes of its devices and gateways.
    history : events of the past, as it once pushed them.
    """

    projects: list[Project] = []
    venues: list[Venue] = []
    gateways: list[Gateway] = []
    devices: list[Device] = []
    channels: list[Channel] = []
    states: list[DeviceState] = []
    history: list[Event] = []

    # Lists, not tables: a registry of tests is small, and a reader sees at once what it has.

    def project_of(self, device: str) -> str | None:
        """The project of a device or gateway."""
        for one in self.devices:
            if one.device_id == device:
                return one.project_id
        return next((one.project_id for one in self.gateways if one.gateway_id == device), None)


def load(path: Path) -> VendorData:
    """A registry from its file.

    Raises
    ------
    ValueError
        Naming the file, the place and what is wrong.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=VendorData)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not a vendor's registry: {error}") from error


def page_of(items: Sequence[tuple[str, T]], after: str, limit: int) -> Page[T]:
    """A page of a list.

    Parameters
    ----------
    items : the whole list, each with the key that orders it.
    after : the key after which the page begins.
    limit : its most items.
    """
    ordered = sorted(items, key=lambda item: item[0])
    rest = [item for item in ordered if item[0] > after]
    taken = rest[: min(limit, BATCH)]
    return Page([one for _, one in taken], len(items), taken[-1][0] if len(rest) > limit else None)


def entries(data: VendorData, api: str, query: dict[str, str]) -> list[tuple[str, Any]]:
    """All that a list or count API is about, each with its key; see :func:`page_of`."""
    project, gateway = query.get("projectId"), query.get("gatewayId")
    match api:
        case "getProjectList" | "getProjectCount":
            return [(one.project_id, one) for one in data.projects]
        case "getVenueList" | "getVenueCount":
            return [(one.venue_id, one) for one in data.venues if one.project_id == project]
        case "getGatewayList" | "getGatewayCount":
            return [(one.gateway_id, one) for one in data.gateways if one.project_id == project]
        case "getGatewayDeviceList" | "getGatewayDeviceCount":
            return _devices(one for one in data.devices if one.gateway_id == gateway)
        case "getStandaloneDeviceList":
            return _devices(
                one
                for one in data.devices
                if one.project_id == project and one.gateway_id is None and one.venue_id is not None
            )
        case "getUnplacedDeviceList":
            return _devices(
                one for one in data.devices if one.project_id == project and one.venue_id is None
            )
        case "getChannelList":
            device = query["deviceId"]
            return [(one.channel_id, one) for one in data.channels if one.device_id == device]
        case "getDeviceStateList":
            mine = [one for one in data.states if data.project_of(one.device_id) == project]
            return [(one.device_id, one) for one in mine]
        case "getEventHistory":
            begin, end = instant(query["from"]), instant(query["to"])
            return [
                (f"{instant(one.time).timestamp():017.6f} {one.message_id}", one)
                for one in data.history
                if begin <= instant(one.time) < end
            ]
    raise LookupError(api)


def single(data: VendorData, api: str, query: dict[str, str]) -> Any:
    """The one thing that an API is asked for; None: there is none."""
    (wanted,) = query.values()
    match api:
        case "getProject":
            return next((one for one in data.projects if one.project_id == wanted), None)
        case "getVenue":
            return next((one for one in data.venues if one.venue_id == wanted), None)
        case "getGateway":
            return next((one for one in data.gateways if one.gateway_id == wanted), None)
        case "getDevice":
            return next((one for one in data.devices if one.device_id == wanted), None)
    raise LookupError(api)


def _devices(devices: Iterable[Device]) -> list[tuple[str, Device]]:
    return [(one.device_id, one) for one in devices]

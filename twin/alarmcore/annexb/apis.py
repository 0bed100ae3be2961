"""The APIs of table B.3, ``getToken`` and the extensions, as data.

Both sides and the OpenAPI document are made from it. Table B.3 names 22 APIs and their HTTP
methods; names in English, paths and fields are fixed here. Paths are below
:data:`twin.alarmcore.annexb.codes.PREFIX`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, get_origin

from twin.alarmcore.annexb.messages import (
    Channel,
    Count,
    Credentials,
    Deletion,
    Device,
    DeviceState,
    Event,
    Gateway,
    Page,
    Project,
    Received,
    Registered,
    Token,
    Venue,
)


class Side(StrEnum):
    """Who serves an API."""

    CORE = "core"
    """The on-site platform (现场端平台); the vendor platform calls."""
    VENDOR = "vendor"
    """The vendor platform (企业平台); the on-site platform calls."""


@dataclass(frozen=True)
class Api:
    """One API.

    Attributes
    ----------
    number : in table B.3; 0: not in it.
    name_zh, name : the standard's name (an extension's own one), and the English one, which is its
        operation id.
    method, path : how it is called.
    side : who serves it.
    answer : type of ``data`` in the envelope; a :class:`Page` is asked for with ``after`` and
        ``limit``.
    query : names of its required query parameters.
    request : what its body is made of; None: no body.
    note : what has to be said about it.
    """

    number: int
    name_zh: str
    name: str
    method: Literal["GET", "POST"]
    path: str
    side: Side
    answer: Any
    query: tuple[str, ...] = ()
    request: Any = None
    note: str = ""

    @property
    def paged(self) -> bool:
        """Whether it answers a page of a list."""
        return get_origin(self.answer) is Page

    @property
    def extension(self) -> bool:
        """Whether it is not in the standard."""
        return self.number == 0 and self is not GET_TOKEN


def _get(number: int, name_zh: str, name: str, path: str, answer: Any, **more: Any) -> Api:
    """What the on-site platform calls."""
    return Api(number, name_zh, name, "GET", path, Side.VENDOR, answer, **more)


def _push(number: int, name_zh: str, name: str, path: str, request: Any, note: str) -> Api:
    """What the vendor platform pushes: one, or a list."""
    answer = Received if request is Event else Registered
    note = f"{note} {_ONE_OR_LIST}"
    return Api(number, name_zh, name, "POST", path, Side.CORE, answer, request=request, note=note)


_ONE_OR_LIST = "The body is one object or a list of 1 to 1000 of them, which is taken whole or not."

_OF_PROJECT, _OF_GATEWAY = ("projectId",), ("gatewayId",)

GET_TOKEN = Api(
    0,
    "获取 API_TOKEN",
    "getToken",
    "POST",
    "/auth/getToken",
    Side.CORE,
    Token,
    request=Credentials,
    note="A new token ends the one before (B.4.1). It is presented by either side: by the vendor "
    "with its pushes, by the on-site platform with its GETs (B.2.1), so the vendor checks the "
    "calls it gets against the token it holds. B.4.2 also prints GET /login/auth/getToken, which "
    "contradicts the POST printed below it (and would put the secret into a URL): it is not "
    "served.",
)

APIS: tuple[Api, ...] = (
    _get(1, "获取企业平台项目总数", "getProjectCount", "/project/count", Count),
    _get(2, "获取企业平台项目列表信息", "getProjectList", "/project/list", Page[Project]),
    _get(3, "获取项目基础信息", "getProject", "/project/info", Project, query=_OF_PROJECT),
    _push(
        4,
        "添加项目信息推送",
        "pushProject",
        "/project",
        Project,
        "A new or changed project; the on-site platform then GETs everything in it (B.2.4).",
    ),
    _get(5, "获取项目场所总数", "getVenueCount", "/venue/count", Count, query=_OF_PROJECT),
    _get(
        6, "获取项目场所列表基础数据", "getVenueList", "/venue/list", Page[Venue], query=_OF_PROJECT
    ),
    _get(7, "获取单场所基础信息", "getVenue", "/venue/info", Venue, query=("venueId",)),
    _push(
        8,
        "添加场所基础信息推送",
        "pushVenue",
        "/venue",
        Venue,
        "A new or changed venue. Its list of responsible people replaces the one before.",
    ),
    _get(9, "获取网关总数", "getGatewayCount", "/gateway/count", Count, query=_OF_PROJECT),
    _get(
        10,
        "获取项目网关列表基础数据",
        "getGatewayList",
        "/gateway/list",
        Page[Gateway],
        query=_OF_PROJECT,
    ),
    _get(11, "获取单网关信息", "getGateway", "/gateway/info", Gateway, query=_OF_GATEWAY),
    _push(12, "添加网关信息推送", "pushGateway", "/gateway", Gateway, "A new or changed gateway."),
    _get(
        13,
        "获取网关下设备总数",
        "getGatewayDeviceCount",
        "/gateway/device/count",
        Count,
        query=_OF_GATEWAY,
    ),
    _get(
        14,
        "获取网关下设备列表",
        "getGatewayDeviceList",
        "/gateway/device/list",
        Page[Device],
        query=_OF_GATEWAY,
    ),
    _get(
        15,
        "获取独立式设备列表",
        "getStandaloneDeviceList",
        "/device/standalone/list",
        Page[Device],
        query=_OF_PROJECT,
        note="The devices of a project that have a venue and no gateway.",
    ),
    _push(
        16,
        "获取无场所项目设备列表",
        "pushUnplacedDevices",
        "/device/unplaced",
        Device,
        "Devices that have no venue. Table B.3 calls it 获取 (get) and has the vendor push it: "
        "both are served, see getUnplacedDeviceList and getUnplacedDevices.",
    ),
    _get(17, "获取单设备信息", "getDevice", "/device/info", Device, query=("deviceId",)),
    _push(
        18,
        "设备注册信息推送",
        "pushDevice",
        "/device",
        Device,
        "A new, changed or returned device.",
    ),
    _push(
        19,
        "设备删除信息推送",
        "pushDeviceDeletion",
        "/device/delete",
        Deletion,
        "A device taken out of service. What it did stays on record.",
    ),
    _get(
        20,
        "获取设备下通道列表",
        "getChannelList",
        "/device/channel/list",
        Page[Channel],
        query=("deviceId",),
    ),
    _get(
        21,
        "获取设备状态参数信息列表",
        "getDeviceStateList",
        "/device/state/list",
        Page[DeviceState],
        query=_OF_PROJECT,
        note="Called every 1 h to 24 h (B.3.2). Gateways are in it, too, by their gatewayId.",
    ),
    _push(
        22,
        "报警/操作/上下线信息推送",
        "pushEvent",
        "/event",
        Event,
        "Status 200 with 000000 is answered after everything is on disk. A messageId that came "
        "before is acknowledged and dropped. A full platform answers 502 with Retry-After and has "
        "taken nothing. What cannot be placed is kept for an operator and counted as quarantined; "
        "a fire is never left aside: its alarm is raised with the place unknown.",
    ),
)
"""Table B.3, in its order."""

EXTENSIONS: tuple[Api, ...] = (
    _get(
        0,
        "获取无场所项目设备列表（平台请求）",
        "getUnplacedDeviceList",
        "/device/unplaced/list",
        Page[Device],
        query=_OF_PROJECT,
        note="API 16 taken by its name: what pushUnplacedDevices pushes, for the platform to get.",
    ),
    Api(
        0,
        "获取无场所项目设备列表（企业查询）",
        "getUnplacedDevices",
        "GET",
        "/device/unplaced",
        Side.CORE,
        Page[Device],
        query=_OF_PROJECT,
        note="API 16 by its name, on its own path: what the on-site platform holds of the calling "
        "vendor's devices without a venue.",
    ),
    _get(
        0,
        "获取历史数据",
        "getEventHistory",
        "/event/history",
        Page[Event],
        query=("from", "to"),
        note="B.2.2 and B.3.1 have the on-site platform get history data; none of the 22 APIs "
        "serves it. The events with from <= time < to (ISO 8601 with offset), in the order of "
        "time. They are kept as history: none of them raises an alarm.",
    ),
)
"""What is not in table B.3. (API 22 has one extension: events of type ``state``, see 9.1.)"""

EVERY: tuple[Api, ...] = (GET_TOKEN, *APIS, *EXTENSIONS)
"""``getToken``, table B.3, the extensions."""

BY_NAME: dict[str, Api] = {api.name: api for api in EVERY}
"""All of them by English name."""

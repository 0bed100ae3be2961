"""HTTP statuses (table B.1) and return codes (table B.2) of Annex B, and who may answer which."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

PREFIX = "/thirdPartyApi"
"""Every path begins with it (B.4.2)."""

TOKEN_HEADER = "API_TOKEN"
"""Header of every call but ``getToken`` (B.4.1)."""

TOKEN_HEADER_ALSO = "API-TOKEN"
"""Extension: proxies in front of a server often drop a header with an underscore."""


class ReturnCode(StrEnum):
    """Table B.2: ``code`` of the envelope."""

    OK = "000000"
    WRONG_PATH = "L01013"
    UNKNOWN_APPKEY = "L02100"
    WRONG_SECRET = "L02201"
    SERVER_ERROR = "P00000"
    NO_RESULT = "P00001"
    WRONG_PARAMETER = "P01000"
    NO_RIGHT = "P02001"


MEANINGS: Mapping[ReturnCode, tuple[str, str]] = MappingProxyType(
    {
        ReturnCode.OK: ("请求成功", "the request succeeded"),
        ReturnCode.WRONG_PATH: ("请检查路径是否正确", "the path is wrong"),
        ReturnCode.UNKNOWN_APPKEY: ("appkey无效", "the appkey is not known"),
        ReturnCode.WRONG_SECRET: (
            "appkey与masterSecret不匹配",
            "appkey and masterSecret do not match",
        ),
        ReturnCode.SERVER_ERROR: ("服务器内部出错。", "an error inside the server"),
        ReturnCode.NO_RESULT: ("没有结果", "there is no such thing"),
        ReturnCode.WRONG_PARAMETER: ("输入参数错误", "a parameter or the body is wrong"),
        ReturnCode.NO_RIGHT: ("获取数据没有权限", "no token, one that has ended, or no right"),
    }
)
"""What each code says, in the standard's words and in English."""

STATUSES: Mapping[int, str] = MappingProxyType(
    {
        200: "OK",
        400: "参数缺失 - the request lacks or misstates something",
        401: "无权限 - no API_TOKEN, one that has ended, or no right",
        500: "内部服务错误 - an error inside the server",
        502: "无效代理 - down, upgrading or full; try again after Retry-After",
    }
)
"""Table B.1."""

EXTENDED_STATUSES: Mapping[int, str] = MappingProxyType(
    {
        403: "the token's role has no right to this",
        404: "no such path or thing",
        405: "the path does not take this method",
        413: "the body is too large",
        415: "the body is not application/json",
        429: "too many requests; try again after Retry-After",
        503: "not ready; try again after Retry-After",
    }
)
"""Not in table B.1: extensions, which a client may treat as the next lower hundred."""

RETRY = frozenset({429, 500, 502, 503, 504})
"""After these a client tries again later; after the others it would get the same answer."""

"""The numbers of DB3211/T 1066-2023, by clause, with their modality: they stand here and only here.

Read first: :data:`CLAUSES` (what each clause asks, for the rows of an assessment), the constants
below it (one line each, with the clause), :data:`EQUIPMENT`, :data:`FURNISHING`, :data:`ROOMS` and
:data:`SURVEY` (what a checklist is held against).

Times are in seconds, distances in metres, shares from 0 to 1. Where a clause leaves a reading
open, its text here is the standard's and the reading is stated where it is judged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from twin.terms import Annotation

NAME = "DB3211/T 1066-2023"
TITLE_EN = "Construction specification for smart fire service centers of township (subdistrict)"
TITLE_ZH = "乡镇（街道）智慧消防服务中心建设规范"

HOUR_S = 3600.0
YEAR_S = 365.25 * 24 * HOUR_S


class Modality(StrEnum):
    """How a clause binds (GB/T 1.1-2020). Only an unmet *shall* is "not met"."""

    SHALL = "shall"
    """应: a requirement."""
    SHOULD = "should"
    """宜: a recommendation; unmet, it is a remark."""
    MAY = "may"
    """可: a permission."""
    DEFINITION = "definition"
    """A term of clause 3: it says how a figure is counted and asks for nothing."""

    @property
    def zh(self) -> str:
        """The standard's own word."""
        return {"shall": "应", "should": "宜", "may": "可", "definition": "定义"}[self.value]


@dataclass(frozen=True, slots=True)
class Clause:
    """What one clause asks.

    Parameters
    ----------
    number : the clause, ``"5.1.1"``; an item of table D.1 is ``"D.1.3"``.
    modality : how it binds.
    asks_en, asks_zh : what it asks, in a line; the Chinese keeps the standard's wording.
    part : names one requirement where a clause holds several (of other modality, or judged apart).
    """

    number: str
    modality: Modality
    asks_en: str
    asks_zh: str
    part: str = ""

    @property
    def key(self) -> str:
        """Unique name: the number, with the part where there is one (``5.1.4.ground_floor``)."""
        return f"{self.number}.{self.part}" if self.part else self.number


def _row(modality: Modality) -> Callable[[str, str, str], Clause]:
    """Rows of one modality; their first column is the clause and, after it, the part."""

    def row(key: str, asks_en: str, asks_zh: str) -> Clause:
        number, _, part = key.rpartition(".") if key[-1].isalpha() else (key, "", "")
        return Clause(number, modality, asks_en, asks_zh, part)

    return row


_shall, _should, _may, _definition = map(_row, Modality)

_CLAUSES = (
    _definition(
        "3.3",
        "online rate: components with no current offline alarm / all components, at an instant",
        "在线率：当前未发出离线报警的组件设备数量占系统组件设备总数量的实时百分率",
    ),
    _definition(
        "3.4",
        "false alarm rate: false fire alarms within a year / triggering devices of the same kind",
        "误报率：一年内发生误报火警的次数占全部同类相关报警触发装置数量的百分率",
    ),
    _definition(
        "3.5",
        "availability: components neither faulty, disabled nor offline / all, at an instant",
        "完好率：无故障、未屏蔽、未离线的完好设备数量占全部相关现场组件设备数量的实时百分率",
    ),
    _definition(
        "3.6",
        "fault rate: faults within a year / components of the same kind",
        "故障率：一年内发生故障的次数占全部同类相关现场组件设备数量的百分率",
    ),
    _shall(
        "4.2",
        "a site survey before the center is built and while terminals are installed (App. A)",
        "服务中心建设前和现场终端设置安装期间，应开展现场勘察（附录A）",
    ),
    _shall(
        "4.3",
        "on-site platform connected to the central-level remote platform, data in real time",
        "现场端平台应与中心级远端管理平台连接，实现消防数据实时互联互通",
    ),
    _shall(
        "4.4.staff",
        "on duty 24 h every day; at least 4 people in all",
        "应实行全年每日24h专人值班制度，配置人员数量应不少于4人",
    ),
    _shall(
        "4.4.shift",
        "at least 2 people on each shift, at their post",
        "每班应不少于2人，值班人员应在岗在位",
    ),
    _shall(
        "4.5",
        "people on duty trained before the post and on it",
        "值班人员应接受岗前培训和岗位培训",
    ),
    _shall("4.6.verification", "fire alarm verification rate 100 %", "火警复核率应达到100%"),
    _shall("4.6.handling", "incident handling rate at least 97.0 %", "事故处置率应不低于97.0%"),
    _shall("4.7", "online rate of the devices at least 99.0 %", "系统设备在线率应不低于99.0%"),
    _may(
        "4.8",
        "local alarm systems without a fire control room send their state to the platform",
        "未设置消防控制室的区域报警系统，可将消防设施状态信息传输至现场端平台",
    ),
    _should(
        "4.9",
        "grid workers take part in the installation, receive confirmed alarms and respond",
        "属地网格员宜全程参与设置安装工作，接收确认的火警信息并参与火情处置",
    ),
    _shall(
        "4.10",
        "fire devices conform to the national standards and are compatible with each other",
        "消防设备应符合国家相关标准，各设备之间应满足系统兼容性要求",
    ),
    _should("4.11", "a service cycle of at least 3 years", "一个服务周期宜不少于3年"),
    _shall(
        "5.1.1.travel",
        "a motor vehicle reaches the edge of the area within 15 min of the dispatch order",
        "接到出动指令后15min内机动车可以到达辖区边缘",
    ),
    _shall("5.1.1.radius", "radius of the service area at most 8 km", "服务区域半径不应超过8km"),
    _shall(
        "5.1.2.wind",
        "upwind or crosswind of dangerous chemicals in the long-term prevailing wind",
        "有生产、贮存危险化学品单位的，应设置在常年主导风向上风或侧风处",
    ),
    _shall(
        "5.1.2.chemicals",
        "at least 200 m from the part where dangerous chemicals are made or stored",
        "其边界距生产、贮存危险化学品的危险部位应不小于200m",
    ),
    _shall(
        "5.1.2.filling",
        "at least 50 m from filling stations and the like",
        "与加油站、加气站等易燃易爆危险场所的距离应不小于50m",
    ),
    _shall(
        "5.1.3",
        "fire resistance grade 2 or better where the center is detached",
        "单独建造的服务中心，其耐火等级应不低于二级",
    ),
    _should(
        "5.1.4.ground_floor",
        "inside a building: on the ground floor, at an outer wall",
        "附设在建筑内的服务中心，宜设置在建筑内首层，并布置在靠外墙部位",
    ),
    _shall(
        "5.1.4.exits",
        "exits where people get out quickly, with no-parking signs",
        "出入口应设在便于人员迅速出动的位置，并设立非消防服务车辆禁止停车的标志",
    ),
    _shall("5.1.5", "floor area at least 80 m²", "服务中心建筑面积应不小于80m²"),
    _shall(
        "5.1.6.required",
        "areas for duty, rest, meeting, archive, equipment and washing, with their names",
        "应设置现场端平台值班区、休息区、会议区、档案区、器材区、卫浴区等，并标识名称",
    ),
    _should(
        "5.1.6.optional",
        "areas for demonstration, reception and safety education",
        "宜设置演示区、接待区、安全教育体验区等",
    ),
    _shall(
        "5.1.7",
        "natural ventilation against heat and damp; rooms meet the hygiene requirements",
        "应采用自然通风消除室内余热、余湿，并满足室内卫生要求",
    ),
    _shall("5.1.8", "energy efficiency by GB 50189", "建筑节能设计应符合GB 50189的要求"),
    _shall(
        "5.1.9",
        "fire equipment of table 1, enough for an emergency and replaced in time",
        "应按照表1的要求配置消防器材装备，数量应满足消防应急使用并及时替换更新",
    ),
    _shall("5.1.10", "office and living equipment of table 2", "应按照表2的规定配置办公和生活设备"),
    _shall(
        "5.1.11.alarm",
        "platform and detector give audible and visual alarm at once",
        "发生报警事件时，现场端平台和现场探测报警器应立即发出声光报警",
    ),
    _shall(
        "5.1.11.valve",
        "on a gas leak the gas alarm itself closes the gas valve",
        "发生燃气泄漏时，燃气探测报警器还应联动电磁阀或者电动阀自动关闭燃气阀门",
    ),
    _shall(
        "5.1.12",
        "more than 20,000 networked terminals: split the center or add people to each shift",
        "联网终端数量超过20000点时，应分设服务中心或增加每班值班人员",
    ),
    _shall(
        "5.1.13", "product liability insurance bought every year", "应每年购买产品责任保险保障服务"
    ),
    _should(
        "5.2.1",
        "alarm systems whose platform speaks the protocol of Annex B",
        "宜选择平台数据对接协议符合附录B要求的独立式火灾探测报警器联网系统",
    ),
    _shall(
        "5.2.2",
        "place, number, area and spacing of the fire detectors by GB 50116",
        "火灾探测报警器的设置位置、数量、保护面积和安装间距应符合GB 50116的要求",
    ),
    _shall(
        "5.2.3",
        "self-contained fire alarms chosen and installed by the site survey",
        "独立式火灾探测报警器的选择与安装应依据现场勘察情况优化确定",
    ),
    _shall(
        "5.2.4.detectors",
        "electrical fire monitoring detectors where there is danger, by GB 50116",
        "在具有电气火灾危险性的部位设置电气火灾监控探测器，选型和设置应符合GB 50116的要求",
    ),
    _should(
        "5.2.4.split_core",
        "residual-current sensors of the split-core kind",
        "剩余电流传感器宜采用开合式",
    ),
    _shall(
        "5.2.5",
        "gas detectors away from dirt; work on gas pipes by qualified people",
        "可燃气体探测器的安装位置应避免易于污染的位置，燃气管线施工应由具有相应资质的人员进行",
    ),
    _shall(
        "5.2.6",
        "manual call points are basic equipment in places of assembly",
        "手动报警按钮在人员密集场所应作为基本配置组件",
    ),
    _shall(
        "5.2.7",
        "heat alarms where smoke is usual",
        "在经常产生烟雾部位，应选择独立式感温火灾探测报警器",
    ),
    _shall(
        "5.2.8",
        "smoke alarms of combined-use premises by XF 703",
        "合用场所独立式感烟火灾探测报警器的设置应符合XF 703的要求",
    ),
    _shall(
        "5.2.9",
        "enough spare terminals in stock",
        "应根据实际需要，保持适当数量的终端设备备用件库存",
    ),
    _shall(
        "6.1.response",
        "each fire alarm message responded to within 5 s",
        "对每一条火警信息，值班人员应在5s内响应",
    ),
    _shall(
        "6.1.verification",
        "each fire alarm message verified within 1 min",
        "值班人员应在1min内进行警情复核",
    ),
    _shall(
        "6.2.plan",
        "confirmed by telephone: the emergency plan is started",
        "电话核实确认警情后应启动应急预案",
    ),
    _shall(
        "6.2.dispatch",
        "nobody reached: people of the center go at once",
        "若未能联系到业主等相关人员，服务中心应立即派遣人员前往现场",
    ),
    _shall(
        "6.2.emergency_call",
        "fire confirmed on site: people led out, 119 called at once",
        "确认火情后应组织现场人员疏散，并立即拨打119火警电话",
    ),
    _shall(
        "6.3",
        "cause, hazards and advice on site; report of App. C",
        "应现场了解起火原因，协助排查事故隐患，提出防范措施，并填写《火情处置报告》",
    ),
    _shall(
        "6.4",
        "every fire alarm annotated by one of the four classes",
        "对火警信息的注释应分为初期火灾和险情、确认火灾、测试火警、误报火警四大类",
    ),
    _shall("6.5.checks", "device states checked regularly", "值班人员应定期检查现场终端设备状态"),
    _shall(
        "6.5.battery", "low battery: changed within 24 h", "低电量报警故障应在24h内更换设备电池"
    ),
    _shall(
        "6.5.offline",
        "offline: situation found out and recorded, maintained within 48 h",
        "设备离线应了解实际情况并做记录，在48h内完成设备维护",
    ),
    _shall(
        "7.1",
        "platform shows current alarms, devices, online, false alarm, availability, fault and "
        "maintenance timeliness rates",
        "现场端平台应能显示当前火警信息、设备总数、在线率、误报率、完好率、故障率、维保及时率",
    ),
    _shall(
        "7.2",
        "manager app shows the same with the maintenance completion rate",
        "管理权限APP应能显示当前火警信息、设备总数、在线率、误报率、完好率、故障率、维保执行率",
    ),
    _shall(
        "7.3",
        "owner app shows online state, battery and alarm state of the devices",
        "业主权限APP应能显示设备在线状态、电池电量、报警状态",
    ),
    _shall(
        "8.1",
        "a maintenance plan and records by GB 29837",
        "应有现场终端设备维护保养计划，填写维保记录，并符合GB 29837的要求",
    ),
    _shall(
        "8.2",
        "platform keeps units and owners, and records alarms, false alarms and faults",
        "平台应能保存联网单位和业主单位基本信息，记录火警信息、误报信息、故障信息等",
    ),
    _shall(
        "8.3",
        "handling of every fire alarm recorded whole, as a closed loop",
        "平台应完整记录火警处置流程，形成闭环数据",
    ),
    _should(
        "8.4",
        "platform finds hazards of the fire facilities and analyses coupled risks",
        "平台宜具有消防设施火灾隐患发现和多维度耦合风险分析功能",
    ),
    _shall(
        "9.1",
        "an open interface for other makers' devices and platforms, by Annex B",
        "应具有公开的平台接口协议，用以接入不同厂商设备（或平台），接口协议应符合附录B的要求",
    ),
    _shall(
        "9.2",
        "app push of fire alarms, faults and offline devices",
        "应能通过APP应用程序推送现场终端组件的火警、故障、离线等信息",
    ),
    _shall(
        "9.3",
        "a fire alarm pushed by voice, SMS or app, able to reach at least 5 people responsible",
        "应能通过语音电话/短信/APP等方式推送火警信息，并应具有通知至少5个相关责任人的功能",
    ),
    _shall("10", "archive of the center, kept for 30 years", "应保存档案资料，保管期限为定期30年"),
    _shall(
        "11.1",
        "monthly and yearly assessment that contains the points of App. D",
        "应进行月度和年度综合考评，考核要点应包含附录D中的内容",
    ),
    _shall(
        "11.2",
        "public telephone; complaints registered and analysed",
        "应公开服务电话；对业主单位的投诉和建议，应进行登记、汇总和分析",
    ),
    _shall(
        "11.3",
        "where there is a mutual evaluation: the center evaluates government and owners",
        "政府建立常态化互评机制时，应对政府部门或相关管理机构和业主进行评价",
    ),
    # Appendix D is informative; 11.1 makes its points part of every assessment. The modality of
    # an item is that of its own wording (不应, 不宜).
    _shall("D.1.1", "rules and operating procedures made and kept", "建立健全规章制度和操作规程"),
    _shall(
        "D.1.2",
        "the year's online rate by monthly random samples at least 99 %",
        "每月随机抽查平台中的设备在线率，全年度设备在线率不应低于99%",
    ),
    _shall(
        "D.1.3",
        "the year's handling rate by monthly random samples at least 97 %",
        "每月随机抽查事故处置情况，全年度事故处理率不应低于97%",
    ),
    _shall(
        "D.1.4.complaints",
        "at most 3 upheld complaints a year",
        "查看相关部门是否收到相关投诉，全年查实3次以内",
    ),
    _should("D.1.4.renewal", "contract renewal rate at least 90 %", "合约续签率不宜低于90%"),
    _shall(
        "D.1.5.attendance",
        "deduction: any one alarm that nobody verified or handled",
        "扣分项：出现任一次无人复核、无人处置情况",
    ),
    _shall(
        "D.1.5.device",
        "deduction: any one incipient fire missed because a device was offline or dead",
        "扣分项：出现任一次因设备离线、失效原因，初期火情未能有效监测情况",
    ),
)

CLAUSES: Mapping[str, Clause] = MappingProxyType({clause.key: clause for clause in _CLAUSES})
"""Every requirement in the standard's order, by :attr:`Clause.key`."""


def clauses(number: str) -> tuple[Clause, ...]:
    """All requirements of a clause: ``clauses("5.1.2")`` gives wind, chemicals and filling.

    Raises
    ------
    ValueError
        For a number that is not in the table.
    """
    found = tuple(clause for clause in _CLAUSES if clause.number == number)
    if not found:
        raise ValueError(f"{NAME} has no judged clause {number!r}; 5.1.1 is one")
    return found


# -- 4: general requirements ------------------------------------------------------------------
STAFF_MIN = 4  # 4.4, people in all
SHIFT_MIN = 2  # 4.4, people on each shift, at their post
VERIFICATION_RATE = 1.0  # 4.6, share of fire alarm messages
HANDLING_RATE = 0.97  # 4.6 and D.1 item 3
ONLINE_RATE = 0.99  # 4.7 and D.1 item 2
SERVICE_CYCLE_YEARS = 3  # 4.11 (should)
SERVICE_CYCLE_S = SERVICE_CYCLE_YEARS * YEAR_S  # 4.11 (should)

# -- 5.1: the center ------------------------------------------------------------------------------
TRAVEL_S = 15 * 60.0  # 5.1.1, from receipt of the dispatch order to the edge of the area
RADIUS_M = 8000.0  # 5.1.1
CHEMICALS_M = 200.0  # 5.1.2, from the center's boundary to the dangerous part
FILLING_M = 50.0  # 5.1.2
FIRE_RESISTANCE_GRADE = 2  # 5.1.3; grade 1 is better than 2
FLOOR_AREA_M2 = 80.0  # 5.1.5
TORCH_S = HOUR_S  # table 1, item 11: burning time of a torch
GAS_TYPES = ("methane", "propane")  # table 1, item 2: what the hand-held detector must find
POINTS_PER_CENTER = 20_000  # 5.1.12: beyond it split, or more people on each shift

# -- 6: emergency procedure and maintenance --------------------------------------------------------
RESPONSE_S = 5.0  # 6.1, from the platform's receipt of the message
VERIFICATION_S = 60.0  # 6.1, likewise
NOTIFY_S = 60.0  # D.1 item 3 says "in time": this project's reading, as the verification of 6.1
BATTERY_S = 24 * HOUR_S  # 6.5, from the low-battery alarm to the new battery
OFFLINE_S = 48 * HOUR_S  # 6.5, from the offline alarm to the end of the maintenance

ANNOTATION_CLASS: Mapping[Annotation, int] = MappingProxyType(
    {
        Annotation.INCIPIENT_FIRE: 1,
        Annotation.CONFIRMED_FIRE: 2,
        Annotation.TEST: 3,
        Annotation.FALSE_NUISANCE: 4,
        Annotation.FALSE_FAULT: 4,
    }
)
"""The class of 6.4 that an annotation belongs to; class 4 has two kinds."""

# -- 9 to 11, Annexes B and D -----------------------------------------------------------------
RESPONSIBLE_PEOPLE = 5  # 9.3, people per venue that the platform can notify at least
ARCHIVE_YEARS = 30  # 10
ARCHIVE_S = ARCHIVE_YEARS * YEAR_S  # 10
PULL_MIN_S = HOUR_S  # B.3.2, shortest period of pulling device states
PULL_MAX_S = 24 * HOUR_S  # B.3.2, longest
TOKEN_CHARS_MIN = 100  # B.4.1 a), space to be kept for an API token
COMPLAINTS_MAX = 3  # D.1 item 4, upheld complaints in a year
RENEWAL_RATE = 0.90  # D.1 item 4 (should)


@dataclass(frozen=True, slots=True)
class Item:
    """Something that a checklist asks for.

    Parameters
    ----------
    key : name in a scenario's checklist, beginning with its clause (``5.1.9.fire_axe``).
    required : True for ● (shall), False for ○ (optional).
    name_en, name_zh : what it is.
    note : the table's remark, in English.
    either : items that share this word stand for each other: one of them is enough.
    """

    key: str
    required: bool
    name_en: str
    name_zh: str
    note: str = ""
    either: str = ""


_GAS = "finds methane and propane"
_TESTER = "pole of at least 2.5 m with a smoke hood, works for at least 2 h"

EQUIPMENT = (
    Item("5.1.9.detector_pole", True, "detector maintenance pole", "感烟/感温探测器维护杆"),
    Item("5.1.9.gas_tester", True, "hand-held gas detector", "手持可燃气体检测仪", _GAS),
    Item("5.1.9.smoke_tester", False, "smoke detector tester", "感烟探测器功能试验器", _TESTER),
    Item("5.1.9.heat_tester", False, "heat detector tester", "感温探测器功能试验器"),
    Item("5.1.9.signal_tester", True, "radio signal tester", "无线网络信号测试仪"),
    Item("5.1.9.laser_meter", True, "laser distance meter", "数字激光测距仪"),
    Item("5.1.9.body_camera", True, "recorder for video and sound", "录像录音执法记录仪"),
    Item("5.1.9.water_extinguisher", True, "water-based extinguisher 3 L", "水基型灭火器 3L"),
    Item("5.1.9.co2_extinguisher", False, "carbon dioxide extinguisher", "二氧化碳灭火器"),
    Item("5.1.9.powder_extinguisher", True, "dry powder extinguisher 4 kg", "干粉灭火器 4kg"),
    Item("5.1.9.torch", True, "strong torch", "强光手电", "burns for at least 1.0 h"),
    Item("5.1.9.escape_mask", True, "escape mask", "逃生面罩", "activated carbon not expired"),
    Item("5.1.9.escape_rope", True, "escape rope", "逃生绳"),
    Item("5.1.9.fire_axe", True, "fire axe", "消防斧"),
    Item("5.1.9.protective_suit", False, "fire-fighting protective suit", "灭火防护服"),
    Item("5.1.9.mini_fire_engine", False, "mini fire engine", "微型消防车"),
)
"""Table 1 (5.1.9) in its order: items 1 to 16."""

_ONE_OF = "projector or display screen: one of the two"

FURNISHING = (
    Item("5.1.10.computer", True, "computer", "电脑"),
    Item("5.1.10.printer", True, "printer", "打印机"),
    Item("5.1.10.telephone", True, "telephone", "电话"),
    Item("5.1.10.radio", True, "two-way radio", "对讲机"),
    Item("5.1.10.projector", True, "projector", "投影仪", _ONE_OF, either="display"),
    Item("5.1.10.screen", True, "display screen", "显示屏", _ONE_OF, either="display"),
    Item("5.1.10.desks", True, "desks and chairs", "办公桌椅"),
    Item("5.1.10.display_rack", False, "display rack", "展示架"),
    Item("5.1.10.filing_cabinet", True, "filing cabinet", "档案柜"),
    Item("5.1.10.air_conditioning", True, "air conditioning", "空调"),
    Item("5.1.10.water_heater", True, "water heater", "热水器"),
    Item("5.1.10.beds", True, "beds", "床铺"),
)
"""Table 2 (5.1.10) in its order: items 1 to 12."""

ROOMS = (
    Item("5.1.6.duty", True, "duty area of the platform", "现场端平台值班区"),
    Item("5.1.6.rest", True, "rest area", "休息区"),
    Item("5.1.6.meeting", True, "meeting area", "会议区"),
    Item("5.1.6.archive", True, "archive area", "档案区"),
    Item("5.1.6.equipment", True, "equipment area", "器材区"),
    Item("5.1.6.washroom", True, "washroom", "卫浴区"),
    Item("5.1.6.demonstration", False, "demonstration area", "演示区"),
    Item("5.1.6.reception", False, "reception area", "接待区"),
    Item("5.1.6.education", False, "safety education area", "安全教育体验区"),
)
"""Functional areas of 5.1.6: required ones shall be there, the others should."""

SURVEY = (
    Item("4.2.network", True, "network quality", "网络质量环境"),
    Item("4.2.people", True, "characteristics of the users", "使用人员特征"),
    Item("4.2.power", True, "power supply on site", "现场供电"),
    Item("4.2.industry", True, "characteristics of the industry", "产业特征"),
    Item("4.2.fire_load", True, "fire load", "火灾荷载"),
    Item("4.2.building", True, "parameters of the buildings", "建筑参数"),
    Item("4.2.roof", True, "kind of roof and ceiling", "屋顶顶棚型式"),
    Item("4.2.fire_resistance", True, "fire resistance grade", "耐火等级"),
    Item("4.2.fire_separation", True, "distance between buildings", "防火间距"),
    Item("4.2.evacuation", True, "conditions for evacuation", "疏散条件"),
    Item("4.2.stations", True, "fire stations and their travel time", "消防站分布"),
    Item("4.2.fire_lanes", True, "fire lanes kept clear", "消防车道"),
    Item("4.2.hydrants", True, "hydrant system", "消火栓系统"),
    Item("4.2.detection", True, "fire detection and alarm system", "火灾探测报警系统"),
    Item("4.2.electrical", True, "electrical fire hazards", "电气火灾隐患"),
    Item("4.2.gas", True, "gas installations", "燃气"),
    Item("4.2.filling_stations", True, "filling stations", "加油加气站"),
    Item("4.2.grid_workers", True, "grid workers", "网格员"),
    Item("4.2.property", True, "property management", "物业管理"),
    Item("4.2.responsibility", True, "fire safety responsibility", "消防安全管理责任制度实施情况"),
    Item("4.2.emergency", True, "ability to handle an emergency", "应急处置能力"),
    Item("4.2.micro_stations", True, "micro fire stations", "微型消防站"),
)
"""What a site survey covers (4.2; table A.1 is informative: what is missing is listed)."""


def missing(items: tuple[Item, ...], present: Mapping[str, float]) -> tuple[Item, ...]:
    """Required items that a checklist does not have; of items that stand for each other, one does.

    Parameters
    ----------
    items : :data:`EQUIPMENT`, :data:`FURNISHING`, :data:`ROOMS` or :data:`SURVEY`.
    present : number at hand (or 1 for yes, 0 for no) by the items' keys; absent keys count as 0.
    """
    have = {item.either or item.key for item in items if present.get(item.key, 0) > 0}
    return tuple(item for item in items if item.required and (item.either or item.key) not in have)

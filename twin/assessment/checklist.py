"""What an inspector ticks off: the keys of a log's CHECKLIST rows, and of a scenario's checklist.

One table, :data:`CHECKLIST`. A scenario fills it by key; the log carries the answers. Importing
this module is cheap, so that a scenario can check its keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from twin import standard
from twin.standard import Modality


class Answer(StrEnum):
    """What is answered to an item."""

    YES_NO = "yes/no"
    """1 or 0."""
    COUNT = "count"
    """How many are at hand; 0 is none."""
    AT_LEAST = "at least"
    """A number with a minimum."""
    AT_MOST = "at most"
    """A number with a maximum."""
    FACT = "fact"
    """1 or 0; it decides whether another item applies, or how it counts, and is not judged."""


@dataclass(frozen=True, slots=True)
class Item:
    """One question of the checklist.

    Attributes
    ----------
    key : its name, which starts with its clause; modality : how it binds (MAY: optional).
    question_en, question_zh : the question.
    answer : what is answered; limit : the minimum or maximum, or a fact's default; unit : its unit.
    clause : key into :data:`twin.standard.CLAUSES`; either : items that stand for each other.
    """

    key: str
    modality: Modality
    question_en: str
    question_zh: str
    answer: Answer
    limit: float
    unit: str
    clause: str
    either: str = ""

    def meets(self, value: float) -> bool:
        """Whether this answer is what the item asks for."""
        match self.answer:
            case Answer.AT_LEAST:
                return value >= self.limit
            case Answer.AT_MOST:
                return value <= self.limit
            case Answer.FACT:
                return True
            case _:
                return value > 0


def _item(
    clause: str,
    word: str,
    en: str,
    zh: str,
    answer: Answer = Answer.YES_NO,
    limit: float = 1.0,
    unit: str = "",
) -> Item:
    row = standard.CLAUSES[clause]
    return Item(f"{row.number}.{word}", row.modality, en, zh, answer, limit, unit, clause)


def _listed(items: Iterable[standard.Item], required: str, optional: str = "") -> Iterable[Item]:
    """A table of the standard as items; what it leaves optional is a MAY, or the clause's own."""
    for item in items:
        clause = required if item.required or not optional else optional
        modality = standard.CLAUSES[clause].modality
        if not item.required and not optional:
            modality = Modality.MAY
        yield Item(
            item.key,
            modality,
            f"{item.name_en} ({item.note})" if item.note else item.name_en,
            item.name_zh,
            Answer.COUNT,
            1.0,
            "",
            clause,
            item.either,
        )


_ITEMS = (
    *_listed(standard.SURVEY, "4.2"),
    _item(
        "4.3",
        "central_platform",
        "connected to the central-level remote platform",
        "现场端平台与中心级远端管理平台连接",
    ),
    _item("4.5", "pre_post_training", "everybody trained before the post", "值班人员接受岗前培训"),
    _item("4.5", "on_post_training", "everybody trained on the post", "值班人员接受岗位培训"),
    _item(
        "4.9",
        "grid_installation",
        "grid workers take part in the installation",
        "网格员全程参与设置安装工作",
    ),
    _item(
        "4.10", "compatible", "devices of a system are compatible", "各设备之间满足系统兼容性要求"
    ),
    _item(
        "4.11",
        "service_years",
        "length of a service cycle",
        "服务周期",
        Answer.AT_LEAST,
        standard.SERVICE_CYCLE_YEARS,
        "years",
    ),
    _item(
        "5.1.3",
        "detached",
        "the center is a detached building",
        "服务中心单独建造",
        Answer.FACT,
        0.0,
    ),
    _item(
        "5.1.3",
        "fire_resistance_grade",
        "fire resistance grade",
        "耐火等级",
        Answer.AT_MOST,
        standard.FIRE_RESISTANCE_GRADE,
    ),
    _item("5.1.4.ground_floor", "ground_floor", "on the ground floor", "设置在建筑内首层"),
    _item("5.1.4.ground_floor", "outer_wall", "at an outer wall", "布置在靠外墙部位"),
    _item(
        "5.1.4.exits",
        "quick_exits",
        "exits where people get out quickly",
        "出入口设在便于人员迅速出动的位置",
    ),
    _item(
        "5.1.4.exits",
        "no_parking_signs",
        "no-parking signs at the exits",
        "出入口区域设立禁止停车的标志",
    ),
    _item(
        "5.1.5",
        "floor_area_m2",
        "floor area",
        "建筑面积",
        Answer.AT_LEAST,
        standard.FLOOR_AREA_M2,
        "m2",
    ),
    *_listed(standard.ROOMS, "5.1.6.required", "5.1.6.optional"),
    _item("5.1.6.required", "named", "areas are signed with their names", "功能区域标识名称"),
    _item("5.1.7", "natural_ventilation", "rooms ventilated naturally", "采用自然通风"),
    _item("5.1.7", "hygiene", "rooms meet the hygiene requirements", "满足室内卫生要求"),
    _item("5.1.8", "gb_50189", "energy efficiency by GB 50189", "建筑节能设计符合GB 50189"),
    *_listed(standard.EQUIPMENT, "5.1.9"),
    _item("5.1.9", "enough", "numbers are enough for an emergency", "数量满足消防应急使用"),
    _item("5.1.9", "replaced", "equipment is replaced in time", "及时替换更新"),
    *_listed(standard.FURNISHING, "5.1.10"),
    _item(
        "5.1.11.alarm",
        "platform_alarm",
        "platform gives audible and visual alarm at once",
        "现场端平台立即发出声光报警",
    ),
    _item(
        "5.1.11.alarm",
        "detector_alarm",
        "detectors give audible and visual alarm at once",
        "现场探测报警器立即发出声光报警",
    ),
    _item(
        "5.1.11.valve",
        "gas_valve",
        "gas alarms close the gas valve themselves",
        "燃气探测报警器联动自动关闭燃气阀门",
    ),
    # 5.1.12 gives no number of people: assumption, vary 1 to 2
    _item(
        "5.1.12",
        "extra_per_started_20000",
        "people added to each shift for each started 20,000 points beyond the first",
        "超过20000点后每20000点增加的每班值班人员",
        Answer.FACT,
        1.0,
        "people",
    ),
    _item(
        "5.1.13",
        "product_liability_insurance",
        "product liability insurance bought this year",
        "每年购买产品责任保险",
    ),
    _item(
        "5.2.1",
        "annex_b_systems",
        "alarm systems speak the protocol of Annex B",
        "平台数据对接协议符合附录B",
    ),
    _item(
        "5.2.2",
        "gb_50116_detectors",
        "detectors placed and spaced by GB 50116",
        "火灾探测报警器的设置符合GB 50116",
    ),
    _item(
        "5.2.3",
        "by_survey",
        "alarms chosen and installed by the survey",
        "依据现场勘察情况选择与安装",
    ),
    _item(
        "5.2.4.detectors",
        "gb_50116_electrical",
        "electrical detectors by GB 50116",
        "电气火灾监控探测器的选型和设置符合GB 50116",
    ),
    _item(
        "5.2.4.split_core",
        "split_core",
        "residual-current sensors are split-core",
        "剩余电流传感器采用开合式",
    ),
    _item("5.2.5", "clean_places", "gas detectors away from dirt", "安装位置避免易于污染的位置"),
    _item(
        "5.2.5",
        "qualified_work",
        "work on gas pipes by qualified people",
        "燃气管线施工由具有相应资质的人员进行",
    ),
    _item(
        "5.2.6",
        "call_points",
        "manual call points in places of assembly",
        "人员密集场所设置手动报警按钮",
    ),
    _item(
        "5.2.7",
        "heat_alarms",
        "heat alarms where smoke is usual",
        "经常产生烟雾部位选择独立式感温火灾探测报警器",
    ),
    _item(
        "5.2.8",
        "xf_703",
        "smoke alarms of combined-use premises by XF 703",
        "合用场所独立式感烟火灾探测报警器的设置符合XF 703",
    ),
    _item(
        "6.5.checks",
        "regular_checks",
        "device states are checked regularly",
        "定期检查现场终端设备状态",
    ),
    _item("7.1", "display", "platform shows all figures of 7.1", "现场端平台能显示核心信息指标"),
    _item(
        "7.2", "manager_app", "manager app shows all figures of 7.2", "管理权限APP能显示核心信息"
    ),
    _item(
        "7.3",
        "owner_app",
        "owner app shows online, battery and alarm state",
        "业主权限APP能显示设备实时状态",
    ),
    _item("8.1", "maintenance_plan", "a maintenance plan", "有维护保养计划"),
    _item("8.1", "gb_29837_records", "maintenance records by GB 29837", "维保记录符合GB 29837"),
    _item(
        "8.2",
        "records_kept",
        "units, owners, alarms, false alarms and faults are kept",
        "保存基本信息，记录火警、误报、故障信息",
    ),
    _item("8.4", "hazards_found", "platform finds hazards", "消防设施火灾隐患发现功能"),
    _item("8.4", "coupled_risk", "platform analyses coupled risks", "多维度耦合风险分析功能"),
    _item("9.1", "open_interface", "a published interface", "公开的平台接口协议"),
    _item("9.1", "annex_b", "the interface conforms to Annex B", "接口协议符合附录B"),
    _item(
        "9.2",
        "app_push",
        "app push of fire alarms, faults and offline devices",
        "APP推送火警、故障、离线等信息",
    ),
    _item(
        "9.3",
        "channels",
        "fire alarms pushed by voice, SMS or app",
        "通过语音电话/短信/APP推送火警信息",
    ),
    _item("10", "a_overview", "a) overview, site and units", "a) 消防概况、服务站点和联网单位信息"),
    _item(
        "10",
        "b_records",
        "b) records of duty, alarms and maintenance",
        "b) 值班记录、警情处置记录、设备维护保养记录",
    ),
    _item("10", "c_training", "c) records of training and drills", "c) 业务培训、演练记录"),
    _item("10", "d_rules", "d) rules, plans and procedures", "d) 管理制度、预案、程序、考核制度"),
    _item(
        "10",
        "years_kept",
        "years that the archive is kept",
        "保管期限",
        Answer.AT_LEAST,
        standard.ARCHIVE_YEARS,
        "years",
    ),
    _item("11.1", "monthly", "assessed every month", "月度综合考评"),
    _item("11.1", "yearly", "assessed every year", "年度综合考评"),
    _item("11.1", "annex_d", "the assessment contains the points of Annex D", "考核要点包含附录D"),
    _item("11.1", "rewards_penalties", "results have rewards and penalties", "制定奖惩措施"),
    _item("11.2", "public_telephone", "a public telephone number", "公开服务电话"),
    _item(
        "11.2",
        "complaints_registered",
        "complaints registered and analysed",
        "投诉和建议登记、汇总和分析",
    ),
    _item("11.2", "corrective_measures", "corrective and preventive measures", "制定纠正预防措施"),
    _item(
        "11.3",
        "mutual_evaluation",
        "the government has set up a mutual evaluation",
        "政府建立常态化互评机制",
        Answer.FACT,
        0.0,
    ),
    _item(
        "11.3",
        "evaluates",
        "the center evaluates government and owners",
        "对政府部门、管理机构和业主进行评价",
    ),
    _item("D.1.1", "rules", "rules and operating procedures", "规章制度和操作规程"),
)

CHECKLIST: Mapping[str, Item] = MappingProxyType({item.key: item for item in _ITEMS})
"""Every item by its key."""


def items(clause: str) -> tuple[Item, ...]:
    """The items of a requirement, by its key in :data:`twin.standard.CLAUSES`."""
    return tuple(item for item in _ITEMS if item.clause == clause)

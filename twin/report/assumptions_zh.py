"""The list of assumptions in Chinese: what each setting is, its source, its range, its value.

The settings speak English where they are declared; a Chinese report looks their sentences up here.
A test finds the sentences that have no translation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

WHAT: Mapping[str, str] = {
    # roads
    "free-flow speed of an ordinary vehicle by road class, where no maxspeed is tagged":
        "普通车辆的自由流车速，按道路等级（道路未标注限速时）",
    "speed of a fire engine by road class, not bound by maxspeed":
        "消防车车速，按道路等级，不受限速约束",
    "a loaded fire engine goes no faster": "满载消防车的最高车速",
    "periods of slower traffic, by name; an hour in no period is free flow":
        "车速降低的时段，按名称；不在任何时段内的小时为自由流",
    "share of the congestion's extra time that a fire engine with siren still loses":
        "拥堵增加的时间中，鸣笛消防车仍会损失的比例",
    "time that an ordinary vehicle loses at a junction, mean over turns and signals":
        "普通车辆在路口损失的时间（转向与信号的平均）",
    "the same for a fire engine, which has the right of way": "同上，享有优先通行权的消防车",
    "time that an ordinary vehicle loses by starting and stopping, once a trip":
        "普通车辆每次出行因起步和停车损失的时间",
    "the same for a fire engine": "同上，消防车",
    # venues
    "networked points to generate, exactly; a file of venues has its own number":
        "生成的联网终端（点）总数；单位文件自带数量",
    "shares of the kinds among the venues": "各类单位的占比",
    "a venue of a file farther than this from any road is an error":
        "文件中的单位距道路超过此值视为错误",
    "odds that a responsible person answers the telephone, by venue kind":
        "责任人接听电话的概率，按单位类型",
    "factor on the odds from 0 to 6 h": "0时至6时该概率的系数",
    "share of venues with video for verification": "可用视频复核的单位占比",
    "incipient fires per venue, by venue kind": "每个单位的初期火情，按单位类型",
    # network
    "devices in ECL0 (MCL 144 dB)": "覆盖等级ECL0（MCL 144 dB）的设备",
    "devices in ECL1 (MCL 154 dB)": "覆盖等级ECL1（MCL 154 dB）的设备",
    "devices in ECL2 (MCL 164 dB)": "覆盖等级ECL2（MCL 164 dB）的设备",
    "coefficient of variation of the lognormal latency": "对数正态时延的变异系数",
    "delivery in ECL0": "ECL0的送达率",
    "delivery in ECL1": "ECL1的送达率",
    "delivery in ECL2": "ECL2的送达率",
    "transmissions of an alarm telegram until it is given up; a heartbeat has one":
        "报警报文放弃前的发送次数；心跳只发一次",
    "NB-IoT devices of the center in one cell": "一个小区内本中心的NB-IoT设备数",
    "outages of a cell": "一个小区的中断次数",
    "mean length of a cell outage": "小区中断的平均时长",
    "registers read from a slave in one poll": "一次轮询读取的寄存器数",
    "a slave's answer time": "从站的应答时间",
    "wait for a slave that does not answer": "等待无应答从站的时间",
    "polls of a silent slave in one cycle": "一个周期内对无应答从站的轮询次数",
    "mean time of a frame to the vendor": "一帧到达厂商平台的平均时间",
    "its coefficient of variation (lognormal)": "其变异系数（对数正态）",
    "share of single frames that arrive": "单帧送达的比例",
    "outages of one gateway's uplink": "一台网关上行链路的中断次数",
    "mean length of an uplink outage": "上行链路中断的平均时长",
    "points on one feeder": "一条馈线上的点数",
    "power cuts of a feeder": "一条馈线的停电次数",
    "mean length of a cut": "停电的平均时长",
    "backup of a mains-powered device": "市电设备的备用电源时长",
    "backup battery of a host or transmission device": "主机或传输装置的备用电池时长",
    # vendor platforms
    "heartbeat interval of its devices": "其设备的心跳间隔",
    "missed heartbeats in a row that flag a device": "判定离线所需的连续丢失心跳数",
    "how late a heartbeat may be": "心跳允许的迟到时间",
    "mean time of a push to the on-site platform": "推送到现场端平台的平均时间",
    "pushes that never come; the next pull corrects a state, nothing an event":
        "丢失的推送；状态由下次拉取更正，事件无法补回",
    "how often the on-site platform pulls the device states": "现场端平台拉取设备状态的周期",
    "outages of the vendor platform": "厂商平台的中断次数",
    "mean length of an outage": "中断的平均时长",
    # alarm core
    "a device that reopened an alarm so often without a fire is disabled; 0: never":
        "无火情而重复触发报警达此次数的设备予以屏蔽；0为从不",
    # center
    "from the center's middle to its boundary (5.1.2)": "服务中心的中心点到其边界的距离（5.1.2）",
    "time of day of the first handover": "每日第一次交接班时刻",
    "maintenance day begins": "维保人员上班时刻",
    "maintenance day ends": "维保人员下班时刻",
    "days a maintenance person works in a week": "维保人员每周工作天数",
    "shifts a person misses (leave, sickness)": "人员缺勤班次的比例（休假、生病）",
    "missed shifts that somebody off duty covers": "缺勤班次中由休班人员顶班的比例",
    "a break away from the desk": "离开值班席休息的时长",
    "time on duty between two breaks": "两次休息之间的在岗时间",
    "median time from an alarm on the screen to a person's response":
        "从屏幕报警到人员响应的时间中位数",
    "spread (sigma of the logarithm) of the reaction": "响应时间的离散度（对数标准差）",
    "reading place and contacts, checking SMS and call receipts":
        "查看位置和联系人、核对短信和电话回执的时间",
    "mean ringing time before an answer, or until the next number is tried":
        "接听前或改拨下一号码前的平均振铃时间",
    "mean length of a verification call": "复核电话的平均时长",
    "coefficient of variation of a call's length": "通话时长的变异系数",
    "share of the call after which the operator can decide": "值班人员可作判断时的通话进度",
    "calling stops when nobody has answered for this long": "无人接听达此时长即停止拨打",
    "calls and videos from which the situation is clear": "能够明确情况的电话和视频占比",
    "real fires that a call wrongly finds to be none": "电话复核误判为无火情的真实火情占比",
    "mean time from confirmed to 119 having the report": "从确认到119接报的平均时间",
    "mean time on scene where there was no fire": "无火情时在场的平均时间",
    "mean time on scene at a fire": "有火情时在场的平均时间",
    "mean time to annotate and complete a record": "注释并完成记录的平均时间",
    "mean time to write the report of Annex C": "填写附录C报告的平均时间",
    "real fires that stay incipient": "止于初期的真实火情占比",
    "confirmed fires whose scene the brigade seals": "现场被消防队封闭的确认火灾占比",
    "mean time until a notification's receipt": "通知回执的平均时间",
    "responsible people from whom any receipt comes": "有回执的责任人占比",
    "venues whose registered numbers are wrong: no receipt and no answer from anybody":
        "登记号码有误的单位占比：既无回执也无人接听",
    "from the order to the vehicle moving": "从接到指令到车辆出动",
    "venues whose passage is blocked when somebody comes": "到达时通道被堵的单位占比",
    "delay on foot past a blocked passage": "步行绕过被堵通道的延误",
    "people who stay at the desk when others go out; 0: the last may leave":
        "有人外出时留守值班席的人数；0为最后一人也可离开",
    "speed of a bike on the road's length": "电动自行车沿道路的速度",
    "on foot, where no vehicle is left": "步行（无车可用时）",
    "venues with a grid worker who gets confirmed alarms": "有网格员接收确认火警的单位占比",
    "mean time of a grid worker to the scene": "网格员到场的平均时间",
    "venues near a micro fire station": "邻近微型消防站的单位占比",
    "mean time of a micro fire station to the scene": "微型消防站到场的平均时间",
    "engines of each brigade station": "每个消防队站的消防车数",
    "an offline device gets this long to come back by itself before a trip":
        "派人之前等待离线设备自行恢复的时间",
    "until an operator has looked into an offline device and recorded it":
        "值班人员查明离线情况并记录所需的时间",
    "changing a battery": "更换电池",
    "a repair or an exchange": "维修或更换设备",
    "cleaning and testing a contaminated detector": "清洗并测试受污染的探测器",
    "planned test and cleaning of one device": "一台设备的计划测试和清洗",
    "repairs that need a spare device": "需要备件的维修占比",
    "side of the squares whose venues one trip serves together": "一次外出共同服务的方格边长",
    "a trip takes no more work than this": "一次外出的最大工作量",
    "full stock of a device kind, as share of its devices": "一类设备的满额库存，占该类设备的比例",
    "full stock of batteries, as share of the devices that have one":
        "电池的满额库存，占有电池设备的比例",
    "an order is placed when this share of the stock is left": "库存降至此比例时订货",
    "from the order to the delivery": "从订货到交货",
    "complaints a year that are upheld, per 20,000 points": "每20000点每年查实的投诉数",
    "contracts renewed at their end (D.1)": "到期续签的合约占比（D.1）",
    # siting
    "price of a center a year without its people: rooms, platform, vehicles (any currency)":
        "一个服务中心每年的费用（不含人员）：用房、平台、车辆（任意币种）",
    "price of a person a year, in the same currency": "一名人员每年的费用（同一币种）",
    "points that one maintenance person looks after, for the scenarios that come out":
        "一名维保人员负责的点数（用于生成的场景）",
    "candidates among nodes or buildings, spread evenly over the district":
        "候选位置数，在区域内均匀分布",
    "what lies within this of a reached road counts as reached": "距可达道路此距离内视为可达",
    # sizing
    "periods simulated before the first look at the figures": "首次查看结果前模拟的时段数",
    "periods simulated of a design at most; what is open then is undecided":
        "每个方案最多模拟的时段数；届时仍不明确者视为未定",
    "fire alarm messages that may miss the 5 s or the 1 min of 6.1 because nobody was free; "
    "the rest miss them with any number of people":
        "因无人空闲而超过6.1的5 s或1 min的火警信息容许占比；其余无论多少人都会超时",
    "devices maintained in time (6.5, 7.1), at least": "按时维保的设备占比下限（6.5、7.1）",
    "spares that were not there when a repair needed them, of all spares used, at most":
        "维修需要时缺货的备件占所用备件的上限",
    # devices
    "mean years from clean to needs-cleaning": "从清洁到需要清洗的平均年数",
    "multiplies all nuisance rates": "所有误报率的倍数",
    "rise of the nuisance rate from clean to needs-cleaning": "从清洁到需要清洗期间误报率的增幅",
    "test alarms by occupants per device-year; 3 % of dwelling alarms were tests (Avon 2014)":
        "每设备年由用户触发的测试报警；住宅报警中3%为测试（Avon 2014）",
    "share of devices that fail within a year (compounds: 97/74/54 % work after 1/10/20 years)":
        "一年内失效的设备占比（逐年累积：1/10/20年后97/74/54%完好）",
    "share of faults that the device reports": "设备能自行上报的故障占比",
    "share of devices whose radio part fails in a year": "一年内通信部件失效的设备占比",
    "losses of coverage per device-year at level 0": "0级覆盖下每设备年失去覆盖的次数",
    "factor on it for each coverage level": "每降一级覆盖的系数",
    "share of coverage losses that heal themselves": "能自行恢复的失去覆盖占比",
    "mean time to that, s": "其平均时间，s",
    "share of the nominal energy that is usable (self-discharge, cold, pulse load, alarms)":
        "标称能量中可用的比例（自放电、低温、脉冲负载、报警）",
    "standard deviation of the life of single batteries, as a share":
        "单个电池寿命的标准差（占比）",
    "tamperings per device-year": "每设备年被拆动的次数",
    "times per device-year": "每设备年的次数",
    "genuine alarms per device-year": "每设备年的真实报警次数",
    "share of alarms on which it works": "报警时能动作的比例",
    "delay after the alarm, s": "报警后的延迟，s",
    "early warnings per device-year": "每设备年的预警次数",
    "mean excess over the setting, as a share of it": "超出设定值的平均幅度（占设定值）",
    "mean time until it is normal again by itself, s; 0: only by a visit":
        "自行恢复正常的平均时间，s；0为须人员到场",
    "interval of self-tests, s": "自检间隔，s",
}  # fmt: skip
"""What a setting is, by its English description."""

SOURCE: Mapping[str, str] = {
    "assumption": "假设",
    "car profile of the OSRM routing engine (speeds by highway class); road and track: assumption":
        "OSRM路径引擎的小汽车参数（按道路等级）；未分级道路和机耕路为假设",
    "assumption: up to 10 km/h above an ordinary vehicle, as the law frees it of the limit "
    "(Sichuan regulations, art. 44); no faster than it on a motorway":
        "假设：比普通车辆最多快10 km/h，因法规不限其车速（四川省消防条例第44条）；高速公路上不更快",
    "assumption (slowing from 50 to 25 km/h and back at 1.5 and 2 m/s2 costs 2 s, waiting comes on "
    "top)":
        "假设（以1.5和2 m/s²从50减至25 km/h再恢复损失2 s，另加等待）",
    "assumption (slowing from 60 to 30 km/h and back at 1 and 1.5 m/s2 costs 3.5 s; not at every "
    "junction)":
        "假设（以1和1.5 m/s²从60减至30 km/h再恢复损失3.5 s；并非每个路口）",
    "v/2 (1/a + 1/b) at 50 km/h with 1.5 and 2 m/s2; the accelerations are an assumption":
        "v/2 (1/a + 1/b)，50 km/h，1.5和2 m/s²；加速度为假设",
    "v/2 (1/a + 1/b) at 60 km/h with 1 and 1.5 m/s2; the accelerations are an assumption":
        "v/2 (1/a + 1/b)，60 km/h，1和1.5 m/s²；加速度为假设",
    "assumption (document 000)": "假设（抚州方案）",
    "dwellings: NFRA 2024, 6.25e-4 per household-year; the others assumption":
        "住宅：国家消防救援局2024年，每户年6.25e-4；其余为假设",
    "assumption; the thesis gives means and a tail to 100 s": "假设；文献给出均值和长至100 s的尾部",
    "assumption; GB/T 26875.3 has 3": "假设；GB/T 26875.3为3次",
    "assumption; rural China about 15 h without power in 2019 (second-hand)":
        "假设；2019年农村年均停电约15 h（转引）",
    "assumption: none built in": "假设：未内置",
    "assumption, after what GB 26875.1 is said to ask of transmission devices":
        "假设，参照GB 26875.1对传输装置的要求（转引）",
    "assumption; GB 20517-2025 5.11 asks for a battery check at least every 24 h":
        "假设；GB 20517-2025的5.11要求至少每24 h检查一次电池",
    "assumption within B.3.2": "B.3.2范围内的假设",
    "assumption; 90 % within 10 s is good practice (NFPA 1225)":
        "假设；10 s内90%为良好实践（NFPA 1225）",
    "assumption; 6.1 leaves 1 min for all of verification": "假设；6.1要求全部复核在1 min内完成",
    "assumption (document 004, article 48)": "假设（四川省消防条例第48条）",
    "assumption; 80 s is NFPA 1710 for a fire crew": "假设；NFPA 1710对消防队为80 s",
    "assumption (document 004, article 19)": "假设（四川省消防条例第19条）",
    "assumption; GB 17761 allows 25 km/h": "假设；GB 17761允许25 km/h",
    "assumption; `twin size` works it out": "假设；可由twin size计算",
    "assumption; 6.1 asks for every message": "假设；6.1要求每一条信息",
    "assumption, after the 97 % of 4.6; 6.5 asks for every device":
        "假设，参照4.6的97%；6.5要求每一台设备",
    "assumption; 5.2.9 asks for enough": "假设；5.2.9要求数量适当",
    "assumption: 700 m apart in a township of 200 km2": "假设：在200 km²的乡镇内相距700 m",
    "NFPA fact sheet; CPSC: smoke alarms; taken for the other kinds as an assumption":
        "NFPA资料、CPSC：感烟报警器；其他类型假设相同",
}  # fmt: skip
"""Where a number comes from, by its English source."""

WORDS: Mapping[str, str] = {
    "to": "至", "times": "倍", "per township": "按乡镇", "the rest shared": "其余分摊",
    "slowdown": "减速系数", "yes": "是", "no": "否", "days weekday": "工作日",
    "days weekend": "周末", "days": "日期", "start": "起", "end": "止", "week": "周", "year": "年",
    "weekday_morning": "工作日早高峰", "weekday_day": "工作日白天",
    "weekday_evening": "工作日晚高峰", "weekend_day": "周末白天",
    "motorway": "高速公路", "trunk": "快速路", "primary": "主要道路", "secondary": "次要道路",
    "tertiary": "三级道路", "unclassified": "乡村道路", "residential": "居住区道路",
    "living_street": "生活街道", "road": "未分级道路", "service": "内部道路", "track": "机耕路",
    "motorway_link": "高速公路匝道", "trunk_link": "快速路匝道", "primary_link": "主要道路连接线",
    "secondary_link": "次要道路连接线", "tertiary_link": "三级道路连接线",
}  # fmt: skip
"""Words of values and ranges."""

_WORD = re.compile("|".join(rf"\b{re.escape(w)}\b" for w in sorted(WORDS, key=len, reverse=True)))


def what_zh(what: str) -> str:
    """What a setting is; the English words where there is no translation."""
    return WHAT.get(what, what)


def source_zh(source: str) -> str:
    """Where its number comes from."""
    return SOURCE.get(source, source)


def value_zh(value: str) -> str:
    """A value or a range: its words in Chinese, its numbers and units as they are."""
    from twin.venues.kinds import VENUE_KINDS

    for name, kind in VENUE_KINDS.items():
        value = value.replace(name, kind.name_zh)
    value = _WORD.sub(lambda found: WORDS[found[0]], value)
    value = re.sub(r" ?至 ?", "至", value).replace(" %", "%").replace(", ", "，")
    return value.replace(" 倍", "倍").replace(" (", "（").replace(")", "）")

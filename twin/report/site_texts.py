"""The words of a plan's table, page and figures, in English and Chinese."""

from __future__ import annotations

from twin.assessment.finding import Text
from twin.report.texts import Language, tidy

WORDS: dict[str, Text] = {
    "title": Text(
        "Where centers go: DB3211/T 1066-2023, 5.1.1, 5.1.2 and 5.1.12",
        "服务中心选址：DB3211/T 1066-2023 第5.1.1、5.1.2、5.1.12条",
    ),
    "question_fewest": Text(
        "the fewest centers that reach all that can be reached",
        "可达全部可覆盖需求点的最少中心数",
    ),
    "question_best": Text("the {k} centers that reach the most points", "覆盖点数最多的{k}个中心"),
    "question_mean": Text("the {k} centers with the least mean time", "平均时间最短的{k}个中心"),
    "question_worst": Text("the {k} centers with the least worst time", "最长时间最短的{k}个中心"),
    "question_capacitated": Text(
        "the fewest centers with at most {capacity} points each",
        "每个中心不超过{capacity}点时的最少中心数",
    ),
    "question_cheapest": Text(
        "the least price of centers and people (5.1.12)", "中心与人员总费用最低（5.1.12）"
    ),
    "proven": Text("proven: no better plan exists (gap 0)", "已证明最优（间隙为0）"),
    "gap": Text(
        "not proven ({status}): the bound is {bound}, the gap {gap}",
        "未证明最优（{status}）：界为{bound}，间隙{gap}",
    ),
    "head": Text(
        "{centers} {reach} {covered} of {points} points ({share}) within {limit} and "
        "{radius} in the worst hour; in free flow {free}",
        "{centers}在最不利时段于{limit}、{radius}内可达{points}点中的{covered}点"
        "（{share}）；自由流时{free}",
    ),
    "edge_head": Text(
        "the district's edge and roads, {all} points that decide: {reached} reached",
        "辖区外缘与道路的{all}个决定性点中可达{reached}个",
    ),
    "no_candidate": Text("Reached from no candidate", "任何候选点都不可达"),
    "not_chosen": Text("Not reached from the chosen centers", "所选中心不可达"),
    "missed_venues": Text("{venues} venues with {points} points", "{venues}家单位（{points}点）"),
    "missed_edge": Text("{edge} point{s} of edge and roads", "{edge}个外缘与道路点"),
    "missed": Text(
        "{name}{facts}: nearest {candidate}, {minutes}, {straight} km straight, {road}; {why}",
        "{name}{facts}：最近的{candidate}，{minutes}，直线{straight}km，{road}；{why}",
    ),
    "missed_place": Text(
        "{place}: {what}; nearest {candidate}, up to {minutes} and {straight} km straight",
        "{place}：{what}；最近的{candidate}，最多{minutes}、直线{straight}km",
    ),
    "nowhere": Text("no named place near", "附近无命名地点"),
    "missed_points": Text("{points} points", "{points}点"),
    "missed_road": Text("{road} km by road", "道路{road}km"),
    "missed_no_road": Text("no way by road", "道路不可达"),
    "too_late": Text("beyond {limit}", "超过{limit}"),
    "too_late_and_far": Text("beyond {limit} and {radius}", "超过{limit}和{radius}"),
    "too_far": Text("beyond {radius}", "超过{radius}"),
    "edge_broken": Text(
        "{name} does not keep 5.1.1 at its edge: of {all} points {parts}{unreached}",
        "{name}的边缘不符合5.1.1：{all}个点中{parts}{unreached}",
    ),
    "edge_part": Text(
        "{count} lie beyond {limit} (up to {value} in the {side})",
        "{count}个超过{limit}（{side}侧最大为{value}）",
    ),
    "edge_unreached": Text(
        "; no candidate reaches what is named above there ({names})",
        "；该处为上述任何候选点都不可达的地点（{names}）",
    ),
    "staff": Text(
        "{people} people in all: {duty} on duty in shifts (4.4, 5.1.12) and {maintenance} for "
        "maintenance",
        "共需{people}人：轮班值守{duty}人（4.4、5.1.12），维保{maintenance}人",
    ),
    "venues_alone": Text(
        "{venues} would reach every venue that these do; the others are there for the edge of the "
        "area, which 5.1.1 asks for (siting.edge = false asks for the venues alone)",
        "若只考虑单位，{venues}即可覆盖同样的单位；其余中心用于满足5.1.1对辖区边缘的要求"
        "（siting.edge = false时只要求单位）",
    ),
    "more": Text("... and {count} more, in {file}", "……另有{count}项，见{file}"),
    "center": Text("center", "服务中心"),
    "near": Text("near", "附近"),
    "points": Text("points", "点数"),
    "venues": Text("venues", "单位"),
    "shift": Text("per shift", "每班人数"),
    "people": Text("people: duty + maintenance", "人员：值守+维保"),
    "slowest": Text("slowest venue", "最慢单位"),
    "edge": Text("edge, worst hour", "边缘（最不利时段）"),
    "free": Text("free flow", "自由流"),
    "straight": Text("edge, straight", "边缘直线距离"),
    "road": Text("by road", "道路距离"),
    "binds": Text("binds", "控制条件"),
    "binds_time": Text("{limit} {side}", "{limit}（{side}）"),
    "verdict": Text("5.1.1", "5.1.1"),
    "met": Text("met", "符合"),
    "not_met": Text("not met", "不符合"),
    "standing": Text("stands", "现有"),
    "area": Text("area", "辖区"),
    "reached": Text("reached by road", "道路可达面积"),
    "place": Text("place", "位置"),
    "not_by_road": Text("not by road", "道路不可达"),
    "none": Text("-", "-"),
    "excluded": Text(
        "5.1.2 rules out {count} of {all} candidates: {why}",
        "5.1.2排除了{all}个候选点中的{count}个：{why}",
    ),
    "excluded_none": Text(
        "5.1.2 rules out none of the {all} candidates", "5.1.2未排除{all}个候选点中的任何一个"
    ),
    "why_chemicals": Text(
        "{count} less than {limit} m from dangerous chemicals", "{count}个距危险化学品不足{limit}m"
    ),
    "why_filling": Text(
        "{count} less than {limit} m from a filling station", "{count}个距加油加气站不足{limit}m"
    ),
    "why_wind": Text(
        "{count} downwind of dangerous chemicals within {limit} km",
        "{count}个位于{limit}km内危险化学品的下风处",
    ),
    "standing_remark": Text(
        "{name} stands already, but {why}: {hazard}", "现有中心{name}{why}：{hazard}"
    ),
    "rule_chemicals": Text("too near to dangerous chemicals", "距危险化学品过近"),
    "rule_filling": Text("too near to a filling station", "距加油加气站过近"),
    "rule_wind": Text("downwind of dangerous chemicals", "位于危险化学品下风处"),
    "front": Text("What more or fewer centers would do", "中心数与效果的权衡"),
    "front_how": Text(
        "For each number of centers the most points that it can reach, and apart from that the "
        "least mean time to a point; venues only, not the edge.",
        "各中心数下可覆盖的最多点数，以及（另行优化的）到各点的最短平均时间；只计单位，不计边缘。",
    ),
    "own": Text("{centers}, this plan", "{centers}（本方案）"),
    "proof": Text("proof", "证明"),
    "front_proven": Text("proven", "已证明"),
    "centers": Text("centers", "中心数"),
    "covered": Text("most points reached", "最多可达点数"),
    "mean": Text("least mean time", "最短平均时间"),
    "this_plan": Text("this plan", "本方案"),
    "front_gap": Text("gap {gap}", "间隙{gap}"),
    "brigades": Text(
        "Full-time brigades (Sichuan fire regulations, art. 38)",
        "专职消防队（四川省消防条例第三十八条）",
    ),
    "brigade_yes": Text(
        "{name} ({kind}): advised; {station}",
        "{name}（{kind}）：建议设专职消防队；{station}",
    ),
    "brigade_far": Text("{station} needs {minutes}", "{station}需{minutes}"),
    "brigade_no_station": Text("no fire station in the district", "辖区内无消防站"),
    "brigade_near": Text(
        "other places with a station within {limit}: {count}", "另有{count}处{limit}内有消防站"
    ),
    "kind_town": Text("town", "镇"),
    "kind_enterprise": Text("enterprise", "企业"),
    "kind_heritage": Text("heritage site", "文物保护单位"),
    "water": Text(
        "Water: {share} of the venues have a working hydrant within {limit} m by road; median "
        "{median}; {working} of {all} hydrants work",
        "消防水源：{share}的单位在道路距离{limit}m内有可用消火栓；中位数{median}；"
        "{all}个消火栓中{working}个可用",
    ),
    "no_water": Text(
        "Water: no hydrant is known; give siting.hydrants_file", "消防水源：无消火栓资料"
    ),
    "incident": Text("Hydrants for the incident at {place}", "事故点{place}的消火栓"),
    "incident_row": Text(
        "{name}: {metres} m by road, at {lon}, {lat}", "{name}：道路距离{metres}m，位于{lon}, {lat}"
    ),
    "incident_none": Text("no working hydrant", "无可用消火栓"),
    "price": Text(
        "price {price} a year: {centers} centers and {people} duty people (assumed prices)",
        "年费用{price}：{centers}个中心、{people}名值守人员（价格为假设）",
    ),
    "over": Text(
        "{name} has more than {capacity} points: {people} people on each shift (5.1.12)",
        "{name}超过{capacity}点：每班{people}人（5.1.12）",
    ),
    "run_them": Text("each center runs with: twin run {file}", "各中心可直接运行：twin run {file}"),
    "map": Text("The plan on the district's roads", "选址方案图"),
    "tight": Text(
        "{name}, edge in the {side}: {time} of {limit}, {straight} km of {radius}",
        "{name}{side}边缘：{time}（限值{limit}），{straight}km（限值{radius}）",
    ),
    "legend_area": Text("areas", "辖区"),
    "legend_reach": Text("reached by road from its center", "本中心道路可达范围"),
    "legend_demand": Text("venues, by center", "单位（按中心着色）"),
    "legend_candidates": Text("candidates", "候选点"),
    "legend_excluded": Text("ruled out by 5.1.2", "被5.1.2排除"),
    "legend_uncovered": Text("not reached", "不可达"),
    "legend_hazards": Text("hazards, fire stations", "危险源、消防站"),
    "legend_villages": Text("villages", "村镇"),
    "legend_centers": Text("centers: points", "服务中心：点数"),
    "legend_tight": Text(
        "where 5.1.1 is tightest: {limit} or {radius}", "5.1.1最紧处（{limit}或{radius}）"
    ),
    "legend_limits": Text("where 5.1.1 is tightest", "5.1.1最紧处"),
    "kind_dangerous_chemicals": Text("dangerous chemicals", "危险化学品"),
    "kind_filling_station": Text("filling station", "加油加气站"),
    "kind_fire_station": Text("fire station", "消防站"),
    "legend_hydrants": Text("hydrants", "消火栓"),
    "legend_roads": Text("roads", "道路"),
    "legend_circle": Text("radius {radius}", "半径{radius}"),
    "hint": Text(
        "wheel or buttons: zoom; drag: move; point at a mark: what it is",
        "滚轮或按钮缩放，拖动平移，指向标记可查看说明",
    ),
    "assumptions": Text("Assumptions of the plan", "选址所用假设"),
    "how": Text("How it is judged", "判定方法"),
    "how_time": Text(
        "The {limit} run from the dispatch order: turnout ({turnout}) and the travel of an "
        "ordinary vehicle in the worst hour of the week, to every venue and to the edge.",
        "{limit}自接到出动指令起算：出动（{turnout}）加普通车辆在一周最不利时段的行驶，"
        "到每个单位和辖区边缘。",
    ),
    "how_radius": Text(
        "The radius of {radius} is a straight line; the way by road stands beside it.",
        "半径{radius}按直线距离；另列道路距离。",
    ),
    "how_area": Text(
        "A center's area is what lies nearer to the roads and venues it serves than to those of "
        "another; its edge is sampled every 500 m where a road comes near.",
        "中心的辖区为距其所服务道路和单位更近的部分；边缘在有道路处每500m取一点。",
    ),
    "how_reach": Text(
        "Reached by road is what lies within {verge} m of a road that is driven in time; roads are "
        "cut where the time is over.",
        "道路可达范围为按时可驶达道路两侧{verge}m以内；道路在到时处截断。",
    ),
}

SIDES = {
    "en": ("N", "NE", "E", "SE", "S", "SW", "W", "NW"),
    "zh": ("北", "东北", "东", "东南", "南", "西南", "西", "西北"),
}


def tell(key: str, lang: Language, **values: object) -> str:
    """One of the words, with what stands in it."""
    text = WORDS[key]
    return tidy((text.zh if lang == "zh" else text.en).format(**values), lang)


def centers_word(count: int, lang: Language) -> str:
    """So many centers."""
    if lang == "zh":
        return f"{count}个中心"
    return "1 center" if count == 1 else f"{count} centers"


def side(bearing_deg: float, lang: Language) -> str:
    """A compass direction as a word."""
    return SIDES[lang][round(bearing_deg / 45.0) % 8]


def minutes(seconds: float, lang: Language) -> str:
    """A time in minutes; "not by road" where there is no way."""
    if seconds == float("inf"):
        return tell("not_by_road", lang)
    if seconds != seconds:
        return "-"
    return f"{seconds / 60:.1f} min" if lang == "en" else f"{seconds / 60:.1f}min"


def km(metres: float) -> str:
    """A distance in kilometres."""
    return "-" if metres != metres else f"{metres / 1000:.2f}"


def percent(share: float) -> str:
    """A share in per cent; 100 only where it is all, 0 only where it is nothing."""
    if share == 0:
        return "0 %"
    shown = 100 * share
    if 0 < shown < 0.05:
        return "< 0.1 %"
    if shown < 100 and round(shown, 1) >= 100:
        return "< 100 %"
    return f"{shown:.1f} %" if shown < 100 else "100 %"

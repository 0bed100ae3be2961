"""The words of a sizing study's table, page and figures, in English and Chinese."""

from __future__ import annotations

from twin.assessment.finding import Text
from twin.report.texts import Language, say, tidy

WORDS: dict[str, Text] = {
    "title": Text(
        "What a center needs: DB3211/T 1066-2023, 4.4, 4.6, 4.7, 5.1.12, 5.2.9, 6.1 and 6.5",
        "服务中心配置：DB3211/T 1066-2023 第4.4、4.6、4.7、5.1.12、5.2.9、6.1、6.5条",
    ),
    "head_met": Text(
        "{center}, {points} points: {people} people on each shift and {maintenance} for "
        "maintenance ({staff} in all), vans: {vans}, spares for {spares} of each kind, a heartbeat "
        "every {heartbeat} are enough, with {confidence} confidence",
        "{center}（{points}点）：每班{people}人、维保{maintenance}人（共{staff}人）、{vans}辆车、"
        "各类备件{spares}、心跳间隔{heartbeat}即可满足要求，置信度{confidence}",
    ),
    "head_undecided": Text(
        "{center}, {points} points: undecided. The search came to {people} people on each shift, "
        "{maintenance} for maintenance ({staff} in all), vans: {vans}, spares for {spares} of each "
        "kind, a heartbeat every {heartbeat}, but {periods} fresh periods do not confirm them with "
        "{confidence} confidence; more periods may (--replications)",
        "{center}（{points}点）：未能判定。搜索得到每班{people}人、维保{maintenance}人（共{staff}人）、"
        "{vans}辆车、各类备件{spares}、心跳间隔{heartbeat}，但{periods}个新模拟时段不足以在置信度"
        "{confidence}下确认；可增加次数（--replications）",
    ),
    "head_missed": Text(
        "{center}, {points} points: not confirmed. The search came to {people} people on each "
        "shift, {maintenance} for maintenance ({staff} in all), vans: {vans}, spares for {spares} "
        "of each kind, a heartbeat every {heartbeat}, but {periods} fresh periods say that this is "
        "not enough; search with more periods (--replications)",
        "{center}（{points}点）：未获确认。搜索得到每班{people}人、维保{maintenance}人（共{staff}人）、"
        "{vans}辆车、各类备件{spares}、心跳间隔{heartbeat}，但{periods}个新模拟时段表明仍不足；"
        "请增加次数（--replications）",
    ),
    "head_none": Text(
        "{center}, {points} points: nothing that was tried is shown to be enough; what gives way "
        "stands below",
        "{center}（{points}点）：所试配置均不能证明满足要求，原因见下",
    ),
    "out_of_reach": Text(
        "No number of people, vans or spares does it: {asks}: {mean} ({between}) with plenty of "
        "everything",
        "人员、车辆和备件再多也不能满足：{asks}：配置充裕时为{mean}（{between}）",
    ),
    "not_decided": Text(
        "Not decided, and left out of what is said above: {asks}: {mean} ({between}) in {periods} "
        "periods with plenty of everything; more of them may decide (--replications)",
        "未能判定，不在以上结论之内：{asks}：配置充裕时{periods}个时段为{mean}（{between}），可增加次数"
        "（--replications）",
    ),
    "of_all": Text("what is asked above leaves these out", "以上结论不含这些要求"),
    "size": Text("size", "配置"),
    "found": Text("enough", "所需"),
    "as_is": Text("the scenario", "现有场景"),
    "plenty": Text("plenty", "充裕配置"),
    "people": Text("people on each shift", "每班人数"),
    "maintenance": Text("maintenance people", "维保人员"),
    "staff": Text("people in all", "人员总数"),
    "vans": Text("vans", "车辆"),
    "spares": Text("spares of each kind", "各类备件比例"),
    "heartbeat": Text("heartbeat every", "心跳间隔"),
    "clause": Text("clause", "条款"),
    "asks": Text("what is asked of the mean year", "对年均值的要求"),
    "target": Text("target: mean of the years", "要求（年均值）"),
    "least": Text("asked", "要求值"),
    "bound": Text("between", "置信区间"),
    "share": Text("years reach", "达标年份"),
    "decision": Text("decision", "结论"),
    "met": Text("met", "满足"),
    "not met": Text("not met", "不满足"),
    "undecided": Text("undecided", "未能判定"),
    "beside": Text("Beside, not asked", "其他指标（不作要求）"),
    "in_5_s": Text("messages responded to within 5 s (6.1)", "5s内响应的信息（6.1）"),
    "in_1_min": Text("messages verified within 1 min (6.1)", "1min内复核的信息（6.1）"),
    "below_two": Text(
        "minutes with fewer than two on duty (4.4 asks for none)",
        "在班不足2人的分钟数（4.4要求为0）",
    ),
    "alarms_day": Text("fire alarms a day", "每日火警数"),
    "batteries": Text("battery tickets", "电池工单"),
    "ceiling": Text(
        "What plenty does not reach either, no number of people mends: slow reactions and "
        "telephones that nobody answers.",
        "充裕配置亦不能达到的部分与人数无关：源于反应时间与电话无人接听。",
    ),
    "roster": Text(
        "4.4 asks for two on duty at every minute, and this is not counted above. Short of two in "
        "a period, when somebody is ill and nobody covers: {parts}",
        "4.4要求任何时刻在班不少于2人，以上结论未计此项。每时段因缺勤无人顶替而不足2人：{parts}",
    ),
    "roster_of": Text("{minutes} min with {people} on each shift", "每班{people}人时{minutes}min"),
    "smaller": Text(
        "Smaller: {what} {option}: {decision}: {why}",
        "更小的配置：{what}{option}：{decision}：{why}",
    ),
    "tried": Text("What was tried", "试验过程"),
    "step": Text("step", "步骤"),
    "periods": Text("periods", "模拟时段数"),
    "gives_way": Text("what gives way", "未满足项"),
    "step_plenty": Text("plenty of everything", "充裕配置"),
    "step_people": Text("people on each shift", "每班人数"),
    "step_maintenance": Text("maintenance people", "维保人员"),
    "step_vans": Text("vans", "车辆"),
    "step_spares": Text("spares", "备件"),
    "step_heartbeat": Text("heartbeat", "心跳间隔"),
    "step_confirmed": Text("fresh periods", "新时段确认"),
    "step_as it is": Text("the scenario as it is", "现有场景"),
    "threshold": Text(
        "At how many points do two people on each shift stop being enough?",
        "点数达到多少时每班2人不再够用？",
    ),
    "threshold_lead": Text(
        "5.1.12 says {standard} points. Two people who do everything: {handling} for the 97 % of "
        "4.6; {response} until {lost} of the messages miss the 5 s for want of people, "
        "{verification} for the 1 min; {maintenance} for maintenance in time. With maintenance "
        "people of their own: {crew_handling}, {crew_response}, {crew_verification} and "
        "{crew_maintenance}.",
        "5.1.12规定为{standard}点。2人承担全部工作时：97%处置率为{handling}点；因人手不足超过5s的信息达"
        "{lost}为{response}点，超过1min为{verification}点；维保及时为{maintenance}点。另设维保人员时依次"
        "为{crew_handling}、{crew_response}、{crew_verification}、{crew_maintenance}点。",
    ),
    "threshold_how": Text(
        "Points at which the mean falls below what is asked, interpolated between the numbers "
        "tried; in brackets, where the {confidence} bounds of the mean do, one on each side: "
        'between these the threshold lies. "Met to" and "not met from" are what the periods decide '
        "of all targets together: between them is undecided. Where plenty of people does not keep "
        "97 % either (last column: at the number of points beside the threshold), it is not the "
        "people: fewer nuisance alarms, for one, leave a larger share of alarms that somebody has "
        "to go to. Vans and spares are plentiful here; one maintenance "
        "person looks after {per} points where there are any.",
        "均值低于要求时的点数，由相邻试验点数插值；括号内为均值的{confidence}单侧置信界（上下各一）低于"
        "要求时的点数，阈值在其间。“满足至”“不满足自”为置信度{confidence}下可判定"
        "的点数，其间未能判定。末列为阈值附近人员充裕时的处置率：若其亦低于97%，则原因不在人数。此处车辆与备件充裕；设维保人员时每人负责{per}点。",
    ),
    "threshold_in_turn": Text(
        "The numbers of points are made of {center}'s own venues: taken in a random order, all of "
        "them before one is taken again, at their places and with their devices.",
        "各点数由{center}自有场所组成：按随机顺序选取，全部选完后再重复，位置与设备不变。",
    ),
    "threshold_left_out": Text(
        "Not tried, because whole venues do not come to it within 5 %: {points} points.",
        "未试验（以整个场所组成时误差超过5%）的点数：{points}。",
    ),
    "threshold_none": Text(
        "No threshold is shown: whole venues of the center come to none of the numbers of points "
        "of size.curve within 5 %.",
        "未给出阈值：以整个场所组成时，size.curve中的各点数误差均超过5%。",
    ),
    "variation": Text("what is changed", "变化因素"),
    "col_handling": Text("97 % handling", "处置率97%"),
    "col_response": Text("5 s", "5s响应"),
    "col_verification": Text("1 min", "1min复核"),
    "with_plenty": Text("with plenty", "充裕时"),
    "col_maintenance": Text("maintenance", "维保"),
    "enough": Text("met to", "满足至"),
    "too_many": Text("not met from", "不满足自"),
    "none": Text("none", "无"),
    "points": Text("points", "点"),
    "fig_margins": Text(
        "How far each figure is from what is asked: mean of the periods, and what it lies between",
        "各指标与要求的差距：各时段均值及置信区间",
    ),
    "fig_curve": Text(
        "Two people on each shift, the more points: mean and what it lies between",
        "每班2人时随点数的变化：均值及置信区间",
    ),
    "fig_drivers": Text(
        "What moves the threshold: the points at which two people stop being enough for 97 % of "
        "handling, and for the 5 s",
        "影响阈值的因素：每班2人不再满足97%处置率与5s响应时的点数",
    ),
    "axis_margin": Text("percentage points better than asked", "优于要求的百分点"),
    "axis_points": Text("networked points", "联网终端（点）"),
    "axis_handling": Text("handling rate %", "事故处置率 %"),
    "axis_lost": Text("5 s missed for want of people %", "因人手不足超过5s的信息 %"),
    "axis_maintenance": Text("maintained in time %", "维保及时率 %"),
    "too_little": Text("not met", "不满足"),
    "says_standard": Text("5.1.12: 20,000", "5.1.12：20000"),
    "notes": Text("How it is decided", "判定方法"),
    "note_statistic": Text(
        "Every figure is the mean over simulated periods with the same luck for every design. A "
        "target is met when the lower one-sided confidence bound of the mean reaches it, not met "
        "when the upper bound stays below, else undecided: that is no claim either way. The share "
        "of years that reach it by themselves stands beside.",
        "各指标为多个模拟时段的均值，各配置使用相同随机数。均值的单侧置信下限达到要求为“满足”，上限低于"
        "要求为“不满足”，否则为“未能判定”，不作任何结论。单个年份达标的比例另列。",
    ),
    "note_search": Text(
        "The search takes the fewest people in all first, on the shifts and for maintenance (0: "
        "the shift does it), then the smallest option of each later step with which everything "
        "holds. What it comes to is simulated for {periods} fresh periods that the search has "
        "not seen; only these carry the statement above.",
        "先取值班与维保合计最少的人数（维保0人：由值班人员承担），再依次选取仍满足全部要求的最小选项。所得配置另以未参与搜索的{periods}个新时段确认，"
        "以上结论仅以此为据。",
    ),
    "note_late": Text(
        "The deadlines of 6.1 hold for every message, and people alone cannot keep them all. So "
        "they are put against the same periods with plenty of people: at most {lost} of the "
        "messages may be late that are not late there.",
        "6.1的时限针对每条信息，仅靠增加人员不能全部满足，故与人员充裕时的同一时段比较：因人手不足而"
        "超时的信息不超过{lost}。",
    ),
    "report_at": Text("report", "报告"),
    "smallest": Text("the size as a scenario", "所得配置的场景文件"),
    "phases": Text("sizing", "配置计算"),
}


def tell(key: str, lang: Language, **values: object) -> str:
    """One of the study's own words, with its values."""
    return tidy(say(WORDS[key], lang).format(**values), lang)

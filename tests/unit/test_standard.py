"""The numbers and tables of twin.standard against the text of the standard itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from twin import standard
from twin.standard import CLAUSES, EQUIPMENT, FURNISHING, ROOMS, SURVEY, Modality, clauses, missing
from twin.terms import Annotation

TEXT_FILE = Path(__file__).parents[3] / "shared/seeds/001_f8ef91644a426880.txt"


@pytest.fixture(scope="module")
def printed() -> str:
    if not TEXT_FILE.exists():
        pytest.skip(f"the standard's text is not at {TEXT_FILE}: put the shared data there")
    return TEXT_FILE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def text(printed: str) -> str:
    return re.sub(r"[ \t]", "", printed)


@pytest.fixture(scope="module")
def paragraphs(text: str) -> dict[str, str]:
    """Text of each clause by its number, without blanks and line breaks."""
    body = text[text.index("\n3术语和定义\n\n下列") : text.index("\n附录A\n")]
    found: dict[str, str] = {}
    number = ""
    for line in body.splitlines():
        head = re.match(r"(?:-)?(\d+\.\d+(?:\.\d+)?|1[01](?=资料|考核))(.*)", line)
        if head:
            number, line = head[1], head[2]
        found[number] = found.get(number, "") + line
    return found


WORDS = {Modality.SHALL: "应", Modality.SHOULD: "宜", Modality.MAY: "可"}


def test_every_clause_binds_by_the_word_that_the_standard_uses(paragraphs: dict[str, str]) -> None:
    checked = 0
    for clause in CLAUSES.values():
        if clause.modality is Modality.DEFINITION or clause.number.startswith("D"):
            continue
        assert WORDS[clause.modality] in paragraphs[clause.number], clause.key
        assert clause.modality.zh == WORDS[clause.modality]
        checked += 1
    assert checked > 60


def test_a_recommendation_is_never_called_a_requirement(paragraphs: dict[str, str]) -> None:
    """Clauses with 宜 and without 应 hold no *shall*; those with both are split by modality."""
    for number, paragraph in paragraphs.items():
        rows = [c for c in CLAUSES.values() if c.number == number]
        if not rows or rows[0].modality is Modality.DEFINITION:
            continue
        if "宜" in paragraph:
            assert Modality.SHOULD in {c.modality for c in rows}, number
        if "应" not in paragraph.replace("响应", ""):
            assert Modality.SHALL not in {c.modality for c in rows}, number


def test_the_chinese_summaries_keep_the_numbers_of_their_clause(paragraphs: dict[str, str]) -> None:
    for clause in CLAUSES.values():
        if clause.number in paragraphs:
            for number in re.findall(r"\d+(?:\.\d+)?", clause.asks_zh.replace("附录", "")):
                assert number in paragraphs[clause.number], clause.key


NUMBERS = [
    ("4.4", r"配置人员数量应不少于(\d+)人", 1, standard.STAFF_MIN),
    ("4.4", r"每班应不少于(\d+)人", 1, standard.SHIFT_MIN),
    ("4.6", r"火警复核率应达到(\d+)%", 0.01, standard.VERIFICATION_RATE),
    ("4.6", r"事故处置率应不低于([\d.]+)%", 0.01, standard.HANDLING_RATE),
    ("4.7", r"在线率应不低于([\d.]+)%", 0.01, standard.ONLINE_RATE),
    ("4.11", r"服务周期宜不少于(\d+)年", 1, standard.SERVICE_CYCLE_YEARS),
    ("5.1.1", r"接到出动指令后(\d+)min", 60, standard.TRAVEL_S),
    ("5.1.1", r"半径不应超过(\d+)km", 1000, standard.RADIUS_M),
    ("5.1.2", r"危险部位应不小于(\d+)m", 1, standard.CHEMICALS_M),
    ("5.1.2", r"场所的距离应不小于(\d+)m", 1, standard.FILLING_M),
    ("5.1.5", r"建筑面积应不小于(\d+)m²", 1, standard.FLOOR_AREA_M2),
    ("5.1.12", r"超过(\d+)点时", 1, standard.POINTS_PER_CENTER),
    ("6.1", r"应在(\d+)s内响应", 1, standard.RESPONSE_S),
    ("6.1", r"应在(\d+)min内进行警情复核", 60, standard.VERIFICATION_S),
    ("6.5", r"应在(\d+)h内更换设备电池", 3600, standard.BATTERY_S),
    ("6.5", r"在(\d+)h内完成设备维护", 3600, standard.OFFLINE_S),
    ("9.3", r"通知至少(\d+)个相关责任人", 1, standard.RESPONSIBLE_PEOPLE),
    ("10", r"保管期限为定期(\d+)年", 1, standard.ARCHIVE_YEARS),
    ("B", r"最小(\d+)h到最大24h", 3600, standard.PULL_MIN_S),
    ("B", r"最小1h到最大(\d+)h", 3600, standard.PULL_MAX_S),
    ("B", r"至少要保留(\d+)个字符", 1, standard.TOKEN_CHARS_MIN),
    ("D.1", r"全年度设备在线率不应低于(\d+)%", 0.01, standard.ONLINE_RATE),
    ("D.1", r"全年度事故处理率不应低于(\d+)%", 0.01, standard.HANDLING_RATE),
    ("D.1", r"全年查实(\d+)次以内", 1, standard.COMPLAINTS_MAX),
    ("D.1", r"合约续签率不宜低于(\d+)%", 0.01, standard.RENEWAL_RATE),
]


@pytest.mark.parametrize(("clause", "pattern", "unit", "ours"), NUMBERS)
def test_a_number_is_the_standard_s(
    text: str, clause: str, pattern: str, unit: float, ours: float
) -> None:
    found = re.search(pattern, text.replace("\n", ""))
    assert found, clause
    assert float(found[1]) * unit == pytest.approx(ours), clause


@pytest.mark.parametrize(
    ("items", "begin", "end"),
    [
        (EQUIPMENT, "表 1 消防器材装备配置表", "5.1.10 "),
        (FURNISHING, "表 2 办公和生活设备配置表\n", "5.2 终端"),
    ],
)
def test_a_table_of_equipment_is_the_standard_s(
    printed: str, items: tuple[standard.Item, ...], begin: str, end: str
) -> None:
    table = printed[printed.index("\n" + begin) : printed.index("\n" + end)]
    rows = re.findall(r"(\d+)\t([^\t\n]+)(?:\t([●○]))?", table)
    assert [int(number) for number, _, _ in rows] == list(range(1, len(items) + 1))
    for item, (_, name, mark) in zip(items, rows, strict=True):
        assert item.name_zh == name
        # The display screen has no mark: it shares the projector's cell (one of the two).
        assert item.required == (mark != "○"), name


def test_rooms_are_those_of_5_1_6(paragraphs: dict[str, str]) -> None:
    required, optional = paragraphs["5.1.6"].split("宜设置")
    for room in ROOMS:
        assert room.name_zh in (required if room.required else optional)


def test_the_survey_covers_table_a_1(printed: str) -> None:
    table = printed[printed.index("\n表 A.1 现场勘察") : printed.index("\n附录 B (规范性)")]
    rows = [line.split("\t") for line in table.splitlines() if line.count("\t") >= 2]
    points = [cells[-2] for cells in rows if cells[0] != "序号"]
    assert [item.name_zh for item in SURVEY] == points


def test_a_test_is_no_false_alarm_and_false_alarms_are_class_four() -> None:
    classes = standard.ANNOTATION_CLASS
    assert set(classes) == set(Annotation)
    assert {a for a, c in classes.items() if c == 4} == {
        Annotation.FALSE_NUISANCE,
        Annotation.FALSE_FAULT,
    }


def test_keys_are_unique_and_clauses_are_found_by_number() -> None:
    assert [c.part for c in clauses("5.1.2")] == ["wind", "chemicals", "filling"]
    assert all(key == clause.key for key, clause in CLAUSES.items())
    items = EQUIPMENT + FURNISHING + ROOMS + SURVEY
    assert len({item.key for item in items}) == len(items)
    assert all(clauses(re.match(r"[\d.]*\d", item.key)[0]) for item in items)  # type: ignore[index]
    with pytest.raises(ValueError, match=r"5\.9"):
        clauses("5.9")


def test_a_projector_or_a_screen_is_enough() -> None:
    everything = {item.key: 1.0 for item in FURNISHING}
    assert missing(FURNISHING, everything) == ()
    one = everything | {"5.1.10.projector": 0}
    assert missing(FURNISHING, one) == ()
    none = one | {"5.1.10.screen": 0, "5.1.10.display_rack": 0}
    assert {item.key for item in missing(FURNISHING, none)} == {
        "5.1.10.projector",
        "5.1.10.screen",
    }

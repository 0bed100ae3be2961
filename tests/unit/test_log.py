"""The log: what is written is read back, bytes are reproducible, bad files are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from twin.log import COLUMNS, Log, LogError, LogWriter, merge, read_log, write_log
from twin.terms import Kind, View

START_US = 1_704_038_400_000_000  # 2024-01-01 00:00 in Shanghai


def small_log(center: str = "east", shift: float = 0.0) -> Log:
    writer = LogWriter(center, START_US)
    writer.row(2.5 + shift, Kind.OFFLINE, "d2", view=View.TRUTH, text="cell")
    writer.row(1.0 + shift, Kind.FIRE_ALARM, "d1", message=7, alarm=7, value=1, text="fire")
    writer.row(1.0 + shift, Kind.NOTIFIED, "v#1", alarm=7, value=0.5, text="sms")
    writer.block([2.5 + shift, 1.0 + shift], Kind.DEVICE, writer.codes(["d1", "d2"]), value=[1, 0])
    return writer.finish({"scenario": "seed = 1"})


def rows_of(log: Log) -> list[tuple[object, ...]]:
    columns = [getattr(log, name) for name in COLUMNS]
    plain = [c.array().tolist() if hasattr(c, "array") else c.tolist() for c in columns]
    return [tuple("nan" if v != v else v for v in row) for row in zip(*plain, strict=True)]


def test_order_is_by_time_then_blocks_then_rows() -> None:
    log = small_log()
    assert log.subject.array().tolist() == ["d2", "d1", "v#1", "d1", "d2"]
    assert (log.time - START_US).tolist() == [1_000_000] * 3 + [2_500_000] * 2
    assert log.seq.tolist() == [0, 1, 2, 3, 4]


def test_round_trip(tmp_path: Path) -> None:
    log = small_log()
    write_log(log, tmp_path / "events.parquet")
    back = read_log(tmp_path / "events.parquet")
    assert rows_of(back) == rows_of(log)
    assert back.meta["scenario"] == "seed = 1"
    assert [path.name for path in tmp_path.iterdir()] == ["events.parquet"]


def test_same_log_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_log(small_log(), tmp_path / name)
    write_log(small_log(shift=1e-6), tmp_path / "c")
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_merge_keeps_every_row_and_the_order_of_time() -> None:
    east, west = small_log("east"), small_log("west", shift=0.5)
    both = merge([east, west], {"scenario": "two"})
    assert len(both) == 10
    assert np.all(np.diff(both.time) >= 0)
    assert both.centers() == ["east", "west"]
    assert [row[2:] for row in rows_of(both.of_center("west"))] == [
        row[2:] for row in rows_of(west)
    ]
    assert both.meta == {"scenario": "two"}


def test_rows_by_kind_and_view() -> None:
    log = small_log()
    assert log.rows(Kind.OFFLINE).subject.array().tolist() == ["d2"]
    assert len(log.rows(Kind.OFFLINE, view=View.PLATFORM)) == 0
    assert len(log.rows(Kind.DEVICE, Kind.NOTIFIED)) == 3


def written(tmp_path: Path) -> tuple[Path, pa.Table]:
    path = tmp_path / "events.parquet"
    write_log(small_log(), path)
    return path, pq.read_table(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(["alarm"]), "column alarm is missing"),
        (lambda t: t.slice(0, 0), "no rows"),
        (
            lambda t: t.set_column(t.schema.get_field_index("kind"), "kind", pa.array(["x"] * 5)),
            'unknown kind "x"',
        ),
        (
            lambda t: t.set_column(t.schema.get_field_index("text"), "text", pa.array([1] * 5)),
            "column text is int64",
        ),
        (
            lambda t: t.set_column(
                t.schema.get_field_index("alarm"), "alarm", pa.array([None] * 5, pa.int64())
            ),
            "column alarm has 5 empty cells",
        ),
    ],
)
def test_bad_files_are_named(tmp_path: Path, change: object, message: str) -> None:
    path, table = written(tmp_path)
    pq.write_table(change(table), path)  # type: ignore[operator]
    with pytest.raises(LogError, match=message) as caught:
        read_log(path)
    assert str(path) in str(caught.value)


def test_missing_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="no such file"):
        read_log(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("time,seq\n")
    with pytest.raises(LogError, match="not a readable Parquet file"):
        read_log(tmp_path / "text.parquet")


def test_a_foreign_log_is_put_in_order(tmp_path: Path) -> None:
    """Plain strings, nanoseconds, rows upside down, extra columns, empty values."""
    path, table = written(tmp_path)
    log = read_log(path)
    plain = {name: table[name].cast(pa.string()) for name in ("center", "subject", "kind", "view")}
    foreign = pa.table(
        {
            "note": pa.array(["theirs"] * 5),
            **{name: plain.get(name, table[name]) for name in COLUMNS},
        }
    )
    place = foreign.schema.get_field_index("time")
    foreign = foreign.set_column(place, "time", foreign["time"].cast(pa.timestamp("ns", tz="UTC")))
    pq.write_table(foreign.take([4, 3, 2, 1, 0]), path)
    assert rows_of(read_log(path)) == rows_of(log)

"""The event log: one table that a run, a load test or a real center's export leaves behind.

Kinds and columns are those of :mod:`twin.terms`. In memory a :class:`Log` is a set of NumPy
columns; on disk it is one Parquet file that carries its scenario as metadata. ``pyarrow`` is
loaded only to read or write.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.terms import Kind, View

KINDS = tuple(Kind)
VIEWS = tuple(View)
KIND_CODE = {kind: code for code, kind in enumerate(KINDS)}
VIEW_CODE = {view: code for code, view in enumerate(VIEWS)}
COLUMNS = ("time", "seq", "center", "subject", "kind", "view", "message", "alarm", "value", "text")
SCHEMA_VERSION = "1"
MICROSECONDS = 1_000_000

_ROW_TYPES = {
    "time": "<f8",
    "message": "<i8",
    "alarm": "<i8",
    "value": "<f8",
    "subject": "<i4",
    "text": "<i4",
    "kind": "u1",
    "view": "u1",
}
_ROW = np.dtype(list(_ROW_TYPES.items()))
_PACK = struct.Struct("<dqqdiiBB").pack
NAN = float("nan")

_EARLIEST_US = -86_400 * MICROSECONDS  # 1970-01-01 in any time zone
_LATEST_US = 7_258_118_400 * MICROSECONDS  # 2200-01-01
_EARLIEST_PLAIN_US = 315_532_800 * MICROSECONDS
"""1980-01-01: plain numbers that end before it are in a coarser unit (ms reach 1971 by now)."""


class LogError(ValueError):
    """A log that cannot be read or judged; the message names the file and what is wrong."""


@dataclass(frozen=True)
class Words:
    """A text column, dictionary-coded: ``words[codes[i]]`` is the text of row ``i``."""

    codes: NDArray[np.int32]
    words: tuple[str, ...]

    def __getitem__(self, rows: NDArray[Any] | slice) -> Words:
        return Words(self.codes[rows], self.words)

    def __len__(self) -> int:
        return len(self.codes)

    def array(self) -> NDArray[np.object_]:
        """The texts themselves."""
        return np.array(self.words, dtype=object)[self.codes]

    def code(self, word: str) -> int:
        """The code of a word, -1 where it does not occur."""
        return self.words.index(word) if word in self.words else -1

    def equals(self, word: str) -> NDArray[np.bool_]:
        """Which rows have this text."""
        mask: NDArray[np.bool_] = self.codes == self.code(word)
        return mask


@dataclass(frozen=True)
class Log:
    """An event log in memory, ordered by ``(time, seq)``.

    Attributes
    ----------
    time : int64, microseconds since 1970-01-01 UTC.
    seq : int64, the order of rows within the log.
    center, subject, text : coded texts.
    kind, view : uint8 codes, positions in :data:`KINDS` and :data:`VIEWS`.
    message, alarm : int64 ids, 0 = none.
    value : float64, NaN = none.
    meta : what the file says of itself (``scenario``: the resolved scenario as TOML).
    """

    time: NDArray[np.int64]
    seq: NDArray[np.int64]
    center: Words
    subject: Words
    kind: NDArray[np.uint8]
    view: NDArray[np.uint8]
    message: NDArray[np.int64]
    alarm: NDArray[np.int64]
    value: NDArray[np.float64]
    text: Words
    meta: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.time)

    def __getitem__(self, rows: NDArray[Any] | slice) -> Log:
        """A part of the log, by row numbers or a mask."""
        return Log(
            self.time[rows],
            self.seq[rows],
            self.center[rows],
            self.subject[rows],
            self.kind[rows],
            self.view[rows],
            self.message[rows],
            self.alarm[rows],
            self.value[rows],
            self.text[rows],
            self.meta,
        )

    def rows(self, *kinds: Kind, view: View | None = None) -> Log:
        """The rows of these kinds, in order; of one view where it is named."""
        wanted = np.zeros(256, dtype=bool)
        wanted[[KIND_CODE[kind] for kind in kinds]] = True
        mask = wanted[self.kind]
        if view is not None:
            mask &= self.view == VIEW_CODE[view]
        return self[np.flatnonzero(mask)]

    def of_center(self, center: str) -> Log:
        """The rows of one center."""
        return self[self.center.equals(center)]

    def centers(self) -> list[str]:
        """The centers that occur, in order of their names."""
        present = np.unique(self.center.codes)
        return sorted(self.center.words[code] for code in present)


class LogWriter:
    """Collects the rows of one center; times are seconds since the start of the run.

    Rows of processes are packed as bytes, one at a time (:meth:`row`); rows of populations come
    as arrays (:meth:`block`). Among rows of the same time, blocks come before rows, each in the
    order in which it was added.

    Parameters
    ----------
    center : the center's name.
    start_us : the start of the run, microseconds since 1970-01-01 UTC.
    """

    def __init__(self, center: str, start_us: int) -> None:
        self._center = center
        self._start_us = start_us
        self._codes: dict[str, int] = {"": 0}
        self._packed = bytearray()
        self._blocks: list[dict[str, NDArray[Any]]] = []

    def code(self, word: str) -> int:
        """The code of a word in this log, for :meth:`block`."""
        return self._codes.setdefault(word, len(self._codes))

    def codes(self, words: Iterable[str]) -> NDArray[np.int32]:
        """The codes of many words, in their order."""
        known = self._codes
        return np.array([known.setdefault(word, len(known)) for word in words], np.int32)

    def chosen(self, words: Sequence[str], number: NDArray[np.integer]) -> NDArray[np.int32]:
        """The codes of ``words[number]``; words that nothing chooses stay out of the log."""
        used, first = np.unique(number, return_index=True)
        codes = np.zeros(len(words), np.int32)
        for k in used[np.argsort(first)].tolist():
            codes[k] = self.code(words[k])
        chosen: NDArray[np.int32] = codes[number]
        return chosen

    def row(
        self,
        time: float,
        kind: Kind,
        subject: str,
        *,
        view: View = View.PLATFORM,
        message: int = 0,
        alarm: int = 0,
        value: float = NAN,
        text: str = "",
    ) -> None:
        """Adds one row."""
        codes = self._codes
        try:
            of_subject, of_text = codes[subject], codes[text]
        except KeyError:
            of_subject, of_text = self.code(subject), self.code(text)
        self._packed += _PACK(
            time, message, alarm, value, of_subject, of_text, KIND_CODE[kind], VIEW_CODE[view]
        )

    def block(
        self,
        time: ArrayLike,
        kind: Kind,
        subject: NDArray[np.int32],
        *,
        view: View = View.PLATFORM,
        message: ArrayLike = 0,
        alarm: ArrayLike = 0,
        value: ArrayLike = NAN,
        text: ArrayLike = 0,
    ) -> None:
        """Adds a row per element of ``subject``; ``subject`` and ``text`` hold codes."""
        given = (time, message, alarm, value, subject, text, KIND_CODE[kind], VIEW_CODE[view])
        columns = {}
        for (name, of), one_or_all in zip(_ROW_TYPES.items(), given, strict=True):
            columns[name] = np.empty(len(subject), of)
            columns[name][:] = one_or_all
        self._blocks.append(columns)

    def finish(self, meta: Mapping[str, str] | None = None) -> Log:
        """The log of this center, sorted."""
        packed = np.frombuffer(bytes(self._packed), dtype=_ROW)

        def joined(name: str) -> NDArray[Any]:
            return np.concatenate([*(block[name] for block in self._blocks), packed[name]])

        time = np.rint(joined("time") * MICROSECONDS).astype(np.int64) + self._start_us
        order = np.argsort(time, kind="stable")
        words = tuple(self._codes)

        def column(name: str) -> NDArray[Any]:
            # column by column: to sort whole rows takes four times as long
            return np.take(joined(name), order)

        return Log(
            time=time[order],
            seq=np.arange(len(time), dtype=np.int64),
            center=Words(np.zeros(len(time), np.int32), (self._center,)),
            subject=Words(column("subject"), words),
            kind=column("kind"),
            view=column("view"),
            message=column("message"),
            alarm=column("alarm"),
            value=column("value"),
            text=Words(column("text"), words),
            meta=dict(meta or {}),
        )


def merge(logs: Sequence[Log], meta: Mapping[str, str] | None = None) -> Log:
    """One log of several centers; rows of the same time keep the order of ``logs``."""
    if len(logs) == 1:
        log = logs[0]
        return log if meta is None else Log(**{**vars(log), "meta": dict(meta)})
    time = np.concatenate([log.time for log in logs])
    order = np.argsort(time, kind="stable")

    def column(name: str) -> NDArray[Any]:
        joined: NDArray[Any] = np.concatenate([getattr(log, name) for log in logs])[order]
        return joined

    def texts(name: str) -> Words:
        codes: dict[str, int] = {}
        parts = []
        for log in logs:
            words: Words = getattr(log, name)
            lookup = [codes.setdefault(word, len(codes)) for word in words.words]
            parts.append(np.array(lookup, np.int32)[words.codes])
        return Words(np.concatenate(parts)[order], tuple(codes))

    return Log(
        time=time[order],
        seq=np.arange(len(time), dtype=np.int64),
        center=texts("center"),
        subject=texts("subject"),
        kind=column("kind"),
        view=column("view"),
        message=column("message"),
        alarm=column("alarm"),
        value=column("value"),
        text=texts("text"),
        meta=dict(meta or {}),
    )


def write_log(log: Log, path: Path) -> None:
    """Writes a log as Parquet; the file appears only when it is whole."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def texts(codes: NDArray[Any], words: Sequence[str]) -> Any:
        used = np.flatnonzero(np.bincount(codes, minlength=len(words)))
        place = np.empty(len(words), np.int32)
        place[used] = np.arange(len(used))
        return pa.DictionaryArray.from_arrays(
            pa.array(place[codes]), pa.array([words[code] for code in used.tolist()], pa.string())
        )

    table = pa.table(
        {
            "time": pa.array(log.time).cast(pa.timestamp("us", tz="UTC")),
            "seq": pa.array(log.seq),
            "center": texts(log.center.codes, log.center.words),
            "subject": texts(log.subject.codes, log.subject.words),
            "kind": texts(log.kind, KINDS),
            "view": texts(log.view, VIEWS),
            "message": pa.array(log.message),
            "alarm": pa.array(log.alarm),
            "value": pa.array(log.value),
            "text": texts(log.text.codes, log.text.words),
        }
    ).replace_schema_metadata({"twin.schema": SCHEMA_VERSION, **log.meta})
    part = path.with_name(path.name + ".part")
    try:
        pq.write_table(table, part, compression="zstd", compression_level=1)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_log(path: Path) -> Log:
    """Reads a log from Parquet and checks its columns, kinds and views.

    Raises
    ------
    LogError
        The file is missing, is not Parquet, is of another schema version, lacks a column, holds a
        wrong type, an unknown kind or view, times in another unit, or is empty.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.is_dir():
        raise LogError(f"{path}: is a folder; a log is a file, the events.parquet of a run")
    if not path.is_file():
        raise LogError(f"{path}: no such file; a log is the events.parquet of a run")
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise LogError(f"{path}: not a readable Parquet file ({reason})") from error
    meta = {
        key.decode(errors="replace"): value.decode(errors="replace")
        for key, value in (table.schema.metadata or {}).items()
        if key != b"ARROW:schema"
    }
    version = meta.get("twin.schema", SCHEMA_VERSION)
    if version != SCHEMA_VERSION:
        raise LogError(
            f"{path}: a log of schema version {version}; this version of twin reads version "
            f"{SCHEMA_VERSION}"
        )
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        raise LogError(
            f"{path}: column {', '.join(missing)} is missing; a log has the columns "
            f"{', '.join(COLUMNS)} (found {', '.join(table.column_names)})"
        )
    if len(table) == 0:
        raise LogError(f"{path}: the log has no rows, so there is nothing to judge")

    def numbers(name: str, kind: Any) -> NDArray[Any]:
        column = table[name]
        whole = pa.types.is_timestamp(column.type) or pa.types.is_integer(column.type)
        if name == "time" and not whole:
            raise LogError(
                f"{path}: column time is {column.type}; a timestamp is expected, or whole "
                "microseconds since 1970-01-01 UTC"
            )
        try:
            if pa.types.is_timestamp(column.type):
                column = column.cast(pa.timestamp("us"))
            column = column.cast(kind)
        except pa.ArrowException as error:
            raise LogError(
                f"{path}: column {name} is {table[name].type}; {kind} is expected"
            ) from error
        if column.null_count:
            if name == "value":
                column = column.fill_null(NAN)
            else:
                raise LogError(f"{path}: column {name} has {column.null_count} empty cells")
        array: NDArray[Any] = column.to_numpy()
        return array

    def texts(name: str) -> Words:
        column = table[name]
        if not pa.types.is_dictionary(column.type):
            if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
                raise LogError(f"{path}: column {name} is {column.type}; text is expected")
            column = column.dictionary_encode()
        chunk = column.unify_dictionaries().combine_chunks()
        if isinstance(chunk, pa.ChunkedArray):
            chunk = chunk.chunk(0)
        if chunk.null_count:
            chunk = chunk.cast(pa.string()).fill_null("").dictionary_encode()
        words = tuple(str(word) for word in chunk.dictionary.to_pylist())
        return Words(chunk.indices.to_numpy(zero_copy_only=False).astype(np.int32), words)

    def coded(name: str, known: Sequence[str]) -> NDArray[np.uint8]:
        words = texts(name)
        lookup = np.zeros(len(words.words), np.uint8)
        used = set(np.unique(words.codes).tolist())
        for code, word in enumerate(words.words):
            if word in known:
                lookup[code] = known.index(word)
            elif code in used:
                raise LogError(f'{path}: unknown {name} "{word}"; known are {", ".join(known)}')
        return lookup[words.codes]

    time, seq = numbers("time", pa.int64()), numbers("seq", pa.int64())
    for extreme in (int(time.min()), int(time.max())):
        if not _EARLIEST_US <= extreme < _LATEST_US:
            raise LogError(
                f"{path}: column time has {extreme}, which is not between the years 1970 and 2200; "
                "microseconds since 1970-01-01 UTC are expected"
            )
    if pa.types.is_integer(table["time"].type) and time.max() < _EARLIEST_PLAIN_US:
        raise LogError(
            f"{path}: column time ends at {time.max()}, which would be {time.max() / 1e6:.0f} s "
            "after 1970-01-01; is it in seconds or milliseconds? Microseconds are expected"
        )
    log = Log(
        time=time,
        seq=seq,
        center=texts("center"),
        subject=texts("subject"),
        kind=coded("kind", KINDS),
        view=coded("view", VIEWS),
        message=numbers("message", pa.int64()),
        alarm=numbers("alarm", pa.int64()),
        value=numbers("value", pa.float64()),
        text=texts("text"),
        meta=meta,
    )
    ordered = np.all((time[1:] > time[:-1]) | ((time[1:] == time[:-1]) & (seq[1:] >= seq[:-1])))
    return log if ordered else log[np.lexsort((seq, time))]

"""The folder of a run: it appears under its name only when it is whole."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

MANIFEST = "manifest.json"
_UNFINISHED = "UNFINISHED.txt"
_SUFFIXES = (".csv", ".html", ".json", ".parquet", ".png", ".toml")
"""Kinds of files of a run whose manifest does not list its files."""


class FolderError(ValueError):
    """A folder that a run may not write to; the message says why and what to do."""


def check_folder(folder: Path, *inputs: Path) -> None:
    """Refuses a folder whose content is not an earlier run's, or is being read or written.

    Parameters
    ----------
    folder : where a run is to be written.
    inputs : files that are read for it.

    Raises
    ------
    FolderError
        Something else stands at the path, or at the path of the unfinished run beside it; the
        folder holds the working directory or an input; another run is being written there.
    """
    at = Path(os.path.realpath(folder))
    if at == Path.cwd() or at in Path.cwd().parents:
        raise FolderError(
            f"{folder}: is the working directory, or holds it; --out names a folder that the run "
            "can replace as a whole, for example runs/mine"
        )
    for path in inputs:
        if at in Path(os.path.realpath(path)).parents:
            raise FolderError(
                f"{folder}: holds {path.name}, which is read here and would be deleted; name "
                "another folder with --out"
            )
    if at.exists() and not at.is_dir():
        raise FolderError(f"{folder}: is a file; --out names a folder")
    for above in at.parents:
        if above.exists():
            if not above.is_dir():
                raise FolderError(f"{above}: is a file, so {folder} cannot be made below it")
            if not os.access(above, os.W_OK | os.X_OK):
                raise FolderError(f"{above}: may not be written to; name another folder with --out")
            break
    if at.is_dir():
        _check_replaceable(folder, at)
    part = _part(at)
    if part.is_symlink() or (part.exists() and not (part / _UNFINISHED).is_file()):
        raise FolderError(f"{part}: is in the way and not an unfinished run; move it away")
    if part.exists():
        with (part / _UNFINISHED).open("a") as mark:
            _lock(mark, folder)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder to write into; it takes the place of ``folder`` at the end, or is removed.

    Raises
    ------
    FolderError
        As :func:`check_folder`.
    """
    check_folder(folder)
    at = Path(os.path.realpath(folder))
    part = _part(at)
    part.mkdir(parents=True, exist_ok=True)
    with (part / _UNFINISHED).open("w") as mark:
        _lock(mark, folder)
        try:
            _clear(part)
            mark.write("A run is being written here, or was interrupted.\n")
            mark.flush()
            yield part
            _put_in_place(part, at, folder)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise


def files_in(folder: Path) -> list[str]:
    """The files of a run's folder, for its manifest; what is not listed there is not replaced."""
    names = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()}
    return sorted((names | {MANIFEST}) - {_UNFINISHED})


def _part(folder: Path) -> Path:
    return folder.with_name(folder.name + ".part")


def _lock(mark: IO[str], folder: Path) -> None:
    """Holds the unfinished run until its file is closed; a killed run's is free again."""
    try:
        fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise FolderError(
            f"{folder}: another run is writing here; wait for it, or name another folder with --out"
        ) from error


def _clear(part: Path) -> None:
    """Removes what a killed run left, but for the file that is locked."""
    for path in part.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != _UNFINISHED:
            path.unlink()


def _put_in_place(part: Path, at: Path, folder: Path) -> None:
    """Renames the finished part; an earlier run is put aside until that has worked."""
    if not at.exists():
        part.rename(at)
        (at / _UNFINISHED).unlink()
        return
    _check_replaceable(folder, at)  # it may have changed in the meantime
    aside = Path(tempfile.mkdtemp(prefix=at.name + ".", suffix=".old", dir=at.parent))
    try:
        at.rename(aside / at.name)
        try:
            part.rename(at)
        except BaseException:
            (aside / at.name).rename(at)
            raise
        (at / _UNFINISHED).unlink()
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _check_replaceable(folder: Path, at: Path) -> None:
    """Refuses a folder that holds anything but an earlier run's files."""
    if not any(at.iterdir()):
        return
    try:
        manifest = json.loads((at / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        manifest = None
    if not isinstance(manifest, dict) or "twin" not in manifest:
        raise FolderError(
            f"{folder}: is not empty and not the output of an earlier run (it has no {MANIFEST} "
            "of twin); name another folder with --out, or move its content away"
        )
    files = manifest.get("files")
    for name in files_in(at):
        known = name in files if isinstance(files, list) else name.endswith(_SUFFIXES)
        if not known:
            raise FolderError(
                f"{folder}: holds {name}, which is not of the earlier run in it and would be "
                "deleted; move it away, or name another folder with --out"
            )

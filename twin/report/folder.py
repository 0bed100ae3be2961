"""The folder of a run: it appears under its name only when it is whole."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MANIFEST = "manifest.json"
_UNFINISHED = "UNFINISHED.txt"


class FolderError(ValueError):
    """A folder that a run may not write to; the message says why and what to do."""


def check_folder(folder: Path) -> None:
    """Refuses a folder whose content is not an earlier run's.

    Raises
    ------
    FolderError
        Something else stands at the path, or at the path of the unfinished run beside it.
    """
    if folder.exists() and not folder.is_dir():
        raise FolderError(f"{folder}: is a file; --out names a folder")
    if folder.is_dir() and any(folder.iterdir()) and not _is_run(folder):
        raise FolderError(
            f"{folder}: is not empty and not the output of an earlier run (it has no {MANIFEST} "
            "of twin); name another folder with --out, or move its content away"
        )
    part = _part(folder)
    if part.exists() and not (part / _UNFINISHED).is_file():
        raise FolderError(f"{part}: is in the way and not an unfinished run; move it away")
    for above in folder.absolute().parents:
        if above.exists():
            if not above.is_dir():
                raise FolderError(f"{above}: is a file, so {folder} cannot be made below it")
            if not os.access(above, os.W_OK):
                raise FolderError(f"{above}: may not be written to; name another folder with --out")
            break


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder to write into; it takes the place of ``folder`` at the end, or is removed.

    Raises
    ------
    FolderError
        As :func:`check_folder`.
    """
    check_folder(folder)
    part, old = _part(folder), folder.with_name(folder.name + ".old")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    (part / _UNFINISHED).write_text("A run is being written here, or was interrupted.\n")
    try:
        yield part
        (part / _UNFINISHED).unlink()
        if folder.exists():
            folder.rename(old)
        part.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _part(folder: Path) -> Path:
    return folder.with_name(folder.name + ".part")


def _is_run(folder: Path) -> bool:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and "twin" in manifest

"""Prometheus Alertmanager as a peer: it takes alerts over HTTP, keeps them in memory, notifies."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path
from types import TracebackType

from twin.load.driver import Target
from twin.load.traffic import Event, encode

PROGRAM = "prometheus-alertmanager"
"""As Debian packages it; ``apt-get install prometheus-alertmanager``."""

_START_S = 30.0
_CONFIG = """
route: {receiver: nobody, group_by: [alertname, device], group_wait: 1m}
receivers: [{name: nobody}]
"""


def installed() -> bool:
    """Whether there is one to compare with."""
    return shutil.which(PROGRAM) is not None


def alert(event: Event) -> bytes:
    """The body of ``/api/v2/alerts`` that says what an event says, about as long as the event.

    A device's alerts of one type are one alert to Alertmanager, which updates it; what differs
    from time to time is an annotation.
    """
    rest = {"id": event["messageId"], **event["parameters"]}
    return encode([
        {
            "labels": {"alertname": event["type"], "device": event["deviceId"]},
            "annotations": {"event": json.dumps(rest, separators=(",", ":"))},
            "startsAt": event["time"],
        }
    ])  # fmt: skip


class Alertmanager:
    """One on a port of this machine, alone (no cluster), for the time of a ``with``.

    Parameters
    ----------
    folder : for its configuration and storage.
    port : where it listens.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self._folder, self._port = folder, port

    def __enter__(self) -> Alertmanager:
        config = self._folder / "alertmanager.yml"
        config.write_text(_CONFIG)
        with (self._folder / "alertmanager.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    PROGRAM, f"--config.file={config}", f"--storage.path={self._folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self._port}", "--cluster.listen-address=",
                ],
                stdout=log, stderr=log,
            )  # fmt: skip
        until = time.monotonic() + _START_S
        while True:
            try:
                self._get("/-/ready")
            except OSError:
                if time.monotonic() > until:
                    self._process.kill()
                    raise
                time.sleep(0.05)
            else:
                return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait(_START_S)

    def _get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=5) as answer:
            text: str = answer.read().decode()
        return text

    @property
    def target(self) -> Target:
        """For the driver."""
        return Target(f"http://127.0.0.1:{self._port}/api/v2/alerts")

    def received(self) -> int:
        """Alerts that it has counted since its start."""
        counts = re.findall(
            r'^alertmanager_alerts_received_total\{[^}]*version="v2"\} ([0-9.e+]+)$',
            self._get("/metrics"), re.MULTILINE,
        )  # fmt: skip
        return round(sum(float(count) for count in counts))

"""A vendor that pushes too fast is slowed down; a fire never is."""

from __future__ import annotations

from pathlib import Path

import httpx
from annexb_support import core_of

from twin.alarmcore.annexb.codes import PREFIX


def test_a_vendor_beyond_its_rate_comes_again_but_not_with_a_fire(tmp_path: Path) -> None:
    core = core_of(tmp_path)
    settings = core.data / "core.toml"
    settings.write_text("most_events_per_s = 3\n" + settings.read_text())
    appkey, secret = core.register_vendor("acme")
    core.start()
    try:
        core.ready()
        with httpx.Client(base_url=core.url, verify=core.trust, trust_env=False) as client:
            body = {"appkey": appkey, "masterSecret": secret}
            answer = client.post(f"{PREFIX}/auth/getToken", json=body)
            headers = {"API_TOKEN": answer.json()["data"]["token"]}

            def push(type_: str, numbers: range) -> httpx.Response:
                events = [
                    {"messageId": f"{type_}{n}", "deviceId": "d", "type": type_, "time": "x"}
                    for n in numbers
                ]
                return client.post(f"{PREFIX}/event", json=events, headers=headers)

            refused = push("state", range(4))
            assert refused.status_code == 429
            assert int(refused.headers["Retry-After"]) > 0
            assert push("fire", range(4)).status_code == 400  # its time is none, but it was taken
    finally:
        core.stop()

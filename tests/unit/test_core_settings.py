"""What is wrong in core.toml is said with its place, and with what would be right."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from twin.alarmcore.errors import CoreError
from twin.alarmcore.service.command import _add_user, _check_url, _in_database
from twin.alarmcore.service.config import CoreSettings, load_settings, unreachable
from twin.alarmcore.service.parameters import PATH


def written(folder: Path, text: str) -> Path:
    """A core.toml."""
    path = folder / "core.toml"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize("table", ["supervisors", "helpers"])
@pytest.mark.parametrize("name", ["", "a\\u0000b"])
def test_names_that_no_database_keeps_are_refused(tmp_path: Path, table: str, name: str) -> None:
    path = written(tmp_path, f'[{table}."{name}"]\nchannel = "sms"\n')
    with pytest.raises(CoreError, match=f"core.toml: {table}: .*name.*null characters"):
        load_settings(path)


def test_a_file_that_cannot_be_is_no_channel(tmp_path: Path) -> None:
    path = written(tmp_path, '[channels]\nsms = "file:a\\u0000b"\n')
    with pytest.raises(CoreError, match=r"core\.toml: channels: sms is"):
        load_settings(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[supervisor.chief]\nchannel = "sms"', "supervisor: unknown setting; .*supervisors"),
        ('[supervisors.chief]\nchanel = "sms"', "chanel: unknown setting; .*address, channel"),
        ('[supervisors]\nchief = "sms"', r"a table is expected.*\[supervisors.chief\]"),
        ('[[supervisors]]\nname = "a"', r"a table is expected.*\[supervisors\]"),
        ("[pull]\ntimeouts = 1", "pull.timeouts: unknown setting; .*timeout, trust"),
        (
            '[upstream]\nurl = "https://x"\ntoken = "a"\nkey = "a"',
            "upstream.key: unknown setting; .*token",
        ),
        ('time_zone = "Mars"', "core.toml: time_zone: 'Mars'; an IANA name"),
    ],
)
def test_messages_say_what_would_be_right(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(CoreError, match=said):
        load_settings(written(tmp_path, text))


def test_who_is_told_over_a_channel_that_leads_nowhere_is_named() -> None:
    settings = CoreSettings.model_validate(
        {
            "channels": {"sms": "file:a"},
            "helpers": {"near": {"channel": "sms"}, "far": {}},
            "supervisors": {"chief": {"channel": "smss"}},
        }
    )
    assert unreachable(settings) == [
        "[helpers.far] is not reached: [channels] has no app",
        "[supervisors.chief] is not reached: [channels] has no smss",
    ]


@pytest.mark.parametrize("url", ["https://x:abc", "https://x:99999", "https://a b", "https://x/#f"])
def test_a_url_that_cannot_be_called_is_refused(url: str) -> None:
    with pytest.raises(CoreError, match="https://host:port is expected"):
        _check_url(url)


@pytest.mark.parametrize("url", ["https://x", "https://x:8444/base", "https://[::1]:8444"])
def test_a_url_that_can_be_called_is_taken(url: str) -> None:
    _check_url(url)


def test_an_id_in_a_path_is_digits_and_nothing_after_them() -> None:
    assert PATH["alarm"].takes("1838351183305909248")
    assert not PATH["alarm"].takes("1\n")
    assert PATH["messageId"].takes("a\n")


@pytest.mark.parametrize("name", ["", " ", "a\nb", "li ", "x" * 65, "a\udcffb"])
def test_a_user_has_a_name_that_can_be_read(tmp_path: Path, name: str) -> None:
    given = argparse.Namespace(
        name=name, role="operator", venue=[], data=tmp_path / "none", database=""
    )
    with pytest.raises(CoreError, match="1 to 64"):
        _add_user(given)


@pytest.mark.parametrize("more", [{"url": "https://\udcff"}, {"venue": ["acme/\udcff"]}])
def test_arguments_that_are_no_text_are_refused(tmp_path: Path, more: dict[str, Any]) -> None:
    given = argparse.Namespace(data=tmp_path / "none", database="", **more)
    with pytest.raises(CoreError, match="UTF-8"):
        _in_database(given, None)

"""What a person sees: progress lines, and the exit code of every way to end."""

from __future__ import annotations

import errno
import io
import os
import sys
from pathlib import Path

import click
import pytest

from rocov2_shared.errors import UserError
from rocov2_shared.resuming import RESUME, resumable
from rocov2_shared.system_errors import NO_MEMORY
from rocov2_shared.terminal import Console, Progress, echo, format_seconds, run, say


def test_time_is_shown() -> None:
    assert format_seconds(51.4) == "0:00:51"
    assert format_seconds(3 * 3600 + 61) == "3:01:01"


def test_progress_shows_share_rate_and_time_left() -> None:
    progress = Progress("Images", total=100, parts=4, unit="images", part="shards", quiet=True)
    progress.add(25)
    assert progress.line(5.0) == "Images    ####..........  1/4 shards  25/100  5 images/s  0:00:15 left"
    progress.add(25, skipped=True)
    assert progress.line(5.0) == "Images    #######.......  2/4 shards  50/100  5 images/s  0:00:10 left"


def test_progress_ends_with_the_time_that_it_took() -> None:
    progress = Progress("Images", total=100, parts=1, unit="images", part="shards", quiet=True)
    progress.add(100)
    assert progress.line(5.0) == "Images    ##############  1/1 shards  100/100  20 images/s  in 0:00:05"


def test_progress_without_a_rate_does_not_guess() -> None:
    progress = Progress("Images", total=10, parts=2, unit="images", part="shards", quiet=True)
    progress.add(5, skipped=True)
    assert progress.line(3.0).endswith("0 images/s  ? left")


def test_progress_away_from_a_terminal_is_plain_and_ends_with_the_last_part(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("Images", total=4, parts=4, unit="images", part="shards") as progress:
        for _ in range(4):
            progress.add(1)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("Images    ##############  4/4 shards  4/4")
    assert "\r" not in lines[0]


def test_quiet_progress_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("Images", total=1, parts=1, unit="images", part="shards", quiet=True) as progress:
        progress.add(1)
    assert capsys.readouterr() == ("", "")


def test_a_timed_step_says_what_it_does_before_and_how_long_it_took_after(capsys: pytest.CaptureFixture[str]) -> None:
    with Console().timed("Facts", "counts of a\nb"):
        assert capsys.readouterr().err == "Facts     counts of a\\nb ... "
    assert capsys.readouterr().err == "0:00:00\n"
    with pytest.raises(UserError), Console().timed("Facts", "counts"):
        raise UserError("x")
    assert capsys.readouterr().err == "Facts     counts ... \n"
    with Console(quiet=True).timed("Facts", "counts"):
        pass
    assert capsys.readouterr() == ("", "")


def test_steps_stand_in_a_column(capsys: pytest.CaptureFixture[str]) -> None:
    say("Tables", "14 files")
    say("Left out", "1 file: data/a\nb")
    assert capsys.readouterr().err == "Tables    14 files\nLeft out  1 file: data/a\\nb\n"


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (None, 0, ""),
        (UserError("no folder x"), 1, "Error: no folder x\n"),
        (KeyboardInterrupt(), 130, f"\nInterrupted. {RESUME}\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "/x/y"),
            1,
            "Error: No space left on device (/x/y). Run the same command again to resume where this one stopped.\n",
        ),
        (
            OSError(errno.EACCES, "Permission denied", "/x/\x1b[31m\udcff\n"),
            1,
            r"Error: Permission denied (/x/\x1b[31m\udcff\n)." "\n",
        ),
        (MemoryError(), 1, f"Error: {NO_MEMORY}. {RESUME}\n"),
        (
            UnicodeEncodeError("utf-8", "caf\udce9", 3, 4, "surrogates not allowed"),
            1,
            r"Error: caf\udce9 is not UTF-8, but Arrow and `datasets` open only files with UTF-8 names: rename it."
            "\n",
        ),
    ],
)
def test_every_end_has_its_code_and_one_message(
    error: BaseException | None,
    code: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @click.command()
    def command() -> None:
        with resumable(lambda: begun):
            if error:
                raise error

    monkeypatch.setattr("sys.argv", ["command"])
    for begun in (False, True):
        with pytest.raises(SystemExit) as stop:
            run(command)
        assert stop.value.code == code
        assert capsys.readouterr().err == (message if begun else message.replace(f" {RESUME}", ""))


def test_wrong_usage_ends_with_2(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["command", "--no-such-option"])
    with pytest.raises(SystemExit) as stop:
        run(click.Command("command"))
    assert stop.value.code == 2
    assert "No such option" in capsys.readouterr().err


def test_closed_streams_are_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def command() -> None:
        click.echo("all is well")
        with Progress("Export", 1, 1, "images", "shards") as progress:
            progress.add(1)

    monkeypatch.setattr("sys.argv", ["command"])
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(f"sys.{name}", None)
    with pytest.raises(SystemExit) as stop:
        run(command)
    assert stop.value.code == 0


def test_a_message_controls_no_terminal_and_fits_every_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    for encoding, shown in (
        ("utf-8", "Röntgen – \\x1b]0;x\\x07\\u202e\\udcff\n\tz\n".encode()),
        ("latin-1", "Röntgen \\u2013 \\x1b]0;x\\x07\\u202e\\udcff\n\tz\n".encode("latin-1")),
        ("ascii", b"R\\xf6ntgen \\u2013 \\x1b]0;x\\x07\\u202e\\udcff\n\tz\n"),
    ):
        for name in ("stdout", "stderr"):
            raw = io.BytesIO()
            monkeypatch.setattr(sys, name, io.TextIOWrapper(raw, encoding, errors="strict", newline="\n"))
            echo("Röntgen – \x1b]0;x\x07\u202e\udcff\n\tz", err=name == "stderr")
            assert raw.getvalue() == shown, (name, encoding)


def test_a_line_break_in_a_name_of_the_command_line_does_not_end_a_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["rocov2", "./raw\nx//y\r\n", "--host=h\n1"])
    echo("no folder raw\nx/y\r\n at h\n1:\nlook")
    assert capsys.readouterr().out == "no folder raw\\nx/y\\r\\n at h\\n1:\nlook\n"


def test_wrong_usage_is_shown_escaped(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["command", "sur\x1bplus\n\udcff"])
    with pytest.raises(SystemExit) as stop:
        run(click.Command("command"))
    assert stop.value.code == 2
    assert capsys.readouterr().err.endswith("Error: Got unexpected extra argument (sur\\x1bplus\\n\\udcff)\n")


def test_a_removed_working_folder_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    monkeypatch.setattr("sys.argv", ["command"])
    with pytest.raises(SystemExit) as stop:
        run(click.Command("command", callback=os.getcwd))
    assert stop.value.code == 1
    assert capsys.readouterr().err == "Error: the current folder was removed: change to another folder.\n"


def test_a_stream_that_takes_nothing_more_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("sys.argv", ["command"])
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(f"sys.{name}", Full())
    with pytest.raises(SystemExit) as stop:
        run(click.Command("command", callback=lambda: echo("all is well")))
    assert stop.value.code == 1

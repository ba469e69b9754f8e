"""Nothing is lost and nothing half-written: kills and full disks at every step, and the same command finishes."""

from __future__ import annotations

import random
import re
import shutil
import signal
from pathlib import Path

import pytest

from rocov2_shared.resuming import RESUME
from tests.conftest import Seeds
from tests.support.crash import finish, kill_after, leftovers, start, steps_of, tree, went_off
from tests.support.raw import make_raw

pytestmark = pytest.mark.slow

OPTIONS = ("--max-shard-size", "10KB", "--row-group-size", "2KB", "--workers", "2", "--quiet")


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_raw().write(tmp_path_factory.mktemp("crash") / "raw")


@pytest.fixture(scope="module")
def whole(raw: Path) -> dict[str, str]:
    """The tree of an undisturbed conversion."""
    output = raw.with_name("whole")
    assert finish(start(raw, output, *OPTIONS)) == (0, "")
    assert leftovers(output) == []
    return tree(output)


@pytest.fixture(scope="module")
def part(raw: Path) -> dict[str, str]:
    """The tree of an undisturbed conversion of a part, which the overwriting tests replace."""
    output = raw.with_name("part")
    assert finish(start(raw, output, *OPTIONS, "--limit", "2")) == (0, "")
    return tree(output)


def assert_same_command_finishes(raw: Path, output: Path, whole: dict[str, str], *options: str) -> None:
    assert finish(start(raw, output, *OPTIONS, *options)) == (0, "")
    assert tree(output) == whole
    assert leftovers(output) == []


@pytest.mark.parametrize("step", [1, 4, 20, 60, 90])
def test_a_parent_killed_at_a_step_leaves_no_output_and_the_same_command_finishes(
    raw: Path, tmp_path: Path, whole: dict[str, str], step: int
) -> None:
    output = tmp_path / "rocov2"
    code, _ = finish(start(raw, output, *OPTIONS, bomb=f"parent:kill:{step}"))
    assert code == -signal.SIGKILL
    assert went_off(output)
    assert not output.exists() or tree(output) == whole
    assert_same_command_finishes(raw, output, whole)


@pytest.mark.parametrize("step", [1, 2, 3, 5])
def test_a_worker_killed_at_a_step_is_replaced(raw: Path, tmp_path: Path, whole: dict[str, str], step: int) -> None:
    output = tmp_path / "rocov2"
    assert finish(start(raw, output, *OPTIONS, bomb=f"worker:kill:{step}")) == (0, "")
    assert went_off(output)
    assert tree(output) == whole
    assert leftovers(output) == []


@pytest.fixture(scope="module")
def overwriting_steps(raw: Path, whole: dict[str, str], part: dict[str, str]) -> list[str]:
    """The steps of an undisturbed conversion that replaces a part by the whole."""
    output = raw.with_name("steps")
    assert finish(start(raw, output, *OPTIONS, "--limit", "2")) == (0, "")
    assert finish(start(raw, output, *OPTIONS, "--overwrite", bomb="parent:kill:999999")) == (0, "")
    assert tree(output) == whole
    return steps_of(output)


@pytest.mark.parametrize(
    ("pattern", "before"),
    [
        (r"rename \S+tmp \S+/README\.md", "old"),
        (r"rename \S+tmp \S+/conversion\.json", "old"),
        (r"rename \S+/steps \S+/steps\.old", "old"),
        (r"rename \S+/repository \S+/steps", "between"),
        (r"rename \S+/steps\.old \S+/steps\.building/replaced", "new"),
        (r"unlink \S+/replaced/\S+", "new"),
        (r"rmdir \S+/replaced", "new"),
        (r"rmdir \S+/steps\.building", "new"),
    ],
)
def test_overwriting_loses_neither(
    raw: Path,
    tmp_path: Path,
    whole: dict[str, str],
    part: dict[str, str],
    overwriting_steps: list[str],
    pattern: str,
    before: str,
) -> None:
    output = tmp_path / "rocov2"
    step = max(i for i, line in enumerate(overwriting_steps, 1) if re.fullmatch(pattern, line))
    assert finish(start(raw, output, *OPTIONS, "--limit", "2")) == (0, "")
    assert finish(start(raw, output, *OPTIONS, "--overwrite", bomb=f"parent:kill:{step}"))[0] == -signal.SIGKILL
    where = output.with_name("rocov2.old") if before == "between" else output
    assert tree(where) == (whole if before == "new" else part)
    assert output.exists() == (before != "between")
    assert_same_command_finishes(raw, output, whole, "--overwrite")


def test_the_moment_between_the_two_renames(
    raw: Path, tmp_path: Path, whole: dict[str, str], part: dict[str, str], overwriting_steps: list[str]
) -> None:
    output = tmp_path / "rocov2"
    pattern = r"rename \S+/repository \S+/steps"
    step = max(i for i, line in enumerate(overwriting_steps, 1) if re.fullmatch(pattern, line))
    assert finish(start(raw, output, *OPTIONS, "--limit", "2")) == (0, "")
    assert finish(start(raw, output, *OPTIONS, "--overwrite", bomb=f"parent:kill:{step}"))[0] == -signal.SIGKILL
    assert not output.exists()
    # Any command repairs it first, also one that then refuses.
    code, error = finish(start(raw, output, *OPTIONS))
    assert code == 1
    assert "add --overwrite to replace it" in error
    assert tree(output) == part
    assert_same_command_finishes(raw, output, whole, "--overwrite")


@pytest.mark.parametrize("whom", ["group", "parent", "worker"])
def test_kills_at_random_moments(raw: Path, tmp_path: Path, whole: dict[str, str], whom: str, seeds: Seeds) -> None:
    output = tmp_path / "rocov2"
    for seed in seeds(3):
        process = start(raw, output, *OPTIONS)
        kill_after(process, random.Random(f"{whom} {seed}").uniform(0.3, 1.6), whom)
        if whom == "group":
            finish(process)
        # After the parent alone was killed, the next command starts at once, while its workers may still be ending.
        code, error = finish(start(raw, output, *OPTIONS)) if whom != "worker" else finish(process)
        assert (code, error) == (0, "")
        assert tree(output) == whole
        assert leftovers(output) == []
        process.communicate()
        shutil.rmtree(output)


@pytest.mark.parametrize("bomb", ["parent:full:1", "parent:full:6", "parent:full:16", "worker:full:1", "worker:full:4"])
def test_a_full_disk_ends_with_a_message_and_the_same_command_finishes(
    raw: Path, tmp_path: Path, whole: dict[str, str], bomb: str
) -> None:
    output = tmp_path / "rocov2"
    code, error = finish(start(raw, output, *OPTIONS, bomb=bomb))
    assert went_off(output)
    assert code == 1
    begun = any(tmp_path.glob("rocov2.building/*/facts/*.json"))
    assert begun or bomb in ("parent:full:1", "worker:full:1", "worker:full:4")
    hint = f" {RESUME}" if begun else ""
    assert re.fullmatch(rf"Error: No space left on device( \(\S+\))?\.{re.escape(hint)}\n", error)
    assert not output.exists()
    assert_same_command_finishes(raw, output, whole)


def test_a_disk_that_is_too_small_is_told_before_anything_is_written(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rocov2_build.convert import Conversion, convert
    from rocov2_shared.errors import UserError

    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    needed = r"\d\d kB needed \(up to \d\d kB of it for small and mini, which --small none leaves out\)"
    with pytest.raises(UserError, match=rf"not enough disk space for .*rocov2: {needed}, 1\.0 kB free"):
        convert(Conversion(raw, tmp_path / "rocov2", release="any", quiet=True))
    assert not list(tmp_path.glob("rocov2.building/*/repository/data/*"))

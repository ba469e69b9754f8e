"""Streams that are left before their end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.conftest import PROJECT
from tests.support.streams import build_shards


def test_a_stream_that_outlives_its_modules_ends_without_a_word(tmp_path: Path, environment: dict[str, str]) -> None:
    # A module that was imported before threads, and so is taken down after them, keeps the iterator; accelerate does so.
    program = f"""
import codecs
from tests.support.streams import open_stream
codecs.kept = iter(open_stream({str(build_shards(tmp_path, train=20))!r}))
next(codecs.kept)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")

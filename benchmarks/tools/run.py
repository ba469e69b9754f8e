"""Run the tools of rows.py on the repository, each in an environment of its own, and write what came to results.json.

    python -m benchmarks.tools.run [TOOL ...] [--python 3.14=/path/to/python3.14] [--folder DIR] [--keep]

Without names it runs all. It needs uv, npm for the tools in JavaScript, and the package indexes. An environment is removed
when its tool is done, unless --keep is given. A tool that cannot be installed, or that ends at a limit, is a result, too.
Afterwards `python -m benchmarks.tools.page` writes docs/tools.md. `make test-tools` does both.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from benchmarks.conversion.measure import machine
from benchmarks.tools.probes.case import Case
from benchmarks.tools.probes.memory import resident
from benchmarks.tools.repository import make_case
from benchmarks.tools.rows import TOOLS, Tool
from rocov2 import CONFIGS
from tests.support.hub import Hub
from tests.support.hub_writing import WritingHub

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
INSTALL_SECONDS = 900


class RunError(Exception):
    """A step of a tool did not come to its end; says why in a line."""


@click.command(help=__doc__.partition("\n")[0])
@click.argument("names", nargs=-1, metavar="[TOOL]...")
@click.option(
    "--python", "pythons", multiple=True, metavar="VERSION=PATH", help="An interpreter that uv does not find."
)
@click.option("--folder", type=click.Path(path_type=Path), help="Folder for repositories and environments.")
@click.option("--keep", is_flag=True, help="Keep the environments.")
def main(names: Sequence[str], pythons: Sequence[str], folder: Path | None, keep: bool) -> None:
    """Run the tools that are named and merge what came into results.json."""
    unknown = [name for name in names if name not in TOOLS]
    if unknown:
        raise click.UsageError(f"{', '.join(unknown)} unknown. Tools: {', '.join(TOOLS)}")
    interpreters = dict(python.split("=", 1) for python in pythons)
    with ExitStack() as stack:
        place = folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        place.mkdir(parents=True, exist_ok=True)
        place = place.resolve()
        case = stack.enter_context(_case(place))
        for tool in TOOLS.values():
            if not names or tool.name in names:
                click.echo(f"{tool.name} ... ", nl=False, err=True)
                begin = time.monotonic()
                result = _run_tool(tool, case, place, interpreters, keep)
                _record(tool.name, result)
                click.echo(f"{result.get('failed', 'done')} ({time.monotonic() - begin:.0f} s)", err=True)


def _record(name: str, result: dict[str, Any]) -> None:
    """Merge one result into the file, in the order of the rows; at once, so that an interrupted run loses only one."""
    known = json.loads(RESULTS.read_text(encoding="utf-8"))["tools"] if RESULTS.exists() else {}
    known[name] = result
    ordered = {row: known[row] for row in TOOLS if row in known}
    text = json.dumps({"machine": machine(), "tools": ordered}, indent=1, ensure_ascii=False)
    RESULTS.write_text(text + "\n", encoding="utf-8")


@contextmanager
def _case(place: Path) -> Iterator[Path]:
    """The file that describes the repositories, which are made anew, while the stand-in of the Hub serves them."""
    for name in ("rocov2", "heavy", "tars"):
        shutil.rmtree(place / name, ignore_errors=True)
    description = make_case(place)
    shutil.rmtree(place / "store", ignore_errors=True)
    with Hub({"org/rocov2": Path(description["repository"])}) as hub, WritingHub(place / "store") as writing:
        variables = writing.environment(place / "home") | {"HF_HUB_OFFLINE": "0"}
        description |= {"hub": hub.endpoint, "writing": variables}
        file = place / "case.json"
        file.write_text(json.dumps(description, ensure_ascii=False), encoding="utf-8")
        yield file


def _run_tool(tool: Tool, case: Path, place: Path, interpreters: Mapping[str, str], keep: bool) -> dict[str, Any]:
    environment = place / "environments" / tool.name.replace("/", "-").replace(" ", "-")
    result: dict[str, Any] = {
        "date": datetime.now(UTC).date().isoformat(),
        "packages": list(tool.packages),
        "configurations": list(CONFIGS),
    }
    try:
        if tool.family == "javascript":
            result |= _run_javascript(tool, case, environment)
        else:
            result |= run_python(tool, case, environment, interpreters.get(tool.python, tool.python))
    except RunError as failure:
        result["failed"] = str(failure)
    finally:
        if not keep:
            shutil.rmtree(environment, ignore_errors=True)
    text = json.dumps(result, ensure_ascii=False)
    for path in (f"{place}/", f"{place}/"[1:]):  # no path of this machine: the repository is `rocov2`
        text = text.replace(path, "")
    return json.loads(text)  # type: ignore[no-any-return]


def run_python(tool: Tool, case: Path, environment: Path, interpreter: str) -> dict[str, Any]:
    """Install a tool into an environment, run its probe there, and return what it found, or why it failed."""
    uv = _find("uv")
    shutil.rmtree(environment, ignore_errors=True)
    _install([uv, "venv", "--quiet", "--python", interpreter, str(environment)])
    python = environment / "bin" / "python"
    _install([uv, "pip", "install", "--quiet", "--python", str(python), *tool.packages])
    version = subprocess.run([python, "-V"], capture_output=True, text=True, check=True).stdout.split()[1]
    with _scratch() as scratch:
        result = scratch / "result.json"
        _watch([str(python), str(HERE / "probes"), tool.family, tool.probe, str(case), str(result)], tool, scratch)
        findings = json.loads(result.read_text(encoding="utf-8"))
    return {"python": version, **_split(findings)}


def _run_javascript(tool: Tool, case: Path, environment: Path) -> dict[str, Any]:
    shutil.rmtree(environment, ignore_errors=True)
    environment.mkdir(parents=True)
    (environment / "package.json").write_text('{"private": true, "type": "module"}')
    _install([_find("npm"), "install", "--silent", "--no-audit", "--no-fund", *tool.packages], environment)
    for module in (HERE / "javascript").glob("*.mjs"):
        shutil.copy(module, environment)
    version = subprocess.run([_find("node"), "-v"], capture_output=True, text=True, check=True).stdout.strip()
    result = environment / "result.json"
    _watch([_find("node"), f"{tool.probe}.mjs", str(case), str(result)], tool, environment)
    handed = json.loads(result.read_text(encoding="utf-8"))
    truth = Case(json.loads(case.read_text(encoding="utf-8")))
    findings = truth.judge(_decode(handed["rows"])) if handed.get("rows") else {}
    for name, rows in handed.get("broken", {}).items():
        findings[name] = rows if isinstance(rows, str) else truth.judge(_decode(rows))["images"]
    return {"node": version, **_split(findings | handed["found"])}


def _decode(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"bytes"}:
            return base64.b64decode(value["bytes"])
        return {name: _decode(entry) for name, entry in value.items()}
    return [_decode(entry) for entry in value] if isinstance(value, list) else value


def _split(findings: dict[str, Any]) -> dict[str, Any]:
    """What ended the probe under `failed`, else the findings."""
    return {"failed": f"ended with {findings['error']}"} if "error" in findings else {"findings": findings}


def _find(program: str) -> str:
    found = shutil.which(program) or shutil.which(program, path=Path(sys.executable).parent)
    if found is None:
        raise RunError(f"did not run: {program} is missing")
    return found


def _install(command: list[str], folder: Path | None = None) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS, env=_variables()
        )
    except subprocess.TimeoutExpired:
        raise RunError(f"did not install: not done after {INSTALL_SECONDS} s") from None
    if done.returncode:
        lines = [line.strip(" ×╰─▶│") for line in (done.stderr or done.stdout).splitlines() if line.strip(" ×╰─▶│")]
        raise RunError(f"did not install: {' '.join(lines[:3])[:300]}")


def _variables(home: Path | None = None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "PYTHON", "VIRTUAL_ENV"))}
    if home is None:
        return kept
    offline = {
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": str(home / "hf"),
        "CUDA_VISIBLE_DEVICES": "",
        "DO_NOT_TRACK": "1",
    }
    return kept | offline | {"HOME": str(home), "TMPDIR": str(home), "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}


@contextmanager
def _scratch() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="tool-"))  # short: Ray makes sockets below it, whose paths have a limit
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _watch(command: list[str], tool: Tool, folder: Path) -> None:
    """Run a probe within its limits of time and memory; with what it started, it is gone afterwards."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=_variables(folder), stdout=log, stderr=log, start_new_session=True
        )
        limit, begin = tool.gigabytes * 10**9, time.monotonic()
        try:
            while process.poll() is None:
                if time.monotonic() - begin > tool.seconds:
                    raise RunError(f"did not end within {tool.seconds} s")
                if resident(process.pid) > limit:
                    raise RunError(f"needed more than {tool.gigabytes} GB of memory")
                time.sleep(0.25)
        finally:
            _end(process)
    if not any(folder.glob("result.json")):
        lines = [line for line in (folder / "log").read_text(errors="replace").splitlines() if line.strip()]
        raise RunError(f"ended with exit code {process.returncode}: {lines[-1][:200] if lines else ''}")


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        process.wait()


if __name__ == "__main__":
    main()

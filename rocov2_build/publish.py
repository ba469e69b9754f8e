"""A checked repository goes to the Hub: all of it in one commit, or nothing; read back; tagged.

Contents are stored first, where no revision shows them; then one commit with a stated parent makes them the branch's files
and removes those that are gone. The Hub makes a commit whole or not at all, and refuses one whose parent is not the
branch's head any more. So an interruption at any moment leaves the branch as it was or as it is to be, and a new run sends
only what the Hub has not got.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from huggingface_hub import constants, get_token
from huggingface_hub.utils.tqdm import disable_progress_bars

from rocov2_build.check import check_repository
from rocov2_build.checks.violations import Violation
from rocov2_build.hub.client import ChangedMeanwhileError, HubRepository
from rocov2_build.hub.refusals import GO_ON, TOKENS
from rocov2_build.hub.uploads import Changes, Upload, compare, find_uploads
from rocov2_build.raw.releases import RELEASES, SAMPLE
from rocov2_shared.errors import UserError
from rocov2_shared.sizes import format_size
from rocov2_shared.terminal import Progress, say

MAIN = "main"
_AT_ONCE = 4
"""Files that are sent side by side."""
_TOLD = 20
"""Violations that are told."""


@dataclass(frozen=True)
class Options:
    """What is published, and where to.

    Attributes:
        root: folder of the repository.
        repo_id: `org/name` on the Hub.
        revision: branch; one that is not there begins at the head of main.
        tag: name of the version; None for release and hash of the rows, such as `2.0.1-0123456789ab`.
        private: make the repository private, when it is not there yet.
        allow_partial: also publish a part of a release, the sample, or what is no known release.
        dry_run: tell what would go up, and stop.
    """

    root: Path
    repo_id: str
    revision: str = MAIN
    tag: str | None = None
    private: bool = False
    allow_partial: bool = False
    dry_run: bool = False


def publish(options: Options) -> None:
    """Check a repository and publish it.

    Raises:
        UserError: it breaks a rule or is none to publish, the Hub refuses, or what is read back differs.
    """
    disable_progress_bars()
    violations = blocking(check_repository(options.root))
    if violations:
        raise UserError(_describe_violations(options.root, violations))
    conversion = _read_conversion(options)
    uploads, left = find_uploads(options.root, options.repo_id)
    size = format_size(sum(upload.size for upload in uploads))
    say("Checked", f"{options.root}/ obeys all rules: {len(uploads)} files, {size}")
    if left:
        say("Left out", f"{len(left)} files that are no part of a repository: {', '.join(left)}")
    token = get_token()
    repository = HubRepository(options.repo_id, token, say)
    if options.dry_run:
        _tell_plan(options, uploads, _changes_if_known(options, repository, uploads))
        return
    if not token:
        raise UserError(
            "there is no token for the Hub: `hf auth login` stores one, or set HF_TOKEN; it needs write access to "
            f"{options.repo_id.partition('/')[0]} ({TOKENS})"
        )
    _publish(options, repository, uploads, conversion)


def blocking(violations: list[Violation]) -> list[Violation]:
    """Those violations that keep a repository from being published."""
    return [violation for violation in violations if violation.blocks]


def default_tag(conversion: dict[str, Any]) -> str:
    """Release and hash of the rows: the same rows have the same tag."""
    return f"{conversion['release'] or 'unknown'}-{conversion['rows_sha256']['default'][:12]}"


def _describe_violations(root: Path, violations: list[Violation]) -> str:
    lines = [
        f"{violation.rule}: {violation.file}: expected {violation.expected}, found {violation.found}"
        for violation in violations[:_TOLD]
    ]
    more = [f"... and {len(violations) - _TOLD} more"] if len(violations) > _TOLD else []
    return "\n  ".join([f"{root} is not published, it breaks rules:", *lines, *more])


def _read_conversion(options: Options) -> dict[str, Any]:
    conversion: dict[str, Any] = json.loads((options.root / "conversion.json").read_text(encoding="utf-8"))
    release, part = conversion["release"], conversion.get("part")
    reason = ""
    if release == SAMPLE:
        reason = "the project's sample"
    elif conversion["partial"] or part:
        reason = f"a part of the release ({part})"
    elif release not in RELEASES:
        reason = f"of an unknown release ({release or 'convert_to_parquet.py found none that fits'})"
    if reason and not options.allow_partial:
        raise UserError(
            f"{options.root} is {reason}: build a whole release, or say --allow-partial when just this is to be published"
        )
    if conversion.get("left_out"):
        say("Note", f"{len(conversion['left_out'])} images of the release were left out; conversion.json lists them")
    return conversion


def _publish(options: Options, repository: HubRepository, uploads: list[Upload], conversion: dict[str, Any]) -> None:
    _find_or_create(options, repository)
    branches, tags = repository.refs()
    if options.revision in tags:
        raise UserError(f"{options.revision} is a tag of {options.repo_id}, and tags do not move: name a branch")
    if MAIN not in branches and options.revision not in branches:
        raise UserError(f"{options.repo_id} has no branch {options.revision} to publish to, and none main to begin at")
    exists = options.revision in branches
    head = branches[options.revision if exists else MAIN]
    changes = compare(uploads, repository.files(head))
    tag = options.tag or default_tag(conversion)
    if options.tag in tags and (tags[tag] != head or not changes.none):
        raise UserError(
            f"the tag {tag} names commit {tags[tag][:12]} already: choose another, or delete it on the Hub first"
        )
    if changes.kept:
        say("Kept", f"{len(changes.kept)} files on the Hub that are not ours: {', '.join(changes.kept)}")
    if changes.none and exists:
        say("Unchanged", f"{options.repo_id}@{options.revision} has all {len(uploads)} files: nothing was uploaded")
    else:
        _send(repository, changes)
        if not exists:
            repository.create_branch(options.revision, head)
        head = _commit(options, repository, uploads, changes, head, tag) if not changes.none else head
    _read_back(options, repository, uploads, head)
    if tag in tags and tags[tag] != head:
        say("Tag", f"{tag} stays at commit {tags[tag][:12]}, the same rows; --tag names this one")
    elif tag not in tags:
        repository.tag(tag, head, f"ROCOv2 {conversion['release'] or ''}".strip())
        say("Tag", f"{tag} at commit {head[:12]}")
    revision = "" if options.revision == MAIN else f', revision="{options.revision}"'
    say("Done", f"{constants.ENDPOINT}/datasets/{options.repo_id}")
    say("", f'Use: load_dataset("{options.repo_id}"{revision})')


def _find_or_create(options: Options, repository: HubRepository) -> None:
    private = repository.is_private()
    if private is None:
        repository.create(options.private)
        say("Created", f"{options.repo_id}, {'private' if options.private else 'public'}")
    elif options.private and not private:
        raise UserError(f"{options.repo_id} is public already: make it private on the Hub, or leave out --private")


def _send(repository: HubRepository, changes: Changes) -> None:
    sent = changes.sent
    with Progress("Upload", sum(file.size for file in sent), len(sent), "", "files", show=format_size) as progress:
        for start in range(0, len(sent), _AT_ONCE):
            group = sent[start : start + _AT_ONCE]
            repository.send(group, _AT_ONCE)
            for upload in group:
                progress.add(upload.size)


def _commit(
    options: Options, repository: HubRepository, uploads: list[Upload], changes: Changes, parent: str, tag: str
) -> str:
    try:
        commit = repository.commit(options.revision, parent, changes.sent, changes.removed, f"ROCOv2 {tag}")
    except ChangedMeanwhileError as error:
        # A commit whose answer was lost is our own; it is known by its files.
        head = repository.refs()[0].get(options.revision, parent)
        if compare(uploads, repository.files(head)).none:
            return head
        raise UserError(
            f"someone else changed {options.repo_id}@{options.revision} meanwhile (it was at {parent[:12]}, it is at "
            f"{head[:12]}): nothing of this version is visible. Look at their commit; the same command then puts this "
            "version on top of it, and sends no file again"
        ) from error
    say("Commit", f"{commit[:12]}: {_summary(changes)}")
    return commit


def _read_back(options: Options, repository: HubRepository, uploads: list[Upload], commit: str) -> None:
    """Compare the hash of every file on the Hub with the local one's, and the whole content of those kept in git."""
    there = repository.files(commit)
    changes = compare(uploads, there)
    wrong = [f"{file.path}: not there" for file in changes.new]
    wrong += [f"{file.path}: another hash than the {file.size:,} bytes here" for file in changes.changed]
    wrong += [f"{path}: should be gone" for path in changes.removed]
    for file in changes.unchanged:
        content = file.source.read_bytes() if isinstance(file.source, Path) else file.source
        if not there[file.path].lfs and repository.read(file.path, commit) != content:
            wrong.append(f"{file.path}: other bytes than those sent")
    if wrong:
        told = "\n  ".join(wrong[:_TOLD])
        raise UserError(
            f"what the Hub has at commit {commit[:12]} of {options.repo_id}@{options.revision} is not what was sent, so "
            f"it got no tag:\n  {told}\nCheck that the folder was not changed meanwhile. {GO_ON}"
        )
    say("Verified", f"all {len(uploads)} files on the Hub have the hashes of those here")


def _changes_if_known(options: Options, repository: HubRepository, uploads: list[Upload]) -> Changes | None:
    try:
        if repository.is_private() is None:
            say("Hub", f"{options.repo_id} is not there yet, or is private and needs a token: all files count as new")
            return compare(uploads, {})
        branches, _ = repository.refs()
        return compare(uploads, repository.files(branches.get(options.revision, branches.get(MAIN, MAIN))))
    except UserError as error:
        say("Hub", f"it could not be asked what is there already: {error}")
        return None


def _tell_plan(options: Options, uploads: list[Upload], changes: Changes | None) -> None:
    states = {upload.path: state for state in ("new", "changed", "unchanged") for upload in getattr(changes, state, [])}
    for upload in uploads:
        click.echo(f"{states.get(upload.path, 'unknown'):<10}{upload.size:>15,}  {upload.path}")
    for path in changes.removed if changes else []:
        click.echo(f"{'removed':<10}{'':>15}  {path}")
    sent = changes.sent if changes else uploads
    size = format_size(sum(upload.size for upload in sent))
    limit = "" if changes else "at most "
    say("Dry run", f"{limit}{len(sent)} files, {size}, would go to {options.repo_id}@{options.revision}; none did")


def _summary(changes: Changes) -> str:
    return (
        f"{len(changes.new)} files new, {len(changes.changed)} changed, {len(changes.removed)} removed, "
        f"{len(changes.unchanged)} unchanged"
    )


def is_repo_id(text: str) -> bool:
    """Whether it is `org/name` as the Hub allows them."""
    name = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
    return bool(re.fullmatch(f"{name}/{name}", text)) and "--" not in text and ".." not in text and len(text) <= 96

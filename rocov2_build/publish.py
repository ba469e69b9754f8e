"""Publish a repository on the Hub: check it, upload it in one commit, verify the commit, tag it.

The contents are stored first, and no revision contains them yet. Then one commit adds them to the branch and removes the
files of an earlier version. The Hub makes a commit completely or not at all, and refuses it if its parent is no longer the
head of the branch. So an interruption leaves the branch either unchanged or complete, and the next run uploads only files
that are missing on the Hub.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import constants, get_token
from huggingface_hub.utils.tqdm import disable_progress_bars

from rocov2_build.check import check_repository
from rocov2_build.checks.violations import Violation, blocking, describe_result, describe_violations
from rocov2_build.hub.client import ChangedMeanwhileError, HubRepository
from rocov2_build.hub.refusals import TOKENS
from rocov2_build.hub.uploads import Changes, Upload, compare, find_uploads
from rocov2_build.hub.watched_folder import WatchedFolder
from rocov2_build.raw.releases import RELEASES, SAMPLE
from rocov2_shared.conversion import ConversionRecord, read_conversion
from rocov2_shared.errors import UserError
from rocov2_shared.printable import printable
from rocov2_shared.resuming import RESUME, resumable
from rocov2_shared.sizes import format_count, format_size
from rocov2_shared.terminal import Progress, echo, say

MAIN = "main"
_CONCURRENT_UPLOADS = 4
_MAX_LISTED = 20
"""Violations, or files, that an error message lists."""


@dataclass(frozen=True)
class Publication:
    """What is published, and where.

    Attributes:
        root: folder of the repository.
        repo_id: `org/name` on the Hub.
        revision: branch; a new branch starts at the head of main.
        tag: tag name (default: release plus row hash, e.g. `2.0.1-0123456789ab`).
        private: create the repository as a private one if it does not exist yet.
        allow_partial: also publish a part of a release, the sample, or an unknown release.
        dry_run: only list the files that would be uploaded.
    """

    root: Path
    repo_id: str
    revision: str = MAIN
    tag: str | None = None
    private: bool = False
    allow_partial: bool = False
    dry_run: bool = False

    @property
    def target(self) -> str:
        """Repository and branch on the Hub: `org/name@revision`."""
        return f"{self.repo_id}@{self.revision}"


def publish(publication: Publication) -> None:
    """Check a repository and publish it.

    Raises:
        UserError: the repository contains links, breaks a rule, is only a part or changes meanwhile; the Hub refuses a
            request; or the verification fails.
    """
    disable_progress_bars()
    folder = WatchedFolder(publication.root)
    violations = check_repository(publication.root)
    if blocking(violations):
        raise UserError(_describe_violations(publication.root, violations))
    conversion = _read_conversion(publication.root, publication.allow_partial)
    uploads, left_out = find_uploads(publication.root, publication.repo_id)
    folder.require_recorded(uploads, conversion)
    say("Checked", describe_result(publication.root, violations))
    say("Files", f"{format_count(len(uploads), 'file')}, {format_size(sum(upload.size for upload in uploads))}")
    if left_out:
        say("Left out", f"{format_count(len(left_out), 'file')} that no repository contains: {', '.join(left_out)}")
    token = get_token()
    repository = HubRepository(publication.repo_id, token, say)
    if publication.dry_run:
        _print_plan(publication, uploads, _find_changes(publication, repository, uploads))
        return
    if not token:
        raise UserError(
            "the token for the Hub is missing: run `hf auth login` or set HF_TOKEN; the token needs write access to "
            f"{publication.repo_id.partition('/')[0]} ({TOKENS})"
        )
    _publish(publication, folder, repository, uploads, conversion)


def default_tag(release: str | None, rows_sha256: str) -> str:
    """Return a tag of release and row hash: the same rows get the same tag."""
    return f"{release or 'unknown'}-{rows_sha256[:12]}"


def _describe_violations(root: Path, violations: list[Violation]) -> str:
    lines = _shorten(describe_violations(blocking(violations)))
    return "\n  ".join([f"{describe_result(root, violations)}; nothing was published:", *lines])


def _shorten(lines: list[str]) -> list[str]:
    more = len(lines) - _MAX_LISTED
    return [*lines[:_MAX_LISTED], f"... and {more:,} more"] if more > 0 else lines


def _read_conversion(root: Path, allow_partial: bool) -> ConversionRecord:
    conversion = read_conversion(str(root), lambda content: content, "build it again")
    release, part = conversion["release"], conversion.get("part")
    reason = ""
    if release == SAMPLE:
        reason = "the project's sample"
    elif conversion["partial"] or part:
        reason = f"a part of the release ({part})"
    elif release not in RELEASES:
        reason = f"of an unknown release ({release or '`rocov2 convert` found no match'})"
    if reason and not allow_partial:
        raise UserError(f"{root} is {reason}: build a whole release, or use --allow-partial to publish this anyway")
    left_out = len(conversion.get("left_out") or ())
    if left_out:
        say("Note", f"{format_count(left_out, 'image')} of the release left out; conversion.json lists them")
    return conversion


def _publish(
    publication: Publication,
    folder: WatchedFolder,
    repository: HubRepository,
    uploads: list[Upload],
    conversion: ConversionRecord,
) -> None:
    _require_repository(repository, publication.private)
    branches, tags = repository.refs()
    if publication.revision in tags:
        raise UserError(
            f"{publication.revision} is a tag of {publication.repo_id}, and tags are never moved: choose a branch"
        )
    if MAIN not in branches and publication.revision not in branches:
        raise UserError(
            f"{publication.repo_id} has neither the branch {publication.revision} nor {MAIN} to start it from"
        )
    exists = publication.revision in branches
    head = branches[publication.revision if exists else MAIN]
    changes = compare(uploads, repository.files(head))
    tag = publication.tag or default_tag(conversion["release"], conversion["rows_sha256"]["default"])
    if publication.tag in tags and (tags[tag] != head or not changes.is_empty):
        raise UserError(
            f"the tag {tag} already exists, at commit {tags[tag][:12]}: choose another, or delete it on the Hub first"
        )
    if changes.kept:
        say("Kept", f"{format_count(len(changes.kept), 'other file')} on the Hub: {', '.join(changes.kept)}")
    with resumable(lambda: True):  # what was uploaded is on the Hub
        if changes.is_empty and exists:
            say("Unchanged", f"{publication.target} has all files: nothing was uploaded")
        else:
            try:
                _send(repository, changes.sent)
            finally:  # a storage refuses contents that changed on their way: say that rather than what it says
                folder.require_unchanged(changes.sent)
            if not exists:
                repository.create_branch(publication.revision, head)
            head = _commit(publication, repository, uploads, changes, head, tag) if not changes.is_empty else head
        _verify(publication, repository, uploads, head)
        if tag in tags and tags[tag] != head:
            say("Tag", f"{tag} stays at commit {tags[tag][:12]}, which has the same rows; use --tag to tag this one")
        elif tag not in tags:
            repository.tag(tag, head, f"ROCOv2 {conversion['release'] or ''}".strip())
            say("Tag", f"{tag} at commit {head[:12]}")
    revision = "" if publication.revision == MAIN else f', revision="{publication.revision}"'
    say("Done", f"{constants.ENDPOINT}/datasets/{publication.repo_id}")
    say("", f'Use: load_dataset("{publication.repo_id}"{revision})')


def _require_repository(repository: HubRepository, private: bool) -> None:
    is_private = repository.is_private()
    if is_private is None:
        repository.create(private)
        say("Created", f"{repository.repo_id}, {'private' if private else 'public'}")
    elif private and not is_private:
        raise UserError(f"{repository.repo_id} is already public: make it private on the Hub, or leave out --private")


def _send(repository: HubRepository, uploads: list[Upload]) -> None:
    size = sum(upload.size for upload in uploads)
    with Progress("Upload", size, len(uploads), "", "files", show=format_size) as progress:
        for start in range(0, len(uploads), _CONCURRENT_UPLOADS):
            group = uploads[start : start + _CONCURRENT_UPLOADS]
            repository.send(group, _CONCURRENT_UPLOADS)
            for upload in group:
                progress.add(upload.size)


def _commit(
    publication: Publication, repository: HubRepository, uploads: list[Upload], changes: Changes, parent: str, tag: str
) -> str:
    try:
        commit = repository.commit(publication.revision, parent, changes.sent, changes.removed, f"ROCOv2 {tag}")
    except ChangedMeanwhileError as error:
        # It may be our own commit, if only the answer was lost: then it has our files.
        head = repository.refs()[0].get(publication.revision, parent)
        if compare(uploads, repository.files(head)).is_empty:
            return head
        raise UserError(
            f"someone else changed {publication.target} meanwhile (from {parent[:12]} to {head[:12]}): no "
            "file of this version is visible. Look at their commit, then run the same command again: it puts this version "
            "on top of theirs, without another upload"
        ) from error
    say("Commit", f"{commit[:12]}: {_summary(changes)}")
    return commit


def _verify(publication: Publication, repository: HubRepository, uploads: list[Upload], commit: str) -> None:
    """Compare the hashes of all files on the Hub with the local ones, and the whole content of files in git."""
    remote = repository.files(commit)
    changes = compare(uploads, remote)
    wrong = [f"{file.path}: missing" for file in changes.new]
    wrong += [f"{file.path}: another hash than the local {format_count(file.size, 'byte')}" for file in changes.changed]
    wrong += [f"{path}: not removed" for path in changes.removed]
    for file in changes.unchanged:
        content = file.source.read_bytes() if isinstance(file.source, Path) else file.source
        if not remote[file.path].lfs and repository.read(file.path, commit) != content:
            wrong.append(f"{file.path}: other bytes than the local file")
    if wrong:
        listed = "\n  ".join(_shorten(wrong))
        raise UserError(
            f"verification failed: files at commit {commit[:12]} of {publication.target} differ from what was uploaded; "
            f"the commit was not tagged:\n  {listed}\nCheck that {publication.root} was not changed meanwhile. {RESUME}"
        )
    say("Verified", f"the hashes on the Hub match the local files ({format_count(len(uploads), 'file')})")


def _find_changes(publication: Publication, repository: HubRepository, uploads: list[Upload]) -> Changes | None:
    """Return what would change on the Hub; None if the Hub cannot be asked."""
    try:
        if repository.is_private() is None:
            say("Hub", f"{publication.repo_id} does not exist yet, or needs a token: all files count as new")
            return compare(uploads, {})
        branches, _ = repository.refs()
        return compare(uploads, repository.files(branches.get(publication.revision, branches.get(MAIN, MAIN))))
    except UserError as error:
        say("Hub", f"cannot compare with the files on the Hub: {error}")
        return None


def _print_plan(publication: Publication, uploads: list[Upload], changes: Changes | None) -> None:
    states = {upload.path: state for state in ("new", "changed", "unchanged") for upload in getattr(changes, state, [])}
    for upload in uploads:
        echo(f"{states.get(upload.path, 'unknown'):<10}{upload.size:>15,}  {printable(upload.path)}")
    for path in changes.removed if changes else []:
        echo(f"{'removed':<10}{'':>15}  {printable(path)}")
    sent = changes.sent if changes else uploads
    size = format_size(sum(upload.size for upload in sent))
    count = ("" if changes else "at most ") + format_count(len(sent), "file")
    say("Dry run", f"{count}, {size}, would be uploaded to {publication.target}; nothing was uploaded")


def _summary(changes: Changes) -> str:
    return (
        f"{len(changes.new)} new, {len(changes.changed)} changed, {len(changes.removed)} removed, "
        f"{len(changes.unchanged)} unchanged"
    )


def is_repo_id(text: str) -> bool:
    """Return whether a text is an `org/name` that the Hub allows."""
    name = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
    return bool(re.fullmatch(f"{name}/{name}", text)) and "--" not in text and ".." not in text and len(text) <= 96

"""Revisions of rows replaced by the commits that they mean now, in data/models.yml as it is written."""

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from compressed_code.checkpoints.hub import find_commit
from compressed_code.core.atomic_files import written_whole
from compressed_code.core.errors import InputError, Unavailable
from compressed_code.registry.lookup import load_registry

Find = Callable[[str, str | None], str]


def lock_models(path: Path, names: Collection[str] = (), find: Find = find_commit) -> Mapping[str, str]:
    """Write the commit of every row whose revision is a branch or a tag; comments and order stay.

    A row that is locked stays what it is unless it is named. What cannot be resolved stays not locked.

    Args:
        path: the registry file.
        names: only these rows; by default all that are not locked.
        find: from Hub id and revision to the commit.

    Returns:
        Row → its commit, or in words why there is none.

    Raises:
        InputError: a name is no row of a Hub, the file cannot be written, or a row has no line for its revision.
    """
    rows = load_registry(path).models
    for name in names:
        if name not in rows or rows[name].hub is None:
            raise InputError(
                f"{name}: is no row of {path} that names a Hub; compressed-code list models shows the rows"
            )
    wanted = [rows[name] for name in names] or [row for row in rows.values() if not row.locked]
    found: dict[tuple[str, str | None], str] = {}
    told = {}
    for row in wanted:
        place = (row.hub, "main" if row.locked else row.revision)
        if place not in found:
            try:
                found[place] = find(*place)
            except Unavailable as gap:
                found[place] = str(gap)
        told[row.key] = found[place]
    commits = {name: answer for name, answer in told.items() if re.fullmatch(r"[0-9a-f]{40}", answer)}
    if commits:
        _write(path, commits)
    return told


def _write(path: Path, commits: Mapping[str, str]) -> None:
    """The file with these revisions, when reading it back says that nothing else changed."""
    before = load_registry(path)
    text = path.read_text(encoding="utf-8")
    for name, commit in commits.items():
        line = re.compile(rf'(^  {re.escape(name)}:\n(?:    .*\n)*?    revision: )"?[^\s"]+"?$', re.MULTILINE)
        text, count = line.subn(rf'\g<1>"{commit}"', text)
        if count != 1:
            raise InputError(f"{path}: models.{name}: has no line `revision: …` to replace; write one")
    with written_whole(path) as part:
        part.write_text(text, encoding="utf-8")
        expected = {
            key: row.model_copy(update={"revision": commits.get(key, row.revision)})
            for key, row in before.models.items()
        }
        if dict(load_registry(part).models) != expected:
            raise InputError(f"{path}: its revisions cannot be replaced line by line; write each row in block style")

"""What can be wrong with the files that a node keeps."""

from __future__ import annotations

from mock_server.errors import CallerError, problem

FOLDER_VERSION = problem(
    "folder-version",
    CallerError,
    "{path} was written in format {found}; this release reads format {wanted}.",
    "Use the release that made the folder, or make a new cluster in another folder.",
)
JOURNAL_DAMAGED = problem(
    "journal-damaged",
    CallerError,
    "The journal {path} is damaged: {detail}.",
    "Move this node's folder away and start the node again: it then copies everything from its peer.",
)

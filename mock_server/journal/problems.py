"""What can be wrong with the files that a node keeps."""

from __future__ import annotations

from mock_server.errors import CallerError, CommunicationError, problem

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
    "Move journal.sqlite* of this server away and start the cluster again: it copies everything from the "
    "other one, which may have to be started with `ha_cluster_start --force`.",
)
JOURNAL_NOT_WRITABLE = problem(
    "journal-not-writable",
    CommunicationError,
    "The journal {path} cannot be written: {detail}.",
    "Make room on its disk, or look at what is wrong with it; then ha_cluster_start.",
)
COPY_DAMAGED = problem(
    "copy-damaged",
    CommunicationError,
    "The copy of the Active's journal did not arrive whole: {detail}.",
    "The server keeps what it had and asks for another copy by itself.",
)

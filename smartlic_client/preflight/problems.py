"""Why the check could not run. What it finds are no problems but findings."""

from __future__ import annotations

from smartlic_client.errors import CallerError, problem

__all__ = ["BAD_CA", "BAD_EARLIER", "CANNOT_READ", "CANNOT_WRITE", "SERVER_SILENT", "CheckError"]


class CheckError(CallerError):
    """The check could not run: exit code 2, since 1 says that there are findings."""

    exit_code = 2


BAD_CA = problem(
    "check-bad-ca",
    CheckError,
    "The trust anchors in {path} cannot be used: {why}.",
    "Give --ca a PEM or DER file with the root certificate of the cluster, such as the server offers under "
    "https://VIP:8443/trust-anchor.pem.",
)
CANNOT_READ = problem(
    "check-cannot-read",
    CheckError,
    "{path} cannot be read: {why}.",
    "Give an inventory with one URL a line, or CSV with a name and a URL; - is standard input.",
)
CANNOT_WRITE = problem(
    "check-cannot-write",
    CheckError,
    "The report cannot be written to {path}: {why}.",
    "Choose another place for it.",
)
BAD_EARLIER = problem(
    "check-bad-earlier",
    CheckError,
    "{path} is no earlier result of this check: {why}.",
    "Make one with: smartlic check --format json --output earlier.json URL",
)
SERVER_SILENT = problem(
    "check-server-silent",
    CheckError,
    "The server of {folder} does not say what its certificates are: {why}.",
    "Check the folder, and that the cluster runs (smartlic-mock status), or leave --server-folder out.",
)

"""All that can go wrong in the cluster, on one screen."""

from __future__ import annotations

from mock_server.errors import BusyError, CallerError, CommunicationError, RefusedError, UsageError, problem

NOT_ACTIVE = problem(
    "not-active",
    CommunicationError,
    "{node} is not the Active server of this cluster ({state}).",
    "Ask again by the VIP in a second; `ha_status` says who is Active.",
)
NOBODY_ACTIVE = problem(
    "nobody-active",
    CommunicationError,
    "No server of this cluster is Active.",
    "In a failover one is in a moment. Else `smartlic-mock console primary ha_status` says why (and the "
    "same for secondary), and ha_cluster_start starts one.",
)
ANSWER_LOST = problem(
    "answer-lost",
    CommunicationError,
    "The {node} stopped serving while it did {op}: whether it is done is not known.",
    "Look before you ask for it again: it is shown in lists and in `smartlic-mock events` if it is.",
)
ANSWER_TOO_LONG = problem(
    "answer-too-long",
    CallerError,
    "The answer to {op} is longer than {limit} bytes.",
    "Ask for less of it: lists that grow have --limit and --offset.",
)
FLUSH_FAILED = problem(
    "flush-failed",
    CommunicationError,
    "The change could not be made safe: {detail}.",
    "Nothing was acknowledged; see whether it is there, and ask again. If it stays so, look at the disk of "
    "the cluster's folder.",
)
JOURNAL_BUSY = problem(
    "journal-busy",
    CommunicationError,
    "{queued} changes wait for the disks already.",
    "Ask again in a second, or send less.",
)
VIP_IN_USE = problem(
    "vip-in-use",
    BusyError,
    "The VIP {address} is held by {holder}.",
    "Stop what listens there (`ss -ltnp`), or make a cluster with another VIP.",
)
PORT_IN_USE = problem(
    "port-in-use",
    BusyError,
    "{address} is held by {holder}.",
    "Stop what listens there (`ss -ltnp`), or make a cluster with other ports.",
)
ADDRESS_NOT_HERE = problem(
    "address-not-here",
    CallerError,
    "{address} is no address of this machine.",
    "Use an address that `ip address` lists. On Linux all of 127.0.0.0/8 can be used as it is.",
)
ADDRESS_NOT_ALLOWED = problem(
    "address-not-allowed",
    CallerError,
    "{address} cannot be an address of the cluster: {detail}.",
    "Give numeric addresses of this machine; 0.0.0.0 and :: would hold the VIP for both nodes.",
)
REMOTE_NOT_ALLOWED = problem(
    "remote-not-allowed",
    CallerError,
    "{address} can be reached from other machines, and a mock is for its own.",
    "Give loopback addresses (127.…, ::1); or say --allow-remote (in Python allow_remote=True) where all who "
    "reach that address may use the mock.",
)
REMOTE_ALLOWED = problem(
    "remote-allowed",
    CallerError,
    "Other machines can reach this mock at {address}, as --allow-remote says.",
    "Keep it to a network of tests; docs/security.md says what a mock must never be used for.",
)
PORT_NOT_ALLOWED = problem(
    "port-not-allowed",
    CallerError,
    "This user may not listen on {address}.",
    "Use a port from 1024 up, or allow it: sysctl net.ipv4.ip_unprivileged_port_start=443.",
)
FOLDER_EXISTS = problem(
    "folder-exists",
    CallerError,
    "{folder} holds a cluster already.",
    "Start that one, or choose another folder.",
)
NO_CLUSTER = problem(
    "no-cluster",
    CallerError,
    "{folder} holds no cluster.",
    "Create one there first, or give the folder of an existing one.",
)
NODE_HUNG = problem(
    "node-hung",
    CommunicationError,
    "The {node} does not answer; its process {pid} hangs.",
    "Its `ha_status` is answered by the other server. End the process (kill -9 {pid}), then start it: "
    "ha_cluster_start.",
)
NODE_GONE = problem(
    "node-gone",
    CommunicationError,
    "The process of the {node} ended while it ran {command}.",
    "`ha_status` says what is now; ha_cluster_start starts a new process.",
)
SUPERVISOR_HUNG = problem(
    "supervisor-hung",
    CommunicationError,
    "The cluster in {folder} does not answer.",
    "What was asked may still be done: ask again. If it stays so, end its process (control.json in the "
    "folder names it) and start it again: `smartlic-mock up`.",
)
COMMAND_UNKNOWN = problem(
    "command-unknown",
    UsageError,
    "{command}: no such command.",
    "{hint}`help` lists what there is.",
)
COMMAND_USAGE = problem(
    "command-usage",
    UsageError,
    "{command}: {detail}.",
    "Write it as: {usage}",
)
CONSOLE_BUSY = problem(
    "console-busy",
    BusyError,
    "The {node} runs {command} for another console.",
    "Wait until that one is done; `ha_status` can be asked meanwhile.",
)
CSSM_STOPPED = problem(
    "cssm-stopped",
    CommunicationError,
    "The mock CSSM is not running.",
    "Start it: `smartlic-mock cssm start`. Products and pages go on without it.",
)
CSSM_HUNG = problem(
    "cssm-hung",
    CommunicationError,
    "The mock CSSM does not answer; its process {pid} hangs.",
    "End it and start it again: `smartlic-mock cssm kill`, then `smartlic-mock cssm start`.",
)
FOLDER_DAMAGED = problem(
    "folder-damaged",
    CallerError,
    "{path} cannot be read: {detail}.",
    "Restore the file, or make a new cluster in another folder.",
)
ALREADY_RUNNING = problem(
    "already-running",
    BusyError,
    "The cluster in {folder} is up already (process {pid}).",
    "Use that one, or take it down first.",
)
NOT_RUNNING = problem(
    "not-running",
    CallerError,
    "The cluster in {folder} is not up.",
    "Start it: `smartlic-mock up`; --folder names another one.",
)
WITNESS_FAILED = problem(
    "witness-failed",
    CommunicationError,
    "The witness could not be written: {detail}.",
    "Nothing is acknowledged until it can be. Look at the disk of the cluster's folder.",
)
WITNESS_DAMAGED = problem(
    "witness-damaged",
    CallerError,
    "The witness record {path} cannot be read: {detail}.",
    "Restore the file; guessing who may serve could lose acknowledged changes.",
)
NOT_IN_SYNC = problem(
    "not-in-sync",
    RefusedError,
    "No server is Active; the {node} waits: {reason}.",
    "If the {peer} has what this one lacks, start it: smartlic-mock console {peer_name} ha_cluster_start, "
    "with --force where it waits too. What only the other one has is given up then.",
)
JOURNAL_LOST = problem(
    "journal-lost",
    RefusedError,
    "The {node} stands alone, its journal ends at change {index}, and it once held {had}.",
    "Put its journal back, from a backup of the folder: nobody else has what is missing.",
)
NODE_FAILED = problem(
    "node-failed",
    CommunicationError,
    "The process of {node} ended as it started ({detail}).",
    "Its log says more: {log}",
)
START_TIMEOUT = problem(
    "start-timeout",
    CommunicationError,
    "{node} did not get ready in {seconds} seconds ({detail}).",
    "Its log says more: {log}",
)
SERVICE_NOT_FOUND = problem(
    "service-not-found",
    CallerError,
    "The service {path} cannot be loaded: {detail}.",
    "Give it as module:factory.",
)
UNKNOWN_OP = problem(
    "unknown-op",
    CallerError,
    "There is no control operation {op!r}.",
    "Known here: {known}.",
)
BAD_REQUEST = problem(
    "bad-control-request",
    CallerError,
    "The control request cannot be understood: {detail}.",
    'Send one JSON object a line, with "op".',
)
REQUEST_TOO_LONG = problem(
    "request-too-long",
    CallerError,
    "The request is longer than {limit} bytes.",
    "Ask for less at a time.",
)
INTERNAL = problem(
    "internal-error",
    RefusedError,
    "{node} met an error of its own.",
    "Its log says more: {log}",
)
FOLDER_UNUSABLE = problem(
    "folder-unusable",
    CallerError,
    "The cluster's folder {folder} cannot be used: {why}.",
    "Give a folder that this user may make and write: --folder.",
)

"""Where a node keeps its changes: SQLite, one file a node."""

from mock_server.journal.machine import Machine
from mock_server.journal.rows import Head, Row, next_row
from mock_server.journal.store import Aggregate, Journal
from mock_server.journal.worker import JournalWorker

__all__ = ["Aggregate", "Head", "Journal", "JournalWorker", "Machine", "Row", "next_row"]

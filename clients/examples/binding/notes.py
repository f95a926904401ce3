"""Notes in a database, and pages that follow it.

``notes.py URL DATABASE``, or ``notes.py --add TEXT DATABASE``.

Each change of the table is published, whoever makes it: a page, through this service, or another program.
"""

import contextlib
import sqlite3
import sys
import time

from radiod_client import CallTimeout, Disconnected, Radio, Service, ServiceError, current_call

FIELDS = ("id", "title", "text")
"""What is told. The table has more: who wrote a note is nobody's business."""

SELECT = f"SELECT {', '.join(FIELDS)} FROM notes"
INSERT = "INSERT INTO notes (title, text, author) VALUES (?, ?, ?)"
CHANGES = "SELECT place, action, id FROM changes ORDER BY place LIMIT 100"

EDITORS = frozenset({"ann"})

SCHEMA = """
CREATE TABLE IF NOT EXISTS notes (
    id INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    text TEXT NOT NULL DEFAULT '',
    author TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS changes (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    action TEXT NOT NULL,
    id INTEGER NOT NULL
);
CREATE TRIGGER IF NOT EXISTS created AFTER INSERT ON notes
    BEGIN INSERT INTO changes (action, id) VALUES ('create', NEW.id); END;
CREATE TRIGGER IF NOT EXISTS updated AFTER UPDATE ON notes
    BEGIN INSERT INTO changes (action, id) VALUES ('update', NEW.id); END;
CREATE TRIGGER IF NOT EXISTS deleted AFTER DELETE ON notes
    BEGIN INSERT INTO changes (action, id) VALUES ('delete', OLD.id); END;
"""


@contextlib.contextmanager
def opened(path):
    """A connection of the calling thread's own, and one transaction."""
    with contextlib.closing(sqlite3.connect(path, timeout=10)) as database:
        database.executescript(SCHEMA)
        with database:
            yield database


def note(database, id):
    """What is told of a note. Raises: ServiceError: there is none."""
    row = database.execute(f"{SELECT} WHERE id = ?", (id,)).fetchone()
    if row is None:
        raise ServiceError("binding.error.no_such_note", f"there is no note {id}")
    return dict(zip(FIELDS, row, strict=True))


def editor():
    """Who calls, if that is somebody who may write. Raises: ServiceError."""
    name = current_call().details.get("caller_authid")
    if name not in EDITORS:
        raise ServiceError("wamp.error.not_authorized", "only editors may change notes")
    return name


class Notes(Service):
    """Reads for everybody, writes for editors."""

    def __init__(self, path):
        self.path = path

    def rpc_list(self) -> list:
        with opened(self.path) as database:
            rows = database.execute(f"{SELECT} ORDER BY id LIMIT 1000").fetchall()
        return [dict(zip(FIELDS, row, strict=True)) for row in rows]

    def rpc_create(self, title: str, text: str = "") -> dict:
        author = editor()
        with opened(self.path) as database:
            made = database.execute(INSERT, (title, text, author))
            return note(database, made.lastrowid)

    def rpc_update(self, id: int, title: str, text: str = "") -> dict:
        editor()
        with opened(self.path) as database:
            database.execute("UPDATE notes SET title = ?, text = ? WHERE id = ?", (title, text, id))
            return note(database, id)

    def rpc_delete(self, id: int) -> None:
        editor()
        with opened(self.path) as database:
            note(database, id)
            database.execute("DELETE FROM notes WHERE id = ?", (id,))


def told(database, action, id):
    """What is published of a change; a note that is gone meanwhile has its own change."""
    message = {"action": action, "model": "note", "pk": id}
    if action != "delete":
        try:
            message["data"] = note(database, id)
        except ServiceError:
            message["data"] = None
    return message


def follow(database, channel):
    """Publish what changes, in order; what has been published is forgotten."""
    while True:
        changes = database.execute(CHANGES).fetchall()
        for place, action, id in changes:
            try:
                channel.publish(told(database, action, id))
            except (Disconnected, CallTimeout):
                # Perhaps it was heard, perhaps not: it still stands there, and is told again.
                break
            with database:
                database.execute("DELETE FROM changes WHERE place = ?", (place,))
        if not changes:
            time.sleep(0.1)


def main(url, path):
    with opened(path) as database, Radio(url, authid="service", ticket="service-ticket") as radio:
        radio.serve(Notes(path), "notes")
        print("serving", flush=True)
        follow(database, radio.channel("binding.notes"))


if __name__ == "__main__":
    if sys.argv[1] == "--add":
        with opened(sys.argv[3]) as others:
            others.execute("INSERT INTO notes (title) VALUES (?)", (sys.argv[2],))
    else:
        main(*sys.argv[1:])

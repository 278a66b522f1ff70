"""The tables of the index. A change of them takes a new INDEX_FORMAT, and with it a new file."""

from __future__ import annotations

INDEX_FORMAT = 1
SCHEMA = """
CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS segments(
  num INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
  scanned INTEGER NOT NULL, synced INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS chunks(
  digest BLOB NOT NULL, seg INTEGER NOT NULL, at INTEGER NOT NULL, kind INTEGER NOT NULL,
  codec INTEGER NOT NULL, stored INTEGER NOT NULL, raw INTEGER NOT NULL,
  PRIMARY KEY(digest, seg, at)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS chunks_by_segment ON chunks(seg);
CREATE TABLE IF NOT EXISTS entries(
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, ord INTEGER NOT NULL,
  keys TEXT NOT NULL, body TEXT NOT NULL, roots BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entries_by_kind ON entries(kind, ord, id);
CREATE INDEX IF NOT EXISTS entries_by_order ON entries(ord);
CREATE TABLE IF NOT EXISTS entry_keys(
  key TEXT NOT NULL, ord INTEGER NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL,
  PRIMARY KEY(key, ord, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entry_places(
  id TEXT NOT NULL, seg INTEGER NOT NULL, PRIMARY KEY(id, seg)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entry_places_by_segment ON entry_places(seg);
CREATE TABLE IF NOT EXISTS expired(
  id TEXT NOT NULL, seg INTEGER NOT NULL, PRIMARY KEY(id, seg)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS gaps(
  seg INTEGER NOT NULL, at INTEGER NOT NULL, length INTEGER NOT NULL, what TEXT NOT NULL,
  PRIMARY KEY(seg, at)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lost_chunks(
  digest BLOB NOT NULL, segment TEXT NOT NULL, at INTEGER NOT NULL, stored INTEGER NOT NULL,
  PRIMARY KEY(digest, segment, at)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lost_entries(
  id TEXT NOT NULL, segment TEXT NOT NULL, PRIMARY KEY(id, segment)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS remembered(
  name TEXT PRIMARY KEY, synced INTEGER NOT NULL) WITHOUT ROWID;
"""
TABLES = (
    "segments", "chunks", "entries", "entry_keys", "entry_places", "expired", "gaps",
    "lost_chunks", "lost_entries",
)  # fmt: skip
"""All that is built from the segments; `remembered` outlives it."""

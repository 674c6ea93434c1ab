"""The schema: numbered SQL files, the same for SQLite and PostgreSQL, and what applies them."""

from cloud.migrations.runner import MigrationError, migrate, pending

__all__ = ["MigrationError", "migrate", "pending"]

"""Triggers that refuse to change entries of the audit log, or to delete them outside retention.

SQLite drops the triggers of a table that a migration rebuilds: a later migration that alters the table must end with
``create_guard``.
"""

from typing import Any

from django.db import migrations

MESSAGE = "Entries of the audit log are not changed, and only removed when they are older than AUDIT_LOG_DAYS."
CREATE = {
    "postgresql": [
        f"""
        CREATE OR REPLACE FUNCTION accounts_guard_audit_log() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'DELETE' AND EXISTS (SELECT 1 FROM accounts_auditretention WHERE OLD.at < before) THEN
                RETURN OLD;
            END IF;
            RAISE EXCEPTION '{MESSAGE}' USING ERRCODE = 'restrict_violation';
        END $$
        """,
        """
        CREATE TRIGGER accounts_audit_log_rows BEFORE UPDATE OR DELETE ON accounts_auditentry
        FOR EACH ROW EXECUTE FUNCTION accounts_guard_audit_log()
        """,
        """
        CREATE TRIGGER accounts_audit_log_truncate BEFORE TRUNCATE ON accounts_auditentry
        FOR EACH STATEMENT EXECUTE FUNCTION accounts_guard_audit_log()
        """,
    ],
    "sqlite": [
        f"""
        CREATE TRIGGER accounts_audit_log_update BEFORE UPDATE ON accounts_auditentry
        BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END
        """,
        f"""
        CREATE TRIGGER accounts_audit_log_delete BEFORE DELETE ON accounts_auditentry
        WHEN NOT EXISTS (SELECT 1 FROM accounts_auditretention WHERE OLD.at < before)
        BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END
        """,
    ],
}
DROP = {
    "postgresql": [
        "DROP TRIGGER accounts_audit_log_rows ON accounts_auditentry",
        "DROP TRIGGER accounts_audit_log_truncate ON accounts_auditentry",
        "DROP FUNCTION accounts_guard_audit_log",
    ],
    "sqlite": ["DROP TRIGGER accounts_audit_log_update", "DROP TRIGGER accounts_audit_log_delete"],
}


def create_guard(apps: Any, schema_editor: Any) -> None:
    for statement in CREATE[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)


def drop_guard(apps: Any, schema_editor: Any) -> None:
    for statement in DROP[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0011_audit_retention"),
    ]

    operations = [migrations.RunPython(create_guard, drop_guard)]

from django.db import migrations


class Migration(migrations.Migration):
    """Rename the model and keep its table, so that processes of the release before go on working."""

    dependencies = [
        ("jobs", "0008_retention"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameModel(old_name="Turn", new_name="LeaderLock"),
                migrations.AlterModelTable(name="leaderlock", table="jobs_turn"),
            ],
        ),
    ]

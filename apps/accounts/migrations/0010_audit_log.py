from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0009_scopes_of_keys"),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(auto_now_add=True, db_index=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[("person", "person"), ("key", "API key"), ("command", "command")], max_length=10
                    ),
                ),
                ("actor", models.CharField(max_length=200)),
                ("action", models.CharField(max_length=200)),
                ("target", models.CharField(blank=True, max_length=500)),
                ("address", models.GenericIPAddressField(blank=True, null=True)),
                ("request_id", models.CharField(blank=True, max_length=64)),
            ],
            options={"verbose_name_plural": "audit log"},
        ),
    ]

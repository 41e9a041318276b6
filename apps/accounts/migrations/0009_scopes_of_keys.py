import apps.accounts.models
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0008_project_deletion"),
    ]

    operations = [
        migrations.AddField(
            model_name="apikey",
            name="scopes",
            field=models.CharField(
                db_default="read parse admin",
                default="read parse admin",
                help_text="what the key may do, with blanks between: read, parse, admin",
                max_length=50,
                validators=[apps.accounts.models.validate_scopes],
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="allowed_addresses",
            field=models.TextField(
                blank=True,
                db_default="",
                default="",
                help_text="addresses or networks that may use the key, with commas between; empty: all",
                validators=[apps.accounts.models.validate_networks],
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="last_used_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
    ]

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_idempotency_keys"),
    ]

    operations = [
        migrations.AddField(
            model_name="apikey",
            name="requests_per_minute",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="empty: the setting KEY_REQUESTS_PER_MINUTE, 0: no limit",
                null=True,
                validators=[django.core.validators.MaxValueValidator(1000000)],
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="uploads_at_once",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="empty: the setting KEY_UPLOADS_AT_ONCE, 0: no limit",
                null=True,
                validators=[django.core.validators.MaxValueValidator(10000)],
            ),
        ),
    ]

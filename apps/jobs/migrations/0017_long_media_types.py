from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0016_batch_of_contained_files'),
    ]

    operations = [
        migrations.AlterField(
            model_name='parsejob',
            name='media_type',
            field=models.CharField(blank=True, max_length=100),
        ),
    ]

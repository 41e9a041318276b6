import apps.jobs.states
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0017_long_media_types'),
    ]

    operations = [
        migrations.AddField(
            model_name='parsejob',
            name='converted_key',
            field=models.CharField(blank=True, db_default='', default='', max_length=120),
        ),
        migrations.AddField(
            model_name='parsejob',
            name='converted_type',
            field=models.CharField(blank=True, db_default='', default='', max_length=100),
        ),
        migrations.AlterField(
            model_name='pageattempt',
            name='stage',
            field=models.CharField(choices=[('split', 'split'), ('convert', 'convert'), ('extract', 'extract'), ('plan', 'plan'), ('recognize', 'recognize'), ('route', 'route'), ('model', 'model'), ('annotate', 'annotate'), ('assemble', 'assemble'), ('done', 'done')], max_length=12),
        ),
        migrations.AlterField(
            model_name='parsejob',
            name='stage',
            field=models.CharField(choices=[('split', 'split'), ('convert', 'convert'), ('extract', 'extract'), ('plan', 'plan'), ('recognize', 'recognize'), ('route', 'route'), ('model', 'model'), ('annotate', 'annotate'), ('assemble', 'assemble'), ('done', 'done')], default=apps.jobs.states.Stage['SPLIT'], max_length=12),
        ),
        migrations.AlterField(
            model_name='step',
            name='stage',
            field=models.CharField(choices=[('split', 'split'), ('convert', 'convert'), ('extract', 'extract'), ('plan', 'plan'), ('recognize', 'recognize'), ('route', 'route'), ('model', 'model'), ('annotate', 'annotate'), ('assemble', 'assemble'), ('done', 'done')], max_length=12),
        ),
    ]

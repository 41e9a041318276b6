"""The app's configuration."""

from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    name = "apps.monitoring"
    label = "operations"  # tables, migrations and permissions carry this label since 0.1

    def ready(self) -> None:
        from apps.monitoring import login_counts

        login_counts.start()

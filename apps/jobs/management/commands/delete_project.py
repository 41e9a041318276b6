"""manage.py delete_project NAME [--confirm NAME] [--in-background]"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts import audit
from apps.accounts.models import Project
from apps.jobs.commands import delete_project


class Command(BaseCommand):
    help = "Delete a project with everything that is its own. Without --confirm, only show what that is."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--confirm", metavar="NAME", help="the project's name again")
        parser.add_argument(
            "--in-background", action="store_true", help="let housekeeping delete it; its keys are refused at once"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        project = Project.objects.filter(name=options["name"]).first()
        if project is None:
            raise CommandError(f"There is no project {options['name']!r}.")
        self.stdout.write(f"Project {project.name} ({project.pk}): {delete_project.contents_of(project)}.")
        if options["confirm"] != project.name:
            raise CommandError(f"Nothing was deleted. To delete all of this, add --confirm {project.name!r}.")
        audit.record_command("delete project", f"{project.name} ({project.pk})")
        delete_project.request_deletion(project=project, by="manage.py delete_project")
        if options["in_background"]:
            self.stdout.write("Its keys are refused now; housekeeping deletes the rest.")
            return
        while delete_project.delete_some_of(project):
            pass
        self.stdout.write("Deleted.")

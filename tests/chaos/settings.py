"""The service's settings with failpoints. Images contain no tests, so a release has neither these settings nor them."""

from parse_project.settings import *  # noqa: F403
from parse_project.settings import INSTALLED_APPS as _INSTALLED_APPS

INSTALLED_APPS = [*_INSTALLED_APPS, "tests.chaos.failpoints.Failpoints"]

"""The service's settings with failpoints. Images contain no tests, so a release has neither these settings nor them."""

import os

from parse_project.settings import *  # noqa: F403
from parse_project.settings import INSTALLED_APPS as _INSTALLED_APPS

# In a storm of kills a page may be in three killed processes by chance, which is how poison is recognized.
MAX_STARTS = int(os.environ.get("CHAOS_MAX_STARTS", "3"))
INSTALLED_APPS = [*_INSTALLED_APPS, "tests.chaos.failpoints.Failpoints"]

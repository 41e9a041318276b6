"""Flower behind a password: FLOWER_BASIC_AUTH is NAME:PASSWORD. Without it Flower does not start."""

import os

from parse_project import flower

basic_auth = [os.environ["FLOWER_BASIC_AUTH"]]
format_task = flower.format_task
tasks_columns = flower.TASKS_COLUMNS
flower.protect_metrics()

"""Flower behind a password, its metrics too: FLOWER_BASIC_AUTH is NAME:PASSWORD. Without it Flower does not start."""

import os

from flower.views.monitor import Metrics
from tornado.web import authenticated

basic_auth = [os.environ["FLOWER_BASIC_AUTH"]]
Metrics.get = authenticated(Metrics.get)

"""Django's PostgreSQL with an answer within two seconds: DATABASES["default"]["ENGINE"]."""

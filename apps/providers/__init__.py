"""One face to many GenAI providers: accounts, models, quotas, and every call that was made."""

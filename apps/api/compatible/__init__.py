"""The APIs of other parsing services, so that programs written for them work here: thin modules on our own services."""
